//! The listening end: takes connections on the HA link, lets only the pinned peer in,
//! and has one connection for each stream; a newer one replaces the older.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::link::Inside;
use super::pump::{NoGreeting, greet, greeted};
use super::state::Trouble;
use super::{Greeting, HANDSHAKE_LIMIT, Stream, socket};
use crate::agent::callers::{Callers, Place};

/// Handshakes at a time: those of the peer, and so many strangers that pushing the peer out
/// of its place takes that many connections within one handshake of the peer.
const MAX_HANDSHAKES: usize = 32;
/// Wait before the port is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Listens for ever; the HA link may come and go.
pub(super) async fn accept(inside: Arc<Inside>) {
    // They end with this task, and so with the link: after unpairing nobody stays inside.
    let mut connections = JoinSet::new();
    let mut callers = Callers::new(MAX_HANDSHAKES);
    loop {
        let end = match socket::listen(&inside.interface, inside.port) {
            Ok(listener) => take_all(&inside, &listener, &mut callers, &mut connections).await,
            Err(error) => error,
        };
        let address = format!("{} port {}", inside.interface, inside.port);
        inside.down(Stream::Control, Trouble::Unreachable { address, error: end.to_string() });
        sleep(RETRY).await;
    }
}

/// Until no connection can be taken; those that stand are left alone by that.
async fn take_all(
    inside: &Arc<Inside>,
    listener: &TcpListener,
    callers: &mut Callers,
    connections: &mut JoinSet<()>,
) -> io::Error {
    loop {
        let (tcp, from) = tokio::select! {
            taken = listener.accept() => match taken {
                Ok(taken) => taken,
                Err(error) => return error,
            },
            Some(_) = connections.join_next() => continue,
        };
        let place = callers.admit(from.ip());
        connections.spawn(let_in(Arc::clone(inside), tcp, from, place));
    }
}

/// One connection, from its first byte to its end.
async fn let_in(inside: Arc<Inside>, tcp: TcpStream, from: SocketAddr, mut place: Place) {
    let shaken = tokio::select! {
        shaken = timeout(HANDSHAKE_LIMIT, shake_hands(&inside, tcp)) => shaken,
        () = place.lost() => return,
    };
    drop(place);
    match shaken {
        Ok(Ok((tls, peer))) => inside.serve(tls, peer).await,
        Ok(Err(No::Greeting(error))) => {
            inside.down(Stream::Control, Trouble::Refused { error });
        }
        Ok(Err(No::Stranger(error))) => {
            let address = from.ip().to_canonical().to_string();
            inside.down(Stream::Control, Trouble::NotThePeer { address, error });
        }
        // Somebody who connects and says nothing is not worth a word.
        Err(_) => {}
    }
}

enum No {
    Stranger(String),
    Greeting(String),
}

type Tls = tokio_rustls::server::TlsStream<TcpStream>;

async fn shake_hands(inside: &Inside, tcp: TcpStream) -> Result<(Tls, Greeting), No> {
    let stranger = |error: io::Error| No::Stranger(error.to_string());
    tcp.set_nodelay(true).map_err(stranger)?;
    let acceptor = TlsAcceptor::from(Arc::clone(&inside.server));
    let mut tls = acceptor.accept(tcp).await.map_err(stranger)?;
    let peer = greeted(&mut tls).await.map_err(|no| match no {
        NoGreeting::Ended(end) => No::Stranger(end.to_string()),
        NoGreeting::Wrong(error) => No::Greeting(error.to_string()),
    })?;
    // Ours goes out in any case: the peer must be able to say which versions do not suit.
    greet(&mut tls, &inside.greeting(peer.stream)).await.map_err(stranger)?;
    peer.common().map_err(|error| No::Greeting(error.to_string()))?;
    socket::set_priority(peer.stream, tls.get_ref().0);
    Ok((tls, peer))
}

//! The listening end: takes connections on the HA link, lets only the pinned peer in,
//! and has one connection for each stream; a newer one replaces the older.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::link::Inside;
use super::pump::{NoGreeting, greet, greeted};
use super::state::Trouble;
use super::{Greeting, HANDSHAKE_LIMIT, Stream, socket};

/// Handshakes at a time; more are turned away. A stranger on the cable can fill them for
/// [`HANDSHAKE_LIMIT`], and no longer.
const MAX_HANDSHAKES: usize = 16;
/// Wait before the port is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Listens for ever; the HA link may come and go.
pub(super) async fn accept(inside: Arc<Inside>) {
    loop {
        let end = match socket::listen(&inside.interface, inside.port) {
            Ok(listener) => take_all(&inside, &listener).await,
            Err(error) => error,
        };
        let address = format!("{} port {}", inside.interface, inside.port);
        inside.down(Stream::Control, Trouble::Unreachable { address, error: end.to_string() });
        sleep(RETRY).await;
    }
}

async fn take_all(inside: &Arc<Inside>, listener: &TcpListener) -> io::Error {
    let room = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    // They end with this task, and so with the link: after unpairing nobody stays inside.
    let mut connections = JoinSet::new();
    loop {
        let (tcp, from) = tokio::select! {
            taken = listener.accept() => match taken {
                Ok(taken) => taken,
                Err(error) => return error,
            },
            Some(_) = connections.join_next() => continue,
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let inside = Arc::clone(inside);
        connections.spawn(async move {
            let shaken = timeout(HANDSHAKE_LIMIT, shake_hands(&inside, tcp)).await;
            drop(permit);
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
        });
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
    Ok((tls, peer))
}

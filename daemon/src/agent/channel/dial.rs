//! The dialling end: one task for each stream that tries the peer's addresses again and
//! again, less often while it fails, for as long as the link lives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::link::Inside;
use super::pump::{NoGreeting, greet, greeted};
use super::state::Trouble;
use super::{Greeting, HANDSHAKE_LIMIT, HelloError, Stream, socket};
use crate::agent::identity::server_name;

/// Wait after the first failure; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// A peer that comes back is noticed within this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// A connection that held so long was a good one: the next try comes at once.
const GOOD: Duration = Duration::from_secs(5);

/// Keeps one stream connected.
pub(super) async fn dial(inside: Arc<Inside>, stream: Stream) {
    let mut wait = FIRST_WAIT;
    loop {
        let addresses = inside.addresses.borrow().clone();
        match first_that_answers(&inside, stream, &addresses).await {
            Ok((tls, peer)) => {
                let began = Instant::now();
                inside.serve(tls, peer).await;
                if began.elapsed() >= GOOD {
                    wait = FIRST_WAIT;
                }
            }
            Err(trouble) => inside.down(stream, trouble),
        }
        let mut fresh = inside.addresses.clone();
        tokio::select! {
            () = sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
            changed = fresh.changed() => {
                if changed.is_err() {
                    // Nobody finds addresses any more; go on with those we have.
                    sleep(LONGEST_WAIT).await;
                }
                wait = FIRST_WAIT;
            }
        }
    }
}

type Tls = tokio_rustls::client::TlsStream<TcpStream>;

async fn first_that_answers(
    inside: &Inside,
    stream: Stream,
    addresses: &[SocketAddr],
) -> Result<(Tls, Greeting), Trouble> {
    let mut trouble = Trouble::NotHeard;
    for address in addresses {
        match connect(inside, stream, *address).await {
            Ok(connected) => return Ok(connected),
            Err(why) => trouble = why,
        }
    }
    Err(trouble)
}

async fn connect(
    inside: &Inside,
    stream: Stream,
    address: SocketAddr,
) -> Result<(Tls, Greeting), Trouble> {
    let unreachable = |error: String| Trouble::Unreachable { address: address.to_string(), error };
    let tcp = socket::connect(&inside.interface, address)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let late = |_| unreachable(format!("no handshake for {} s", HANDSHAKE_LIMIT.as_secs()));
    timeout(HANDSHAKE_LIMIT, shake_hands(inside, stream, address, tcp)).await.map_err(late)?
}

async fn shake_hands(
    inside: &Inside,
    stream: Stream,
    address: SocketAddr,
    tcp: TcpStream,
) -> Result<(Tls, Greeting), Trouble> {
    let not_the_peer = |error: String| Trouble::NotThePeer { address: address.to_string(), error };
    let connector = TlsConnector::from(Arc::clone(&inside.client));
    let mut tls = connector
        .connect(server_name(), tcp)
        .await
        .map_err(|error| not_the_peer(error.to_string()))?;
    let greeting = greet(&mut tls, &inside.greeting(stream)).await;
    greeting.map_err(|error| not_the_peer(error.to_string()))?;
    // With TLS 1.3 a refusal of our certificate arrives only now.
    let peer = greeted(&mut tls).await.map_err(|no| match no {
        NoGreeting::Ended(end) => not_the_peer(end.to_string()),
        NoGreeting::Wrong(error) => Trouble::Refused { error: error.to_string() },
    })?;
    let suits = peer.common().and_then(|_| match peer.stream == stream {
        true => Ok(()),
        false => Err(HelloError::Stream(peer.stream)),
    });
    suits.map_err(|error| Trouble::Refused { error: error.to_string() })?;
    Ok((tls, peer))
}

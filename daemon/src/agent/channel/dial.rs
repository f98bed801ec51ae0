//! The dialling end: one task for each stream that tries the peer's addresses again and
//! again, less often while it fails, for as long as the link lives.
//!
//! The addresses are hearsay: anybody on the cable can say that he is the peer. So they are
//! tried side by side, and whoever takes the call and says nothing delays nobody.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsConnector;

use super::link::Inside;
use super::pump::{NoGreeting, greet, greeted};
use super::state::Trouble;
use super::{Greeting, HANDSHAKE_LIMIT, HelloError, Stream, socket};
use crate::agent::identity::server_name;

/// Wait after a failure while the peer may be starting again, and for how long it may;
/// after that it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
const EAGER: Duration = Duration::from_secs(1);
/// The same for connections: while these wait the passive misses all that begins.
const FIRST_WAIT_OF_FLOWS: Duration = Duration::from_millis(10);
/// A peer that comes back is noticed within this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// A connection that held so long was a good one: the next try comes at once.
const GOOD: Duration = Duration::from_secs(5);
/// Addresses that are tried side by side for one stream. The next one takes the place of
/// the one that has been tried the longest.
const MAX_TRIES: usize = 16;
/// Addresses that one stream begins to try between two waits, so that a flood of
/// announcements is not answered by a flood of calls.
const MAX_BEGUN: usize = 64;

/// Keeps one stream connected.
pub(super) async fn dial(inside: Arc<Inside>, stream: Stream) {
    let mut wait = first_wait(stream);
    loop {
        let (tls, peer) = until_one_answers(&inside, stream, &mut wait).await;
        let began = Instant::now();
        inside.serve(tls, peer).await;
        if began.elapsed() >= GOOD {
            wait = first_wait(stream);
        }
        sleep(wait).await;
    }
}

const fn first_wait(stream: Stream) -> Duration {
    match stream {
        Stream::Flows => FIRST_WAIT_OF_FLOWS,
        Stream::Control | Stream::Configuration | Stream::Logs | Stream::Reports => FIRST_WAIT,
    }
}

type Tls = tokio_rustls::client::TlsStream<TcpStream>;

async fn until_one_answers(
    inside: &Arc<Inside>,
    stream: Stream,
    wait: &mut Duration,
) -> (Tls, Greeting) {
    let mut heard = inside.addresses.clone();
    let mut tries = Tries::default();
    let began = Instant::now();
    let mut again = began + *wait;
    loop {
        tries.begin_all(inside, &heard.borrow_and_update().clone());
        if tries.begun.is_empty() {
            inside.down(stream, Trouble::NotHeard);
        }
        tokio::select! {
            Some(ended) = tries.tasks.join_next() => match ended {
                Ok(Ok((address, tls))) => match introduce(inside, stream, address, tls).await {
                    Ok(connected) => {
                        inside.proved.send_replace(Some(address));
                        return connected;
                    }
                    Err(trouble) => inside.down(stream, trouble),
                },
                Ok(Err(trouble)) => inside.down(stream, trouble),
                // It made room for another.
                Err(_) => {}
            },
            () = sleep_until(again) => {
                tries.forget_the_failed();
                if began.elapsed() >= EAGER {
                    *wait = (*wait * 2).min(LONGEST_WAIT);
                }
                again = Instant::now() + *wait;
            }
            // What is new is begun at once; what failed waits for its turn.
            Ok(()) = heard.changed() => {}
        }
    }
}

/// The addresses that are being tried for one stream.
#[derive(Default)]
struct Tries {
    tasks: JoinSet<Result<(SocketAddr, Tls), Trouble>>,
    /// The oldest first.
    running: VecDeque<(SocketAddr, AbortHandle)>,
    /// Begun since the last wait; each address once.
    begun: Vec<SocketAddr>,
}

impl Tries {
    /// Begins with those that were not begun yet, the one that proved itself before the rest.
    fn begin_all(&mut self, inside: &Arc<Inside>, heard: &[SocketAddr]) {
        let proved = *inside.proved.borrow();
        for address in proved.iter().chain(heard) {
            if self.begun.len() < MAX_BEGUN && !self.begun.contains(address) {
                self.make_room(proved);
                self.begun.push(*address);
                let task = self.tasks.spawn(connect(Arc::clone(inside), *address));
                self.running.push_back((*address, task));
            }
        }
    }

    fn make_room(&mut self, proved: Option<SocketAddr>) {
        self.running.retain(|(_, task)| !task.is_finished());
        if self.running.len() >= MAX_TRIES {
            let other = self.running.iter().position(|(address, _)| Some(*address) != proved);
            if let Some((_, task)) = other.and_then(|at| self.running.remove(at)) {
                task.abort();
            }
        }
    }

    /// What still runs is not begun a second time.
    fn forget_the_failed(&mut self) {
        self.running.retain(|(_, task)| !task.is_finished());
        self.begun = self.running.iter().map(|(address, _)| *address).collect();
    }
}

/// Up to the proof that it is the peer; the greeting goes to one address only.
async fn connect(inside: Arc<Inside>, address: SocketAddr) -> Result<(SocketAddr, Tls), Trouble> {
    let unreachable = |error: String| Trouble::Unreachable { address: address.to_string(), error };
    let tcp = socket::connect(&inside.interface, address)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let late = |_| unreachable(format!("no handshake for {} s", HANDSHAKE_LIMIT.as_secs()));
    let connector = TlsConnector::from(Arc::clone(&inside.client));
    let shaken = timeout(HANDSHAKE_LIMIT, connector.connect(server_name(), tcp)).await;
    match shaken.map_err(late)? {
        Ok(tls) => Ok((address, tls)),
        Err(error) => Err(not_the_peer(address, &error)),
    }
}

fn not_the_peer(address: SocketAddr, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::NotThePeer { address: address.to_string(), error: error.to_string() }
}

/// The greetings, with the node that has the peer's key.
async fn introduce(
    inside: &Inside,
    stream: Stream,
    address: SocketAddr,
    mut tls: Tls,
) -> Result<(Tls, Greeting), Trouble> {
    let exchange = async {
        greet(&mut tls, &inside.greeting(stream)).await.map_err(|it| not_the_peer(address, &it))?;
        // With TLS 1.3 a refusal of our certificate arrives only now.
        greeted(&mut tls).await.map_err(|no| match no {
            NoGreeting::Ended(end) => not_the_peer(address, &end),
            NoGreeting::Wrong(error) => Trouble::Refused { error: error.to_string() },
        })
    };
    let peer = timeout(HANDSHAKE_LIMIT, exchange).await.map_err(|_| Trouble::Unreachable {
        address: address.to_string(),
        error: format!("no greeting for {} s", HANDSHAKE_LIMIT.as_secs()),
    })??;
    let suits = peer.common().and_then(|_| match peer.stream == stream {
        true => Ok(()),
        false => Err(HelloError::Stream(peer.stream)),
    });
    suits.map_err(|error| Trouble::Refused { error: error.to_string() })?;
    socket::set_priority(stream, tls.get_ref().0);
    Ok((tls, peer))
}

//! The link to the other agent: what it is made from, its handle, and what the tasks
//! that keep it up share.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinSet;

use super::connection::{Connection, End};
use super::hello::{Greeting, VERSIONS};
use super::pump::pump;
use super::state::{LinkState, StreamState, Trouble};
use super::{Stream, accept, dial};
use crate::agent::identity::peer::Peer;
use crate::agent::identity::{Identity, client_config, server_config};

/// What a link is made from.
#[derive(Debug)]
pub struct LinkConfig {
    /// This node's key.
    pub identity: Identity,
    /// What is taken for the peer.
    pub peer: Peer,
    /// Whether this node dials: the primary does, the other one listens.
    pub dials: bool,
    /// This node's name for people.
    pub node: String,
    /// The HA link's interface; nothing is reachable by another one.
    pub interface: String,
    /// The port to listen on: [`super::PORT`].
    pub port: u16,
    /// Where the peer may be; the finder keeps it up to date.
    pub addresses: watch::Receiver<Vec<SocketAddr>>,
}

/// Why no link can be made.
#[derive(Debug)]
pub enum LinkError {
    /// The peer's certificate is this node's own: a cloned disk, or a wrong file.
    Myself,
    /// The key does not fit its certificate.
    Tls(rustls::Error),
}

impl fmt::Display for LinkError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::Myself => out.write_str(
                "the peer's certificate is this node's own: one disk was cloned from the other; \
                 remove etc/twinwall/identity on one node and pair again",
            ),
            LinkError::Tls(error) => write!(out, "this node's key cannot be used: {error}"),
        }
    }
}

impl std::error::Error for LinkError {}

/// The link to the other agent. It ends when this is dropped.
pub struct Link {
    inside: Arc<Inside>,
    _tasks: JoinSet<()>,
}

/// What the link's tasks share.
pub(super) struct Inside {
    pub(super) interface: String,
    pub(super) port: u16,
    pub(super) addresses: watch::Receiver<Vec<SocketAddr>>,
    /// Where the peer proved its key last. Tried first, whatever is heard meanwhile.
    pub(super) proved: watch::Sender<Option<SocketAddr>>,
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
    node: String,
    run: String,
    state: watch::Sender<LinkState>,
    slots: [Slot; 5],
}

/// One stream: the connection that waits to be fetched, and how to end the one that runs.
#[derive(Default)]
struct Slot {
    waiting: Mutex<Option<Connection>>,
    put: Notify,
    running: Mutex<Option<watch::Sender<Option<End>>>>,
}

impl Link {
    /// Begins to connect. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When these keys can make no link.
    pub fn open(config: LinkConfig) -> Result<Link, LinkError> {
        let own = config.identity.certificate();
        if config.peer.certificates().any(|it| it == own) {
            return Err(LinkError::Myself);
        }
        let inside = Arc::new(Inside {
            client: client_config(&config.identity, &config.peer).map_err(LinkError::Tls)?,
            server: server_config(&config.identity, &config.peer).map_err(LinkError::Tls)?,
            interface: config.interface,
            port: config.port,
            addresses: config.addresses,
            proved: watch::Sender::new(None),
            node: config.node,
            run: run_id(),
            state: watch::Sender::new(LinkState::default()),
            slots: Default::default(),
        });
        let mut tasks = JoinSet::new();
        if config.dials {
            for stream in Stream::ALL {
                tasks.spawn(dial::dial(Arc::clone(&inside), stream));
            }
        } else {
            tasks.spawn(accept::accept(Arc::clone(&inside)));
        }
        Ok(Link { inside, _tasks: tasks })
    }

    /// How it is, and each change.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.inside.state.subscribe()
    }

    /// Waits for the next connection of a stream. One that is not fetched is replaced by
    /// a newer one.
    pub async fn connection(&self, stream: Stream) -> Connection {
        self.inside.connection(stream).await
    }

    /// Ends all connections: the HA link lost its carrier. What is true of the other node from here
    /// on nobody knows, which silence would tell [`super::DEAD_AFTER`] later. They are dialled
    /// again as after any loss. Waits for a lock; not for a task of the runtime.
    pub fn cut(&self) {
        for slot in &self.inside.slots {
            if let Some(running) = &*slot.running.blocking_lock() {
                running.send_replace(Some(End::NoCarrier));
            }
        }
    }

    /// Where the connections of a stream arrive, for whoever must not keep the link up.
    pub fn arrivals(&self, stream: Stream) -> Arrivals {
        Arrivals { inside: Arc::clone(&self.inside), stream }
    }
}

/// Where the connections of one stream arrive as long as their link is there.
#[derive(Clone)]
pub struct Arrivals {
    inside: Arc<Inside>,
    stream: Stream,
}

impl Arrivals {
    /// As [`Link::connection`]; once the link has ended, it waits for ever.
    pub async fn next(&self) -> Connection {
        self.inside.connection(self.stream).await
    }

    /// Whether both are of one link.
    pub fn is_same(&self, other: &Arrivals) -> bool {
        Arc::ptr_eq(&self.inside, &other.inside)
    }
}

impl Inside {
    async fn connection(&self, stream: Stream) -> Connection {
        let slot = self.slot(stream);
        loop {
            let put = slot.put.notified();
            if let Some(connection) = slot.waiting.lock().await.take() {
                return connection;
            }
            put.await;
        }
    }

    fn slot(&self, stream: Stream) -> &Slot {
        &self.slots[stream.index()]
    }

    pub(super) fn greeting(&self, stream: Stream) -> Greeting {
        Greeting {
            versions: VERSIONS,
            stream,
            node: self.node.clone(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            run: self.run.clone(),
        }
    }

    /// Hands the connection to its user and keeps it alive until it ends.
    pub(super) async fn serve<S>(&self, tls: S, peer: Greeting)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let stream = peer.stream;
        let slot = self.slot(stream);
        let (stop, stopped) = watch::channel(None);
        if let Some(older) = slot.running.lock().await.replace(stop.clone()) {
            older.send_replace(Some(End::Replaced));
        }
        let (connection, run) = pump(tls, peer.clone(), stopped);
        *slot.waiting.lock().await = Some(connection);
        slot.put.notify_one();
        self.state.send_modify(|state| {
            state.peer = Some(peer);
            state.streams[stream.index()] = StreamState::Up;
            if state.streams.iter().all(|it| *it == StreamState::Up) {
                state.trouble = None;
            }
        });
        let end = run.await;
        if end != End::Replaced {
            self.down(stream, Trouble::Lost { stream, error: end.to_string() });
        }
    }

    /// Notes that a stream is down, and why.
    pub(super) fn down(&self, stream: Stream, why: Trouble) {
        self.state.send_if_modified(|state| {
            let up = state.of(stream) == StreamState::Up;
            // Only its own end ends a connection that stands: neither a stranger who knocks
            // nor a port that takes no further ones.
            if up && !matches!(why, Trouble::Lost { .. }) {
                return false;
            }
            state.streams[stream.index()] = StreamState::Down;
            let known = state.trouble.replace(why);
            up || known != state.trouble
        });
    }
}

/// 128 random bits in hexadecimal.
fn run_id() -> String {
    let mut bytes = [0; 16];
    // Only to tell two runs apart: should the machine give nothing, all are alike.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    format!("{:032x}", u128::from_be_bytes(bytes))
}

//! Logs of both nodes on both nodes (SPEC R18): while `sync.logs` is on, this node's sources are
//! read into its store, and each node takes the other's lines. Run by a task of the node with a
//! thread for the sources and one for the exchange; without an agent, and whatever fails here,
//! the role stays as it is, and so does everything else.

pub mod parse;
mod replicate;
pub mod search;
mod sources;
pub mod store;
mod told;
pub mod view;
pub mod visible;

use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use twinwall_core::config::Logs as Limiting;

use super::channel::Stream;
use super::digest::Digest;
use super::node::{Node, Settings};
use replicate::{Exchange, Terms};
pub use replicate::{Message, MessageError, Word, decode_message};
pub use sources::KERNEL;
pub(in crate::agent) use sources::sizes_of;
use sources::{Collector, Plan};
use store::{Limits, Origin, Reader};
use told::Told;
use view::LogsView;

/// Between two looks when nothing changes.
const LOOK: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

/// What is known of the logs.
#[derive(Debug)]
pub struct Logs {
    told: Arc<Told>,
    reader: Reader,
}

impl Logs {
    /// What is kept below this root.
    pub fn below(root: &Path) -> Logs {
        let (told, reader) = (Told::default(), Reader::open(root));
        told.newest.send_replace(Origin::ALL.map(|origin| reader.last(origin).unwrap_or(0)));
        Logs { told: Arc::new(told), reader }
    }

    /// How it stands.
    pub fn view(&self) -> LogsView {
        self.told.view()
    }

    /// Reads the kept lines, on threads that may wait.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Numbers of the newest lines, here and there (0: none), and each change.
    pub fn changed(&self) -> watch::Receiver<[u64; 2]> {
        self.told.newest.subscribe()
    }
}

/// What runs while logs are kept and exchanged.
struct Running {
    basis: Basis,
    // Dropped in this order: the exchange asks for nothing that is not read any more.
    exchange: Exchange,
    _collector: Collector,
}

/// What it was made from. Settings that leave this as it is need nothing new.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Basis {
    profile: Digest,
    limiting: Limiting,
}

impl Basis {
    /// None where no logs are exchanged.
    fn of(settings: &Settings) -> Option<Basis> {
        let pair = settings.pair.as_ref().filter(|pair| pair.sync.logs)?;
        let on = settings.is_enabled() && settings.peer.is_some();
        on.then(|| Basis { profile: settings.profile_digest, limiting: pair.logs.clone() })
    }
}

impl Running {
    fn start(node: &Node, basis: Basis) -> io::Result<Running> {
        let settings = node.settings();
        let told = &node.logs().told;
        let limits = Limits {
            size: u64::from(basis.limiting.keep_size) * MIB,
            age: basis.limiting.keep_age,
        };
        let (root, sources) = (node.root().to_owned(), settings.profile.logs.clone());
        let collector =
            Collector::start(&Plan { root: root.clone(), sources, limits }, Arc::clone(told))?;
        let bytes_per_second = u64::from(basis.limiting.rate) * MIB;
        let terms = Terms { root, limits, bytes_per_second };
        let exchange = Exchange::start(&terms, Arc::clone(told))?;
        Ok(Running { basis, exchange, _collector: collector })
    }
}

/// Follows settings and link until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let Some(mut settings) = node.upgrade().map(|node| node.watch_settings()) else { return };
    let mut keeping = Keeping::default();
    loop {
        let Some(strong) = node.upgrade() else { break };
        keeping.look(&strong).await;
        drop(strong);
        tokio::select! {
            changed = settings.changed() => if changed.is_err() { break },
            () = sleep(LOOK) => {}
        }
    }
    keeping.end().await;
}

/// What the task remembers.
#[derive(Default)]
struct Keeping {
    running: Option<Running>,
    /// What was told last of trouble in starting.
    logged: Option<String>,
}

impl Keeping {
    async fn look(&mut self, node: &Arc<Node>) {
        let settings = node.settings();
        let unreadable = settings.pair.is_none() && !settings.problems.is_empty();
        let wanted = Basis::of(&settings);
        let is = self.running.as_ref().map(|running| &running.basis);
        // A slip of the pen ends nothing that runs.
        if !unreadable && wanted.as_ref() != is {
            self.end().await;
            if let Some(wanted) = wanted {
                self.start(node, wanted).await;
            }
            let (on, told) = (self.running.is_some(), &node.logs().told);
            told.change(|view| match on {
                true => (view.on, view.trouble) = (true, None),
                false => *view = LogsView { trouble: self.logged.clone(), ..LogsView::default() },
            });
        }
        if let Some(running) = &self.running {
            running.exchange.set_link(node.arrivals(Stream::Logs));
        }
    }

    async fn start(&mut self, node: &Arc<Node>, basis: Basis) {
        let strong = Arc::clone(node);
        let started = tokio::task::spawn_blocking(move || Running::start(&strong, basis)).await;
        match started.map_err(io::Error::other).and_then(|started| started) {
            Ok(running) => (self.running, self.logged) = (Some(running), None),
            Err(error) => {
                let text = not_kept(&error);
                if self.logged.as_ref() != Some(&text) {
                    eprintln!("twinwall agent: logs: {text}");
                }
                self.logged = Some(text);
            }
        }
    }

    async fn end(&mut self) {
        if let Some(running) = self.running.take() {
            // It waits for its threads.
            let _ = tokio::task::spawn_blocking(move || drop(running)).await;
        }
    }
}

/// That the disk does not take lines.
fn not_kept(error: &io::Error) -> String {
    format!("logs cannot be kept on this disk: {error}; lines wait in their files")
}

/// The thread that calls this comes after others.
fn be_nice(by: i32) {
    // Without it logs are read at the same time as anything else: no reason to read none.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), by);
}

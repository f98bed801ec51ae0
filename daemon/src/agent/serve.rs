//! The agent's process: starts the node, serves the API on its socket, and ends in order
//! when told to. Called by `twinwall agent`.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::api::{Shared, listen, router, server};
use super::machine::Machine;
use super::node::{Found, Node, NodeError};
use crate::files::AGENT_SOCKET;

/// Threads that answer requests; what waits long has threads of its own.
const WORKERS: usize = 2;

/// Why the agent ended.
#[derive(Debug)]
pub enum ServeError {
    /// It could not start.
    Node(NodeError),
    /// The system's error and what was being done.
    Io(&'static str, io::Error),
}

impl std::fmt::Display for ServeError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ServeError::Node(error) => error.fmt(out),
            ServeError::Io(doing, error) => write!(out, "{doing}: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

/// What tells the service manager that requests are still answered.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    /// How often.
    pub every: Duration,
    /// Tells it.
    pub beat: fn(),
}

/// Runs the agent below `root` until SIGTERM or SIGINT; `ready` is called once requests
/// are answered, the pulse beats while they are.
///
/// # Errors
/// When it cannot start, or the socket cannot be served.
pub fn serve(
    root: &Path,
    machine: Machine,
    ready: impl FnOnce(),
    pulse: Option<Pulse>,
) -> Result<(), ServeError> {
    let io = |doing| move |error| ServeError::Io(doing, error);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(io("starting threads"))?;
    // Before anything is changed: of two agents the second one leaves here.
    let listener = runtime
        .block_on(listen(&root.join(AGENT_SOCKET)))
        .map_err(io("opening the agent's socket"))?;
    let (node, found) =
        Node::start(root, machine, runtime.handle().clone()).map_err(ServeError::Node)?;
    tell(&found);
    let router = router(Shared { node: Arc::clone(&node) });
    ready();
    if let Some(pulse) = pulse {
        runtime.spawn(beat(pulse));
    }
    let served = runtime.block_on(async {
        let mut stop = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            // Requests that run are broken off: each job says so, and a change that has
            // begun is finished by the worker.
            never = server::serve(listener, router) => match never {},
            _ = stop.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    });
    node.stop();
    runtime.shutdown_background();
    // One that is gone already is as good.
    let _ = std::fs::remove_file(root.join(AGENT_SOCKET));
    served.map_err(io("serving the agent's socket"))
}

/// On the threads that answer requests: when these hang, so does this.
async fn beat(pulse: Pulse) {
    let mut due = tokio::time::interval(pulse.every);
    loop {
        due.tick().await;
        (pulse.beat)();
    }
}

fn tell(found: &Found) {
    if let Some(recovered) = &found.recovered {
        let sections: Vec<String> = recovered.sections.iter().map(ToString::to_string).collect();
        eprintln!(
            "twinwall agent: '{}' was interrupted; the old files of {} are back",
            recovered.title,
            sections.join(", ")
        );
        recovered.trouble.iter().for_each(|it| eprintln!("twinwall agent: but {it}"));
    }
    for damage in &found.damage {
        eprintln!("twinwall agent: {}: {}", damage.path.display(), damage.what);
    }
}

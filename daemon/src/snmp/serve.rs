//! The process from its start to its end: waits for snmpd, connects, gives up its rights, and
//! serves until snmpd or the service manager ends it. Each start of snmpd needs a new process,
//! since only one that has not given up its rights yet reaches snmpd's socket.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};

use super::session;
use crate::agent::api::GROUP;
use crate::agent::api::snmp::{SNMP_USER, SOCKET, Socket};
use crate::agent::tree::{Root, group_number, user_number};
use crate::rights::become_user;
use crate::web::agent::Agent;

/// Between two looks whether snmpd is there.
const LOOK: Duration = Duration::from_secs(1);
/// How long the agent may take to say where.
const PATIENCE: Duration = Duration::from_secs(5);
/// The beats come first, then whatever carries traffic, then managers.
const NICENESS: i32 = 10;

/// Why the process ended.
#[derive(Debug)]
pub enum ServeError {
    /// snmpd ended the session, or does not follow the protocol.
    Ended(String),
    /// The system's error and what was being done.
    Io(&'static str, io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Ended(why) => write!(out, "{why}; a new process connects to it again"),
            ServeError::Io(doing, error) => write!(out, "{doing}: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

/// Serves snmpd on behalf of the agent below `root` until SIGTERM or SIGINT.
///
/// # Errors
/// When snmpd ended: whoever supervises this starts it again.
pub fn serve(root: &Path) -> Result<(), ServeError> {
    let io = |doing| move |error| ServeError::Io(doing, error);
    rustix::process::nice(NICENESS)
        .map_err(|error| ServeError::Io("taking less of the processors", error.into()))?;
    // The only thread: rights are given up for all of the process.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io("starting"))?;
    runtime.block_on(async {
        let mut stop = signal(SignalKind::terminate()).map_err(io("waiting for signals"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(io("waiting for signals"))?;
        tokio::select! {
            ended = run(root) => ended,
            _ = stop.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    })
}

async fn run(root: &Path) -> Result<(), ServeError> {
    let agent = Agent::below(root);
    let stream = connect(root, &agent).await;
    give_up_rights().map_err(|error| ServeError::Io("giving up root's rights", error))?;
    Err(ServeError::Ended(session::run(stream, agent).await))
}

/// Waits until the agent says where snmpd is, and until it is there.
async fn connect(root: &Path, agent: &Agent) -> UnixStream {
    let mut said = String::new();
    loop {
        let why = match timeout(PATIENCE, agent.get::<Socket>(SOCKET)).await {
            Ok(Ok(socket)) => match UnixStream::connect(below(root, &socket.path)).await {
                Ok(stream) => return stream,
                Err(error) => format!("snmpd is not at {}: {error}", socket.path),
            },
            Ok(Err(refusal)) => refusal.message,
            Err(_) => "the agent does not answer".to_owned(),
        };
        // The same is told once.
        if why != said {
            eprintln!("twinwall snmp: waiting: {why}");
            said = why;
        }
        sleep(LOOK).await;
    }
}

/// A path of snmpd's, on the node below this root.
fn below(root: &Path, path: &str) -> std::path::PathBuf {
    let path = Path::new(path);
    match path.starts_with(root) {
        true => path.to_owned(),
        false => root.join(path.strip_prefix("/").unwrap_or(path)),
    }
}

/// Becomes the process's own user where that is due and possible.
fn give_up_rights() -> io::Result<()> {
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let machine = Root::open(Path::new("/"))?;
    let (Some(user), Some(group)) =
        (user_number(&machine, SNMP_USER)?, group_number(&machine, SNMP_USER)?)
    else {
        eprintln!("twinwall snmp: there is no user {SNMP_USER} here; going on as root");
        return Ok(());
    };
    become_user(user, group, group_number(&machine, GROUP)?)
}

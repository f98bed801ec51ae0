//! What the rest of a node does while something befalls its console: how late its beats were,
//! whether its agent answers, and for how long that takes. Asked all the while on a thread of
//! its own.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::error::{LabError, Result};
use crate::gateway::Gateway;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the agent has for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Beside {
    /// How late the latest beat of the active was, in milliseconds; 0 where none was later than
    /// any before.
    pub beat_late_ms: f64,
    /// Questions that the agent was asked.
    pub asked: u32,
    /// Those of them that it did not answer.
    pub unanswered: u32,
    /// The longest time that an answer took, in milliseconds.
    pub slowest_ms: f64,
    /// Most resident memory of the console, in bytes.
    pub console_bytes: u64,
    /// What visitors did; none where there were none.
    pub visitors: Option<Value>,
}

/// Looks until it is ended.
pub struct Watching {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Beside>,
    late_before: u64,
}

impl Watching {
    /// Begins on this gateway.
    pub fn begin(gateway: &Gateway) -> Result<Watching> {
        let ending = Arc::new(AtomicBool::new(false));
        let (socket, ends) = (gateway.tree().join("run/twinwall/agent.sock"), Arc::clone(&ending));
        let console = super::process(gateway);
        let late_before = gateway.guard().status()?.guard.worst_late_us;
        let thread = thread::spawn(move || look(&socket, console, &ends));
        Ok(Watching { ending, thread, late_before })
    }

    /// Ends; what was seen.
    pub fn end(self, gateway: &Gateway) -> Result<Beside> {
        self.ending.store(true, Ordering::Relaxed);
        let seen = self.thread.join();
        let mut seen =
            seen.map_err(|_| LabError::Usage("the thread that asks the agent died".to_owned()))?;
        let late = gateway.guard().status()?.guard.worst_late_us;
        if late > self.late_before {
            seen.beat_late_ms = late as f64 / 1e3;
        }
        Ok(seen)
    }
}

fn look(socket: &Path, console: Option<i32>, ends: &AtomicBool) -> Beside {
    let mut seen = Beside::default();
    while !ends.load(Ordering::Relaxed) {
        let asked = Instant::now();
        seen.asked += 1;
        match ask(socket) {
            Ok(()) => seen.slowest_ms = seen.slowest_ms.max(asked.elapsed().as_secs_f64() * 1e3),
            Err(_) => seen.unanswered += 1,
        }
        let bytes = console.and_then(super::resident).map_or(0, |[now, _]| now);
        seen.console_bytes = seen.console_bytes.max(bytes);
        thread::sleep(PAUSE);
    }
    seen
}

/// `GET /api/v1/status`, as the command asks.
fn ask(socket: &Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(b"GET /api/v1/status HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200") {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

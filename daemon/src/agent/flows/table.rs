//! The thread that keeps twinwall's table of rules for connections in the kernel: there
//! while high availability is on, put back when somebody takes it away.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use twinwall_flows::table::EventTable;
use twinwall_netlink::wait::{Wake, readable, wait};

/// Looked at without a notice as often as this: one may be lost.
const LOOK: Duration = Duration::from_secs(60);
/// Between two tries when it could not be made.
const AGAIN: Duration = Duration::from_secs(5);
/// Between two repairs: who takes it away again and again does not keep this thread busy.
const PAUSE: Duration = Duration::from_millis(50);

/// The thread; it ends with this value and leaves the table.
pub(super) struct Keeper {
    wake: Arc<Wake>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Where the thread says what is wrong, or that nothing is any more.
pub(super) type Tell = Box<dyn Fn(Option<String>) + Send>;

impl Keeper {
    /// Starts it.
    ///
    /// # Errors
    /// When the machine has no room for a thread.
    pub(super) fn start(tell: Tell) -> io::Result<Keeper> {
        let (wake, ending) = (Arc::new(Wake::new()?), Arc::new(AtomicBool::new(false)));
        let inside = (Arc::clone(&wake), Arc::clone(&ending));
        let thread = thread::Builder::new().name("flows-table".to_owned());
        let thread = thread.spawn(move || keep(&inside.0, &inside.1, &tell))?;
        Ok(Keeper { wake, ending, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    /// Waits for the thread: on a thread that may.
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        self.wake.wake();
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

fn keep(wake: &Wake, ending: &AtomicBool, tell: &Tell) {
    let mut first = true;
    while !ending.load(Ordering::Relaxed) {
        let kept = EventTable::open()
            .map_err(|error| error.to_string())
            .and_then(|mut table| hold(&mut table, wake, ending, tell, &mut first));
        if let Err(error) = kept {
            tell(Some(format!(
                "the table inet twinwall_flows cannot be kept: {error}; connections may be reset \
                 after a failover"
            )));
            rest(wake, AGAIN);
        }
    }
}

fn hold(
    table: &mut EventTable,
    wake: &Wake,
    ending: &AtomicBool,
    tell: &Tell,
    first: &mut bool,
) -> Result<(), String> {
    while !ending.load(Ordering::Relaxed) {
        let ensured = table.ensure().map_err(|error| error.to_string())?;
        if !std::mem::take(first) && (ensured.created || !ensured.repaired.is_empty()) {
            let what = ensured.repaired.join(", ");
            eprintln!("twinwall agent: the table inet twinwall_flows was put back: {what}");
        }
        tell(None);
        until_changed(table, wake, ending).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Until somebody changed the table, or it is time to look anyway. Others' changes of
/// tables of their own are none of its business.
fn until_changed(table: &mut EventTable, wake: &Wake, ending: &AtomicBool) -> io::Result<()> {
    let until = Instant::now() + LOOK;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || ending.load(Ordering::Relaxed) {
            return Ok(());
        }
        wait(&mut [readable(wake.as_fd()), readable(table.as_fd())], Some(left))?;
        if table.changed() {
            rest(wake, PAUSE);
            return Ok(());
        }
    }
}

/// Unless it shall end.
fn rest(wake: &Wake, time: Duration) {
    // A wait that fails is one that was short.
    let _ = wait(&mut [readable(wake.as_fd())], Some(time));
}

/// Takes the table away; one that is not there is as good.
///
/// # Errors
/// What the kernel says, in words.
pub(super) fn remove() -> Result<(), String> {
    EventTable::remove_leftover()
        .map_err(|error| format!("the table inet twinwall_flows cannot be taken away: {error}"))
}

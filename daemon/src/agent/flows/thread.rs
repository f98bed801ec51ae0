//! The thread that replicates: it owns the kernel's sockets and the source or the mirror.
//! What comes from the other node is put into its queue; what goes there it sends itself,
//! without waiting. A failure of any of it is told and tried again; the role never hears of it.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use twinwall_flows::kernel::{MirrorDrive, Natural};
use twinwall_flows::mirror::Mirror;
use twinwall_flows::source::Source;
use twinwall_flows::view::{Part, View};
use twinwall_netlink::wait::{Wake, readable, wait};

use super::drive::{Drive, Stop};
use super::scope::Scope;
use crate::agent::channel::Sender;

/// Messages of the other node that wait; when there are more, its connection waits.
const QUEUE: usize = 256;
/// Messages taken before the kernel is looked at again.
const A_TURN: usize = 64;
/// Between two views at the least: an order of magnitude below what a person sees.
const TELL: Duration = Duration::from_millis(100);
/// Between two tries to open the kernel's sockets.
const AGAIN: Duration = Duration::from_secs(2);
/// Wakes by itself at the latest.
const IDLE: Duration = Duration::from_secs(1);

/// What the other node's connection brings.
pub(super) enum Input {
    /// A new connection: its end to send, and what to drop for it to end. The number tells
    /// it from others.
    Connected(u64, Sender, oneshot::Sender<()>),
    /// A message of the connection of this number.
    Message(u64, Vec<u8>),
}

/// What the thread is to do; a level, read at each turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Orders {
    part: Part,
    end: bool,
}

/// The thread's end for others; the thread ends with it.
pub(super) struct Worker {
    pub(super) queue: mpsc::Sender<Input>,
    pub(super) wake: Arc<Wake>,
    orders: Arc<Mutex<Orders>>,
    thread: Option<JoinHandle<()>>,
}

/// Where the thread says how it stands.
pub(super) type Tell = Box<dyn Fn(View, bool) + Send>;

impl Worker {
    /// Starts it; it begins with its first part. `place` is the file in which a mirror keeps
    /// where it stands.
    ///
    /// # Errors
    /// When the machine has no room for a thread.
    pub(super) fn start(scope: Scope, place: PathBuf, tell: Tell) -> io::Result<Worker> {
        let wake = Arc::new(Wake::new()?);
        let (queue, inputs) = mpsc::channel(QUEUE);
        let orders = Arc::new(Mutex::new(Orders { part: Part::Off, end: false }));
        let inside = Inside {
            scope,
            place,
            orders: Arc::clone(&orders),
            wake: Arc::clone(&wake),
            inputs,
            tell,
            told: None,
            was: (false, false),
            drive: None,
            was_mirror: false,
            peer: None,
            trouble: None,
            logged: String::new(),
            again: Instant::now(),
        };
        let thread = thread::Builder::new().name("flows".to_owned()).spawn(|| inside.run())?;
        Ok(Worker { queue, wake, orders, thread: Some(thread) })
    }

    /// What this node does from now on.
    pub(super) fn set_part(&self, part: Part) {
        self.order(|orders| orders.part = part);
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *orders;
        change(&mut orders);
        if *orders != before {
            self.wake.wake();
        }
    }
}

impl Drop for Worker {
    /// Waits for the thread: on a thread that may.
    fn drop(&mut self) {
        self.order(|orders| orders.end = true);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

/// The other node's connection.
struct Peer {
    number: u64,
    sender: Sender,
    /// Dropped with this: the connection ends.
    _hang_up: oneshot::Sender<()>,
}

struct Inside {
    scope: Scope,
    /// Where a mirror keeps where it stands.
    place: PathBuf,
    orders: Arc<Mutex<Orders>>,
    wake: Arc<Wake>,
    inputs: mpsc::Receiver<Input>,
    tell: Tell,
    told: Option<Instant>,
    /// What was told last: complete, and compared.
    was: (bool, bool),
    drive: Option<Drive>,
    /// The last drive was a mirror: the kernel's entries have longer lives than their own.
    was_mirror: bool,
    peer: Option<Peer>,
    trouble: Option<String>,
    /// What was said last in the log.
    logged: String,
    /// Not before this the sockets are opened again.
    again: Instant,
}

impl Inside {
    fn run(mut self) {
        loop {
            let orders = *self.orders.lock().unwrap_or_else(PoisonError::into_inner);
            if orders.end {
                return;
            }
            let done = self.turn(orders.part);
            if let Err(stop) = done {
                self.stop(stop);
            }
            self.say();
            self.wait();
        }
    }

    /// Everything that is to be done now.
    fn turn(&mut self, part: Part) -> Result<(), Stop> {
        let now = Instant::now();
        self.follow(part, now)?;
        self.take_in()?;
        let Some(drive) = &mut self.drive else { return Ok(()) };
        drive.turn(Instant::now())?;
        if let Some(error) = drive.place_trouble() {
            self.tell_place(&error);
        }
        self.send()
    }

    /// Opens what the part needs.
    fn follow(&mut self, part: Part, now: Instant) -> Result<(), Stop> {
        let is = self.drive.as_ref().map_or(Part::Off, Drive::part);
        if is == part || (now < self.again && is == Part::Off) {
            return Ok(());
        }
        if let Some(old) = self.drive.take() {
            self.was_mirror = old.part() == Part::Mirror;
        }
        let settings = self.scope.settings();
        let mut drive = match part {
            Part::Off => return Ok(()),
            Part::Source => {
                // This node's kernel goes its own way from here on.
                forget_place(&self.place);
                let natural = self.was_mirror.then(Natural::read);
                let source = Source::new(settings, natural, now);
                Drive::source(source, &self.scope.interfaces, now)?
            }
            Part::Mirror => self.mirror(Mirror::new(settings, now), now)?,
        };
        if self.peer.is_some() {
            drive.connected(now);
        }
        (self.drive, self.trouble) = (Some(drive), None);
        Ok(())
    }

    /// One that goes on from where this node's agent stood a moment ago, if it can.
    fn mirror(&mut self, mirror: Mirror, now: Instant) -> Result<Drive, Stop> {
        let mut drive = MirrorDrive::open(mirror)?;
        if let Err(error) = drive.keep_place(now, &self.place) {
            self.tell_place(&error);
        }
        Ok(Drive::Mirror(Box::new(drive)))
    }

    fn tell_place(&mut self, error: &io::Error) {
        self.tell_once(format!(
            "{}: {error}; after a restart of this agent all connections are compared",
            self.place.display()
        ));
    }

    /// What the other node said, as much as fits in a turn.
    fn take_in(&mut self) -> Result<(), Stop> {
        let ended = self.peer.as_ref().is_some_and(|peer| peer.sender.ended().is_some());
        if ended {
            self.hang_up();
        }
        for _ in 0..A_TURN {
            let Ok(input) = self.inputs.try_recv() else { return Ok(()) };
            match input {
                Input::Connected(number, sender, hang_up) => {
                    self.hang_up();
                    self.peer = Some(Peer { number, sender, _hang_up: hang_up });
                    if let Some(drive) = &mut self.drive {
                        drive.connected(Instant::now());
                    }
                }
                Input::Message(number, message) => self.hear(number, &message)?,
            }
        }
        // There may be more.
        self.wake.wake();
        Ok(())
    }

    fn hear(&mut self, number: u64, message: &[u8]) -> Result<(), Stop> {
        let current = self.peer.as_ref().is_some_and(|peer| peer.number == number);
        let Some(drive) = self.drive.as_mut().filter(|_| current) else { return Ok(()) };
        drive.receive(Instant::now(), message)
    }

    fn send(&mut self) -> Result<(), Stop> {
        let (Some(drive), Some(peer)) = (&mut self.drive, &self.peer) else { return Ok(()) };
        while let Some(message) = drive.poll(Instant::now()) {
            // Neither a queue that is full, which its window excludes, nor an end is mended by
            // waiting: what was not confirmed is told again over the next connection.
            peer.sender.send(message).map_err(|error| Stop::Peer(error.to_string()))?;
        }
        Ok(())
    }

    fn hang_up(&mut self) {
        if self.peer.take().is_some()
            && let Some(drive) = &mut self.drive
        {
            drive.disconnected(Instant::now());
        }
    }

    fn stop(&mut self, stop: Stop) {
        match stop {
            Stop::Peer(why) => {
                self.tell_once(format!("{why}; the other node is connected to anew"));
                self.hang_up();
            }
            Stop::Kernel(error) => {
                if let Some(old) = self.drive.take() {
                    self.was_mirror = old.part() == Part::Mirror;
                }
                self.again = Instant::now() + AGAIN;
                let trouble = trouble(&error);
                self.tell_once(trouble.clone());
                self.trouble = Some(trouble);
            }
        }
    }

    /// In the log, unless it was the last thing said there.
    fn tell_once(&mut self, what: String) {
        if self.logged != what {
            eprintln!("twinwall agent: connections: {what}");
            self.logged = what;
        }
    }

    fn say(&mut self) {
        let now = Instant::now();
        let complete = self.drive.as_ref().is_some_and(Drive::complete);
        let is = (complete, self.drive.as_ref().is_some_and(Drive::compared));
        let recent = self.told.is_some_and(|told| now.duration_since(told) < TELL);
        if recent && is == self.was {
            return;
        }
        (self.told, self.was) = (Some(now), is);
        let mut view = self.drive.as_ref().map_or_else(View::default, |drive| drive.view(now));
        view.trouble = self.trouble.clone().or(view.trouble);
        (self.tell)(view, complete);
    }

    fn wait(&mut self) {
        let now = Instant::now();
        let waited = match &mut self.drive {
            Some(drive) => drive.wait(&self.wake, now),
            None => wait(&mut [readable(self.wake.as_fd())], Some(IDLE)).map_err(Stop::from),
        };
        self.wake.clear();
        if let Err(stop) = waited {
            self.stop(stop);
        }
    }
}

/// No agent goes on from there; one that is not there is as good.
pub(super) fn forget_place(place: &Path) {
    // One that stays is of a stream that has ended, or too old in a moment.
    let _ = std::fs::remove_file(place);
}

fn trouble(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "the agent has no right to the kernel's connections (CAP_NET_ADMIN)".to_owned()
        }
        Some(libc::EPROTONOSUPPORT | libc::EINVAL | libc::EOPNOTSUPP) => format!(
            "this kernel has no connection tracking over netlink ({error}); load the module \
             nf_conntrack_netlink"
        ),
        _ => format!("the kernel's connections cannot be read: {error}; it is tried again"),
    }
}

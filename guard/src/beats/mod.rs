//! The beat thread: runs the core. Realtime, one loop, and nothing in it waits on
//! a disk, a name, a lock or netlink.
//!
//! One turn, by priority:
//! 1. the clock: was this thread kept from running?
//! 2. frames of the peer, on every path
//! 3. answers of the peer's kernel, of ping targets
//! 4. mail of the realtime threads (carrier, addresses), then of the others (orders)
//! 5. the core's deadline
//!
//! After each of them the core's outputs are carried out in order.

mod arrivals;
mod continuing;
mod gatekeeper;
mod greet;
mod outputs;
mod paths;
mod readiness;
mod reload;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use twinwall_core::api::{Count, GuardView, Input, Missing, RefusedCause};
use twinwall_core::beat::RoleWord;
use twinwall_core::event::{Event, Refusal};
use twinwall_core::ids::PathSet;
use twinwall_core::node::Timer;
use twinwall_core::note::{Note, What};
use twinwall_core::snapshot::Snapshot;
use twinwall_core::time::Moment;
use twinwall_core::wire::{RekeyRefused, Session};
use twinwall_core::{Core, Setup, node::ReloadRefused};

use crate::addresses::Wanted;
use crate::announce::Announce;
use crate::cable::HaEnds;
use crate::clock;
use crate::journal::{Journal, Writer};
use crate::links::CheckLinks;
use crate::mailbox::{Receiver, Taken};
use crate::notify::Notifier;
use crate::ping::Pinger;
use crate::rtnetlink::InterfaceName;

use arrivals::Frames;
pub use gatekeeper::Gatekeeper;
pub use paths::{PathSocket, Paths, group};
use readiness::{Ready, Source, Waiting};
pub use reload::{NewKeys, Reload, Replaced};

/// Letters taken in one turn.
const LETTERS_A_TURN: usize = 16;
/// A busy mailbox is looked into again after this long.
const BUSY: Duration = Duration::from_millis(1);
/// A wake-up later than this is told to the core.
const LATE: Duration = Duration::from_millis(5);
/// A refusal longer ago than this, and three intervals, does not go on.
const REFUSED_LATELY: Duration = Duration::from_secs(5);

/// What other threads tell the beat thread.
pub enum Mail {
    /// Something for the core.
    Event(Event),
    /// The sockets of the path over an interface, opened by the link thread; `None` when
    /// the interface is gone.
    Path(InterfaceName, Option<Box<PathSocket>>),
    /// Whether an interface has carrier.
    Link(InterfaceName, bool),
    /// That was read before the kernel told it.
    ReadFirst(InterfaceName),
    /// An order or a fact, and where to answer.
    Asked(Event, SyncSender<Result<(), Refusal>>),
    /// Asks for the status.
    Status(SyncSender<Box<(Snapshot, GuardView)>>),
    /// Asks whether this node serves and its peer is not heard.
    ServesAlone(SyncSender<bool>),
    /// From now on every input goes here, after a copy of the core.
    Record(SyncSender<Recorded>),
    /// Settings that were read again and may be changed live, and where to answer.
    Reload(Box<Reload>, SyncSender<Result<Replaced, ReloadRefused>>),
    /// Other keys from now on, and whether they were taken: not where a peer that is heard
    /// would be lost.
    NewKeys(Box<NewKeys>, SyncSender<Result<(), RekeyRefused>>),
    /// The gate's table was made anew: open again for what is left of the lease.
    RestoreGate,
    /// The protections that are missing.
    Missing(Vec<Missing>),
    /// The number of VIPs seen in the kernel.
    Present(u32),
    /// A note of another thread: something restored, say.
    Note(Note),
}

/// One line of a recording.
pub enum Recorded {
    /// The core as it was when recording began.
    Start(Box<Core>),
    /// An input.
    Input(Box<Input>),
}

/// What the beat thread works with.
pub struct Parts {
    /// How to make the core.
    pub setup: Setup,
    /// Seals and opens frames.
    pub session: Session,
    /// The gate, if there is one.
    pub gate: Gatekeeper,
    /// Mail of realtime threads.
    pub urgent: Receiver<Mail>,
    /// Mail of the others.
    pub mail: Receiver<Mail>,
    /// Until when this node goes on serving as it did before there was a guard.
    pub continues: Option<Moment>,
    /// The address thread.
    pub wanted: Wanted,
    /// The announcing thread.
    pub announce: Announce,
    /// The link thread.
    pub links: CheckLinks,
    /// The ping targets.
    pub pinger: Option<Pinger>,
    /// Where events go.
    pub journal: Arc<Journal>,
    /// systemd.
    pub notifier: Notifier,
    /// The Ethernet addresses at both ends of the HA link, for the watch on the cable.
    pub ends: Arc<HaEnds>,
}

/// The beat thread's state.
pub struct Beats {
    parts: Parts,
    core: Core,
    paths: Paths,
    writer: Writer,
    recorder: Option<SyncSender<Recorded>>,
    refusal: Option<Refusal>,
    missing: Vec<Missing>,
    present: u32,
    worst_late: Duration,
    carriers_read_first: u64,
    /// A box could not be emptied in the last turn.
    mail_waits: bool,
    watchdog_at: Moment,
    stop: bool,
    waiting: Waiting,
}

impl Beats {
    /// Greets the peer, takes the kernel over from a predecessor, and starts the core.
    ///
    /// # Errors
    /// When waiting itself fails.
    pub fn start(mut parts: Parts, missing: Vec<Missing>) -> io::Result<Beats> {
        let mut paths = Paths::new(&parts.setup.pair);
        let mut early = Vec::new();
        greet::greet(&mut parts, &mut paths, &mut early)?;
        // From here on this run speaks for itself: the predecessor's right ends before
        // the first word, and its addresses are the first thing that the core takes away.
        if parts.continues.is_none() {
            parts.gate.close();
        }
        let core = Core::new(clock::now(), parts.setup.clone());
        let writer = Writer::new(Arc::new(parts.setup.pair.clone()));
        let mut beats = Beats {
            parts,
            core,
            paths,
            writer,
            recorder: None,
            refusal: None,
            missing,
            present: 0,
            worst_late: Duration::ZERO,
            carriers_read_first: 0,
            mail_waits: false,
            watchdog_at: Moment::ZERO,
            stop: false,
            waiting: Waiting::new()?,
        };
        beats.begin(early);
        Ok(beats)
    }

    /// Works until the core has said goodbye.
    ///
    /// # Errors
    /// When waiting itself fails: the supervisor starts the guard anew.
    pub fn run(mut self) -> io::Result<()> {
        self.parts.notifier.ready();
        while !self.stop {
            let (deadline, _) = self.core.deadline();
            let busy = !self.writer.flush(&self.parts.journal);
            let ready = self.wait(deadline, busy)?;
            self.turn(deadline, ready);
        }
        self.parts.notifier.stopping();
        self.writer.flush(&self.parts.journal);
        Ok(())
    }

    fn turn(&mut self, deadline: Moment, ready: Ready) {
        self.parts.wanted.alive();
        let late = clock::now().since(deadline);
        self.worst_late = self.worst_late.max(late);
        let was_late = late >= LATE;
        if was_late {
            self.feed(Event::Late { by: late });
        }
        // What is left in a socket is told again at once by the next wait.
        self.each_frame(ready.frames, Frames::One, &mut |beats, event| beats.feed(event));
        self.read_answers(ready);
        if ready.mail || self.mail_waits {
            self.read_mail();
        }
        let (due, timer) = self.core.deadline();
        if timer == Timer::CatchUp {
            // Also on a path that had nothing yet when the wait ended: the thread may
            // have been stopped after that.
            let all = PathSet::first(self.paths.count());
            self.each_frame(all, Frames::All, &mut |beats, event| beats.feed(event));
        }
        if was_late || clock::now() >= due {
            self.feed(Event::Deadline);
        }
        self.watchdog();
    }

    fn wait(&mut self, deadline: Moment, busy: bool) -> io::Result<Ready> {
        let now = clock::now();
        if self.paths.changed(now) {
            self.waiting = self.list()?;
        }
        let mut span = deadline.min(self.watchdog_at.max(Moment::from_nanos(1))).since(now);
        if busy || self.mail_waits {
            span = span.min(BUSY);
        }
        self.waiting.wait(span)
    }

    fn list(&self) -> io::Result<Waiting> {
        let waiting = Waiting::new()?;
        waiting.add(self.parts.urgent.as_fd(), Source::Mail)?;
        waiting.add(self.parts.mail.as_fd(), Source::Mail)?;
        self.paths.wait_for(&waiting)?;
        for fd in self.parts.pinger.iter().flat_map(Pinger::descriptors) {
            waiting.add(fd, Source::Targets)?;
        }
        Ok(waiting)
    }

    /// Gives the core an event and does what it says.
    fn feed(&mut self, event: Event) {
        let now = clock::now();
        self.record(now, &event);
        self.core.handle(now, event);
        self.carry_out();
        self.mind_peer();
    }

    fn record(&mut self, at: Moment, event: &Event) {
        let Some(recorder) = &self.recorder else { return };
        let input = Input { at, event: Some(event.clone()), start: None };
        // A reader too slow ends its recording: one with holes could not be replayed.
        if recorder.try_send(Recorded::Input(Box::new(input))).is_err() {
            self.recorder = None;
        }
    }

    fn read_answers(&mut self, ready: Ready) {
        for path in self.paths.answering_kernels(ready.kernels) {
            self.feed(Event::KernelAnswered { path });
        }
        while let Some(pinger) = self.parts.pinger.as_ref().filter(|_| ready.targets) {
            let Ok(Some(target)) = pinger.recv() else { break };
            self.feed(Event::TargetAnswered { target: target as u8 });
        }
    }

    /// Takes letters, the realtime threads' first. What is left, because there was
    /// too much or somebody held the box, is looked at again within [`BUSY`].
    fn read_mail(&mut self) {
        self.parts.urgent.clear();
        self.parts.mail.clear();
        self.mail_waits = false;
        for urgent in [true, false] {
            self.mail_waits |= !self.empty_box(urgent);
        }
    }

    fn empty_box(&mut self, urgent: bool) -> bool {
        for _ in 0..LETTERS_A_TURN {
            let taken = if urgent { self.parts.urgent.take() } else { self.parts.mail.take() };
            match taken {
                Taken::Letter(mail) => self.open(mail),
                Taken::Nothing => return true,
                Taken::Busy => return false,
            }
        }
        false
    }

    fn open(&mut self, mail: Mail) {
        match mail {
            Mail::Event(Event::GateWorks { works }) => {
                self.parts.gate.works(works);
                self.feed(Event::GateWorks { works });
            }
            Mail::Event(event) => self.feed(event),
            Mail::Path(name, socket) => self.paths.set(name, socket),
            Mail::Link(name, up) => self.link(name, up),
            Mail::ReadFirst(name) => {
                self.carriers_read_first += 1;
                let what = What::ReadFirst { interface: name.to_string() };
                self.writer.push(Note { at: clock::now(), what });
            }
            Mail::Asked(event, answer) => {
                self.refusal = None;
                self.feed(event);
                let result = self.refusal.take().map_or(Ok(()), Err);
                // The client may have gone.
                let _ = answer.try_send(result);
            }
            Mail::Status(answer) => {
                let status = Box::new((self.core.snapshot(clock::now()), self.view()));
                let _ = answer.try_send(status);
            }
            Mail::ServesAlone(answer) => {
                let seen = self.core.snapshot(clock::now());
                let alone = seen.role.role == RoleWord::Active && !seen.peer.is_heard();
                let _ = answer.try_send(alone);
            }
            Mail::Record(recorder) => {
                let start = Recorded::Start(Box::new(self.core.clone()));
                self.recorder = recorder.try_send(start).is_ok().then_some(recorder);
            }
            Mail::Reload(new, answer) => {
                let result = self.reload(*new);
                // The client may have given up.
                let _ = answer.try_send(result);
            }
            Mail::NewKeys(new, answer) => {
                let _ = answer.try_send(self.rekey(*new));
            }
            Mail::RestoreGate => self.parts.gate.restore(),
            Mail::Missing(missing) => self.missing = missing,
            Mail::Present(present) => self.present = present,
            Mail::Note(note) => self.writer.push(note),
        }
    }

    fn view(&self) -> GuardView {
        let session = &self.parts.session;
        let refusals = session.refusals().filter(|(_, count)| *count > 0);
        let recent = REFUSED_LATELY + self.core.setup().pair.interval * 3;
        let lasting = session.lasting_refusals(clock::now(), recent);
        GuardView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            missing: self.missing.clone(),
            refused_frames: refusals
                .map(|(name, count)| Count { name: name.to_owned(), count })
                .collect(),
            refused_lately: lasting
                .map(|cause| RefusedCause {
                    name: cause.name().to_owned(),
                    text: cause.to_string(),
                })
                .collect(),
            key_tags: session.key_tags(),
            worst_late_us: u64::try_from(self.worst_late.as_micros()).unwrap_or(u64::MAX),
            addresses_present: self.present,
            carriers_read_first: self.carriers_read_first,
        }
    }

    fn watchdog(&mut self) {
        let now = clock::now();
        if now < self.watchdog_at {
            return;
        }
        self.watchdog_at = match self.parts.notifier.watchdog_every() {
            Some(every) => {
                self.parts.notifier.watchdog();
                now + every
            }
            None => Moment::NEVER,
        };
    }
}

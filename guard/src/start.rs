//! Puts the guard together: settings, kernel, threads, beat thread, signals.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use twinwall_core::Setup;
use twinwall_core::api::Missing;
use twinwall_core::beat::Leaving;
use twinwall_core::config::{GateMode, Node, Pair};
use twinwall_core::event::{Event, Order};
use twinwall_core::ids::BootId;
use twinwall_core::time::Moment;
use twinwall_core::wire::{PairKeys, Session};

use crate::addresses;
use crate::announce;
use crate::beats::{Beats, Gatekeeper, Mail, Parts};
use crate::cable::{self, HaEnds};
use crate::clock;
use crate::gate::{GateSwitch, GateTable};
use crate::gate_keeping::{GateKeeping, GateOrders, gate_spec};
use crate::hand_back::HandBack;
use crate::journal::Journal;
use crate::links::LinkWatch;
use crate::mailbox::{Sender, mailbox};
use crate::notify::Notifier;
use crate::path_sockets::{PathSockets, Reaches};
use crate::realtime::{self, BEAT_PRIORITY, STACK};
use crate::reload::{Fixed, Reached, names, pinger, session};
use crate::server::{self, Context};
use crate::serving;
use crate::settings::{self, Settings, SettingsError};
use crate::signals;
use crate::threads;

/// Why the guard does not run.
#[derive(Debug)]
pub enum Failed {
    /// High availability is off: starting it again is no use. In words.
    Off(String),
    /// Anything else, for the operator.
    Other(String),
}

impl From<String> for Failed {
    fn from(message: String) -> Failed {
        Failed::Other(message)
    }
}

/// Runs the guard until it is told to leave.
///
/// # Errors
/// Why it could not start or go on.
pub fn run(root: &Path) -> Result<(), Failed> {
    let settings = settings::load(root).map_err(|error| match error {
        SettingsError::Off(_) => Failed::Off(error.to_string()),
        SettingsError::Unreadable { .. } | SettingsError::Wrong(_) => {
            Failed::Other(error.to_string())
        }
    })?;
    // Before any thread exists: they all inherit it.
    signals::block().map_err(|error| format!("signals: {error}"))?;
    let socket = settings::socket(root);
    let listener =
        server::listen(&socket).map_err(|error| format!("{}: {error}", socket.display()))?;
    let mut missing = Vec::new();
    if settings.node.realtime {
        missing.extend(realtime::lock_memory());
    }
    let running =
        Running::start(root, settings, missing).map_err(|error| kernel_refused(&error))?;
    let context = Arc::clone(&running.context);
    let serve = move || server::serve(&listener, &context);
    threads::start("server", false, serve).map_err(|error| format!("server thread: {error}"))?;
    running.until_left();
    server::remove(&socket);
    Ok(())
}

fn kernel_refused(error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; run this as root, or with CAP_NET_ADMIN and CAP_NET_RAW"
        }
        _ => "",
    };
    format!("the kernel: {error}{remedy}")
}

/// Removes the gate's table and every VIP: for taking twinwall off a machine.
///
/// # Errors
/// What could not be removed.
pub fn clear() -> Result<(), String> {
    let mut addresses = addresses::Addresses::open(0, None).map_err(|error| error.to_string())?;
    addresses.apply(&[], false, &mut |_| {}).map_err(|error| error.to_string())?;
    let mut table = GateTable::new(GateMode::Auto).map_err(|error| error.to_string())?;
    table.remove().map_err(|error| error.to_string())
}

struct Running {
    context: Arc<Context>,
    mail: Sender<Mail>,
    beats: JoinHandle<io::Result<()>>,
    journal: Arc<Journal>,
    hand_back: HandBack,
}

impl Running {
    fn start(root: &Path, settings: Settings, missing: Vec<Missing>) -> io::Result<Running> {
        let Settings { node, pair, keys } = settings;
        let (urgent, urgent_in) = mailbox()?;
        let (mail, mail_in) = mailbox()?;
        let journal = Arc::new(Journal::default());
        let ends = Arc::new(HaEnds::default());
        let orders = Arc::new(GateOrders::new()?);
        let serving = serving::take(root);
        let (mut gate, keeping, mut missing) = make_gate(node.gate, &pair, serving, missing);
        let continues = go_on(&mut gate, serving, pair.lease());
        let lists = threads::lists(&pair, node.designation)?;
        let (announce, announcer) = announce::announcer(Arc::clone(&lists.vips))?;
        let (wanted, mut worker) = addresses::worker(lists)?;
        worker.keep_until(continues.map(|until| Instant::now() + until.since(clock::now())));
        let (links, watch) = LinkWatch::open(&names(&pair)?)?;
        let (setup, session) = identity(&node, &pair, &keys, keeping.is_some())?;
        let parts = Parts {
            session,
            setup,
            gate,
            urgent: urgent_in,
            mail: mail_in,
            continues,
            wanted,
            announce,
            links: links.clone(),
            pinger: pinger(&pair)?,
            journal: Arc::clone(&journal),
            notifier: Notifier::from_environment()?,
            ends: Arc::clone(&ends),
        };
        let (fixed, keys) = (Fixed { node: node.clone() }, Mutex::new(keys));
        let gate = keeping.is_some().then(|| Arc::clone(&orders));
        let to = Reaches { mail: urgent.clone(), wanted: parts.wanted.clone(), gate: gate.clone() };
        let hand_back =
            HandBack::new(root.to_owned(), mail.clone(), to.wanted.clone(), gate.clone());
        let (pairs, work) = PathSockets::new(&pair, node.designation, &ends, to);
        links.check();
        threads::start("links", node.realtime, move || work.run(watch))?;
        let (to_beats, cable) = (mail.clone(), Arc::clone(&ends));
        let reached = Reached { gate, mail: to_beats, links, pairs, ends: cable, fixed, keys };
        let beats = start_beats(parts, node.realtime, std::mem::take(&mut missing))?;
        start_others(worker, announcer, &pair, &node, &ends, (&urgent, &mail), &orders)?;
        if let Some(keeping) = keeping {
            let mail = mail.clone();
            threads::start("gate", node.realtime, move || keeping.run(&orders, &mail))?;
        }
        let context = context(root.to_owned(), pair, Arc::clone(&journal), reached);
        Ok(Running { context: Arc::new(context), mail, beats, journal, hand_back })
    }

    /// Waits for a signal, lets the core say goodbye, and ends.
    fn until_left(self) {
        let mail = self.mail;
        let beats = self.beats.thread().clone();
        let hand_back = self.hand_back.clone();
        let signalled = move || {
            loop {
                let why = signals::wait();
                hand_back.before_leaving();
                let (answer, _) = std::sync::mpsc::sync_channel(1);
                mail.send(Mail::Asked(Event::Order(Order::Leave(why)), answer));
                beats.unpark();
            }
        };
        if let Err(error) = threads::start("signals", false, signalled) {
            eprintln!(
                "twinwall-guard: no thread for signals: {error}; SIGKILL is the only way to end it"
            );
        }
        match self.beats.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                eprintln!("twinwall-guard: beat thread: {error}; ending, to be started anew");
                std::process::abort();
            }
            Err(_) => std::process::abort(),
        }
        self.hand_back.after_leaving();
        self.journal.close();
    }
}

/// A new run of this node, and its end of the sessions.
fn identity(node: &Node, pair: &Pair, keys: &PairKeys, gate: bool) -> io::Result<(Setup, Session)> {
    let boot = BootId(random()?);
    let (name, designation) = (node.name.clone(), node.designation);
    let session = session(node, pair, keys, boot);
    Ok((Setup { name, designation, boot, pair: pair.clone(), gate }, session))
}

/// A node that served alone goes on: its gate is open since it is there. Until when.
fn go_on(gate: &mut Gatekeeper, serving: bool, lease: Duration) -> Option<Moment> {
    let began = clock::now();
    (serving && gate.begin_open(lease)).then(|| began + lease)
}

/// The gate, the thread's work that keeps it, and what is missing. `serving`: it is open from
/// the first moment.
fn make_gate(
    mode: GateMode,
    pair: &Pair,
    serving: bool,
    mut missing: Vec<Missing>,
) -> (Gatekeeper, Option<GateKeeping>, Vec<Missing>) {
    let spec = gate_spec(pair, Vec::new());
    let made = GateTable::new(mode).and_then(|mut table| {
        let ensured = match serving {
            true => table.ensure_open(&spec, pair.lease())?,
            false => table.ensure(&spec)?,
        };
        Ok((table, ensured))
    });
    let none = |missing| (Gatekeeper::new(None), None, missing);
    let (table, ensured) = match made {
        Ok(made) => made,
        Err(error) => {
            // An orphan of a predecessor would stay closed for ever.
            if let Err(error) = GateTable::remove_leftover() {
                eprintln!("twinwall-guard: {error}");
            }
            missing.push(error.missing());
            return none(missing);
        }
    };
    missing.extend(table.capabilities().missing());
    if !ensured.loopback_up {
        missing.push(no_gate("interface lo is down; set it up and restart the guard"));
        return none(missing);
    }
    let others = missing.clone();
    let parts = GateSwitch::open(pair.lease())
        .and_then(|switch| Ok((switch, GateKeeping::new(table, spec, others)?)));
    match parts {
        Ok((switch, keeping)) => (Gatekeeper::new(Some(switch)), Some(keeping), missing),
        Err(error) => {
            missing.push(no_gate(&format!("no socket for the gate: {error}")));
            none(missing)
        }
    }
}

/// A gate that cannot be used although the kernel has one.
fn no_gate(why: &str) -> Missing {
    let remedy = format!("a guard that hangs or dies is not silenced by its kernel: {why}");
    Missing { name: "gate".to_owned(), remedy }
}

fn start_others(
    worker: addresses::Worker,
    announcer: announce::Announcer,
    pair: &Pair,
    node: &Node,
    ends: &Arc<HaEnds>,
    (urgent, mail): (&Sender<Mail>, &Sender<Mail>),
    orders: &Arc<GateOrders>,
) -> io::Result<()> {
    let (to_core, to_guard, gate) = (urgent.clone(), mail.clone(), Arc::clone(orders));
    threads::start("addresses", node.realtime, move || {
        threads::addresses(worker, &to_core, &to_guard, &gate)
    })?;
    threads::start("announce", node.realtime, move || threads::announcing(announcer))?;
    let (pair, ends, mail) = (pair.clone(), Arc::clone(ends), mail.clone());
    threads::start("cable", false, move || cable::watch(&pair, &ends, &mail))
}

fn start_beats(
    parts: Parts,
    wants_realtime: bool,
    mut missing: Vec<Missing>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let body = move || {
        if wants_realtime {
            missing.extend(realtime::schedule(BEAT_PRIORITY));
        }
        Beats::start(parts, missing)?.run()
    };
    thread::Builder::new().name("beats".to_owned()).stack_size(STACK).spawn(body)
}

fn context(root: PathBuf, pair: Pair, journal: Arc<Journal>, reached: Reached) -> Context {
    let mail = reached.mail.clone();
    Context {
        mail,
        journal,
        pair: Mutex::new(pair),
        reload: Box::new(move |context| reached.reload(&root, context)),
        clients: AtomicUsize::new(0),
    }
}

/// Bytes of the kernel's random source, ready since early boot.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: `bytes` is N bytes long.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) };
    if usize::try_from(got) == Ok(N) { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}

/// Why the process was told to end, as far as the machine says.
pub(crate) fn leaving() -> Leaving {
    let shuts_down =
        Path::new("/run/systemd/shutdown/scheduled").exists() || Path::new("/run/nologin").exists();
    if shuts_down { Leaving::Shutdown } else { Leaving::ServiceStop }
}

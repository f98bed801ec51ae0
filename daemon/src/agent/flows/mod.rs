//! Connections survive a failover (SPEC B1): while high availability is on, this node tells
//! the other one of its connections, or holds a copy of the other one's in its kernel, as
//! the role says. Run by a task of the node with two threads for the kernel; without an
//! agent, and whatever fails here, the role stays as it is.

mod drive;
mod scope;
mod table;
mod thread;
pub mod view;

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use twinwall_flows::kernel::Conntrack;
use twinwall_flows::view::{Part, View};
use twinwall_netlink::wait::Wake;

use super::channel::{Arrivals, Stream};
use super::netconf::live;
use super::node::{Node, Settings};
use scope::{Scope, part};
use table::Keeper;
use thread::{Input, Worker};
use view::FlowsView;

/// Name of the fact about connections: it holds up planned moves, and nothing else. The guard
/// believes it for some seconds after this agent has gone, and no longer.
pub const FACT: &str = "flows";
/// Where a mirror keeps where it stands, relative to the root: not beyond the machine's run.
const PLACE: &str = "run/twinwall/flows.place";
/// Between two looks when nothing changes.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at the addresses of the HA link.
const ADDRESSES: Duration = Duration::from_secs(60);
/// Why planned moves to this node wait; the guard keeps it as it is.
const LACKS: &str = "not all connections of the active node are here yet (see 'twinwall flows')";

/// A passive that had everything may lack something for this long: what is on its way is no
/// reason to wait.
const GRACE: Duration = Duration::from_secs(3);

/// A trouble that lasts so long is told to whoever asks whether a failover would work.
const LASTING: Duration = Duration::from_secs(10);

/// Tells one connection from another.
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// What is known of the replication.
#[derive(Debug)]
pub struct Flows {
    inside: Arc<Mutex<Inside>>,
    /// Whether nothing is missing on the passive.
    complete: watch::Sender<bool>,
}

#[derive(Debug)]
struct Inside {
    view: View,
    since: Instant,
    /// Whether nothing was missing at any time since then.
    was_complete: bool,
    /// Since when something is.
    lacks_since: Instant,
    /// Since when something is wrong.
    trouble_since: Option<Instant>,
    table_trouble: Option<String>,
    /// Nothing is to be replicated, as the settings say.
    rests: bool,
}

impl Default for Flows {
    fn default() -> Flows {
        let now = Instant::now();
        let inside = Inside {
            view: View::default(),
            since: now,
            was_complete: false,
            lacks_since: now,
            trouble_since: None,
            table_trouble: None,
            rests: false,
        };
        Flows { inside: Arc::new(Mutex::new(inside)), complete: watch::Sender::new(false) }
    }
}

impl Flows {
    /// How it stands.
    pub fn view(&self) -> FlowsView {
        let inside = lock(&self.inside);
        let mut now = inside.view.clone();
        now.trouble = now.trouble.or_else(|| inside.table_trouble.clone());
        FlowsView { now, since_s: inside.since.elapsed().as_secs_f64() }
    }

    /// What is wrong, once it has been so for longer than a change of the role takes.
    pub fn lasting_trouble(&self) -> Option<String> {
        let now = self.view().now;
        let since = lock(&self.inside).trouble_since;
        now.trouble.filter(|_| since.is_some_and(|since| since.elapsed() >= LASTING))
    }

    /// Why planned moves to this node should wait; `Some(None)`: they need not. None while that
    /// is not known, and where nothing is replicated.
    pub fn objection(&self) -> Option<Option<String>> {
        let inside = lock(&self.inside);
        match inside.view.part {
            Part::Mirror => {
                let long = !inside.was_complete || inside.lacks_since.elapsed() >= GRACE;
                let lacks = !*self.complete.borrow() && long;
                Some(lacks.then(|| LACKS.to_owned()))
            }
            Part::Source => Some(None),
            // A kernel that takes none is not mended by waiting.
            Part::Off => inside.view.trouble.is_some().then_some(None),
        }
    }

    /// Whether nothing is to be replicated.
    pub fn rests(&self) -> bool {
        lock(&self.inside).rests
    }

    /// Changes when the passive has got everything, or lacks something again.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.complete.subscribe()
    }

    /// Where the thread says how it stands.
    fn teller(&self) -> thread::Tell {
        let (inside, complete) = (Arc::clone(&self.inside), self.complete.clone());
        Box::new(move |view, is_complete| {
            {
                let mut inside = lock(&inside);
                inside.take(view, is_complete);
            }
            complete.send_if_modified(|was| std::mem::replace(was, is_complete) != is_complete);
        })
    }

    /// Where the table's thread says what is wrong.
    fn table_teller(&self) -> table::Tell {
        let inside = Arc::clone(&self.inside);
        Box::new(move |trouble| {
            let mut inside = lock(&inside);
            inside.table_trouble = trouble;
            inside.note_trouble();
        })
    }

    /// Nothing is replicated any more.
    fn rest(&self) {
        {
            let mut inside = lock(&self.inside);
            (inside.table_trouble, inside.rests) = (None, true);
        }
        (self.teller())(View::default(), false);
    }
}

impl Inside {
    fn take(&mut self, view: View, is_complete: bool) {
        let now = Instant::now();
        if self.view.part != view.part {
            (self.since, self.was_complete, self.lacks_since) = (now, false, now);
        }
        if is_complete {
            (self.was_complete, self.lacks_since) = (true, now);
        }
        self.view = view;
        self.note_trouble();
    }

    fn note_trouble(&mut self) {
        let is_well = self.view.trouble.is_none() && self.table_trouble.is_none();
        self.trouble_since =
            if is_well { None } else { self.trouble_since.or_else(|| Some(Instant::now())) };
    }
}

fn lock(inside: &Mutex<Inside>) -> std::sync::MutexGuard<'_, Inside> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What runs while connections are replicated.
struct Running {
    scope: Scope,
    part: Part,
    worker: Worker,
    _keeper: Keeper,
    /// The link whose connection is carried, and the task that does.
    carried: Option<(Arrivals, JoinHandle<()>)>,
}

impl Running {
    fn start(flows: &Flows, scope: Scope, root: &Path) -> std::io::Result<Running> {
        lock(&flows.inside).rests = false;
        let worker = Worker::start(scope.clone(), root.join(PLACE), flows.teller())?;
        let keeper = Keeper::start(flows.table_teller())?;
        Ok(Running { scope, part: Part::Off, worker, _keeper: keeper, carried: None })
    }

    fn set_part(&mut self, part: Part) {
        self.part = part;
        self.worker.set_part(part);
        // Also without a change: what time changes is told.
        self.worker.wake.wake();
    }

    /// Carries the messages of this link, which may be another one than before.
    fn carry(&mut self, link: Option<Arrivals>) {
        let same = match (&self.carried, &link) {
            (Some((old, _)), Some(link)) => old.is_same(link),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if same {
            return;
        }
        self.put_down();
        self.carried = link.map(|link| {
            let (queue, wake) = (self.worker.queue.clone(), Arc::clone(&self.worker.wake));
            (link.clone(), tokio::spawn(carry(link, queue, wake)))
        });
    }

    /// The connection ends with the task that carries it.
    fn put_down(&mut self) {
        if let Some((_, task)) = self.carried.take() {
            task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.put_down();
    }
}

/// Brings what the other node says into the thread's queue, one connection after the other.
async fn carry(link: Arrivals, queue: mpsc::Sender<Input>, wake: Arc<Wake>) {
    loop {
        let (sender, mut receiver) = link.next().await.split();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (hang_up, mut hung_up) = oneshot::channel();
        let mut input = Input::Connected(number, sender, hang_up);
        loop {
            if queue.send(input).await.is_err() {
                return;
            }
            wake.wake();
            let message = tokio::select! {
                message = receiver.recv() => message,
                _ = &mut hung_up => None,
            };
            let Some(message) = message else { break };
            input = Input::Message(number, message);
        }
        // The thread sees that it has ended.
        drop(receiver);
        wake.wake();
    }
}

/// Takes the table out of the kernel, which else stays when no agent runs.
///
/// # Errors
/// What the kernel says, in words.
pub fn clear() -> Result<(), String> {
    table::remove()
}

/// Follows settings, role and link until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let Some(strong) = node.upgrade() else { return };
    if !strong.machine().network {
        return;
    }
    let (mut guard, mut settings) = (strong.guard(), strong.watch_settings());
    drop(strong);
    let mut keeping = Keeping::default();
    loop {
        let Some(strong) = node.upgrade() else { break };
        keeping.look(&strong).await;
        drop(strong);
        tokio::select! {
            changed = guard.changed() => if changed.is_err() { break },
            changed = settings.changed() => if changed.is_err() { break } else { keeping.ha_link = None },
            () = sleep(LOOK) => {}
        }
    }
    keeping.end().await;
}

/// An entry of which the kernel does not tell when it is written is silent for its whole life:
/// the settings for that come first. Asking loads the module that has them.
async fn prepare(node: &Arc<Node>) {
    let node = Arc::clone(node);
    let prepared = tokio::task::spawn_blocking(move || {
        // What cannot be done is told by whoever looks after it all the time.
        let _ = Conntrack::open().and_then(|mut conntrack| conntrack.count());
        let _ = node.set_kernel();
    });
    let _ = prepared.await;
}

/// What the task remembers.
#[derive(Default)]
struct Keeping {
    running: Option<Running>,
    /// This node's addresses on the HA link, and when they were read.
    ha_link: Option<(Instant, Vec<IpAddr>)>,
    /// Whether a table of an earlier run was taken away.
    cleared: bool,
    /// What was told last of trouble in starting.
    told: Option<String>,
}

impl Keeping {
    async fn look(&mut self, node: &Arc<Node>) {
        let wanted = self.scope(&node.settings());
        let is = self.running.as_ref().map(|running| &running.scope);
        if wanted.is_none() && (is.is_some() || !self.cleared) {
            self.end().await;
            self.clear().await;
            thread::forget_place(&node.root().join(PLACE));
            node.flows().rest();
        } else if wanted.as_ref() != is {
            self.end().await;
            prepare(node).await;
            self.start(node, wanted);
        }
        let Some(running) = &mut self.running else { return };
        // While the guard is away the part stays as it was.
        let part = part(&node.guard().borrow()).unwrap_or(running.part);
        running.set_part(part);
        running.carry(node.arrivals(Stream::Flows));
    }

    fn start(&mut self, node: &Arc<Node>, scope: Option<Scope>) {
        let start = |scope| Running::start(node.flows(), scope, node.root());
        let started = scope.map(start).transpose();
        match started {
            Ok(running) => (self.running, self.cleared, self.told) = (running, false, None),
            Err(error) => {
                let text = format!("twinwall agent: connections: starting a thread: {error}");
                if self.told.as_ref() != Some(&text) {
                    eprintln!("{text}");
                }
                self.told = Some(text);
            }
        }
    }

    /// What is to be replicated; nothing while high availability is off.
    fn scope(&mut self, settings: &Settings) -> Option<Scope> {
        if settings.pair.is_none() && !settings.problems.is_empty() {
            // A slip of the pen ends nothing that runs.
            return self.running.as_ref().map(|running| running.scope.clone());
        }
        let pair = settings.pair.as_ref().filter(|_| settings.is_enabled())?;
        let fresh = self.ha_link.take().filter(|(read, _)| read.elapsed() < ADDRESSES);
        let (_, ha_link) = self.ha_link.insert(fresh.unwrap_or_else(|| {
            // An interface that is not there has none.
            let held = live::held(&pair.ha_link.interface).unwrap_or_default();
            (Instant::now(), held.into_iter().map(|prefix| prefix.address).collect())
        }));
        Scope::of(pair, ha_link)
    }

    /// The table goes when nothing is replicated; one of an earlier run too.
    async fn clear(&mut self) {
        self.cleared = true;
        let removed = tokio::task::spawn_blocking(table::remove).await;
        if let Ok(Err(error)) = removed {
            eprintln!("twinwall agent: {error}");
        }
    }

    async fn end(&mut self) {
        if let Some(running) = self.running.take() {
            // It waits for its threads.
            let _ = tokio::task::spawn_blocking(move || drop(running)).await;
        }
    }
}

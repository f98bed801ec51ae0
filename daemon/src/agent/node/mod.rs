//! The agent of one node as it runs: what it read of its settings, the engine and the link
//! that follow from them, what the guard says, and the ways to ask. Made once by
//! `twinwall agent`; the API and every long operation share it.
//!
//! When settings change, only what depends on them is made anew: [`Node::reload`].

mod answering;
mod applying;
mod calling;
mod error;
mod inside;
mod kernel;
mod looking;
mod observed;
mod opening;
mod parts;
pub mod settings;
mod telling;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use twinwall_core::api::Request;

use super::accounts::Setup;
use super::alerts;
use super::api::error::Refusal;
use super::apply::{Journal, Services};
use super::audit::Audit;
use super::calls::Calls;
use super::channel::{Arrivals, LinkState, Stream};
use super::conditions;
use super::engine::run::{Engine, Event};
use super::engine::state::Input;
use super::failovers::{self, Failovers};
use super::flows::{self, Flows};
use super::guard::{self, Control, Follower, GuardState};
use super::ha::{self, Ha};
use super::jobs::Jobs;
use super::logs;
use super::machine::Machine;
use super::pairing::rotate;
use super::preflight;
use super::reach;
use super::resources;
use super::services::{self, Bound};
use super::snmp::{self, Snmp};
use super::store::Store;
pub use calling::Calling;
use calling::number_of_run;
pub use error::NodeError;
use inside::Inside;
use opening::open;
pub use opening::{Found, recover_only};
use parts::Parts;
pub use settings::Settings;

/// Journal and staged files of a change, relative to the root.
pub const APPLYING: &str = "var/lib/twinwall/apply";

/// How long an order waits while the settings are being read.
const READING: Duration = Duration::from_secs(5);
/// Between two looks whether they are.
const LOOK: Duration = Duration::from_millis(20);

/// One node's agent.
pub struct Node {
    root: PathBuf,
    runtime: tokio::runtime::Handle,
    store: Arc<Store>,
    journal: Arc<Journal>,
    parts: Parts,
    settings: watch::Sender<Arc<Settings>>,
    inside: Mutex<Option<Inside>>,
    /// Held while the settings are read and what depends on them is made.
    reloading: Mutex<()>,
    follower: Mutex<Option<Follower>>,
    guard: watch::Receiver<GuardState>,
    machine: Machine,
    /// Held while kernel settings are changed.
    tuning: Mutex<()>,
    /// Held during one step of a change of the pair's keys.
    pub(in crate::agent) rotating: tokio::sync::Mutex<()>,
    calls: Calls,
    jobs: Jobs,
    ha: Ha,
    preflight: preflight::Kept,
    services: Bound,
    flows: Flows,
    snmp: Snmp,
    failovers: Failovers,
    setup: Setup,
    audit: Arc<Audit>,
    /// Tells this run of the agent from others.
    run: u64,
}

impl Node {
    /// Starts the agent below `root`: undoes an interrupted change, reads the settings,
    /// starts the engine and, on a paired node, the link. Beyond the root it touches nothing
    /// but `machine`.
    ///
    /// # Errors
    /// When the disk does not allow it, or another agent runs here.
    pub fn start(
        root: &Path,
        machine: Machine,
        runtime: tokio::runtime::Handle,
    ) -> Result<(Arc<Node>, Found), NodeError> {
        let (store, journal, found) = open(root, Services::Running)?;
        let (store, journal) = (Arc::new(store), Arc::new(journal));
        // What was cut off in a change of settings is carried out before they are read.
        let ha = Ha::open(root, &Settings::read(root).name).map_err(NodeError::Settings)?;
        let settings = watch::Sender::new(Arc::new(Settings::begin(root)));
        let calls = Calls::default();
        let mut failed = None;
        let node = Arc::new_cyclic(|node: &Weak<Node>| {
            let follower = follow(root, node.clone()).map_err(|error| failed = Some(error)).ok();
            let away = || watch::channel(GuardState::Away("not followed".to_owned())).1;
            Node {
                guard: follower.as_ref().map_or_else(away, Follower::state),
                root: root.to_owned(),
                runtime,
                store,
                journal,
                parts: Parts::open(root, &settings),
                settings,
                inside: Mutex::default(),
                reloading: Mutex::default(),
                follower: Mutex::new(follower),
                machine,
                tuning: Mutex::default(),
                rotating: tokio::sync::Mutex::default(),
                calls,
                jobs: Jobs::default(),
                ha,
                preflight: preflight::Kept::default(),
                services: Bound::default(),
                flows: Flows::default(),
                snmp: Snmp::default(),
                failovers: Failovers::open(root),
                setup: Setup::default(),
                audit: Arc::new(Audit::below(root)),
                run: number_of_run(),
            }
        });
        if let Some(error) = failed {
            return Err(NodeError::Io("starting a thread", error));
        }
        node.calls.answer_by(answering::by(Arc::downgrade(&node)));
        node.take_in(Inside::make(&node, &node.settings(), node.calls.clone())?);
        node.keep_up();
        Ok((node, found))
    }

    /// What goes on for as long as the node is there.
    fn keep_up(self: &Arc<Self>) {
        self.runtime.spawn(kernel::keep(Arc::downgrade(self)));
        self.runtime.spawn(ha::keep(Arc::downgrade(self)));
        self.runtime.spawn(telling::tell(Arc::downgrade(self)));
        self.runtime.spawn(services::keep(Arc::downgrade(self)));
        self.runtime.spawn(rotate::keep(Arc::downgrade(self)));
        self.runtime.spawn(failovers::keep(Arc::downgrade(self)));
        self.runtime.spawn(flows::keep(Arc::downgrade(self)));
        self.runtime.spawn(conditions::keep(Arc::downgrade(self)));
        self.runtime.spawn(logs::keep(Arc::downgrade(self)));
        self.runtime.spawn(alerts::keep(Arc::downgrade(self)));
        self.keep_observing();
        self.runtime.spawn(snmp::keep(Arc::downgrade(self)));
        self.runtime.spawn(snmp::follow(Arc::downgrade(self)));
        self.runtime.spawn(reach::keep(Arc::downgrade(self)));
        self.runtime.spawn(resources::keep(Arc::downgrade(self)));
    }

    /// Below which everything lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What was read of the settings last.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }

    /// The same, and each reading.
    pub fn watch_settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.subscribe()
    }

    /// The engine that holds the sections.
    ///
    /// # Errors
    /// While the settings are being read again.
    pub fn engine(&self) -> Result<Engine, Refusal> {
        let inside = self.inside();
        let inside = inside.as_ref().ok_or_else(|| {
            Refusal::conflict("the agent is reading its settings; try again in a moment")
        })?;
        Ok(inside.engine().clone())
    }

    /// The same, once the settings are read.
    ///
    /// # Errors
    /// When that takes long.
    pub async fn engine_soon(&self) -> Result<Engine, Refusal> {
        let until = Instant::now() + READING;
        loop {
            match self.engine() {
                Err(_) if Instant::now() < until => sleep(LOOK).await,
                engine => return engine,
            }
        }
    }

    /// The versions of all sections.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What the guard says, and each change.
    pub fn guard(&self) -> watch::Receiver<GuardState> {
        self.guard.clone()
    }

    /// Asks the guard for something that is answered by 'done'. Waits for it, on a thread
    /// that may.
    ///
    /// # Errors
    /// Its refusal, or that it cannot be asked.
    pub async fn ask_guard(&self, request: Request) -> Result<(), Refusal> {
        let root = self.root.clone();
        let asked = tokio::task::spawn_blocking(move || guard::order(&root, &request)).await;
        match asked {
            Ok(answer) => answer.map_err(Refusal::conflict),
            Err(error) => Err(Refusal::machine(format!("asking the guard: {error}"))),
        }
    }

    /// Who starts and stops the guard.
    pub fn guard_control(&self) -> Control {
        self.machine.control
    }

    /// The way to the other node's agent.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// How the link to the other node's agent is; none on a node that is not paired.
    pub fn link(&self) -> Option<LinkState> {
        self.inside().as_ref().and_then(Inside::link_state)
    }

    /// Where the connections of a stream to the other node's agent arrive; none on a node that
    /// is not paired.
    pub(in crate::agent) fn arrivals(&self, stream: Stream) -> Option<Arrivals> {
        self.inside().as_ref().and_then(|inside| inside.arrivals(stream))
    }

    /// For tasks that outlive a request.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        &self.runtime
    }

    /// Whether a change of settings or configuration may begin: not while a forced
    /// synchronisation runs on either node (SPEC R11).
    ///
    /// # Errors
    /// What runs, and who ordered it.
    pub fn may_change(&self) -> Result<(), Refusal> {
        match self.engine()?.overview().job {
            Some(job) if job.forced => Err(Refusal::conflict(format!(
                "a forced synchronisation by {} runs ({} of {} sections done); wait until it ends",
                job.who, job.finished, job.of
            ))),
            _ => Ok(()),
        }
    }

    /// Reads the settings again, and makes anew what depends on those that changed. Waits
    /// until a section that is being changed is changed to its end: for threads that may.
    ///
    /// # Errors
    /// When the disk does not allow it; the agent is then without an engine until the next
    /// reading succeeds.
    pub fn reload(self: &Arc<Self>) -> Result<(), NodeError> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = Arc::new(Settings::read(&self.root));
        let kept = self.inside().as_ref().is_some_and(|it| it.suits(&settings));
        if kept {
            let engine = self.inside().as_ref().map(|it| it.engine().clone());
            engine.iter().for_each(|it| it.tell(Event::Input(Input::Rules(settings.rules()))));
        } else {
            // The old one ends first: the link's port and the watched files are the same.
            self.put_down();
            let inside = Inside::make(self, &settings, self.calls.clone())?;
            self.take_in(inside);
        }
        self.settings.send_replace(settings);
        self.set_kernel();
        Ok(())
    }

    /// Reads the settings again, as [`Node::reload`], on a thread that may wait.
    ///
    /// # Errors
    /// As there.
    pub async fn reload_soon(self: &Arc<Self>) -> Result<(), Refusal> {
        let node = Arc::clone(self);
        let reloaded = tokio::task::spawn_blocking(move || node.reload()).await;
        match reloaded {
            Ok(done) => done.map_err(|error| Refusal::machine(error.to_string())),
            Err(error) => Err(Refusal::machine(format!("reading the settings: {error}"))),
        }
    }

    /// Ends everything; what is being changed is changed to its end.
    pub fn stop(&self) {
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(follower);
        self.put_down();
    }

    /// Ends what depends on the settings. Its threads are waited for after the lock was let
    /// go: tasks that look inside meanwhile would keep the runtime from ending the threads.
    fn put_down(&self) {
        let inside = self.inside().take();
        drop(inside);
    }

    fn take_in(&self, inside: Inside) {
        let active = self.guard.borrow().is_active();
        inside.engine().tell(Event::Input(Input::Active(active)));
        *self.inside() = Some(inside);
    }

    fn inside(&self) -> MutexGuard<'_, Option<Inside>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The engine hears of the role before anybody else, and the link of a carrier that is gone.
fn follow(root: &Path, node: Weak<Node>) -> io::Result<Follower> {
    let carrier = Cell::new(None);
    Follower::start(root, move |state| {
        let Some(node) = node.upgrade() else { return };
        let known = carrier.replace(state.ha_carrier());
        let lost = (known, carrier.get()) == (Some(true), Some(false));
        let parts = node.inside().as_ref().map(|inside| {
            let link = inside.link().filter(|_| lost).cloned();
            (inside.engine().clone(), link)
        });
        let Some((engine, link)) = parts else { return };
        engine.tell(Event::Input(Input::Active(state.is_active())));
        if let Some(link) = link {
            link.cut();
        }
    })
}

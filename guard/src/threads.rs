//! The threads beside the beat thread, and what each tells it. Every one of them
//! may block on the kernel; none of them decides anything.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use twinwall_core::api::Missing;
use twinwall_core::config::Pair;
use twinwall_core::event::Event;
use twinwall_core::ids::{Designation, InterfaceId, MAX_PATHS, PathId};
use twinwall_core::node::path_of;
use twinwall_core::note::{Note, What};

use crate::addresses::{self, Expected, Lists, Vip, Worker};
use crate::announce::{Announcer, Burst};
use crate::ask::Asker;
use crate::beats::{Mail, PathSocket, group};
use crate::cable::HaEnds;
use crate::clock;
use crate::frames::{ETHER_TYPE, FrameSocket};
use crate::gate::{GateSpec, GateTable, GateWatch};
use crate::links::{LinkReport, LinkState, LinkWatch};
use crate::mailbox::Sender;
use crate::realtime::{self, HELPER_PRIORITY, STACK};
use crate::rtnetlink::{BadName, Mac};
use crate::syscall::{Wake, readable, wait};

/// The gate is compared with what it should be this often, beside every notice: a
/// look costs some milliseconds, and a notice is lost only when they come in floods.
const AUDIT: Duration = Duration::from_secs(60);

/// The least time that VIPs live without renewal. A guard that died and stays dead
/// leaves them behind a closed gate; whoever then flushes the rules takes the gate
/// away, and two nodes would answer for ever.
const BACKSTOP: Duration = Duration::from_secs(10);

/// Starts a named thread with a small stack.
///
/// # Errors
/// When the system gives no thread.
pub fn start(name: &str, realtime: bool, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let body = move || {
        if realtime {
            // What is missing was told for the beat thread already.
            let _ = realtime::schedule(HELPER_PRIORITY);
        }
        work();
    };
    thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(body).map(drop)
}

/// A thread that must not end, ended: the guard cannot go on half alive, and its
/// supervisor starts it anew while the kernel's lease bridges the gap.
fn fatal(thread: &str, error: &io::Error) -> ! {
    eprintln!("twinwall-guard: {thread} thread: {error}; ending, to be started anew");
    std::process::abort()
}

/// The link thread's work: carrier, and the sockets of every path.
pub struct Links {
    /// The pair's settings.
    pub pair: Pair,
    /// This node's part.
    pub designation: Designation,
    /// Told our end's Ethernet address.
    pub ends: Arc<HaEnds>,
    /// To the beat thread.
    pub mail: Sender<Mail>,
    /// For which interfaces the sockets of each path were opened.
    pub opened: [Option<(u32, Mac)>; MAX_PATHS],
}

impl Links {
    /// Body of the thread.
    pub fn run(mut self, watch: LinkWatch) {
        let ended = watch.run(&mut |report| match report {
            LinkReport::Checked => {
                self.mail.send(Mail::Event(Event::LinksChecked));
            }
            LinkReport::Changed(state) => self.changed(&state),
        });
        if let Err(error) = ended {
            fatal("link", &error);
        }
    }

    fn changed(&mut self, state: &LinkState) {
        let name = state.name.as_str();
        let up = state.up;
        if name == self.pair.ha_link.interface {
            self.ends.set_own(state.mac);
            self.open_path(state, PathId::HA);
            self.mail.send(Mail::Event(Event::HaCarrier { up }));
            return;
        }
        let position = self.pair.interfaces.iter().position(|interface| interface.name == name);
        let Some(interface) = position.map(|index| InterfaceId(index as u8)) else { return };
        if let Some(path) = path_of(&self.pair, interface) {
            self.open_path(state, path);
        }
        self.mail.send(Mail::Event(Event::Link { interface, up }));
    }

    /// Opens a path's sockets if it is another interface, of the same name, than before.
    fn open_path(&mut self, state: &LinkState, path: PathId) {
        let is = state.index.zip(state.mac);
        if is.is_some() && self.opened[path.index()] == is {
            return;
        }
        self.opened[path.index()] = is;
        let opened = is
            .map(|(index, mac)| path_socket(state, index, mac, &self.pair, self.designation))
            .transpose();
        let socket = opened.unwrap_or_else(|error| {
            eprintln!(
                "twinwall-guard: {}: no packet socket: {error}; no heartbeats there",
                state.name.as_str()
            );
            None
        });
        self.mail.send(Mail::Path(path, socket.map(Box::new)));
    }
}

fn path_socket(
    state: &LinkState,
    index: u32,
    mac: Mac,
    pair: &Pair,
    designation: Designation,
) -> io::Result<PathSocket> {
    let frames = FrameSocket::open(state.name, index, ETHER_TYPE, group(pair.pair_id))?;
    let interface = pair.interfaces.iter().find(|interface| interface.name == state.name.as_str());
    let asker = match interface {
        Some(interface) => {
            let (own, peer) = (interface.own(designation), interface.own(designation.other()));
            Some(Asker::open(index, mac, own, peer)?).filter(Asker::can_ask)
        }
        None => None,
    };
    Ok(PathSocket { frames, asker, mac })
}

/// Body of the address thread. `own` reaches the gate's thread.
pub fn addresses(worker: Worker, urgent: &Sender<Mail>, mail: &Sender<Mail>, gate: &GateOrders) {
    let mut burst = match Burst::open() {
        Ok(burst) => burst,
        Err(error) => fatal("address", &error),
    };
    let ended = worker.run(&mut |report| match report {
        addresses::Report::Chunk(vips) => drop(burst.send(vips, &|| false)),
        addresses::Report::Applied { generation, outcome } => {
            if let Some(failure) = &outcome.first_failure {
                eprintln!("twinwall-guard: {failure}");
            }
            urgent.send(Mail::Event(Event::Applied { generation, outcome: outcome.applied() }));
            mail.send(Mail::Present(u32::try_from(outcome.done).unwrap_or(u32::MAX)));
        }
        addresses::Report::Restored { found, .. } => {
            let what = What::Restored { what: changed_addresses(found) };
            mail.send(Mail::Note(Note { at: clock::now(), what }));
        }
        addresses::Report::Own(own) => gate.own(own.to_vec()),
        addresses::Report::Usable(troubles) => {
            urgent.send(Mail::Event(Event::OwnAddresses { troubles: troubles.to_vec() }));
        }
        addresses::Report::Trouble(error) => {
            eprintln!("twinwall-guard: addresses: {error}; trying again")
        }
    });
    if let Err(error) = ended {
        fatal("address", &error);
    }
}

fn changed_addresses(found: &addresses::Audit) -> String {
    let example = found.example.map_or(String::new(), |address| format!(", {address} first"));
    format!("{} virtual addresses missing, {} too many{example}", found.missing, found.extra)
}

/// Body of the announcing thread.
pub fn announcing(announcer: Announcer) {
    if let Err(error) = announcer.run(&mut |_| {}) {
        fatal("announcing", &error);
    }
}

/// What the gate's thread is told.
pub struct GateOrders {
    wake: Wake,
    news: Mutex<GateNews>,
}

#[derive(Default)]
struct GateNews {
    own: Option<Vec<IpAddr>>,
    pair: Option<Box<Pair>>,
}

impl GateOrders {
    /// Nothing yet.
    ///
    /// # Errors
    /// When the kernel gives no eventfd.
    pub fn new() -> io::Result<GateOrders> {
        Ok(GateOrders { wake: Wake::new()?, news: Mutex::default() })
    }

    /// This node's own addresses are these now.
    pub fn own(&self, own: Vec<IpAddr>) {
        self.tell(|news| news.own = Some(own));
    }

    /// These settings hold now.
    pub fn pair(&self, pair: Box<Pair>) {
        self.tell(|news| news.pair = Some(pair));
    }

    fn tell(&self, set: impl FnOnce(&mut GateNews)) {
        set(&mut self.news.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        self.wake.wake();
    }

    fn take(&self) -> GateNews {
        self.wake.clear();
        std::mem::take(&mut *self.news.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

/// What the gate must be for these settings.
pub fn gate_spec(pair: &Pair, own: Vec<IpAddr>) -> GateSpec {
    let vips = pair
        .interfaces
        .iter()
        .flat_map(|interface| interface.virtual_ips.iter().map(|vip| vip.address));
    GateSpec {
        lease: pair.lease(),
        old_lease: None,
        interfaces: pair.interfaces.iter().map(|interface| interface.name.clone()).collect(),
        virtual_ips: vips.collect(),
        own,
    }
}

/// The gate's thread.
pub struct GateKeeping {
    table: GateTable,
    watch: GateWatch,
    spec: GateSpec,
    others_missing: Vec<Missing>,
    trouble: Option<Missing>,
}

impl GateKeeping {
    /// For a table that was ensured with this spec.
    ///
    /// # Errors
    /// When the kernel gives no socket for notices.
    pub fn new(
        table: GateTable,
        spec: GateSpec,
        others_missing: Vec<Missing>,
    ) -> io::Result<GateKeeping> {
        Ok(GateKeeping { table, watch: GateWatch::open()?, spec, others_missing, trouble: None })
    }

    /// Body of the thread: keeps the table as wanted.
    pub fn run(mut self, orders: &GateOrders, mail: &Sender<Mail>) {
        loop {
            let news = orders.take();
            if let Some(pair) = news.pair {
                self.change_settings(&pair, mail);
            }
            if let Some(own) = news.own {
                self.spec.own = own;
            }
            // A repair that others made necessary is told; our own changes are not.
            self.ensure(mail);
            if let Err(error) = self.wait_for_change(orders) {
                fatal("gate", &error);
            }
        }
    }

    fn wait_for_change(&mut self, orders: &GateOrders) -> io::Result<()> {
        loop {
            let mut fds = [readable(self.watch.as_fd()), readable(orders.wake.as_fd())];
            wait(&mut fds, Some(AUDIT))?;
            let changed = fds[0].revents != 0 && self.watch.changed(self.table.port());
            let timeout = fds.iter().all(|fd| fd.revents == 0);
            if changed || timeout || fds[1].revents != 0 {
                return Ok(());
            }
        }
    }

    /// The lease's length changes in three steps, so that no order of the switch
    /// ever meets a table without its rule.
    fn change_settings(&mut self, pair: &Pair, mail: &Sender<Mail>) {
        let old = std::mem::replace(&mut self.spec, gate_spec(pair, Vec::new()));
        self.spec.own = old.own;
        if old.lease != self.spec.lease {
            self.spec.old_lease = Some(old.lease);
            self.ensure(mail);
            mail.send(Mail::Lease(self.spec.lease));
            // The beat thread has its mail long before this.
            thread::sleep(Duration::from_millis(200));
            self.spec.old_lease = None;
        }
    }

    fn ensure(&mut self, mail: &Sender<Mail>) {
        match self.table.ensure(&self.spec) {
            Ok(ensured) => {
                if ensured.created {
                    let what = What::Restored { what: "the gate's table".to_owned() };
                    mail.send(Mail::RestoreGate);
                    mail.send(Mail::Note(Note { at: clock::now(), what }));
                }
                // Also after the beat thread itself had found the table gone.
                mail.send(Mail::Event(Event::GateWorks { works: true }));
                self.set_trouble(None, mail);
            }
            Err(error) => {
                eprintln!("twinwall-guard: {error}");
                self.set_trouble(Some(error.missing()), mail);
            }
        }
    }

    fn set_trouble(&mut self, trouble: Option<Missing>, mail: &Sender<Mail>) {
        if self.trouble == trouble {
            return;
        }
        let what = What::Protection { name: "gate".to_owned(), missing: trouble.is_some() };
        mail.send(Mail::Note(Note { at: clock::now(), what }));
        let missing = self.others_missing.iter().cloned().chain(trouble.clone()).collect();
        mail.send(Mail::Missing(missing));
        self.trouble = trouble;
    }
}

/// The addresses of this node: its own and the pair's VIPs as it holds them.
///
/// # Errors
/// An impossible interface name; the settings were checked, so this is a bug in them.
pub fn lists(pair: &Pair, designation: Designation) -> io::Result<Lists> {
    let bad = |error: BadName| io::Error::other(error.to_string());
    Ok(Lists {
        vips: Vip::of_pair(pair, designation).map_err(bad)?.into(),
        own: Expected::of_pair(pair, designation).map_err(bad)?.into(),
        backstop: Some(BACKSTOP.max(pair.detection() * 2)),
    })
}

//! The gate's thread: keeps the table as the settings want it, and repairs it when
//! somebody else changed it. Decides nothing.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use twinwall_core::api::Missing;
use twinwall_core::config::Pair;
use twinwall_core::event::Event;
use twinwall_core::note::{Note, What};

use crate::beats::Mail;
use crate::clock;
use crate::gate::{GateError, GateSpec, GateTable, GateWatch};
use crate::mailbox::Sender;
use crate::syscall::{Wake, readable, wait};
use crate::threads::fatal;

/// The gate is compared with what it should be this often, beside every notice: a
/// look costs some milliseconds, and a notice is lost only when they come in floods.
const AUDIT: Duration = Duration::from_secs(60);

/// What the gate's thread is told.
pub struct GateOrders {
    wake: Wake,
    news: Mutex<GateNews>,
}

#[derive(Default)]
struct GateNews {
    own: Option<Vec<IpAddr>>,
    spec: Option<(GateSpec, SyncSender<Result<(), String>>)>,
    remove: Option<SyncSender<()>>,
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

    /// The table must be this from now on, but for the own addresses, which the thread
    /// knows. `done` is told what came of it; a refused table is as it was before.
    pub fn shape(&self, spec: GateSpec, done: SyncSender<Result<(), String>>) {
        self.tell(|news| news.spec = Some((spec, done)));
    }

    /// Takes the table away and ends the thread; from here on nothing is gated.
    pub fn remove(&self, done: SyncSender<()>) {
        self.tell(|news| news.remove = Some(done));
    }

    /// Look at the table: an interface came to be.
    pub fn look(&self) {
        self.wake.wake();
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

/// What the gate must be while `old` goes and `new` comes: it holds for the addresses,
/// interfaces and leases of both, so that no order of the switch meets a table without
/// its rule, and no address an interface without its gate.
pub fn between(old: &Pair, new: &Pair) -> GateSpec {
    let (before, mut spec) = (gate_spec(old, Vec::new()), gate_spec(new, Vec::new()));
    spec.old_lease = Some(before.lease);
    for name in before.interfaces {
        if !spec.interfaces.contains(&name) {
            spec.interfaces.push(name);
        }
    }
    // The table keeps each address once.
    spec.virtual_ips.extend(before.virtual_ips);
    spec
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
            if let Some(done) = news.remove {
                if let Err(error) = self.table.remove() {
                    eprintln!("twinwall-guard: {error}; 'twinwall-guard --clear' opens it");
                }
                // Who asked may have given up.
                let _ = done.try_send(());
                return;
            }
            if let Some(own) = news.own {
                self.spec.own = own;
            }
            match news.spec {
                Some((spec, done)) => {
                    let result = self.reshape(spec, mail);
                    // Who asked may have given up.
                    let _ = done.try_send(result);
                }
                // A repair that others made necessary is told; our own changes are not.
                None => drop(self.ensure(mail)),
            }
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

    /// Another table; the one of before when the kernel refuses it.
    fn reshape(&mut self, spec: GateSpec, mail: &Sender<Mail>) -> Result<(), String> {
        let own = self.spec.own.clone();
        let before = std::mem::replace(&mut self.spec, GateSpec { own, ..spec });
        let refused = self.ensure(mail).err();
        refused.map_or(Ok(()), |error| {
            self.spec = before;
            drop(self.ensure(mail));
            Err(error.to_string())
        })
    }

    fn ensure(&mut self, mail: &Sender<Mail>) -> Result<(), GateError> {
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
                Ok(())
            }
            Err(error) => {
                eprintln!("twinwall-guard: {error}");
                self.set_trouble(Some(error.missing()), mail);
                Err(error)
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

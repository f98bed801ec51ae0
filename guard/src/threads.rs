//! The threads beside the beat thread, and what each tells it. Every one of them
//! may block on the kernel; none of them decides anything.

use std::io;
use std::thread;
use std::time::Duration;

use twinwall_core::config::Pair;
use twinwall_core::event::Event;
use twinwall_core::ids::Designation;
use twinwall_core::note::{Note, What};

use crate::addresses::{self, Expected, Lists, Vip, Worker};
use crate::announce::{Announcer, Burst};
use crate::beats::Mail;
use crate::clock;
use crate::gate_keeping::GateOrders;
use crate::mailbox::Sender;
use crate::realtime::{self, HELPER_PRIORITY, STACK};
use crate::rtnetlink::BadName;

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
pub(crate) fn fatal(thread: &str, error: &io::Error) -> ! {
    eprintln!("twinwall-guard: {thread} thread: {error}; ending, to be started anew");
    std::process::abort()
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

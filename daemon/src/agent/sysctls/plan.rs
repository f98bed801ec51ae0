//! Which kernel settings a pair needs, and what turning on or off has to change. Pure: the
//! values come in, what to note and to write comes out.

use twinwall_core::config::Pair;

use super::note::{Note, Old};

/// A setting of the kernel and the value that a failover needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knob {
    /// Its name, as `sysctl` writes it: a `.` between the parts, a `/` for a `.` in a part.
    pub name: String,
    /// The value that is needed.
    pub wanted: &'static str,
    /// What it is needed for.
    pub why: &'static str,
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) name: String,
    pub(super) from: String,
    pub(super) to: String,
}

/// What turning on has to do; the note first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) note: Note,
    pub(super) writes: Vec<Write>,
    /// Settings that this kernel does not have.
    pub(super) missing: Vec<String>,
}

/// The settings that this pair needs.
pub fn knobs(pair: &Pair) -> Vec<Knob> {
    let mut all = vec![
        Knob {
            name: "net.netfilter.nf_conntrack_tcp_loose".to_owned(),
            wanted: "0",
            why: "a new active must not take up connections in the middle that it does not know: \
                  it would make up a NAT for them that the other end does not have",
        },
        Knob {
            name: "net.netfilter.nf_conntrack_events".to_owned(),
            wanted: "1",
            why: "the kernel tells of each connection as it changes, so that the other node \
                  knows it before a failover",
        },
    ];
    let carrying = pair.interfaces.iter().filter(|one| !one.virtual_ips.is_empty());
    all.extend(carrying.map(|interface| Knob {
        // `sysctl` swaps the two, so that an interface lan.5 stays one part.
        name: format!("net.ipv4.conf.{}.promote_secondaries", interface.name.replace('.', "/")),
        wanted: "1",
        why: "when a virtual IP goes, the addresses that came to its subnet later stay",
    }));
    all
}

/// The file of a setting, below the kernel's directory.
pub(super) fn file(name: &str) -> String {
    let swap = |letter| match letter {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    name.chars().map(swap).collect()
}

/// What has to be done so that the kernel has what is needed. A value that is neither the
/// noted one nor ours was chosen by the administrator meanwhile: it is the one to put back.
/// A setting that is needed no more gets its old value.
pub(super) fn on(knobs: &[Knob], noted: &Note, now: impl Fn(&str) -> Option<String>) -> Plan {
    let mut plan = Plan { note: Note::default(), writes: Vec::new(), missing: Vec::new() };
    for Knob { name, wanted, .. } in knobs {
        match now(name) {
            None => {
                plan.missing.push(name.clone());
                plan.note.keep(noted.get(name));
            }
            Some(value) if value == *wanted => plan.note.keep(noted.get(name)),
            Some(value) => {
                let ours = (*wanted).to_owned();
                plan.note.add(Old {
                    name: name.clone(),
                    before: value.clone(),
                    ours: ours.clone(),
                });
                plan.writes.push(Write { name: name.clone(), from: value, to: ours });
            }
        }
    }
    let needed = |old: &Old| knobs.iter().any(|knob| knob.name == old.name);
    plan.writes.extend(noted.all().filter(|old| !needed(old)).filter_map(|old| back(old, &now)));
    plan
}

/// What has to be written so that the administrator's values hold again.
pub(super) fn off(noted: &Note, now: impl Fn(&str) -> Option<String>) -> Vec<Write> {
    noted.all().filter_map(|old| back(old, &now)).collect()
}

/// Only where our value still stands.
fn back(old: &Old, now: impl Fn(&str) -> Option<String>) -> Option<Write> {
    let value = now(&old.name)?;
    (value == old.ours && value != old.before).then(|| Write {
        name: old.name.clone(),
        from: value,
        to: old.before.clone(),
    })
}

//! The comparison: pure, so that every verdict has a row in a table of tests.

use std::time::Duration;

use twinwall_core::config::Prerequisite;
use twinwall_core::explain::span;

use super::facts::{Facts, HaPort, Known, Port};
use super::{Compared, Verdict};

/// Difference of the clocks from which on histories and logs of the two nodes mislead.
pub(in crate::agent) const CLOCK: Duration = Duration::from_secs(1);
/// Part of the memory by which two machines of one model may differ: what firmware and
/// kernel set aside is not always the same.
const MEMORY_TOLERANCE: u64 = 25;

/// Both values and what came of them.
struct Outcome {
    here: String,
    there: String,
    verdict: Verdict,
    why: String,
}

/// Compares in every prerequisite. While the other node cannot be asked nothing is known.
/// `clock` is how far its clock must be away.
pub fn compare(
    here: &Facts,
    there: Option<&Facts>,
    clock: Option<Duration>,
    overridden: &[Prerequisite],
) -> Vec<Compared> {
    let one = |name: Prerequisite| {
        let Some(there) = there else { return unknown(name, here) };
        let Outcome { here, there, verdict, why } = outcome(name, here, there, clock);
        let overridden = verdict == Verdict::Failed && overridden.contains(&name);
        let what_now = if verdict == Verdict::Good { "" } else { what_now(name) };
        Compared { name, here, there, verdict, overridden, why, what_now: what_now.to_owned() }
    };
    Prerequisite::ALL.into_iter().map(one).collect()
}

fn unknown(name: Prerequisite, here: &Facts) -> Compared {
    Compared {
        name,
        here: outcome(name, here, here, None).here,
        there: String::new(),
        verdict: Verdict::Unknown,
        overridden: false,
        why: "the other node cannot be asked".to_owned(),
        what_now: "see that its agent runs and that the HA cable is in the same port of both"
            .to_owned(),
    }
}

fn outcome(name: Prerequisite, here: &Facts, there: &Facts, measured: Option<Duration>) -> Outcome {
    match name {
        Prerequisite::Model => known(&here.identity.model, &there.identity.model),
        Prerequisite::Cpu => known(&here.identity.cpu, &there.identity.cpu),
        Prerequisite::Memory => memory(here.identity.memory_kib, there.identity.memory_kib),
        Prerequisite::Interfaces => interfaces(&here.ports, &there.ports),
        Prerequisite::Firmware => known(&here.identity.firmware, &there.identity.firmware),
        Prerequisite::Registration => {
            registration(here.identity.registration.as_ref(), there.identity.registration.as_ref())
        }
        Prerequisite::Release => same(here.release.clone(), there.release.clone()),
        Prerequisite::HaLink => ha_link(here.ha_link.as_ref(), there.ha_link.as_ref()),
        Prerequisite::Mtu => mtu(&here.ports, &there.ports),
        Prerequisite::Clock => clock(measured),
        Prerequisite::PairId => pair_id(here.ha_link.as_ref(), there.ha_link.as_ref()),
    }
}

fn what_now(name: Prerequisite) -> &'static str {
    match name {
        Prerequisite::Model | Prerequisite::Cpu | Prerequisite::Memory => {
            "pair two units of one model"
        }
        Prerequisite::Interfaces => {
            "fit both with the same interfaces, under the same names, at the same speed"
        }
        Prerequisite::Firmware => "bring both to the same firmware",
        Prerequisite::Registration => "register the unit that is not",
        Prerequisite::Release => "bring both to the same release of twinwall",
        Prerequisite::HaLink => "put the HA cable into the port of that name on both nodes",
        Prerequisite::Mtu => "set the same MTU on both",
        Prerequisite::Clock => "let both follow one time server",
        Prerequisite::PairId => "give one of the pairs another number: unpair, and pair again",
    }
}

fn same(here: String, there: String) -> Outcome {
    let good = here == there;
    let verdict = if good { Verdict::Good } else { Verdict::Failed };
    let why = if good { "" } else { "they differ" };
    Outcome { here, there, verdict, why: why.to_owned() }
}

/// A fact that only one node knows is a difference; one that neither knows is none.
fn known(here: &Known, there: &Known) -> Outcome {
    let shown = |known: &Known| match known {
        Known::Is(value) => value.clone(),
        Known::Not(_) => "not known".to_owned(),
    };
    let (mine, theirs) = (shown(here), shown(there));
    let (verdict, why) = match (here, there) {
        (Known::Is(here), Known::Is(there)) => return same(here.clone(), there.clone()),
        (Known::Not(why), Known::Not(_)) => (Verdict::Unknown, why.clone()),
        (Known::Not(why), Known::Is(_)) => (Verdict::Failed, format!("here {why}")),
        (Known::Is(_), Known::Not(why)) => (Verdict::Failed, format!("there {why}")),
    };
    Outcome { here: mine, there: theirs, verdict, why }
}

fn memory(here: Option<u64>, there: Option<u64>) -> Outcome {
    let shown =
        |kib: Option<u64>| kib.map_or("not known".to_owned(), |kib| format!("{} MiB", kib / 1024));
    let (verdict, why) = match (here, there) {
        (Some(here), Some(there)) if here.abs_diff(there) <= here.max(there) / MEMORY_TOLERANCE => {
            (Verdict::Good, "")
        }
        (None, None) => (Verdict::Unknown, "neither kernel says"),
        (Some(_), Some(_)) | (None, Some(_)) | (Some(_), None) => (Verdict::Failed, "they differ"),
    };
    Outcome { here: shown(here), there: shown(there), verdict, why: why.to_owned() }
}

/// Both nodes have the same, under the same names; a speed that one side does not know
/// (a port without a cable) is no difference.
fn interfaces(here: &[Port], there: &[Port]) -> Outcome {
    let shown = |ports: &[Port]| {
        let one = |port: &Port| match port.speed {
            Some(speed) => format!("{} {speed}", port.name),
            None => port.name.clone(),
        };
        ports.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let mut wrong = lacking(here, there, "there");
    wrong.extend(lacking(there, here, "here"));
    for (one, other) in both(here, there) {
        if let (Some(own), Some(its)) = (one.speed, other.speed)
            && own != its
        {
            wrong.push(format!("{} has {own} Mb/s here and {its} there", one.name));
        }
    }
    judged(shown(here), shown(there), &wrong)
}

fn lacking(of: &[Port], among: &[Port], place: &str) -> Vec<String> {
    let lacks = of.iter().filter(|port| !among.iter().any(|other| other.name == port.name));
    lacks.map(|port| format!("{} is missing {place}", port.name)).collect()
}

fn both<'p>(here: &'p [Port], there: &'p [Port]) -> impl Iterator<Item = (&'p Port, &'p Port)> {
    here.iter().filter_map(|port| Some((port, there.iter().find(|it| it.name == port.name)?)))
}

fn judged(here: String, there: String, wrong: &[String]) -> Outcome {
    let verdict = if wrong.is_empty() { Verdict::Good } else { Verdict::Failed };
    Outcome { here, there, verdict, why: wrong.join(", ") }
}

fn mtu(here: &[Port], there: &[Port]) -> Outcome {
    let shown = |ports: &[Port]| {
        let one = |port: &Port| Some(format!("{} {}", port.name, port.mtu?));
        ports.iter().filter_map(one).collect::<Vec<_>>().join(", ")
    };
    let differ = both(here, there).filter(|(one, other)| one.mtu != other.mtu);
    let wrong: Vec<String> =
        differ.map(|(one, _)| format!("that of {} differs", one.name)).collect();
    judged(shown(here), shown(there), &wrong)
}

/// Where the profile asks for it, each node must be; both profiles must ask alike.
fn registration(here: Option<&Known>, there: Option<&Known>) -> Outcome {
    let shown = |known: Option<&Known>| match known {
        None => "not asked".to_owned(),
        Some(Known::Is(_)) => "registered".to_owned(),
        Some(Known::Not(_)) => "not registered".to_owned(),
    };
    let (verdict, why) = match (here, there) {
        (None, None) | (Some(Known::Is(_)), Some(Known::Is(_))) => (Verdict::Good, String::new()),
        (Some(Known::Not(why)), _) => (Verdict::Failed, format!("here {why}")),
        (_, Some(Known::Not(why))) => (Verdict::Failed, format!("there {why}")),
        (None, Some(Known::Is(_))) | (Some(Known::Is(_)), None) => {
            (Verdict::Failed, "only one of the profiles asks for it".to_owned())
        }
    };
    Outcome { here: shown(here), there: shown(there), verdict, why }
}

/// Each end hears the other from the port of its own name.
fn ha_link(here: Option<&HaPort>, there: Option<&HaPort>) -> Outcome {
    let shown = |end: Option<&HaPort>| match end {
        None => "none".to_owned(),
        Some(HaPort { name, reaches: Some(port), .. }) => format!("{name}, reaches {port}"),
        Some(HaPort { name, reaches: None, .. }) => format!("{name}, hears nobody"),
    };
    let mut wrong = Vec::new();
    for (end, place) in [(here, "here"), (there, "there")] {
        match end {
            None => wrong.push(format!("no HA link is named {place}")),
            Some(end) if end.reaches.is_none() => {
                wrong.push(format!("the other node is not heard {place}"));
            }
            Some(end) if end.reaches.as_deref() != Some(&end.name) => {
                wrong.push(format!("another port is reached from {} {place}", end.name));
            }
            Some(_) => {}
        }
    }
    if let (Some(one), Some(other)) = (here, there)
        && one.name != other.name
    {
        wrong.push("the names differ".to_owned());
    }
    judged(shown(here), shown(there), &wrong)
}

fn clock(measured: Option<Duration>) -> Outcome {
    let Some(apart) = measured else {
        let verdict = Verdict::Unknown;
        return Outcome { here: String::new(), there: String::new(), verdict, why: String::new() };
    };
    let good = apart <= CLOCK;
    let verdict = if good { Verdict::Good } else { Verdict::Failed };
    let why = if good { String::new() } else { format!("they differ by {}", span(apart)) };
    let there = if good { "the same".to_owned() } else { format!("{} apart", span(apart)) };
    Outcome { here: "this clock".to_owned(), there, verdict, why }
}

/// Another node of a pair with this number, that is not the peer.
fn pair_id(here: Option<&HaPort>, there: Option<&HaPort>) -> Outcome {
    let strangers = |end: Option<&HaPort>| end.map_or(Vec::new(), |end| end.strangers.clone());
    let shown = |names: &[String]| match names {
        [] => "unique on the HA link".to_owned(),
        some => format!("also of {}", some.join(", ")),
    };
    let (mine, theirs) = (strangers(here), strangers(there));
    let strange = !mine.is_empty() || !theirs.is_empty();
    let wrong = strange.then(|| "another pair of the same number is on the wire".to_owned());
    judged(shown(&mine), shown(&theirs), wrong.as_slice())
}

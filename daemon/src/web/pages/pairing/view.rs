//! What the page shows, from what the agent says: pure.

use std::net::IpAddr;

use crate::agent::dashboard::Dashboard;
use crate::agent::failover_test::{Move, Tested};
use crate::agent::ha::ports::{Port, Ports};
use crate::agent::jobs::{JobState, JobView, Kind};
use crate::agent::pairing::view::PairView;
use crate::web::listen::Ends;
use crate::web::pages::jobs::{JobPart, shown_by};
use crate::web::pages::moment::Moment;

/// A long operation that goes on, or the last one that did not come to a good end.
pub(super) struct Operation {
    pub(super) id: u64,
    pub(super) title: String,
    pub(super) who: String,
    pub(super) runs: bool,
    /// Whether it can be stopped.
    pub(super) stops: bool,
    pub(super) is_test: bool,
    pub(super) html: String,
    /// Whether it waits for another node.
    pub(super) invites: bool,
    /// What it shows meanwhile.
    pub(super) shown: String,
}

/// The newest operation, while it goes on or when it failed. One that ended well shows in how
/// the pair stands, and so does a failure that a later success has overtaken.
pub(super) fn operation(jobs: &[JobView], pair: &PairView) -> Option<Operation> {
    let job = jobs.last()?;
    let runs = job.state == JobState::Running;
    let failed = match job.kind {
        // The page of the settings tells these.
        Kind::TurnOn | Kind::TurnOff => false,
        Kind::Invite | Kind::Join => job.state != JobState::Done && pair.peer.is_none(),
        Kind::Replace | Kind::Rotate | Kind::TestFailover => job.state != JobState::Done,
    };
    (runs || failed).then(|| Operation {
        id: job.id,
        title: job.title.clone(),
        who: job.who.clone(),
        runs,
        stops: runs && job.kind.may_be_cancelled(),
        is_test: job.kind == Kind::TestFailover,
        html: JobPart::draw(job),
        invites: matches!(job.kind, Kind::Invite | Kind::Replace),
        shown: shown_by(job),
    })
}

/// What the last test showed.
pub(super) struct Outcome {
    pub(super) at: Moment,
    pub(super) who: String,
    pub(super) moves: Vec<Move>,
}

impl Outcome {
    pub(super) fn is_good(&self) -> bool {
        !self.moves.is_empty()
    }
}

pub(super) fn last_test(jobs: &[JobView]) -> Option<Outcome> {
    let done = |job: &&JobView| job.kind == Kind::TestFailover && job.state == JobState::Done;
    let job = jobs.iter().rev().find(done)?;
    let tested: Tested = serde_json::from_value(job.result.clone()?).ok()?;
    Some(Outcome { at: Moment::of(job.began_ms), who: job.who.clone(), moves: tested.moves })
}

/// An interface that may become the HA link.
pub(super) struct Choice {
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) state: &'static str,
    pub(super) speed: Option<String>,
    pub(super) addresses: String,
    pub(super) chosen: bool,
}

/// All of this node's, or the one that the settings name. The one that is most likely meant is
/// chosen: with a cable, and without addresses of a network.
pub(super) fn choices(ports: &Ports, named: Option<&str>) -> Vec<Choice> {
    let all: Vec<&Port> = ports.ports.iter().filter_map(|pair| pair.here.as_ref()).collect();
    let shown = all.iter().filter(|it| named.is_none_or(|named| named == it.name));
    let fits = |it: &&&Port| it.is_up && it.carrier && it.addresses.is_empty();
    let likely = named.or_else(|| all.iter().find(fits).map(|it| it.name.as_str()));
    shown.map(|it| choice(it, likely == Some(it.name.as_str()))).collect()
}

fn choice(interface: &Port, chosen: bool) -> Choice {
    let (class, state) = match (interface.is_up, interface.carrier) {
        (false, _) => ("unknown", "switched off"),
        (true, true) => ("good", "connected"),
        (true, false) => ("warn", "no cable"),
    };
    Choice {
        name: interface.name.clone(),
        class,
        state,
        speed: interface.speed.map(speed),
        addresses: match interface.addresses.as_slice() {
            [] => "no addresses".to_owned(),
            some => some.join(", "),
        },
        chosen,
    }
}

fn speed(megabits: u32) -> String {
    match (megabits / 1000, megabits % 1000) {
        (0, _) => format!("{megabits} Mb/s"),
        (whole, 0) => format!("{whole} Gb/s"),
        (_, _) => format!("{:.1} Gb/s", f64::from(megabits) / 1e3),
    }
}

/// The console at an address of this node that stays, where the visitor came by one that moves
/// with the active role.
pub(super) fn own_way(pair: &Dashboard, ends: Ends) -> Option<String> {
    let own = ends.own.ip();
    let is = |text: &String| parsed(text) == Some(own);
    let by = pair.interfaces.iter().find(|it| it.virtual_ips.iter().any(is))?;
    let same_family = |text: &&String| parsed(text).is_some_and(|it| it.is_ipv6() == own.is_ipv6());
    let stays = by.own_here.iter().find(same_family).or(by.own_here.first())?;
    let host = match parsed(stays)? {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => format!("[{six}]"),
    };
    Some(format!("https://{host}:{}{}", ends.own.port(), super::PATH))
}

fn parsed(text: &str) -> Option<IpAddr> {
    text.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::api::error::Refusal;
    use crate::agent::ha::ports::PortPair;
    use crate::agent::jobs::Jobs;
    use crate::agent::pairing::invite;

    fn interface(name: &str, carrier: Option<bool>, addresses: &[&str]) -> PortPair {
        let port = Port {
            name: name.to_owned(),
            is_up: carrier.is_some(),
            carrier: carrier == Some(true),
            speed: carrier.filter(|it| *it).map(|_| 2500),
            addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
            dynamic: None,
        };
        PortPair { name: name.to_owned(), here: Some(port), there: None, reaches: None }
    }

    fn unpaired() -> PairView {
        PairView {
            node: "gw-a".to_owned(),
            designation: None,
            pair_id: None,
            interface: None,
            peer: None,
            rotation: None,
            heard: Vec::new(),
        }
    }

    #[test]
    fn the_port_with_a_cable_and_without_a_network_is_offered_first() {
        let elsewhere = PortPair { here: None, ..interface("only-there", Some(true), &[]) };
        let all = vec![
            elsewhere,
            interface("lan", Some(true), &["10.1.0.1/24"]),
            interface("eth7", None, &[]),
            interface("ha0", Some(true), &[]),
            interface("wan", Some(false), &[]),
        ];
        let all = Ports { here: "gw-a".to_owned(), there: None, away: None, ports: all };
        let chosen = |named| {
            let choices = choices(&all, named);
            let chosen = choices.iter().find(|it| it.chosen).map(|it| it.name.clone());
            (choices.len(), chosen)
        };
        assert_eq!(chosen(None), (4, Some("ha0".to_owned())));
        assert_eq!(chosen(Some("wan")), (1, Some("wan".to_owned())), "as the settings say");
        let words: Vec<&str> = choices(&all, None).iter().map(|it| it.state).collect();
        assert_eq!(words, ["connected", "switched off", "connected", "no cable"]);
        assert_eq!(choices(&all, None)[0].speed.as_deref(), Some("2.5 Gb/s"));
        assert_eq!((speed(100).as_str(), speed(10_000).as_str()), ("100 Mb/s", "10 Gb/s"));
    }

    #[test]
    fn an_invitation_shows_its_code_while_it_is_open_and_a_failure_until_there_is_a_pair() {
        let jobs = Jobs::default();
        let job = jobs.begin(Kind::Invite, "anna").expect("begun");
        job.show(invite::Shown {
            code: "ABCD-2345".to_owned(),
            interface: "ha0".to_owned(),
            open_s: 600,
        });
        let shown = operation(&jobs.all(), &unpaired()).expect("it goes on");
        assert!(shown.runs && shown.stops && shown.invites);
        assert!(
            shown.shown.contains("ABCD-2345") && shown.shown.contains("ha0"),
            "{}",
            shown.shown
        );
        job.fail(Refusal::conflict("three wrong codes"));
        let shown = operation(&jobs.all(), &unpaired()).expect("it failed");
        assert!(!shown.runs && !shown.stops && shown.shown.is_empty());
        assert!(shown.html.contains("three wrong codes"));
        jobs.begin(Kind::Join, "anna").expect("begun").done(());
        assert!(operation(&jobs.all(), &unpaired()).is_none());
    }
}

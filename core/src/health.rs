//! Question 1, this node's half: what is true about its links and checks, and how
//! able to serve that makes it. Holds back flapping interfaces.
//!
//! Called by the core for links, facts and maintenance. Never looks at the peer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beat::{Fitness, Gateways};
use crate::config::{Damping, Gateway, MAX_GATEWAYS, Pair};
use crate::event::{Fact, Refusal};
use crate::ids::InterfaceId;
use crate::note::What;
use crate::objection;
use crate::own::Own;
use crate::time::Moment;
use crate::tuning::AGENT_GRACE;

/// Readiness facts kept; one more is refused until one expires.
pub(crate) const MAX_FACTS: usize = 64;
/// The agent's fact that says whether this node was ever synchronised.
pub(crate) const SYNCHRONISED: &str = "synchronised";
/// The agent's fact that says whether the connections of the active are all here. A node
/// that says no is as able as before: only planned moves to it wait, for a time.
pub(crate) const FLOWS: &str = "flows";
/// Why they are not, where no agent runs.
const NO_AGENT: &str = "this node's agent does not run, so no connection is copied here (see \
                        'systemctl status twinwall-agent')";
/// Before the number (from 1) of a gateway in the name of the agent's fact about it. A node
/// that says no is as able as before: it counts only where the peer reaches more.
pub(crate) const GATEWAY: &str = "gateway.";
/// These names, by the gateway's place in the settings.
const GATEWAY_FACTS: [&str; MAX_GATEWAYS] = [
    "gateway.1",
    "gateway.2",
    "gateway.3",
    "gateway.4",
    "gateway.5",
    "gateway.6",
    "gateway.7",
    "gateway.8",
    "gateway.9",
    "gateway.10",
    "gateway.11",
    "gateway.12",
    "gateway.13",
    "gateway.14",
    "gateway.15",
    "gateway.16",
];
/// Losses of carrier remembered of one interface.
const MAX_FLAPS: usize = 16;

/// One interface of `pair.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) watch: bool,
    pub(crate) up: bool,
    /// Ever reported; before that nothing is noted.
    known: bool,
    /// Came by a reload and was not reported yet: it counts neither way.
    #[serde(default)]
    pub(crate) fresh: bool,
    up_since: Moment,
    downs: Vec<Moment>,
    pub(crate) held: bool,
}

/// A fact that holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) good: bool,
    pub(crate) reason: String,
    pub(crate) until: Moment,
}

/// The facts about this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) links: Vec<Link>,
    pub(crate) facts: BTreeMap<String, Held>,
    pub(crate) maintenance: Option<Moment>,
    /// Addresses could not be applied: unfit until here.
    pub(crate) apply_failed: Option<Moment>,
    pub(crate) own: Own,
    required: Vec<String>,
    damping: Damping,
    /// Gateways in the settings.
    #[serde(default)]
    gateways: Vec<Gateway>,
    /// An agent left: by then another one has said how it is with the connections.
    #[serde(default)]
    flows_due: Option<Moment>,
}

/// Whether a fact says no to the node itself, and not only to planned moves or a comparison.
fn objects(name: &str, fact: &Held) -> bool {
    !fact.good && name != FLOWS && !name.starts_with(GATEWAY)
}

impl Health {
    pub(crate) fn new(now: Moment, pair: &Pair) -> Health {
        let link = |watch| Link {
            watch,
            up: false,
            known: false,
            fresh: false,
            up_since: now,
            downs: Vec::new(),
            held: false,
        };
        Health {
            links: pair.interfaces.iter().map(|interface| link(interface.watch)).collect(),
            facts: BTreeMap::new(),
            maintenance: None,
            apply_failed: None,
            own: Own::default(),
            required: pair.required_checks.clone(),
            damping: pair.damping,
            gateways: pair.gateways.clone(),
            flows_due: None,
        }
    }

    /// Takes over new settings; links keep their state by position in `keep`, the
    /// old index of each new interface.
    pub(crate) fn reload(&mut self, now: Moment, pair: &Pair, keep: &[Option<usize>]) {
        let fresh = Health::new(now, pair);
        let old = std::mem::replace(&mut self.links, fresh.links);
        for (link, from) in self.links.iter_mut().zip(keep) {
            match from.and_then(|index| old.get(index)) {
                Some(before) => *link = Link { watch: link.watch, ..before.clone() },
                None => link.fresh = true,
            }
        }
        self.own.renumber(keep);
        self.required = fresh.required;
        self.damping = fresh.damping;
        if self.gateways != fresh.gateways {
            // Their numbers mean others from here on.
            self.facts.retain(|name, _| !name.starts_with(GATEWAY));
            self.gateways = fresh.gateways;
        }
    }

    /// Sets an interface's carrier; tells what is worth telling.
    pub(crate) fn link(&mut self, now: Moment, interface: InterfaceId, up: bool) -> Vec<What> {
        let damping = self.damping;
        let Some(link) = self.links.get_mut(interface.index()) else { return Vec::new() };
        if link.known && link.up == up {
            return Vec::new();
        }
        let first = !link.known;
        link.known = true;
        link.fresh = false;
        link.up = up;
        let mut told = vec![What::Link { interface, up }];
        if up {
            link.up_since = now;
        } else if link.watch && !first {
            link.downs.retain(|at| now.since(*at) <= damping.window);
            if link.downs.len() == MAX_FLAPS {
                link.downs.remove(0);
            }
            link.downs.push(now);
            if link.downs.len() >= usize::from(damping.flaps) && !link.held {
                link.held = true;
                told.push(What::Held { interface, hold: damping.hold });
            }
        }
        told
    }

    /// Takes in a readiness fact; tells what is new.
    pub(crate) fn fact(&mut self, now: Moment, fact: Fact) -> Result<Option<What>, Refusal> {
        if self.facts.len() >= MAX_FACTS && !self.facts.contains_key(&fact.name) {
            return Err(Refusal::TooManyFacts);
        }
        if fact.name == FLOWS {
            self.flows_due = None;
        }
        let held = Held { good: fact.good, reason: fact.reason.clone(), until: now + fact.holds };
        let before = self.facts.insert(fact.name.clone(), held);
        let same = before.is_some_and(|old| old.good == fact.good && old.reason == fact.reason);
        // What planned moves wait for is told as that.
        let told = !same && fact.name != FLOWS;
        let what = What::Check { name: fact.name, good: fact.good, reason: fact.reason };
        Ok(told.then_some(what))
    }

    /// An agent left. What it said of connections holds for a moment more, in which the next
    /// one sees that it has to say it again.
    pub(crate) fn agent_left(&mut self, now: Moment) {
        let due = *self.flows_due.get_or_insert(now + AGENT_GRACE);
        if let Some(fact) = self.facts.get_mut(FLOWS) {
            fact.until = fact.until.min(due);
        }
    }

    /// Whether an agent left and nobody has said in time how it is with the connections: they
    /// are not here until somebody says so, one fact more than others may state.
    pub(crate) fn lacks_agent(&mut self, now: Moment) -> bool {
        let lacks = self.flows_due.take_if(|due| *due <= now).is_some();
        if lacks {
            let reason = NO_AGENT.to_owned();
            self.facts.insert(FLOWS.to_owned(), Held { good: false, reason, until: Moment::NEVER });
        }
        lacks
    }

    /// Connections are not replicated any more: nobody need say how it is with them.
    pub(crate) fn forget_flows(&mut self) {
        self.flows_due = None;
        self.facts.remove(FLOWS);
    }

    /// Lets run out what has run out.
    pub(crate) fn expire(&mut self, now: Moment) -> Vec<What> {
        let mut told = Vec::new();
        let hold = self.damping.hold;
        for (index, link) in self.links.iter_mut().enumerate() {
            if link.held && link.up && now.since(link.up_since) >= hold {
                link.held = false;
                link.downs.clear();
                told.push(What::HoldEnded { interface: InterfaceId(index as u8) });
            }
        }
        if self.maintenance.is_some_and(|until| until <= now) {
            self.maintenance = None;
            told.push(What::MaintenanceOff { by_itself: true });
        }
        if self.apply_failed.is_some_and(|until| until <= now) {
            self.apply_failed = None;
        }
        self.facts.retain(|_, fact| fact.until > now);
        told
    }

    /// Releases every held interface.
    pub(crate) fn clear_damping(&mut self) -> Vec<What> {
        let mut told = Vec::new();
        for (index, link) in self.links.iter_mut().enumerate() {
            link.downs.clear();
            if std::mem::take(&mut link.held) {
                told.push(What::HoldEnded { interface: InterfaceId(index as u8) });
            }
        }
        told
    }

    /// How able this node is. A node that serves is not made unfit by a required
    /// check that merely ran out: the agent may restart without moving the role.
    pub(crate) fn fitness(&self, serving: bool) -> Fitness {
        let mut healthy = 0;
        for (index, link) in self.links.iter().enumerate() {
            if link.watch && link.up && !link.held {
                healthy |= InterfaceId(index as u8).bit();
            }
        }
        let counts = |(name, fact): (&String, &Held)| name != SYNCHRONISED && objects(name, fact);
        let said_no = self.facts.iter().any(counts);
        let missing = !serving && self.required.iter().any(|name| !self.facts.contains_key(name));
        Fitness {
            healthy,
            check_failed: said_no || missing || self.apply_failed.is_some(),
            never_synchronised: self.facts.get(SYNCHRONISED).is_some_and(|fact| !fact.good),
            maintenance: self.maintenance.is_some(),
            unready: self.unready(),
            behind: self.behind().is_some(),
            gateways: self.gateways(),
        }
    }

    /// Which gateways this node reaches, as far as it is told.
    fn gateways(&self) -> Gateways {
        let mut gateways = Gateways::default();
        for index in 0..self.gateways.len().min(MAX_GATEWAYS) {
            let Some(fact) = self.gateway(index) else { continue };
            gateways.told |= 1 << index;
            gateways.reached |= u16::from(fact.good) << index;
        }
        gateways
    }

    /// What is said of a gateway, by its place in the settings.
    pub(crate) fn gateway(&self, index: usize) -> Option<&Held> {
        self.facts.get(*GATEWAY_FACTS.get(index)?)
    }

    /// Why the connections are not all here, if they are not.
    fn behind(&self) -> Option<&str> {
        let fact = self.facts.get(FLOWS).filter(|fact| !fact.good)?;
        Some(fact.reason.as_str())
    }

    /// Whether this node's own addresses cannot be used (yet).
    fn unready(&self) -> bool {
        !self.own.looked() || self.own.troubles(&|index| self.carrier(index)).next().is_some()
    }

    fn carrier(&self, index: usize) -> bool {
        self.links.get(index).is_some_and(|link| link.up)
    }

    /// Why a planned move to this node must wait, each in a sentence.
    pub(crate) fn waits_for(&self, name: &dyn Fn(usize) -> String) -> Vec<String> {
        let own = self.own.reasons(&|index| self.carrier(index), name);
        own.into_iter().chain(self.behind().map(str::to_owned)).collect()
    }

    /// Of these the ones that do not end by themselves.
    pub(crate) fn lasting(&self, name: &dyn Fn(usize) -> String) -> Vec<String> {
        let carrier = |index: usize| self.carrier(index);
        let lasting = self.own.troubles(&carrier).filter(|trouble| trouble.what.lasts());
        lasting.map(|trouble| trouble.what.on(&name(trouble.interface.index()))).collect()
    }

    /// Interfaces that a reload brought and of which nothing is known yet.
    pub(crate) fn fresh(&self) -> u64 {
        let fresh = self.links.iter().enumerate().filter(|(_, link)| link.fresh);
        fresh.fold(0, |mask, (index, _)| mask | InterfaceId(index as u8).bit())
    }

    /// Whether interfaces are watched and none of them has carrier: nobody could be served.
    pub(crate) fn cut_off(&self) -> bool {
        let counts = |link: &&Link| link.watch && !link.fresh;
        let mut watched = self.links.iter().filter(counts).peekable();
        watched.peek().is_some() && watched.all(|link| !link.up)
    }

    /// Why this node is not fit, each in a sentence. `name` gives an interface's name.
    pub(crate) fn objections(&self, serving: bool, name: &dyn Fn(usize) -> String) -> Vec<String> {
        let mut said = Vec::new();
        for (index, link) in self.links.iter().enumerate().filter(|(_, link)| link.watch) {
            if link.fresh {
                continue;
            }
            if !link.up {
                said.push(objection::down(&name(index)));
            } else if link.held {
                said.push(objection::held(&name(index)));
            }
        }
        for (check, fact) in self.facts.iter().filter(|(check, fact)| objects(check, fact)) {
            said.push(objection::check(check, &fact.reason));
        }
        if !serving {
            for check in self.required.iter().filter(|check| !self.facts.contains_key(*check)) {
                said.push(format!("required check {check} has not said yes yet"));
            }
        }
        if self.apply_failed.is_some() {
            said.push("the addresses could not be applied".to_owned());
        }
        if self.maintenance.is_some() {
            said.push(objection::MAINTENANCE.to_owned());
        }
        said
    }

    /// The next moment at which something here runs out, with what it is.
    pub(crate) fn next(&self) -> Moment {
        let held = self
            .links
            .iter()
            .filter(|link| link.held && link.up)
            .map(|link| link.up_since + self.damping.hold);
        let facts = self.facts.values().map(|fact| fact.until);
        held.chain(facts)
            .chain(self.maintenance)
            .chain(self.apply_failed)
            .chain(self.flows_due)
            .min()
            .unwrap_or(Moment::NEVER)
    }

    /// Time left until a held interface may count again.
    pub(crate) fn hold_left(&self, now: Moment, link: &Link) -> Option<Duration> {
        let left = if link.up {
            (link.up_since + self.damping.hold).since(now)
        } else {
            self.damping.hold
        };
        link.held.then_some(left)
    }
}

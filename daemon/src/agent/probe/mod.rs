//! The built-in probe (`[probe]`, SPEC B6): how long a virtual IP is silent, as the network sees
//! it. The passive pings the virtual IP from its own address; the active pings a machine of that
//! network from the virtual IP. What is found goes into the failover report of both nodes. It
//! measures and decides nothing; without it a report has what the guards recorded.

mod echo;
mod lane;
mod track;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use twinwall_core::config::Pair;
use twinwall_core::ids::Designation;

use super::clock::unix_us;
use super::node::Node;
use lane::{Lane, ping};
use track::Track;

/// Silences that are remembered: reports take what concerns them within seconds.
const MAX_SILENCES: usize = 100;
/// Silences that are taken from the other node at a time.
pub(in crate::agent) const MAX_TOLD: usize = 32;
/// Longest name of a node, or of what was asked, that is taken from the other node, in bytes.
const MAX_TEXT: usize = 128;

/// A time without an answer. Moments are microseconds since 1970 (UTC).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Silence {
    /// The node whose probe it was.
    pub node: String,
    /// What was asked, as `10.1.0.1`; where the node's role changed meanwhile both.
    pub asked: String,
    /// The last answer before it.
    pub from_us: u64,
    /// The first answer after it; none while there was none, or nobody to ask.
    pub to_us: Option<u64>,
    /// What is shorter than so many milliseconds is not seen.
    pub floor_ms: f64,
}

impl Silence {
    /// How long it was, in milliseconds.
    pub fn ms(&self) -> Option<f64> {
        self.to_us.map(|to| to.saturating_sub(self.from_us) as f64 / 1000.0)
    }

    /// In short: `212 ms`.
    pub fn words(&self) -> String {
        self.ms().map_or_else(|| "no answer since".to_owned(), |ms| format!("{ms:.0} ms"))
    }

    /// For people.
    pub fn sentence(&self) -> String {
        let (node, asked, floor) = (&self.node, &self.asked, self.floor_ms);
        match self.ms() {
            Some(ms) => format!(
                "The probe of {node} had no answer from {asked} for {ms:.0} ms (it sees no less \
                 than {floor:.0} ms)."
            ),
            None => format!(
                "The probe of {node} had no answer from {asked} after that, or nobody to ask."
            ),
        }
    }

    /// By the clock of another node, which is so many microseconds behind.
    pub(in crate::agent) fn moved(mut self, ahead_us: i64) -> Silence {
        self.from_us = self.from_us.saturating_add_signed(-ahead_us);
        self.to_us = self.to_us.map(|to| to.saturating_add_signed(-ahead_us));
        self
    }

    /// Whether it may have come from an honest node.
    pub(in crate::agent) fn is_plausible(&self) -> bool {
        let short = |text: &str| text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
        short(&self.node) && short(&self.asked) && self.floor_ms.is_finite()
    }
}

/// What a probe does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProbePart")]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Nothing: no role, or nobody to ask.
    #[default]
    Idle,
    /// This node is passive: it pings the virtual IP.
    Watching,
    /// This node is active: it pings the target from the virtual IP.
    Serving,
}

/// One virtual IP that is probed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeView {
    /// The virtual IP.
    pub virtual_ip: String,
    /// Its interface.
    pub interface: String,
    /// The machine that the active pings; none where none is configured in that network.
    pub target: Option<String>,
    /// What is done now.
    pub part: Part,
    /// Milliseconds since the last answer; none while there was none.
    pub answered_ms: Option<f64>,
    /// Why nothing can be measured, and what to do.
    pub trouble: Option<String>,
}

/// What the probe found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbesView {
    /// This node.
    pub node: String,
    /// What is probed; empty where nothing is configured.
    pub probes: Vec<ProbeView>,
    /// The last silences, the newest last.
    pub silences: Vec<Silence>,
}

/// The probes of this node.
#[derive(Debug, Default)]
pub struct Probes(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    silences: VecDeque<Silence>,
    now: Vec<Now>,
}

/// How one of them is.
#[derive(Clone, Debug)]
struct Now {
    lane: Lane,
    part: Part,
    track: Track,
    trouble: Option<String>,
}

impl Probes {
    /// How they are.
    pub fn view(&self, node: &str) -> ProbesView {
        let now_us = unix_us();
        let inside = self.inside();
        let one = |now: &Now| ProbeView {
            virtual_ip: now.lane.virtual_ip.to_string(),
            interface: now.lane.interface.clone(),
            target: now.lane.target.map(|it| it.to_string()),
            part: now.part,
            answered_ms: now.track.last().map(|at| now_us.saturating_sub(at) as f64 / 1000.0),
            trouble: now.trouble.clone(),
        };
        let probes = inside.now.iter().map(one).collect();
        drop(inside);
        ProbesView { node: node.to_owned(), probes, silences: self.silences(node) }
    }

    /// The silences, with those that go on, the newest last.
    pub(in crate::agent) fn silences(&self, node: &str) -> Vec<Silence> {
        let now_us = unix_us();
        let inside = self.inside();
        let going_on = inside.now.iter().filter_map(|now| now.track.going_on(now_us, node));
        inside.silences.iter().cloned().chain(going_on).collect()
    }

    fn add(&self, silence: Silence) {
        let mut inside = self.inside();
        inside.silences.push_back(silence);
        let surplus = inside.silences.len().saturating_sub(MAX_SILENCES);
        inside.silences.drain(..surplus);
    }

    fn set(&self, now: Now) {
        let mut inside = self.inside();
        if let Some(old) = inside.now.iter_mut().find(|old| old.lane == now.lane) {
            *old = now;
        }
    }

    fn begin(&self, lanes: &[Lane]) {
        let fresh = |lane: &Lane| Now {
            lane: lane.clone(),
            part: Part::Idle,
            track: Track::new(lane.interval),
            trouble: None,
        };
        self.inside().now = lanes.iter().map(fresh).collect();
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Probes as the settings say until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let Some(mut settings) = node.upgrade().map(|node| node.watch_settings()) else { return };
    let mut lanes = Vec::new();
    let mut tasks = JoinSet::new();
    loop {
        let Some(strong) = node.upgrade() else { return };
        let read = settings.borrow_and_update().clone();
        let wanted = match (&read.pair, read.designation()) {
            (Some(pair), Some(own)) if read.is_enabled() => of(pair, own),
            _off => Vec::new(),
        };
        if wanted != lanes {
            tasks.abort_all();
            strong.probes().begin(&wanted);
            for lane in &wanted {
                tasks.spawn(ping(node.clone(), lane.clone()));
            }
            lanes = wanted;
        }
        drop(strong);
        if settings.changed().await.is_err() {
            return;
        }
    }
}

/// What these settings want probed by the node of this designation.
fn of(pair: &Pair, own: Designation) -> Vec<Lane> {
    let lane = |address: &IpAddr| {
        let holds = |it: &&twinwall_core::config::Interface| {
            it.virtual_ips.iter().any(|prefix| prefix.address == *address)
        };
        let interface = pair.interfaces.iter().find(holds)?;
        let prefix = interface.virtual_ips.iter().find(|it| it.address == *address)?;
        let here = |other: &IpAddr| prefix.subnet().contains(*other);
        let from = interface.own(own).iter().map(|it| it.address).find(|it| here(it));
        Some(Lane {
            interface: interface.name.clone(),
            virtual_ip: *address,
            own: from,
            target: pair.probe.targets.iter().copied().find(|it| here(it)),
            interval: pair.probe.interval,
        })
    };
    pair.probe.virtual_ips.iter().filter_map(lane).collect()
}

/// What is taken of the silences that the other node told, by this node's clock.
pub(in crate::agent) fn taken(told: Vec<Silence>, ahead_us: i64) -> Vec<Silence> {
    let good = told.into_iter().filter(Silence::is_plausible).take(MAX_TOLD);
    good.map(|silence| silence.moved(ahead_us)).collect()
}

/// The newest of this node's silences, for the other one.
pub(in crate::agent) fn told(node: &Arc<Node>) -> Vec<Silence> {
    let mut all = node.probes().silences(&node.settings().name);
    all.split_off(all.len().saturating_sub(MAX_TOLD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinwall_core::config::parse_pair;

    #[test]
    fn each_virtual_ip_is_probed_from_its_own_network_and_to_its_own_target() {
        let text = "pair_id = 1\n[ha_link]\ninterface = \"ha0\"\n\
            [probe]\nvirtual_ips = [\"10.1.0.1\", \"203.0.113.5\"]\ntargets = [\"10.1.0.9\"]\n\
            [[interface]]\nname = \"lan\"\nprimary = \"10.1.0.2/24\"\n\
            secondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n\
            [[interface]]\nname = \"wan\"\nvirtual = \"203.0.113.5/29\"\n";
        let pair = parse_pair("pair.toml", text).expect("right");
        let lanes = of(&pair, Designation::Secondary);
        let address = |text: &str| text.parse::<IpAddr>().ok();
        assert_eq!((lanes[0].own, lanes[0].target), (address("10.1.0.3"), address("10.1.0.9")));
        assert_eq!((lanes[1].interface.as_str(), lanes[1].own), ("wan", None));
        assert_eq!(lanes[1].target, None);
    }

    #[test]
    fn the_other_nodes_silences_stand_on_this_nodes_clock_and_nonsense_is_left_out() {
        let silence = Silence {
            node: "gw-b".to_owned(),
            asked: "10.1.0.1".to_owned(),
            from_us: 5_000,
            to_us: Some(9_000),
            floor_ms: 1.0,
        };
        let nonsense = Silence { asked: "x\n".to_owned(), ..silence.clone() };
        let taken = taken(vec![nonsense, silence], 1_000);
        assert_eq!((taken.len(), taken[0].from_us, taken[0].ms()), (1, 4_000, Some(4.0)));
        assert!(taken[0].sentence().contains("10.1.0.1 for 4 ms"), "{}", taken[0].sentence());
    }
}

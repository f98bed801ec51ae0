//! Whether gateways answer this node (SPEC B7): asked all the time, on the active and on the
//! passive, in the same way on both. What comes of it is told the guard, which compares the
//! two nodes, and the conditions. A thread asks; nobody waits for it, and the role moves
//! without it.

mod line;
pub mod packet;
mod plan;
mod thread;
pub mod view;
mod watched;

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use twinwall_core::beat::RoleWord;
use twinwall_core::config::{Pair, Reach as Settings};
use twinwall_core::event::Fact;
use twinwall_core::snapshot::{GatewayView as Weighed, Snapshot};
use twinwall_core::time::Moment;
use twinwall_netlink::wait::Wake;

use super::conditions::ConditionId;
use super::failovers::monotonic;
use super::node::Node;
use plan::{Target, plan};
use view::{GatewayView, ReachView};
use watched::{State, Watched};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// How long a fact about a gateway holds: of an agent that is away nothing is known soon.
const HOLDS: Duration = Duration::from_secs(60);

/// For a guard and a busy machine, beyond what follows from the settings.
const MARGIN: Duration = Duration::from_millis(100);

/// What is known of the gateways.
#[derive(Debug)]
pub struct Reach {
    /// None where the kernel gives no descriptor to be woken by.
    shared: Option<Arc<Shared>>,
    /// Kept here too: whoever listens waits for as long as there is a node.
    news: watch::Sender<()>,
}

/// What task and thread have in common.
#[derive(Debug)]
struct Shared {
    inside: Mutex<Inside>,
    wake: Wake,
    /// Something is to be told the guard.
    news: watch::Sender<()>,
}

#[derive(Debug)]
struct Inside {
    settings: Settings,
    /// How much later the other node may say that it lost a gateway too.
    patience: Duration,
    targets: Vec<Target>,
    /// One for each target.
    watched: Vec<Watched>,
    /// Whether a thread asks.
    runs: bool,
}

impl Shared {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    fn heard(&self) {
        self.wake.clear();
    }

    /// After each question: what was lost a moment ago is told at once, or when the time has
    /// come for it.
    fn tell_losses(&self, now: Moment, inside: &Inside) {
        let fresh = inside.patience + inside.settings.interval;
        let lost = |watched: &Watched| matches!(watched.state(), State::Lost(_));
        if inside.watched.iter().any(|watched| lost(watched) && watched.lasted(now) <= fresh) {
            self.news.send_replace(());
        }
    }
}

impl Default for Reach {
    /// With nothing to ask yet.
    fn default() -> Reach {
        let inside = Inside {
            settings: Settings::default(),
            patience: Duration::ZERO,
            targets: Vec::new(),
            watched: Vec::new(),
            runs: false,
        };
        let (inside, news) = (Mutex::new(inside), watch::Sender::new(()));
        let shared = Wake::new().map(|wake| Arc::new(Shared { inside, wake, news: news.clone() }));
        Reach { shared: shared.ok(), news }
    }
}

impl Reach {
    /// Each gateway as it is; `snapshot` is what the guard says of the other node.
    pub fn view(&self, node: &str, snapshot: Option<&Snapshot>) -> ReachView {
        let gateways = self.shared.as_ref().map_or_else(Vec::new, |shared| {
            let now = monotonic();
            let inside = shared.inside();
            let all = inside.targets.iter().zip(&inside.watched);
            all.map(|(target, watched)| {
                let (here, why) = match watched.state() {
                    State::Unknown(why) => (None, why.clone()),
                    State::Reached => (Some(true), String::new()),
                    State::Lost(why) => (Some(false), why.clone()),
                };
                GatewayView {
                    interface: target.interface.clone(),
                    address: target.address.to_string(),
                    way: target.way,
                    here,
                    why,
                    since_s: watched.lasted(now).as_secs_f64(),
                    round_trip_ms: watched.round_trip().map(|time| time.as_secs_f64() * 1e3),
                    there: snapshot.and_then(|it| weighed(it, target)?.1.there),
                }
            })
            .collect()
        });
        ReachView { node: node.to_owned(), gateways }
    }

    /// Changes when facts are to be told before the next look at them.
    pub(in crate::agent) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// What the guard is told: a fact for each gateway of which something is known, and which
    /// the guard knows. An older guard would take a bad one for a failed check. A node that
    /// serves waits with the word of a gateway that the other one reaches still: that one may
    /// be about to lose it as well.
    pub(in crate::agent) fn facts(&self, snapshot: &Snapshot) -> Vec<Fact> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let (now, inside) = (monotonic(), shared.inside());
        let all = inside.targets.iter().zip(&inside.watched);
        all.filter_map(|(target, watched)| {
            let (place, told) = weighed(snapshot, target)?;
            let alone = snapshot.role.role == RoleWord::Active && told.there == Some(true);
            let (good, reason) = match watched.state() {
                State::Unknown(_) => return None,
                State::Reached => (true, String::new()),
                State::Lost(_) if alone && watched.lasted(now) < inside.patience => return None,
                State::Lost(why) => (false, sentence(target, why)),
            };
            Some(Fact { name: format!("gateway.{}", place + 1), good, reason, holds: HOLDS })
        })
        .collect()
    }

    /// Takes in the settings; says whether a thread has to be started.
    fn read(&self, settings: Settings, patience: Duration, targets: Vec<Target>) -> bool {
        let Some(shared) = &self.shared else { return false };
        let mut guard = shared.inside();
        let inside = &mut *guard;
        (inside.settings, inside.patience) = (settings, patience);
        if inside.targets != targets {
            let now = monotonic();
            let before: Vec<(Target, Watched)> =
                inside.targets.drain(..).zip(std::mem::take(&mut inside.watched)).collect();
            let known = |target: &Target| before.iter().find(|(old, _)| old == target);
            inside.watched = targets
                .iter()
                .map(|target| known(target).map_or_else(|| Watched::new(now), |it| it.1.clone()))
                .collect();
            inside.targets = targets;
            shared.wake.wake();
        }
        let starts = !inside.runs && !inside.targets.is_empty();
        inside.runs |= starts;
        starts
    }

    /// What does not answer, for the conditions.
    fn lost(&self) -> Vec<(String, Option<String>)> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let inside = shared.inside();
        let all = inside.targets.iter().zip(&inside.watched);
        let told = all.filter_map(|(target, watched)| {
            let text = match watched.state() {
                State::Unknown(_) => return None,
                State::Reached => None,
                State::Lost(why) => Some(format!("Gateway {}.", sentence(target, why))),
            };
            Some((subject(target), text))
        });
        told.collect()
    }
}

/// A gateway's place in the guard's list, and what it weighs there.
fn weighed<'s>(snapshot: &'s Snapshot, target: &Target) -> Option<(usize, &'s Weighed)> {
    let is_it = |it: &Weighed| it.address == target.address && it.interface == target.interface;
    snapshot.gateways.iter().enumerate().find(|(_, gateway)| is_it(gateway))
}

/// A link-local address may be that of a gateway on each interface.
fn subject(target: &Target) -> String {
    match target.address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => format!("{v6}%{}", target.interface),
        IpAddr::V4(_) | IpAddr::V6(_) => target.address.to_string(),
    }
}

fn sentence(target: &Target, why: &str) -> String {
    format!("{} on {}: {why}", target.address, target.interface)
}

/// Keeps the thread supplied with settings, and the conditions with what it finds, until the
/// node is gone.
pub(super) async fn keep(node: Weak<Node>) {
    let mut reported: Vec<String> = Vec::new();
    loop {
        {
            let Some(node) = node.upgrade() else { return };
            let settings = node.settings();
            let pair = settings.pair.as_ref().filter(|_| settings.is_enabled());
            let pair = pair.filter(|_| node.machine().network);
            let targets = pair.zip(settings.designation()).map(|(pair, who)| plan(pair, who));
            let reach = pair.map(|pair| pair.reach).unwrap_or_default();
            let patience = pair.map(patience).unwrap_or_default();
            if node.reach().read(reach, patience, targets.unwrap_or_default()) {
                start(&node);
            }
            reported = report(&node, &reported);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Both ask in the same way, but not in the same moment: up to an interval apart. What the
/// other node's guard is told goes out with its next beat.
fn patience(pair: &Pair) -> Duration {
    pair.reach.interval + 2 * pair.interval + MARGIN
}

fn start(node: &Node) {
    let Some(shared) = &node.reach().shared else { return };
    let (worker, sys) = (Arc::downgrade(shared), node.machine().sys.clone());
    let thread = std::thread::Builder::new().name("reach".to_owned());
    if let Err(error) = thread.spawn(move || thread::run(&worker, sys)) {
        eprintln!("twinwall agent: gateways are not asked: {error}");
        shared.inside().runs = false;
    }
}

/// Tells the conditions; what is no gateway any more is taken back. Returns what was told.
fn report(node: &Node, before: &[String]) -> Vec<String> {
    let lost = node.reach().lost();
    let conditions = node.conditions();
    for gone in before.iter().filter(|old| !lost.iter().any(|(new, _)| new == *old)) {
        conditions.report(ConditionId::GatewayUnreachable, Some(gone), None);
    }
    for (subject, matter) in &lost {
        conditions.report(ConditionId::GatewayUnreachable, Some(subject), matter.clone());
    }
    lost.into_iter().map(|(subject, _)| subject).collect()
}

#[cfg(test)]
mod tests {
    use twinwall_core::api::Status;
    use twinwall_core::config::parse_pair;
    use twinwall_core::ids::Designation;

    use super::*;

    const PAIR: &str = "pair_id = 7\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"wan\"\n\
        virtual = \"203.0.113.5/29\"\ngateways = [\"203.0.113.1\", \"203.0.113.6\"]\n";

    fn snapshot(gateways: &[&str]) -> Snapshot {
        let text = include_str!("../../../../core/tests/status/healthy.json");
        let mut status: Status = serde_json::from_str(text).expect("a status");
        let weighed = gateways.iter().map(|address| Weighed {
            interface: "wan".to_owned(),
            address: address.parse().expect("an address"),
            here: None,
            why: String::new(),
            there: Some(true),
        });
        status.snapshot.gateways = weighed.collect();
        status.snapshot
    }

    #[test]
    fn a_guard_is_told_only_of_the_gateways_that_it_knows_by_its_own_numbers() {
        let pair = parse_pair("pair.toml", PAIR).expect("right");
        let reach = Reach::default();
        assert!(
            reach.read(pair.reach, patience(&pair), plan(&pair, Designation::Primary)),
            "a thread is needed"
        );
        assert!(
            !reach.read(pair.reach, patience(&pair), plan(&pair, Designation::Primary)),
            "and one is enough"
        );
        let old = snapshot(&[]);
        let mut turned = snapshot(&["203.0.113.6", "203.0.113.1"]);
        assert_eq!(reach.facts(&turned), [], "nothing is known yet");
        {
            let now = monotonic();
            let mut inside = reach.shared.as_ref().expect("made").inside();
            inside.watched[0].asked(now, &pair.reach);
            inside.watched[0].answered(now, &pair.reach);
            for _ in 0..pair.reach.misses {
                let settled = now + watched::SETTLES;
                inside.watched[1].failed(settled, &pair.reach, "wan is down".to_owned());
            }
        }
        assert_eq!(reach.facts(&old), [], "an older guard would take it for a failed check");
        let mut serving = turned.clone();
        serving.role.role = RoleWord::Active;
        let told = reach.facts(&serving);
        assert!(told.iter().all(|fact| fact.good), "the other one may lose it as well: {told:?}");
        serving.gateways.iter_mut().for_each(|gateway| gateway.there = Some(false));
        assert_eq!(reach.facts(&serving).len(), 2, "it did");
        turned.role.role = RoleWord::Passive;
        let facts = reach.facts(&turned);
        let told: Vec<_> = facts.iter().map(|it| (it.name.as_str(), it.good)).collect();
        assert_eq!(told, [("gateway.2", true), ("gateway.1", false)]);
        assert_eq!(facts[1].reason, "203.0.113.6 on wan: wan is down");
        let view = reach.view("gw-a", Some(&turned));
        assert_eq!((view.gateways[1].here, view.gateways[1].there), (Some(false), Some(true)));
        // Other settings: what stays keeps what is known of it.
        let mut fewer = plan(&pair, Designation::Primary);
        fewer.remove(0);
        reach.read(pair.reach, patience(&pair), fewer);
        assert_eq!(reach.view("gw-a", None).gateways[0].here, Some(false));
    }
}

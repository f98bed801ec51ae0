//! Gathers what is compared: this node's facts, the other node's, and how far its clock is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::compare::compare;
use super::facts::{Facts, HaPort, Known, MAX_STRANGERS};
use super::{Compared, KernelSetting, Preflight, read};
use crate::agent::api::error::Refusal;
use crate::agent::calls::{Call, Reply};
use crate::agent::clock::{difference, unix_ms};
use crate::agent::finder::{Neighbour, nodes};
use crate::agent::identity::peer::Peer;
use crate::agent::node::{Node, Settings};
use crate::agent::sysctls::SysctlView;

/// How long the other node may take before an order: its profile may ask commands.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long where it is only shown; what the commands said is kept there for the next time.
const LOOK_PATIENCE: Duration = Duration::from_secs(5);
/// The clock's question is answered from memory.
const CLOCK: Duration = Duration::from_secs(5);
/// How long a node that was not heard yet is waited for: it calls out every second.
const HEARD: Duration = Duration::from_secs(4);
/// Between two looks at who was heard.
const LOOK: Duration = Duration::from_millis(100);

/// Both nodes compared, for an order.
pub async fn of(node: &Arc<Node>) -> Preflight {
    compared(node, ask(node).await).await
}

/// The same where it is only shown: a node that is silent is not waited for.
pub async fn look(node: &Arc<Node>) -> Preflight {
    compared(node, look_there(node).await).await
}

async fn compared(node: &Arc<Node>, there: Result<There, Refusal>) -> Preflight {
    // Without the other node's word nothing is compared, and nobody is waited for.
    let here = facts(node, there.is_ok()).await;
    let settings = node.settings();
    let overridden = settings.pair.as_ref().map_or(&[][..], |pair| &pair.overridden);
    let (there, clock, away) = match there {
        Ok(There { facts, clock }) => (Some(facts), Some(clock), None),
        Err(refusal) => (None, None, Some(refusal.message)),
    };
    let prerequisites = compare(&here, there.as_ref(), clock, overridden);
    let verdict = verdict(&prerequisites, away.as_deref());
    Preflight {
        good: away.is_none() && !prerequisites.iter().any(Compared::blocks),
        verdict,
        kernel: kernel(&here.kernel, there.as_ref().map_or(&[], |facts| &facts.kernel)),
        here: here.node,
        there: there.map(|facts| facts.node),
        away,
        prerequisites,
    }
}

fn verdict(all: &[Compared], away: Option<&str>) -> String {
    if let Some(why) = away {
        return format!("The other node cannot be asked: {why}.");
    }
    let overridden = all.iter().filter(|it| it.overridden).count();
    match (all.iter().filter(|it| it.blocks()).count(), overridden) {
        (0, 0) => "All prerequisites are met.".to_owned(),
        (0, some) => format!("All prerequisites are met or overridden ({some})."),
        (1, _) => "One prerequisite is not met.".to_owned(),
        (several, _) => format!("{several} prerequisites are not met."),
    }
}

/// This node's facts.
pub async fn here(node: &Arc<Node>) -> Facts {
    facts(node, true).await
}

async fn facts(node: &Arc<Node>, waits: bool) -> Facts {
    let settings = node.settings();
    let ha_link = ha_port(node, &settings, waits).await;
    let this = Arc::clone(node);
    let read = tokio::task::spawn_blocking(move || {
        let (root, machine) = (this.root(), this.machine());
        let pair = this.settings().pair.clone();
        let identity = || read::identity(root, machine, &this.settings().profile);
        let kernel = pair.as_ref().map(|pair| this.sysctls().look(pair)).unwrap_or_default();
        (this.preflight().identity(identity), read::ports(&machine.sys, pair.as_ref()), kernel)
    });
    let (identity, ports, kernel) = read.await.expect("reading does not panic");
    let release = env!("CARGO_PKG_VERSION").to_owned();
    Facts { node: settings.name.clone(), release, identity, ports, ha_link, kernel }
}

/// This node's firmware alone; none where the profile's source does not say.
pub async fn firmware(node: &Arc<Node>) -> Option<String> {
    let this = Arc::clone(node);
    let read = tokio::task::spawn_blocking(move || {
        let read = || read::identity(this.root(), this.machine(), &this.settings().profile);
        this.preflight().identity(read).firmware
    });
    match read.await.ok()? {
        Known::Is(firmware) => Some(firmware),
        Known::Not(_) => None,
    }
}

/// Who is heard on the HA link. A peer that was not heard yet, because the agent has just
/// started to listen, is waited for.
async fn ha_port(node: &Node, settings: &Settings, waits: bool) -> Option<HaPort> {
    let pair = settings.pair.as_ref()?;
    let peer = settings.peer.as_ref().map(Peer::digests).unwrap_or_default();
    let began = Instant::now();
    loop {
        let heard = nodes(node.neighbours());
        let is_peer = |one: &&Neighbour| peer.contains(&one.said.certificate);
        let reaches = heard.iter().find(is_peer).map(|one| one.said.interface.clone());
        if waits && reaches.is_none() && !peer.is_empty() && began.elapsed() < HEARD {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        let strange =
            heard.iter().filter(|one| one.said.pair_id == Some(pair.pair_id) && !is_peer(one));
        let strangers = strange.map(|one| one.said.node.clone()).take(MAX_STRANGERS).collect();
        return Some(HaPort { name: pair.ha_link.interface.clone(), reaches, strangers });
    }
}

/// What the other node says of itself.
struct There {
    facts: Facts,
    /// How far its clock is away.
    clock: Duration,
}

impl There {
    fn of(facts: Reply, (asked, asked_ms): (Instant, u64), about: Reply) -> Result<There, Refusal> {
        let (Reply::Facts(facts), Reply::About(about)) = (facts, about) else {
            return Err(Refusal::unreachable(
                "the other node answered something else; bring both to one release",
            ));
        };
        let clock = difference(asked_ms, asked.elapsed(), about.unix_ms);
        Ok(There { facts: facts.bounded(), clock })
    }
}

async fn ask(node: &Node) -> Result<There, Refusal> {
    node.settings().demand_pair()?;
    let facts = node.calls().call(Call::Facts {}, PATIENCE).await?;
    let asked = (Instant::now(), unix_ms());
    There::of(facts, asked, node.calls().call(Call::About {}, CLOCK).await?)
}

async fn look_there(node: &Node) -> Result<There, Refusal> {
    node.settings().demand_pair()?;
    let facts = node.look(Call::Facts {}, LOOK_PATIENCE).await?;
    let asked = (Instant::now(), unix_ms());
    There::of(facts, asked, node.look(Call::About {}, CLOCK).await?)
}

fn kernel(here: &[SysctlView], there: &[SysctlView]) -> Vec<KernelSetting> {
    let own = |view: &SysctlView| view.before.clone().or_else(|| view.now.clone());
    let both = here.iter().map(|view| KernelSetting {
        name: view.name.clone(),
        wanted: view.wanted.clone(),
        here: own(view),
        there: there.iter().find(|other| other.name == view.name).and_then(own),
        why: view.why.clone(),
    });
    both.collect()
}

//! SNMP of both appliances (SPEC R19), the agent's part: what the objects say, the file beside
//! snmpd's configuration, and questions to the own snmpd, for this node's managers and for the
//! other node's. The process `twinwall snmp` speaks with snmpd and asks here. Nothing on the way
//! of a failover waits for any of it.

pub mod ask;
pub mod ber;
mod facts;
mod keep;
mod memory;
pub mod snmpd;
pub mod value;
pub mod view;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use super::api::error::Refusal;
use super::calls::{Call, Reply};
use super::dashboard::{self, Dashboard};
use super::guard::Control;
use super::node::Node;
use ask::Access;
pub(in crate::agent) use keep::{follow, keep};
use view::{Answered, Ask, Context, Done, News, NodeFacts, PeerFacts, SnmpState, SnmpView, Which};

/// How long the other node may take for its objects: a manager waits for a second.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Questions to the other node at a time: it answers eight of all kinds, and others come first.
const MAX_ASKED: usize = 2;
/// How long a question waits for its turn.
const TURN: Duration = Duration::from_millis(500);
/// Without a word for so long the process counts as gone.
const SILENT: Duration = Duration::from_secs(10);
/// Notices in one answer.
const MAX_NOTICES: usize = 100;
/// So old what the other machine said is as good as new.
const FRESH: Duration = Duration::from_secs(1);
/// How long it may take to say it: it reads some small files.
const FACTS: Duration = Duration::from_millis(800);
/// How long the first question waits for a dashboard.
const FIRST: Duration = Duration::from_secs(2);

/// The agent's part of SNMP.
pub struct Snmp {
    inside: Mutex<Inside>,
    facts: facts::Kept,
    /// When somebody asked last.
    asked: watch::Sender<Option<Instant>>,
    /// The newest dashboard, while somebody asks.
    shown: watch::Sender<Option<Arc<Dashboard>>>,
    turns: Semaphore,
}

#[derive(Default)]
struct Inside {
    access: Option<Access>,
    state: SnmpState,
    /// Why snmpd was not told of the last change.
    untold: Option<String>,
    heard: Option<Instant>,
    there: Option<(Instant, NodeFacts)>,
}

impl Default for Snmp {
    fn default() -> Snmp {
        Snmp {
            inside: Mutex::default(),
            facts: facts::Kept::default(),
            asked: watch::Sender::default(),
            shown: watch::Sender::default(),
            turns: Semaphore::new(MAX_ASKED),
        }
    }
}

impl Snmp {
    /// How it stands, for people.
    pub fn state(&self) -> SnmpState {
        let inside = self.inside();
        let mut state = inside.state.clone();
        state.connected = inside.is_heard();
        state.notes.extend(inside.untold.clone());
        if state.wanted && !state.connected {
            state.notes.push(
                "'twinwall snmp' does not answer for snmpd; look at what both write: 'systemctl \
                 status twinwall-snmp snmpd', or where 'twinwall run' runs its output"
                    .to_owned(),
            );
        }
        state
    }

    /// What is the matter, for the condition: SNMP is on, and nobody answers.
    fn matter(&self) -> Option<String> {
        let state = self.state();
        (state.wanted && !state.connected).then(|| {
            let first = state.notes.into_iter().next();
            first.unwrap_or_else(|| "SNMP is on, and snmpd does not ask twinwall".to_owned())
        })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn is_heard(&self) -> bool {
        self.heard.is_some_and(|at| at.elapsed() < SILENT)
    }
}

/// All that the objects are made of.
pub async fn values(node: &Arc<Node>) -> SnmpView {
    let snmp = node.snmp();
    let (dashboard, here, ()) = tokio::join!(shown(node), here(node), ask_there(node));
    let there = snmp.inside().there.clone().filter(|_| dashboard.there.is_some());
    let there = there.map(|(at, facts)| PeerFacts { facts, age_s: at.elapsed().as_secs() });
    SnmpView {
        dashboard: Dashboard::clone(&dashboard),
        here,
        there,
        failovers: u32::try_from(node.failovers().all().len()).unwrap_or(u32::MAX),
        conditions: node.conditions().present(),
    }
}

/// What the process has to know; `done` is what it says of itself. A process that has just
/// started goes on where the one before it was; the first one begins with what comes.
pub fn news(node: &Node, done: Done) -> News {
    let conditions = node.conditions();
    let newest = *conditions.subscribe().borrow();
    let mut inside = node.snmp().inside();
    inside.heard = Some(Instant::now());
    let known = done.heard.or(inside.state.done.heard).unwrap_or(newest);
    let notices = conditions.notices(Some(known), MAX_NOTICES);
    let heard = notices.last().map_or(known, |notice| notice.id);
    inside.state.done = Done { heard: Some(known), ..done };
    News {
        node: node.settings().name.clone(),
        contexts: inside.state.contexts.clone(),
        notices,
        heard,
        speaks: conditions.speaks(),
    }
}

/// The newest dashboard; the first question begins to follow it.
async fn shown(node: &Arc<Node>) -> Arc<Dashboard> {
    let snmp = node.snmp();
    snmp.asked.send_replace(Some(Instant::now()));
    let mut shown = snmp.shown.subscribe();
    let first = match tokio::time::timeout(FIRST, shown.wait_for(Option::is_some)).await {
        Ok(Ok(shown)) => shown.clone(),
        Ok(Err(_)) | Err(_) => None,
    };
    if let Some(dashboard) = first {
        return dashboard;
    }
    Arc::new(dashboard::of(node).await)
}

/// Has the other machine say what it is and does, unless it has said so just now. What it said
/// before is kept, with its age.
async fn ask_there(node: &Arc<Node>) {
    let snmp = node.snmp();
    let is_fresh = snmp.inside().there.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH);
    if node.settings().peer.is_none() {
        snmp.inside().there = None;
    } else if !is_fresh
        && let Ok(Reply::SnmpFacts(facts)) = node.look(Call::SnmpFacts {}, FACTS).await
    {
        snmp.inside().there = Some((Instant::now(), facts.bounded()));
    }
}

/// What this machine says of itself.
pub async fn here(node: &Arc<Node>) -> NodeFacts {
    let this = Arc::clone(node);
    let read = tokio::task::spawn_blocking(move || {
        let settings = this.settings();
        let (root, machine) = (this.root(), this.machine());
        this.snmp().facts.read(&settings.name, root, machine, &settings.profile)
    });
    read.await.unwrap_or_default()
}

/// Asks the SNMP agent of one of the nodes.
///
/// # Errors
/// When it is turned off, the node is away, or its snmpd does not answer.
pub async fn ask(node: &Arc<Node>, which: Which, question: Ask) -> Result<Answered, Refusal> {
    ask::check(&question)?;
    match which {
        Which::Here => answer(node, &question).await,
        Which::There => {
            node.settings().demand_pair()?;
            let turn = tokio::time::timeout(TURN, node.snmp().turns.acquire()).await;
            let Ok(Ok(_turn)) = turn else {
                return Err(Refusal::conflict(
                    "too many questions to the other node's SNMP agent; ask more slowly",
                ));
            };
            let reply = node.look(Call::Snmp { ask: question }, PATIENCE).await?;
            let Reply::Snmp(answered) = reply else {
                return Err(Refusal::unreachable(
                    "the other node answered something else; bring both to one release",
                ));
            };
            Ok(*answered)
        }
    }
}

/// Answers the other node: what this node's own snmpd says.
///
/// # Errors
/// When it is turned off here, or snmpd does not answer.
pub(in crate::agent) async fn answer(
    node: &Arc<Node>,
    question: &Ask,
) -> Result<Answered, Refusal> {
    let access = node.snmp().inside().access.clone();
    let Some(access) = access else {
        return Err(Refusal::conflict(format!(
            "SNMP data of both appliances are off on {}, or its snmpd cannot be asked; 'twinwall \
             snmp status' says more there",
            node.settings().name
        )));
    };
    ask::ask(&access, question).await
}

/// Where snmpd waits for the process.
pub fn agentx(root: &Path) -> PathBuf {
    snmpd::agentx(root)
}

/// What is to be known or done in snmpd's configuration below `root`, each in a sentence.
pub fn advice(root: &Path) -> Vec<String> {
    snmpd::advice(root)
}

/// Takes back what twinwall added to snmpd's configuration: when the package is removed.
///
/// # Errors
/// What could not be done.
pub fn clear(root: &Path) -> Result<(), String> {
    let outcome = snmpd::remove(root, Control::here(root, false));
    outcome.notes.into_iter().next().map_or(Ok(()), Err)
}

/// The contexts of a pair: each node's name, and `peer` for the other one.
fn contexts(own: (&str, &'static str), other: Option<(&str, &'static str)>) -> Vec<Context> {
    let Some(other) = other else { return Vec::new() };
    let context = |name: String, node| Context { name, node };
    let (own, other) = (usable(own), usable(other));
    let mut all = vec![context(own.clone(), Which::Here)];
    if other != own {
        all.push(context(other, Which::There));
    }
    all.push(context(PEER.to_owned(), Which::There));
    all
}

/// The context of the other node, whatever its name is.
const PEER: &str = "peer";
/// Longest name of a context in bytes (RFC 3415).
const MAX_CONTEXT: usize = 32;

/// A node's name, where it can be that of a context; else its part in the pair.
fn usable((name, part): (&str, &'static str)) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=MAX_CONTEXT).contains(&name.len()) && name.bytes().all(plain) && name != PEER;
    if fits { name.to_owned() } else { part.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_a_context_that_every_manager_can_write() {
        let names = |own: &str, other: &str| -> Vec<String> {
            contexts((own, "primary"), Some((other, "secondary")))
                .into_iter()
                .map(|context| context.name)
                .collect()
        };
        assert_eq!(names("gw-a", "gw-b"), ["gw-a", "gw-b", "peer"]);
        assert_eq!(names("Büro", "peer"), ["primary", "secondary", "peer"]);
        assert_eq!(names(&"x".repeat(33), "gw b"), ["primary", "secondary", "peer"]);
        assert_eq!(names("gw", "gw"), ["gw", "peer"]);
        assert_eq!(contexts(("gw-a", "primary"), None), []);
    }
}

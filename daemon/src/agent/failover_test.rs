//! The failover test: the active role moves to the other node by order, and back if that is
//! wished, so that an administrator sees that it can, and for how long traffic was out. A long
//! operation of the agent; API and command start it. Who may take the role is the guards' to
//! say: nothing here forces a move.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use twinwall_core::api::Request;
use twinwall_core::beat::RoleWord;
use twinwall_core::event::Order;

use super::api::error::Refusal;
use super::calls::Call;
use super::clock::unix_ms;
use super::failovers::{Outage, Summary};
use super::guard::GuardState;
use super::history::Drill;
use super::jobs::{Job, JobView, Kind};
use super::node::Node;
use super::readiness::{self, Severity};

/// How long a move may take: the guard waits up to 30 s for connections that the other node
/// lacks, and gives a handover up before.
const MOVE: Duration = Duration::from_secs(50);
/// How long the node that gave the role away may need until it could take it back.
const READY: Duration = Duration::from_secs(60);
/// How long the report of a move may take: the nodes ask each other every few seconds.
const REPORT: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// How long the other agent may take to hand an order to its guard.
const LIMIT: Duration = Duration::from_secs(10);

/// An order to test the failover.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestFailover {
    /// The other node stays active; without it the role comes back at once.
    #[serde(default)]
    pub one_way: bool,
}

/// What the test showed; the result of its job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tested {
    /// The moves, in order.
    pub moves: Vec<Move>,
}

/// A move of the active role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Move {
    /// The node that served.
    pub from: String,
    /// The node that serves since then.
    pub to: String,
    /// When it was ordered: milliseconds since 1970 (UTC) on this node's clock.
    pub at_ms: u64,
    /// From the order until the other node served, in milliseconds.
    pub took_ms: u64,
    /// For how long nobody carried the traffic; none where there was no report in time.
    pub outage: Option<Outage>,
    /// The report of this move, as `GET /api/v1/failovers` names it.
    pub report: Option<String>,
}

/// Begins the test.
///
/// # Errors
/// When something else runs, there is no other node, or high availability is off.
pub fn begin(node: &Arc<Node>, who: &str, order: TestFailover) -> Result<JobView, Refusal> {
    node.may_change()?;
    node.settings().demand_pair()?;
    if !node.settings().is_enabled() {
        return Err(Refusal::conflict(
            "high availability is off, so that nothing can move; turn it on first: twinwall ha \
             enable",
        ));
    }
    let job = node.jobs().begin(Kind::TestFailover, who)?;
    let (view, node, who) = (job.view(), Arc::clone(node), who.to_owned());
    node.runtime().clone().spawn(async move {
        let began_ms = unix_ms();
        let ended = tokio::select! {
            ended = test(&node, &job, &order) => ended,
            () = job.cancelled() => Err(Refusal::conflict(
                "the test was cancelled; the role stays where it is now",
            )),
        };
        keep(&node, drill(began_ms, who, &ended)).await;
        job.finish(ended);
    });
    Ok(view)
}

/// The test as the history keeps it.
fn drill(began_ms: u64, who: String, ended: &Result<Tested, Refusal>) -> Drill {
    let (moves, failed) = match ended {
        Ok(tested) => (tested.moves.iter().filter_map(|one| one.report.clone()).collect(), None),
        Err(refusal) => (Vec::new(), Some(refusal.message.clone())),
    };
    Drill { began_ms, ended_ms: unix_ms(), who, moves, failed }
}

async fn keep(node: &Arc<Node>, drill: Drill) {
    let keeping = Arc::clone(node);
    let kept = tokio::task::spawn_blocking(move || keeping.history().add_drill(drill)).await;
    if let Ok(Err(error)) = kept {
        eprintln!("twinwall agent: history: {error}");
    }
}

/// One of the two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Here,
    There,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Here => Side::There,
            Side::There => Side::Here,
        }
    }
}

async fn test(node: &Arc<Node>, job: &Job, order: &TestFailover) -> Result<Tested, Refusal> {
    job.step("Looking whether a failover would work now");
    demand_ready(node).await?;
    let begun = server(&node.guard().borrow()).ok_or_else(|| {
        Refusal::conflict(
            "no node is active, so that nothing can move; 'twinwall explain' says why",
        )
    })?;
    let mut moves = vec![move_to(node, job, begun.other()).await?];
    if !order.one_way {
        let name = name(node, begun);
        job.step(format!("Waiting until {name} could take the role back"));
        await_ready(node).await?;
        moves.push(move_to(node, job, begun).await?);
    }
    Ok(Tested { moves })
}

/// What blocks a failover blocks its test: the test is to show that it works, not to fail.
async fn demand_ready(node: &Arc<Node>) -> Result<(), Refusal> {
    let now = readiness::of(node).await;
    if now.ready {
        return Ok(());
    }
    let against = now.against.iter().filter(|it| it.severity == Severity::Blocks);
    let reasons: Vec<String> = against.map(|it| format!("{} {}", it.text, it.what_now)).collect();
    Err(Refusal::conflict(format!("{} {}", now.verdict, reasons.join(" ")).trim_end()))
}

async fn await_ready(node: &Arc<Node>) -> Result<(), Refusal> {
    let until = Instant::now() + READY;
    loop {
        match demand_ready(node).await {
            Ok(()) => return Ok(()),
            Err(refusal) if Instant::now() >= until => {
                let message = format!("the role was not moved back: {}", refusal.message);
                return Err(Refusal { message, ..refusal });
            }
            Err(_) => sleep(LOOK).await,
        }
    }
}

async fn move_to(node: &Arc<Node>, job: &Job, to: Side) -> Result<Move, Refusal> {
    let (giver, taker) = (name(node, to.other()), name(node, to));
    job.step(format!("{giver} hands the active role over to {taker}"));
    let before = node.failovers().last().map(|it| it.id);
    let (begun, at_ms) = (Instant::now(), unix_ms());
    match to {
        Side::There => node.ask_guard(Request::Order { order: Order::Switchover }).await?,
        Side::Here => node.calls().call(Call::Switchover {}, LIMIT).await.map(drop)?,
    }
    let mut guard = node.guard();
    let moved = guard.wait_for(|state| server(state) == Some(to));
    match tokio::time::timeout(MOVE, moved).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) | Err(_) => {
            return Err(Refusal::conflict(format!(
                "{taker} did not become active within {} s; look at 'twinwall events' on both nodes",
                MOVE.as_secs()
            )));
        }
    }
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    job.step(format!("{taker} is active, {took_ms} ms after the order"));
    let report = reported(node, before.as_deref(), &taker).await;
    let (report, outage) = report.map_or((None, None), |it| (Some(it.id), Some(it.outage)));
    if let Some(outage) = &outage {
        job.step(format!("Nobody carried the traffic: {}", outage.words()));
    }
    Ok(Move { from: giver, to: taker, at_ms, took_ms, outage, report })
}

/// The report of the move that was just seen, once both nodes have told what they saw; as it is
/// where that takes too long.
async fn reported(node: &Arc<Node>, before: Option<&str>, taker: &str) -> Option<Summary> {
    let until = Instant::now() + REPORT;
    loop {
        let last = node.failovers().last();
        let of_this = last.filter(|it| Some(it.id.as_str()) != before && it.to == taker);
        let is_known = of_this.as_ref().is_some_and(|it| it.outage.ms.is_some());
        if is_known || Instant::now() >= until {
            return of_this;
        }
        sleep(LOOK).await;
    }
}

/// Who serves, as this node's guard knows; none while nobody does, or both.
fn server(state: &GuardState) -> Option<Side> {
    let snapshot = &state.status()?.snapshot;
    let here = snapshot.role.role == RoleWord::Active;
    match (here, snapshot.peer_serves()) {
        (true, false) => Some(Side::Here),
        (false, true) => Some(Side::There),
        (true, true) | (false, false) => None,
    }
}

fn name(node: &Node, side: Side) -> String {
    match side {
        Side::Here => node.settings().name.clone(),
        Side::There => {
            let peer = node.link().and_then(|link| link.peer);
            peer.map_or_else(|| "the other node".to_owned(), |peer| peer.node.clone())
        }
    }
}

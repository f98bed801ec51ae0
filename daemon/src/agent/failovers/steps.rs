//! A move of the role step by step: what came after what, how long each took, and on what the
//! node that took the role based its decision. Pure, from the events of both nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::beat::RoleWord;
use twinwall_core::note::What;

use super::build::{Move, Scene, role};
use super::outage::Start;
use super::timeline::Placed;
use super::words::span_ms;

/// Steps of one move at the most: those of the decision and three rounds of probes.
const MAX_STEPS: usize = 16;
/// Sentences of evidence at the most; those nearest to the decision.
const MAX_EVIDENCE: usize = 12;
/// How far before the decision evidence may lie, in microseconds.
const BEFORE: i64 = 15_000_000;
/// How far before the decision the order may lie that it follows, in microseconds.
const ORDERED: i64 = 5_000_000;
/// How long after the move its former active may still forward, in microseconds.
const FORWARDS: i64 = 2_000_000;

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// The last moment at which the former active surely served, or the first sign of trouble.
    Began,
    /// A node noticed something: a doubt, an unanswered probe, a goodbye, an order.
    Noticed,
    /// The new active decided to serve.
    Decided,
    /// The former active stopped answering.
    Stopped,
    /// The new active served: gate open, addresses applied, first announcement sent.
    Served,
    /// The former active stopped forwarding what was on its way.
    Ended,
}

impl StepKind {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            StepKind::Began => "began",
            StepKind::Noticed => "noticed",
            StepKind::Decided => "decided",
            StepKind::Stopped => "stopped",
            StepKind::Served => "served",
            StepKind::Ended => "ended",
        }
    }
}

/// A step of a move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MoveStep")]
pub struct Step {
    /// What it is.
    pub kind: StepKind,
    /// The node that recorded it.
    pub node: String,
    /// When: microseconds since 1970 (UTC), by this node's clock for both.
    pub unix_us: u64,
    /// Milliseconds since the step before it.
    pub took_ms: f64,
    /// Milliseconds since the first step.
    pub after_ms: f64,
    /// Milliseconds by which its moment may be wrong beside those of this node.
    pub uncertainty_ms: f64,
    /// In words.
    pub text: String,
}

/// What becomes a step.
struct Draft {
    kind: StepKind,
    here: bool,
    us: i64,
    text: String,
}

/// All steps in the order of time.
pub(super) fn steps(scene: &Scene<'_>, one: &Move<'_>, start: Option<&Start>) -> Vec<Step> {
    let mut drafts: Vec<Draft> = Vec::new();
    if let Some(start) = start {
        drafts.push(Draft {
            kind: StepKind::Began,
            here: start.here,
            us: start.us,
            text: start.what.clone(),
        });
    }
    let decided = one.claimed.map_or(one.taken.us, |it| it.us);
    let from = start.map_or(decided, |start| start.us).min(decided);
    let is_order = |it: &Placed<'_>| {
        let asks = matches!(it.entry.what, Some(What::HandoverAsked { .. }));
        asks && (decided.saturating_sub(ORDERED)..=decided).contains(&it.us)
    };
    let within = |it: &&Placed<'_>| (from..=one.taken.us).contains(&it.us) || is_order(it);
    let noticed = scene.placed.iter().filter(within);
    drafts.extend(noticed.filter(|it| is_notice(one, it)).map(|it| draft(StepKind::Noticed, it)));
    drafts.extend(one.claimed.map(|it| draft(StepKind::Decided, &it)));
    drafts.extend(one.stopped.map(|(it, _)| draft(StepKind::Stopped, &it)));
    drafts.push(draft(StepKind::Served, &one.taken));
    drafts.extend(forwarding_ended(scene, one).map(|it| draft(StepKind::Ended, it)));
    drafts.sort_by_key(|it| it.us);
    numbered(scene, drafts)
}

fn draft(kind: StepKind, at: &Placed<'_>) -> Draft {
    Draft { kind, here: at.here, us: at.us, text: at.entry.text.clone() }
}

fn numbered(scene: &Scene<'_>, drafts: Vec<Draft>) -> Vec<Step> {
    let surplus = drafts.len().saturating_sub(MAX_STEPS);
    let first = drafts.first().map_or(0, |it| it.us);
    let mut last = first;
    let error = scene.clock.map_or(0, |clock| clock.error_us) as f64 / 1000.0;
    let mut step = |it: Draft| {
        let took_ms = (it.us - last) as f64 / 1000.0;
        last = it.us;
        Step {
            kind: it.kind,
            node: scene.name(it.here).to_owned(),
            unix_us: u64::try_from(it.us).unwrap_or_default(),
            took_ms,
            after_ms: (it.us - first) as f64 / 1000.0,
            uncertainty_ms: if it.here { 0.0 } else { error },
            text: it.text,
        }
    };
    // What is too much is left out where it says least: among the many things noticed.
    let mut left_out = surplus;
    let keep = |it: &Draft| {
        let drop = it.kind == StepKind::Noticed && left_out > 0;
        left_out -= usize::from(drop);
        !drop
    };
    let kept: Vec<Draft> = drafts.into_iter().filter(keep).collect();
    kept.into_iter().map(&mut step).collect()
}

/// What one of the nodes noticed on the way to the decision.
fn is_notice(one: &Move<'_>, at: &Placed<'_>) -> bool {
    let Some(what) = &at.entry.what else { return false };
    let taker = at.here == one.to;
    match what {
        What::PeerDoubted { .. }
        | What::PeerSilent { .. }
        | What::EvidenceRound { .. }
        | What::KernelLives { .. }
        | What::PeerLeft { .. }
        | What::HaCarrier { up: false }
        | What::PathSilent { .. }
        // Of another run than before: what it held is gone.
        | What::PeerUp { silence: Some(_), .. } => taker,
        What::HandoverAsked { .. }
        | What::Late { .. }
        | What::Link { up: false, .. }
        | What::Check { good: false, .. }
        | What::MaintenanceOn { .. } => !taker,
        What::MoveWaits { .. } => true,
        What::Started { .. } => one.from == Some(at.here),
        What::Role { .. }
        | What::Link { up: true, .. }
        | What::HaCarrier { up: true }
        | What::ReadFirst { .. }
        | What::Held { .. }
        | What::HoldEnded { .. }
        | What::PathHeard { .. }
        | What::PeerUp { silence: None, .. }
        | What::DoubtEnded
        | What::HandoverGivenUp { .. }
        | What::GateRefused { .. }
        | What::Addresses { .. }
        | What::Check { good: true, .. }
        | What::Ready { .. }
        | What::MaintenanceOff { .. }
        | What::Refused(_)
        | What::SettingsDiffer { .. }
        | What::TwoActive { .. }
        | What::CableIsDirect { .. }
        | What::Restored { .. }
        | What::Protection { .. }
        | What::Reloaded => false,
    }
}

/// When the former active gave up forwarding too.
fn forwarding_ended<'a, 's>(scene: &'s Scene<'a>, one: &Move<'a>) -> Option<&'s Placed<'a>> {
    let from = one.from.filter(|_| one.released)?;
    let (stopped, _) = one.stopped?;
    let ends = |it: &&Placed<'_>| {
        role(it).is_some_and(|(before, after, _)| {
            before == RoleWord::Releasing && after == RoleWord::Passive
        })
    };
    scene.of(from, stopped.us, one.taken.us.saturating_add(FORWARDS)).find(ends)
}

/// On what the decision was based, sentence by sentence, the newest last.
pub(super) fn evidence(scene: &Scene<'_>, one: &Move<'_>) -> Vec<String> {
    let decided = one.claimed.map_or(one.taken.us, |it| it.us);
    let from = one.since.saturating_add(1).max(decided.saturating_sub(BEFORE));
    let before = scene.placed.iter().filter(|it| (from..=decided).contains(&it.us));
    let all: Vec<&Placed<'_>> = before.filter(|it| is_notice(one, it)).collect();
    let sentence = |it: &&Placed<'_>| {
        let before = span_ms((decided - it.us) as f64 / 1000.0);
        format!("{}, {before} before the decision: {}", scene.name(it.here), it.entry.text)
    };
    all[all.len().saturating_sub(MAX_EVIDENCE)..].iter().map(sentence).collect()
}

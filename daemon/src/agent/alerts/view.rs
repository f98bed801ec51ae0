//! How the targets of alerts stand, as one value for API, command, console and metrics.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::AlertTarget;

use super::{FAILING, message, needs_secret, secret, takes_secret};
use crate::agent::node::Node;
use crate::agent::settings::alerts::AlertSetting;

/// All targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertsView {
    /// This node's name.
    pub node: String,
    /// Whether this node tells them: it speaks for the pair.
    pub speaks: bool,
    /// The targets, by name.
    pub targets: Vec<AlertView>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertView {
    /// As the settings have it.
    pub settings: AlertSetting,
    /// How it stands.
    pub state: AlertState,
    /// Why it fails, where it does, and what else is wrong with it.
    pub why: Option<String>,
    /// Whether a secret is kept for it on this node.
    pub secret: bool,
    /// Whether a secret means anything to it.
    pub takes_secret: bool,
    /// Messages that it took from this node.
    pub told: u64,
    /// When the last one was: milliseconds since 1970 (UTC); none since the agent's start.
    pub last_told_ms: Option<u64>,
    /// Messages that were left out by the limit, since the agent's start.
    pub left_out: u64,
    /// Messages that were given up, since the agent's start.
    pub lost: u64,
}

/// How a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It is told, or nothing had to be told yet.
    Well,
    /// It cannot be told.
    Failing,
    /// The other node tells it.
    Silent,
    /// It is turned off.
    Off,
}

impl AlertState {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            AlertState::Well => "well",
            AlertState::Failing => "failing",
            AlertState::Silent => "told by the other node",
            AlertState::Off => "off",
        }
    }
}

/// How the targets of this node stand. Looks at files: for threads that may wait.
pub fn of(node: &Arc<Node>) -> AlertsView {
    let settings = node.settings();
    let speaks = node.conditions().speaks();
    let mut targets: Vec<&AlertTarget> =
        settings.pair.iter().flat_map(|pair| &pair.alerts).collect();
    targets.sort_by(|one, other| one.name.cmp(&other.name));
    let one = |target: &&AlertTarget| view(node, target, speaks);
    AlertsView { node: settings.name.clone(), speaks, targets: targets.iter().map(one).collect() }
}

fn view(node: &Arc<Node>, target: &AlertTarget, speaks: bool) -> AlertView {
    let inside = node.alerts().inside();
    let told = inside.get(&target.name);
    let failures = told.map_or(0, |it| it.failures);
    let has_secret = secret::is_set(node.root(), &target.name);
    let lacks = target.enabled && needs_secret(target) && !has_secret;
    let state = match (target.enabled, lacks || failures >= FAILING, speaks) {
        (false, _, _) => AlertState::Off,
        (true, true, _) => AlertState::Failing,
        (true, false, true) => AlertState::Well,
        (true, false, false) => AlertState::Silent,
    };
    AlertView {
        settings: AlertSetting::from(target),
        state,
        why: told.and_then(|it| it.why.clone()).or_else(|| wrong(target, lacks)),
        secret: has_secret,
        takes_secret: takes_secret(target),
        told: told.map_or(0, |it| it.count),
        last_told_ms: told.and_then(|it| it.last_ms),
        left_out: told.map_or(0, |it| it.plan.dropped),
        lost: told.map_or(0, |it| it.plan.lost),
    }
}

/// What is wrong with a target before it is tried.
fn wrong(target: &AlertTarget, lacks: bool) -> Option<String> {
    if lacks {
        return Some("it has no secret on this node".to_owned());
    }
    let unknown = target.conditions.iter().find(|name| !message::is_condition(name))?;
    Some(format!(
        "no condition is called {unknown}; 'twinwall conditions' and the reference name all"
    ))
}

//! Tries a target because somebody wants to see that it works: at once, on this node, whoever
//! speaks for the pair. One at a time, and not one after the other without a pause.

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::AlertTarget;

use super::message::Message;
use super::send::send;
use crate::agent::api::error::{Code, Refusal};
use crate::agent::node::Node;

/// Between two at the least: a page with a button must not become a way to flood somebody.
const PAUSE: Duration = Duration::from_secs(2);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tried {
    /// What the other end said.
    pub said: String,
    /// How long it took.
    pub took_ms: u64,
}

/// When the last one was.
#[derive(Debug, Default)]
pub(super) struct Trials(tokio::sync::Mutex<Option<Instant>>);

/// Sends a test to the target of this name.
///
/// # Errors
/// That there is none, that it is too soon, or why the target was not told.
pub async fn run(node: &Arc<Node>, name: &str) -> Result<Tried, Refusal> {
    let target = find(node, name)?;
    let too_soon = || Refusal::new(Code::TooMany, "a test was sent just now; wait two seconds");
    let mut last = node.alerts().trials.0.try_lock().map_err(|_| too_soon())?;
    if last.is_some_and(|at| at.elapsed() < PAUSE) {
        return Err(too_soon());
    }
    let settings = node.settings();
    let pair_id = settings.pair.as_ref().map_or(0, |pair| pair.pair_id);
    let began = Instant::now();
    let message = Message::test(name, pair_id, &settings.name);
    let went = send(node.root(), &target, &message).await;
    *last = Some(Instant::now());
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match went {
        Ok(said) => Ok(Tried { said, took_ms }),
        Err(failure) => Err(Refusal::unreachable(format!("{name} was not told: {failure}"))),
    }
}

/// The target of this name, as the settings have it.
///
/// # Errors
/// That there is none.
pub fn find(node: &Arc<Node>, name: &str) -> Result<AlertTarget, Refusal> {
    let settings = node.settings();
    let found = settings.pair.iter().flat_map(|pair| &pair.alerts).find(|it| it.name == name);
    found.cloned().ok_or_else(|| {
        Refusal::not_found(format!("there is no alert target {name}; see 'twinwall alerts'"))
    })
}

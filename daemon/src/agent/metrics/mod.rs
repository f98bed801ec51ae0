//! What Prometheus reads: the state of both nodes as one text, made on demand from what the
//! agent shows anyway. Asked by the API, the command and the console; it keeps nothing but a
//! count of what happened, and changes nothing.

mod gather;
mod happened;
mod measures;
mod parts;
pub mod table;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::node::Node;
use super::{alerts, dashboard};
use crate::agent::api::error::Refusal;
use gather::{Seen, gather};
use happened::Happened;
use measures::there;
pub use measures::{Measures, here as own_measures};
pub use text::FORM;

/// A text is as good as a new one for this long: many who ask cost no more than one.
const FRESH: Duration = Duration::from_secs(1);

/// What is kept between two questions.
#[derive(Default)]
pub struct Metrics {
    made: tokio::sync::Mutex<Option<(Instant, String)>>,
    happened: Happened,
}

/// The text as it is now.
///
/// # Errors
/// When the machine has no room for a thread.
pub async fn of(node: &Arc<Node>) -> Result<String, Refusal> {
    let mut made = node.metrics().made.lock().await;
    if let Some((_, text)) = made.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
        return Ok(text.clone());
    }
    let (pair, there) = tokio::join!(dashboard::of(node), there(node));
    let asked = Arc::clone(node);
    let alerts = tokio::task::spawn_blocking(move || alerts::view::of(&asked)).await;
    let alerts = alerts.map_err(|error| Refusal::machine(format!("looking at alerts: {error}")))?;
    let text = gather(&Seen {
        pair: &pair,
        standing: &node.conditions().present(),
        happened: &node.metrics().happened.count(node.conditions()),
        services: &node.services().view(&alerts.node),
        alerts: &alerts,
        measures: [Some(&own_measures(node)), there.as_ref()],
        logs: &node.logs().view(),
    });
    *made = Some((Instant::now(), text.clone()));
    Ok(text)
}

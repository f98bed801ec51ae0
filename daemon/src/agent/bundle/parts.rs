//! The parts that the agent knows, or asks the guard and the other node for.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use twinwall_core::explain;

use super::Part;
use crate::agent::api::error::Refusal;
use crate::agent::audit::{MAX_PAGE, Page, Which};
use crate::agent::calls::{About, Call, Reply};
use crate::agent::clock::unix_ms;
use crate::agent::history::Month;
use crate::agent::jobs::JobView;
use crate::agent::node::Node;
use crate::agent::{dashboard, guard, ha, history, preflight};

/// How long the other node's agent may take for each question.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn gather(node: &Arc<Node>) -> Vec<Part> {
    let mut parts = of_guard(node);
    parts.push(in_time("events.json", blocking(node, |node| guard::events(node.root(), 0))).await);
    parts.push(in_time("audit.json", blocking(node, audit)).await);
    parts.push(in_time("dashboard.json", async { Ok(dashboard::of(node).await) }).await);
    parts.push(in_time("preflight.json", async { Ok(preflight::look(node).await) }).await);
    parts.push(in_time("ha.json", async { said(ha::view(node).await) }).await);
    parts.push(in_time("peer.json", peer(node)).await);
    let overview = node.engine().map(|engine| engine.overview());
    parts.push(json("sync.json", said(overview)));
    parts.push(json("services.json", Ok(node.services().view(&node.settings().name))));
    parts.push(json("jobs.json", Ok(jobs(node))));
    let settings = node.settings();
    let leases = node.leases().view(&settings.name, &settings.profile.leases);
    parts.push(json("leases.json", Ok(leases)));
    parts.push(json("probe.json", Ok(node.probes().view(&settings.name))));
    let month = Month::of(unix_ms());
    let availability = async { Ok(history::of(node, month).await) };
    parts.push(in_time("availability.json", availability).await);
    parts
}

fn of_guard(node: &Node) -> Vec<Part> {
    let guard = node.guard().borrow().clone();
    let status = match &guard {
        guard::GuardState::Says(status) => status,
        guard::GuardState::Away(why) => return vec![Part::new("status.txt", why.clone())],
    };
    let mut words = String::new();
    for alarm in explain::alarms(status) {
        words += &format!("ALARM: {alarm}\n");
    }
    for answer in explain::explain(&status.snapshot) {
        words += &format!("{}\n  {}\n", answer.question, answer.sentences.join("\n  "));
    }
    vec![json("status.json", Ok(status.as_ref())), Part::new("explain.txt", words)]
}

fn audit(node: &Node) -> Result<Page, String> {
    Ok(node.audit().read(&Which { last: Some(MAX_PAGE), ..Which::default() }))
}

/// What a job shows meanwhile may be a code that lets a node in.
fn jobs(node: &Node) -> Vec<JobView> {
    let mut jobs = node.jobs().all();
    jobs.iter_mut().for_each(|job| job.result = None);
    jobs
}

async fn peer(node: &Node) -> Result<About, String> {
    match node.calls().call(Call::About {}, PATIENCE).await {
        Ok(Reply::About(about)) => Ok(about),
        Ok(_) => Err("it answered something else".to_owned()),
        Err(refusal) => Err(refusal.message),
    }
}

async fn blocking<T: Send + 'static>(
    node: &Arc<Node>,
    ask: impl FnOnce(&Node) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let node = Arc::clone(node);
    let asked = tokio::task::spawn_blocking(move || ask(&node)).await;
    asked.unwrap_or_else(|error| Err(error.to_string()))
}

fn said<T>(asked: Result<T, Refusal>) -> Result<T, String> {
    asked.map_err(|refusal| refusal.message)
}

async fn in_time<T: Serialize>(name: &str, asked: impl Future<Output = Result<T, String>>) -> Part {
    let asked = tokio::time::timeout(PATIENCE, asked).await;
    json(name, asked.unwrap_or_else(|_| Err("it was not known in time".to_owned())))
}

/// Readable JSON; or why there is none.
fn json(name: &str, asked: Result<impl Serialize, String>) -> Part {
    let text = asked
        .and_then(|value| serde_json::to_string_pretty(&value).map_err(|error| error.to_string()));
    Part::new(name, text.unwrap_or_else(|why| format!("not known: {why}\n")))
}

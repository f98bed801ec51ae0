//! Routes of long operations: which there are, how one goes, and to stop one. Through the console
//! each is shown to those who could have ordered it.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::{get, post};
use futures_util::stream::{self, Stream};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch::Receiver;

use super::Shared;
use super::caller::Caller;
use super::error::Refusal;
use super::request::{Asked, At};
use super::route::{Method, Route};
use super::sync::Taken;
use crate::agent::accounts::Role;
use crate::agent::jobs::{JobState, JobView, no_job};

/// Name of the events in the stream.
pub const EVENT: &str = "job";
/// A stream says something at least this often.
const PULSE: Duration = Duration::from_secs(5);

/// How long a request may wait for a change.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What a reader has seen already.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// Steps that are known: the answer waits (half a minute at the most) until there are
    /// more, or the job has ended.
    after: Option<usize>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<Vec<JobView>>(
            (Method::Get, "/api/v1/jobs"),
            ("jobs", "Long operations of this agent, the newest last"),
            get(all),
        )
        .least(Role::Operator),
        Route::new::<JobView>(
            (Method::Get, "/api/v1/jobs/{id}"),
            ("job", "How a long operation goes; with ?after=N it waits for step N+1 or the end"),
            get(one),
        )
        .asks::<Seen>()
        .least(Role::Operator),
        Route::new::<JobView>(
            (Method::Get, "/api/v1/jobs/{id}/stream"),
            ("job_stream", "A long operation at once and after each change, until it ends"),
            get(follow),
        )
        .streams()
        .least(Role::Operator),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/jobs/{id}/cancel"),
            ("cancel", "Stop a long operation, while it allows that"),
            post(cancel),
        )
        .least(Role::Operator),
    ]
}

async fn all(State(shared): State<Shared>, caller: Caller) -> Json<Vec<JobView>> {
    let mut all = shared.node.jobs().all();
    all.retain(|job| caller.role >= job.kind.least());
    Json(all)
}

/// A job that this caller may know.
fn find(shared: &Shared, caller: &Caller, id: u64) -> Result<Receiver<JobView>, Refusal> {
    let job = shared.node.jobs().watch(id).ok_or_else(|| no_job(id))?;
    caller.must_be(job.borrow().kind.least())?;
    Ok(job)
}

async fn one(
    State(shared): State<Shared>,
    caller: Caller,
    At(id): At<u64>,
    Asked(seen): Asked<Seen>,
) -> Result<Json<JobView>, Refusal> {
    let mut job = find(&shared, &caller, id)?;
    if let Some(seen) = seen.after {
        let news = |view: &JobView| view.steps.len() > seen || view.state != JobState::Running;
        // Nothing new in time, or a job that was forgotten: as it is now.
        let _ = tokio::time::timeout(LONGEST_WAIT, job.wait_for(news)).await;
    }
    let view = job.borrow().clone();
    Ok(Json(view))
}

async fn follow(
    State(shared): State<Shared>,
    caller: Caller,
    At(id): At<u64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let job = find(&shared, &caller, id)?;
    let events = stream::unfold(Some((job, true)), |following| async move {
        let (mut job, is_first) = following?;
        if !is_first {
            job.changed().await.ok()?;
        }
        let view = job.borrow_and_update().clone();
        let goes_on = view.state == JobState::Running;
        let event = Event::default().event(EVENT).json_data(view).ok()?;
        Some((Ok(event), goes_on.then_some((job, false))))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(PULSE)))
}

async fn cancel(
    State(shared): State<Shared>,
    caller: Caller,
    At(id): At<u64>,
) -> Result<Json<Taken>, Refusal> {
    find(&shared, &caller, id)?;
    shared.node.jobs().cancel(id)?;
    Ok(Json(Taken { taken: true }))
}

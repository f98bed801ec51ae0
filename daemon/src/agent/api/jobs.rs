//! Routes of long operations: which there are, how one goes, and to stop one.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Shared;
use super::error::Refusal;
use super::request::{Asked, At};
use super::route::{Method, Route};
use super::sync::Taken;
use crate::agent::jobs::{JobState, JobView, no_job};

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
        ),
        Route::new::<JobView>(
            (Method::Get, "/api/v1/jobs/{id}"),
            ("job", "How a long operation goes; with ?after=N it waits for step N+1 or the end"),
            get(one),
        ),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/jobs/{id}/cancel"),
            ("cancel", "Stop a long operation, while it allows that"),
            post(cancel),
        ),
    ]
}

async fn all(State(shared): State<Shared>) -> Json<Vec<JobView>> {
    Json(shared.node.jobs().all())
}

async fn one(
    State(shared): State<Shared>,
    At(id): At<u64>,
    Asked(seen): Asked<Seen>,
) -> Result<Json<JobView>, Refusal> {
    let mut job = shared.node.jobs().watch(id).ok_or_else(|| no_job(id))?;
    if let Some(seen) = seen.after {
        let news = |view: &JobView| view.steps.len() > seen || view.state != JobState::Running;
        // Nothing new in time, or a job that was forgotten: as it is now.
        let _ = tokio::time::timeout(LONGEST_WAIT, job.wait_for(news)).await;
    }
    let view = job.borrow().clone();
    Ok(Json(view))
}

async fn cancel(State(shared): State<Shared>, At(id): At<u64>) -> Result<Json<Taken>, Refusal> {
    shared.node.jobs().cancel(id)?;
    Ok(Json(Taken { taken: true }))
}

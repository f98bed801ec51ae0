//! Routes of the dashboard: as it is now, and as it changes.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::get;
use futures_util::stream::{self, Stream};

use super::Shared;
use super::error::Refusal;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::dashboard::{self, Dashboard};

/// Name of the events in the stream.
pub const EVENT: &str = "dashboard";
/// A stream says something at least this often.
const PULSE: Duration = Duration::from_secs(5);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<Dashboard>(
            (Method::Get, "/api/v1/dashboard"),
            ("dashboard", "Both nodes in a word each with the reason, and all that goes with it"),
            get(now),
        )
        .least(Role::Viewer),
        Route::new::<Dashboard>(
            (Method::Get, "/api/v1/stream"),
            ("stream", "The dashboard at once, after each change, and once a second"),
            get(follow),
        )
        .streams()
        .least(Role::Viewer),
    ]
}

async fn now(State(shared): State<Shared>) -> Json<Dashboard> {
    Json(dashboard::of(&shared.node).await)
}

async fn follow(
    State(shared): State<Shared>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let listener = dashboard::Stream::open(shared.node)?;
    let events = stream::unfold(listener, |mut listener| async {
        let dashboard = listener.next().await;
        let event = Event::default().event(EVENT).json_data(dashboard).ok()?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(PULSE)))
}

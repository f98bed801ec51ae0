//! Route of the failover test.

use axum::Json;
use axum::extract::State;
use axum::routing::post;

use super::caller::Caller;
use super::error::Refusal;
use super::route::{Method, Route};
use super::{Body, Shared};
use crate::agent::accounts::Role;
use crate::agent::failover_test::{self, TestFailover};
use crate::agent::jobs::JobView;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<JobView>(
            (Method::Post, "/api/v1/failover-test"),
            (
                "test_failover",
                "Move the active role, there and back or one way, and measure the outage",
            ),
            post(begin),
        )
        .takes::<TestFailover>()
        .least(Role::Operator),
    ]
}

async fn begin(
    State(shared): State<Shared>,
    caller: Caller,
    body: Body<TestFailover>,
) -> Result<Json<JobView>, Refusal> {
    failover_test::begin(&shared.node, &caller.who, body.0).map(Json)
}

//! The page's orders: each asks the agent in the name of whoever is signed in, and leads back to
//! the page, which shows what goes on.

use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use twinwall_core::ids::Designation;

use super::{PATH, Typed, show};
use crate::agent::accounts::Role;
use crate::agent::api::error::{Code, Refusal};
use crate::agent::api::pairing::{InviteOrder, JoinOrder, UnpairOrder};
use crate::agent::api::sync::Taken;
use crate::agent::failover_test::TestFailover;
use crate::agent::jobs::JobView;
use crate::web::access::Person;
use crate::web::listen::Ends;
use crate::web::pages::{failed, settled};
use crate::web::request::Posted;
use crate::web::state::{Console, Shared};

#[derive(Deserialize)]
pub(super) struct Invite {
    #[serde(default)]
    interface: String,
    designation: Designation,
}

#[derive(Deserialize)]
pub(super) struct Join {
    code: String,
    /// Empty to find it.
    #[serde(default)]
    interface: String,
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
pub(super) struct Unpair {
    /// `here`: the other node is not told.
    #[serde(default)]
    which: String,
}

#[derive(Deserialize)]
pub(super) struct Test {
    /// `one`, else there and back.
    #[serde(default)]
    way: String,
}

pub(super) async fn invite(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    posted: Posted<Invite>,
) -> Response {
    let Posted { person, fields } = posted;
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    if fields.interface.is_empty() {
        let wrong_interface = Some("choose the interface of the HA link".to_owned());
        return show(&console, &person, ends, Typed { wrong_interface, ..Typed::default() }).await;
    }
    let order = InviteOrder {
        interface: Some(fields.interface),
        designation: Some(fields.designation),
        replace: false,
    };
    begin(&console, &person, "/api/v1/pair/invite", &order).await
}

pub(super) async fn join(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    posted: Posted<Join>,
) -> Response {
    let Posted { person, fields } = posted;
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    let interface = Some(fields.interface).filter(|name| !name.is_empty());
    let order = JoinOrder { code: fields.code.clone(), interface };
    let job: Result<JobView, Refusal> =
        console.agent.post("/api/v1/pair/join", &order, &person.name()).await;
    match job {
        Err(refusal) if refusal.code == Code::Invalid => {
            let (code, wrong_code) = (fields.code, Some(refusal.message));
            show(&console, &person, ends, Typed { code, wrong_code, ..Typed::default() }).await
        }
        other => begun(&console, &person, other),
    }
}

pub(super) async fn replace(State(console): State<Shared>, posted: Posted<Nothing>) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    let order = InviteOrder { interface: None, designation: None, replace: true };
    begin(&console, &person, "/api/v1/pair/invite", &order).await
}

pub(super) async fn rotate(State(console): State<Shared>, posted: Posted<Nothing>) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    begin(&console, &person, "/api/v1/pair/rotate", &()).await
}

pub(super) async fn unpair(State(console): State<Shared>, posted: Posted<Unpair>) -> Response {
    let Posted { person, fields } = posted;
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    let here = fields.which == "here";
    let order = UnpairOrder { here };
    let told: Result<Taken, Refusal> =
        console.agent.post("/api/v1/pair/unpair", &order, &person.name()).await;
    let went = told.map(|Taken { .. }| match here {
        true => "This node has forgotten the other one.".to_owned(),
        false => "Both nodes have forgotten each other and their common key.".to_owned(),
    });
    settled(&console, &person, PATH, went)
}

pub(super) async fn test(State(console): State<Shared>, posted: Posted<Test>) -> Response {
    let Posted { person, fields } = posted;
    if let Err(refusal) = person.must_be(Role::Operator) {
        return failed(&refusal);
    }
    let order = TestFailover { one_way: fields.way == "one" };
    begin(&console, &person, "/api/v1/failover-test", &order).await
}

/// Begins a long operation, which the page then shows.
async fn begin(console: &Console, person: &Person, path: &str, order: &impl Serialize) -> Response {
    let job = console.agent.post(path, order, &person.name()).await;
    begun(console, person, job)
}

fn begun(console: &Console, person: &Person, job: Result<JobView, Refusal>) -> Response {
    match job {
        Ok(_) => Redirect::to(PATH).into_response(),
        Err(refusal) => settled(console, person, PATH, Err(refusal)),
    }
}

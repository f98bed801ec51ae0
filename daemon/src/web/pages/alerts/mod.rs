//! The page Alerts: whom the pair tells when something happens, how that goes, a test for each
//! target, and the forms of one. What a target is lies in the settings of both nodes; its
//! secret on each node alone.

mod form;
mod orders;
#[cfg(test)]
mod tests;

use askama::Template;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::moment::Moment;
use super::wrong::Wrong;
use super::{Frame, Page as Address, Place, failed, of, shown};
use crate::agent::accounts::Role;
use crate::agent::alerts::view::{AlertState, AlertView, AlertsView};
use crate::agent::api::error::Refusal;
use crate::web::access::{Person, SignedIn};
use crate::web::listen::Ends;
use crate::web::state::Shared;
use form::{Field, KINDS, Typed};

/// Where the list is.
const PATH: &str = "/alerts";
/// Where the agent tells it.
const API: &str = "/api/v1/alerts";

/// The pages of alerts.
pub(super) fn pages() -> Vec<Address> {
    let [viewer, operator, administrator] = [Role::Viewer, Role::Operator, Role::Administrator];
    vec![
        of(viewer, PATH, get(page).post(orders::save)).orders(administrator),
        of(administrator, "/new-alert/{kind}", get(add)),
        of(administrator, "/alerts/{name}", get(one)),
        of(operator, "/alerts/{name}/test", post(orders::test)),
        of(administrator, "/alerts/{name}/secret", post(orders::secret)),
        of(administrator, "/alerts/{name}/remove", post(orders::remove)),
    ]
}

#[derive(Template)]
#[template(path = "alerts/page.html")]
struct Page {
    page: Frame,
    view: AlertsView,
    /// Whether this person may try a target, and change one.
    may: (bool, bool),
}

impl Page {
    fn kinds(&self) -> [(&'static str, &'static str); 3] {
        KINDS
    }

    fn class(&self, target: &AlertView) -> &'static str {
        match target.state {
            AlertState::Well => "good",
            AlertState::Failing => "bad",
            AlertState::Silent | AlertState::Off => "unknown",
        }
    }

    fn to(&self, target: &AlertView) -> String {
        let settings = &target.settings;
        let to = settings.url.clone().or_else(|| settings.server.clone()).unwrap_or_default();
        match settings.to.is_empty() {
            true => to,
            false => format!("{} by {to}", settings.to.join(", ")),
        }
    }

    fn last(&self, target: &AlertView) -> Option<Moment> {
        target.last_told_ms.map(Moment::of)
    }
}

#[derive(Template)]
#[template(path = "alerts/one.html")]
struct One {
    page: Frame,
    typed: Typed,
    /// None of a target that is new.
    target: Option<AlertView>,
    fields: Vec<Field>,
    wrong: Wrong,
}

impl One {
    fn title(&self) -> String {
        match &self.target {
            Some(target) => target.settings.name.clone(),
            None => format!("New target: {}", form::kind_words(&self.typed.kind)),
        }
    }

    fn says_secret(&self) -> &'static str {
        match self.typed.kind.as_str() {
            "email" => "The password of the account at the mail server.",
            _ => "The key of the signature, or what stands for {secret} in the address.",
        }
    }
}

async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
) -> Response {
    let view: AlertsView = match console.agent.get(API).await {
        Ok(view) => view,
        Err(refusal) => return failed(&refusal),
    };
    let may = (person.role >= Role::Operator, person.role >= Role::Administrator);
    let page = Frame::inside("Alerts", Place::Alerts, &console, &person, ends).await;
    shown(&Page { page, view, may })
}

async fn add(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Path(kind): Path<String>,
) -> Response {
    match Typed::fresh(&kind) {
        Some(typed) => show(&console, &person, ends, typed, Wrong::default()).await,
        None => failed(&Refusal::not_found("There is no such kind of target.")),
    }
}

async fn one(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Path(name): Path<String>,
) -> Response {
    match target(&console, &name).await {
        Ok(Some(target)) => {
            show(&console, &person, ends, Typed::of(&target.settings), Wrong::default()).await
        }
        Ok(None) => failed(&Refusal::not_found("There is no alert target of this name.")),
        Err(refusal) => failed(&refusal),
    }
}

/// The target of this name, as it stands now.
async fn target(console: &Shared, name: &str) -> Result<Option<AlertView>, Refusal> {
    let view: AlertsView = console.agent.get(API).await?;
    Ok(view.targets.into_iter().find(|it| it.settings.name == name))
}

/// The form with what was typed, and what is wrong with it.
async fn show(
    console: &Shared,
    person: &Person,
    ends: Ends,
    typed: Typed,
    wrong: Wrong,
) -> Response {
    let target = match target(console, &typed.name).await {
        Ok(target) => target.filter(|_| typed.fresh.is_empty()),
        Err(refusal) => return failed(&refusal),
    };
    let page = Frame::inside("Alert target", Place::Alerts, console, person, ends).await;
    let fields = typed.fields(&wrong);
    shown(&One { page, typed, target, fields, wrong })
}

/// The same after an order that was refused.
async fn again(
    console: &Shared,
    person: &Person,
    ends: Ends,
    typed: Typed,
    refusal: Refusal,
) -> Response {
    let status: StatusCode = refusal.code.status();
    let wrong = Wrong::of(form::at_fields(refusal, &typed.name));
    (status, show(console, person, ends, typed, wrong).await).into_response()
}

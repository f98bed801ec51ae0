//! The orders of the page beside its form: high availability on and off, and a version put
//! back. Each is shown first with what it would come to, and given with a second form.

use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde::Serialize;

use super::preview::{self, Kind};
use super::{Answer, PATH};
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::api::ha::RestoreSettings;
use crate::agent::api::settings::PreviewOrder;
use crate::agent::ha::turn::{TurnOff, TurnOn};
use crate::agent::ha::{Done, Preview};
use crate::agent::jobs::JobView;
use crate::agent::settings::Revision;
use crate::web::listen::Ends;
use crate::web::pages::{failed, settled};
use crate::web::request::Posted;
use crate::web::state::Shared;

/// What the forms send. A box that is not ticked sends nothing.
#[derive(Deserialize)]
pub(super) struct Wanted {
    /// `confirm` gives the order; anything else looks.
    #[serde(default)]
    r#do: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    seen: String,
    #[serde(default)]
    by_hand: String,
    /// With turning off: the virtual IPs go.
    #[serde(default)]
    drop_virtual: String,
}

impl Wanted {
    fn confirms(&self) -> bool {
        self.r#do == "confirm"
    }

    fn by_hand(&self) -> bool {
        !self.by_hand.is_empty()
    }
}

pub(super) async fn enable(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    posted: Posted<Wanted>,
) -> Response {
    let Posted { person, fields: wanted } = posted;
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    let answer = Answer { console: &console, person: &person, ends };
    let order = TurnOn { addresses_by_hand: wanted.by_hand() };
    if wanted.confirms() {
        return answer.begin("/api/v1/ha/enable", &order).await;
    }
    let kind = Kind::Enable { by_hand: wanted.by_hand() };
    answer.show(kind, PreviewOrder::Enable(order)).await
}

pub(super) async fn disable(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    posted: Posted<Wanted>,
) -> Response {
    let Posted { person, fields: wanted } = posted;
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    let answer = Answer { console: &console, person: &person, ends };
    let (keep_virtual, by_hand) = (wanted.drop_virtual.is_empty(), wanted.by_hand());
    let order = TurnOff { keep_virtual, addresses_by_hand: by_hand };
    if wanted.confirms() {
        return answer.begin("/api/v1/ha/disable", &order).await;
    }
    let kind = Kind::Disable { by_hand, drop_virtual: !keep_virtual };
    answer.show(kind, PreviewOrder::Disable(order)).await
}

pub(super) async fn restore(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    posted: Posted<Wanted>,
) -> Response {
    let Posted { person, fields: wanted } = posted;
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    let Ok(version) = wanted.version.parse() else {
        return failed(&Refusal::invalid("no version of the settings is named"));
    };
    let answer = Answer { console: &console, person: &person, ends };
    let seen: Option<Revision> = serde_json::from_str(&wanted.seen).ok();
    let addresses_by_hand = wanted.by_hand();
    let order = RestoreSettings { version, seen, addresses_by_hand };
    if wanted.confirms() {
        let path = "/api/v1/ha/restore";
        let done: Result<Done, Refusal> = console.agent.post(path, &order, &person.name()).await;
        return settled(&console, &person, PATH, done.map(|done| words(&done)));
    }
    let kind = Kind::Restore { version, by_hand: addresses_by_hand };
    answer.show(kind, PreviewOrder::Restore(order)).await
}

impl Answer<'_> {
    /// Begins a job, and shows how it goes.
    async fn begin(&self, path: &str, order: &impl Serialize) -> Response {
        let job: Result<JobView, Refusal> =
            self.console.agent.post(path, order, &self.person.name()).await;
        match job {
            Ok(job) => Redirect::to(&format!("{PATH}/progress/{}", job.id)).into_response(),
            Err(refusal) => settled(self.console, self.person, PATH, Err(refusal)),
        }
    }

    async fn show(&self, kind: Kind, order: PreviewOrder) -> Response {
        let path = "/api/v1/ha/preview";
        let seen: Result<Preview, Refusal> =
            self.console.agent.post(path, &order, &self.person.name()).await;
        let page = self.frame().await;
        match seen {
            Ok(preview) => preview::order(page, &preview, kind),
            Err(refusal) => preview::refused(page, &refusal, kind),
        }
    }
}

/// What came of a change, for the next page.
pub(super) fn words(done: &Done) -> String {
    if !done.changed {
        return "Nothing to change: the settings are so already.".to_owned();
    }
    let on = if done.on_both { "both nodes" } else { "this node" };
    let mut text = format!("Applied: revision {} is in use on {on}.", done.revision.number);
    for note in &done.notes {
        text += &format!(" But {note}{}", if note.ends_with('.') { "" } else { "." });
    }
    text
}

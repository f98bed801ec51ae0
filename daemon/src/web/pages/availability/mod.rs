//! System > High availability (SPEC R10): prerequisites, the switch, every setting of the pair
//! in one form, and its versions. Whatever changes something shows first what it would come to
//! on each node. The agent checks, compares and keeps; nothing here knows what a setting means.

mod fields;
mod form;
mod gather;
mod labels;
mod merge;
mod orders;
mod preview;
mod progress;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::moment::Moment;
use super::{Frame, Page as WebPage, Place, failed, of, settled, shown};
use crate::agent::accounts::Role;
use crate::agent::api::error::{Code, Refusal};
use crate::agent::api::ha::PutSettings;
use crate::agent::api::settings::PreviewOrder;
use crate::agent::ha::versions::{VersionChange, VersionView};
use crate::agent::ha::{Done, HaView, Preview};
use crate::agent::settings::differ::differences;
use crate::agent::settings::{Revision, Setting};
use crate::web::access::{Person, SignedIn};
use crate::web::listen::Ends;
use crate::web::request::Posted;
use crate::web::state::{Console, Shared};

use fields::{Fields, Known};
use form::{Checks, Form};
use gather::Gathered;
pub(super) use state::state;

const PATH: &str = "/high-availability";

pub(super) fn pages() -> Vec<WebPage> {
    let [viewer, administrator] = [Role::Viewer, Role::Administrator];
    vec![
        of(viewer, PATH, get(page).post(sent)).orders(administrator),
        of(administrator, "/high-availability/enable", post(orders::enable)),
        of(administrator, "/high-availability/disable", post(orders::disable)),
        of(administrator, "/high-availability/restore", post(orders::restore)),
        of(administrator, "/high-availability/progress/{id}", get(progress::page)),
    ]
}

#[derive(Template)]
#[template(path = "availability/page.html")]
struct Page<'a> {
    page: Frame,
    /// Why there is no form: the node is not paired, or its settings cannot be read.
    without: Option<Without<'a>>,
    checks: Option<Checks<'a>>,
    form: Option<Form<'a>>,
    conflict: Option<Conflict>,
    /// What was done, where nothing was.
    told: Option<&'static str>,
    versions: Vec<VersionRow<'a>>,
    older: Option<u64>,
    may: bool,
}

enum Without<'a> {
    Unpaired,
    Refused(&'a Refusal),
}

/// Somebody changed the settings while this person typed.
struct Conflict {
    who: String,
    moment: Moment,
    number: u64,
    /// What he changed; none where that is not known any more.
    changed: Option<Vec<Setting>>,
    /// Whether both changed a field.
    both: bool,
}

/// A version of the settings, as the page lists it.
struct VersionRow<'a> {
    change: &'a VersionChange,
    moment: Moment,
    /// It is in use.
    current: bool,
}

async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let before = asked.get("before").and_then(|before| before.parse().ok());
    let gathered = Gathered::of(&console, before).await;
    let answer = Answer { console: &console, person: &person, ends };
    let form = gathered.view().map(|view| {
        let known = gathered.known(view);
        Form::of(&known, view, known.fields(), person.role >= Role::Administrator)
    });
    answer.draw(&gathered, form, None, None).await
}

/// Whom a page is made for.
struct Answer<'a> {
    console: &'a Console,
    person: &'a Person,
    ends: Ends,
}

impl Answer<'_> {
    async fn frame(&self) -> Frame {
        let at = Place::HighAvailability;
        Frame::inside("High availability", at, self.console, self.person, self.ends).await
    }

    async fn draw(
        &self,
        gathered: &Gathered,
        form: Option<Form<'_>>,
        conflict: Option<Conflict>,
        told: Option<&'static str>,
    ) -> Response {
        let page = self.frame().await;
        let alone = page.pair().is_some_and(|pair| !pair.paired);
        let without = match &gathered.view {
            Ok(_) => alone.then_some(Without::Unpaired),
            Err(refusal) => match refusal.code {
                Code::Unreachable | Code::Silent => return failed(refusal),
                Code::Conflict => Some(Without::Unpaired),
                Code::Invalid
                | Code::NotFound
                | Code::Forbidden
                | Code::Unauthenticated
                | Code::TooMany
                | Code::TooLong
                | Code::Machine => Some(Without::Refused(refusal)),
            },
        };
        let unpaired = matches!(without, Some(Without::Unpaired));
        let form = form.filter(|_| !unpaired);
        let current = gathered.view().map(|view| view.version.revision);
        let row = |change| VersionRow::of(change, current);
        let checks = gathered.preflight.as_ref().filter(|_| !unpaired);
        let checks = checks.map(|preflight| Checks::of(preflight, form.as_ref()));
        let (versions, older) = gathered.versions();
        let versions = versions.iter().filter(|_| !unpaired).map(row).collect();
        let may = self.person.role >= Role::Administrator;
        shown(&Page { page, without, checks, form, conflict, told, versions, older, may })
    }
}

impl VersionRow<'_> {
    fn of(change: &VersionChange, current: Option<Revision>) -> VersionRow<'_> {
        let moment = Moment::of(change.version.at_ms);
        VersionRow { change, moment, current: current == Some(change.version.revision) }
    }

    fn label(&self, key: &str) -> String {
        labels::label(key)
    }
}

/// What the form sends beside the settings.
struct Sent {
    what: String,
    seen: Option<Revision>,
    by_hand: bool,
    fields: Fields,
}

impl Sent {
    fn of(mut fields: Fields) -> Sent {
        let what = fields.remove("do").unwrap_or_default();
        let seen = fields.remove("seen").and_then(|seen| serde_json::from_str(&seen).ok());
        let by_hand = fields.remove("by_hand").is_some_and(|value| value == fields::ON);
        Sent { what, seen, by_hand, fields }
    }
}

/// The form: looked at, applied, or with a present address made virtual.
async fn sent(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    posted: Posted<BTreeMap<String, String>>,
) -> Response {
    let Posted { person, fields } = posted;
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    let answer = Answer { console: &console, person: &person, ends };
    let sent = Sent::of(fields);
    let gathered = Gathered::of(&console, None).await;
    let Some(view) = gathered.view() else {
        return answer.draw(&gathered, None, None, None).await;
    };
    let seen = sent.seen.unwrap_or(view.version.revision);
    if seen.digest != view.version.revision.digest {
        return answer.beside(&gathered, view, &sent, seen).await;
    }
    answer.act(&gathered, view, &sent, seen).await
}

const UNREADABLE: &str = "the settings cannot be used; nothing was changed";
const NOTHING: &str = "Nothing would change: the settings are saved like this already.";

impl Sent {
    /// The form with what was typed.
    fn form<'f>(&self, known: &Known<'_>, view: &'f HaView, typed: Fields) -> Form<'f> {
        let mut form = Form::of(known, view, typed, true);
        form.by_hand = self.by_hand;
        form
    }
}

impl Answer<'_> {
    /// What the form asks for, when nobody changed the settings meanwhile.
    async fn act(
        &self,
        gathered: &Gathered,
        view: &HaView,
        sent: &Sent,
        seen: Revision,
    ) -> Response {
        let known = gathered.known(view);
        let typed = known.sent(&sent.fields);
        if let Some(name) = sent.what.strip_prefix("present:") {
            return self.moved(gathered, view, sent, (name, typed)).await;
        }
        if sent.what == "edit" {
            let form = sent.form(&known, view, typed);
            return self.draw(gathered, Some(form), None, None).await;
        }
        let went = match known.settings(&typed) {
            Err(details) => Err(Refusal { details, ..Refusal::invalid(UNREADABLE) }),
            Ok(settings) => {
                let order = PutSettings { settings, seen, addresses_by_hand: sent.by_hand };
                if sent.what == "apply" {
                    self.apply(&order).await
                } else {
                    self.look(order, sent).await
                }
            }
        };
        match went {
            Ok(Some(response)) => response,
            Ok(None) => {
                let form = sent.form(&known, view, typed);
                self.draw(gathered, Some(form), None, Some(NOTHING)).await
            }
            Err(refusal) => self.refuse(sent, seen, &refusal).await,
        }
    }

    /// The present address of an interface as its virtual IP, in the form alone.
    async fn moved(
        &self,
        gathered: &Gathered,
        view: &HaView,
        sent: &Sent,
        (name, mut typed): (&str, Fields),
    ) -> Response {
        let known = gathered.known(view);
        let moved = known.use_present(&mut typed, name);
        let mut form = sent.form(&known, view, typed);
        match moved {
            Ok(()) => form.rows.iter_mut().for_each(|row| row.fresh = row.name == name),
            Err(detail) => {
                let details = vec![detail];
                form = form.refused(&Refusal { details, ..Refusal::invalid(UNREADABLE) });
            }
        }
        self.draw(gathered, Some(form), None, None).await
    }

    /// What it would come to; none where that is nothing.
    async fn look(&self, order: PutSettings, sent: &Sent) -> Result<Option<Response>, Refusal> {
        let (path, order) = ("/api/v1/ha/preview", PreviewOrder::Put(Box::new(order)));
        let name = self.person.name();
        let preview: Preview = self.console.agent.post(path, &order, &name).await?;
        if preview.nodes.is_empty() {
            return Ok(None);
        }
        let frame = self.frame().await;
        Ok(Some(preview::settings(frame, &preview, &sent.fields, sent.by_hand)))
    }

    async fn apply(&self, order: &PutSettings) -> Result<Option<Response>, Refusal> {
        let path = "/api/v1/ha/settings";
        let done: Done = self.console.agent.put(path, order, &self.person.name()).await?;
        Ok(Some(settled(self.console, self.person, PATH, Ok(orders::words(&done)))))
    }

    /// The form with what was typed, and each mistake at its field. Somebody may have been
    /// quicker by a moment: then that is told.
    async fn refuse(&self, sent: &Sent, seen: Revision, refusal: &Refusal) -> Response {
        let gathered = Gathered::of(self.console, None).await;
        let Some(view) = gathered.view() else { return failed(refusal) };
        if view.version.revision.digest != seen.digest {
            return self.beside(&gathered, view, sent, seen).await;
        }
        let known = gathered.known(view);
        let form = sent.form(&known, view, known.sent(&sent.fields)).refused(refusal);
        let page = self.draw(&gathered, Some(form), None, None).await;
        (refusal.code.status(), page).into_response()
    }

    /// What was typed, over what somebody else saved meanwhile.
    async fn beside(
        &self,
        gathered: &Gathered,
        view: &HaView,
        sent: &Sent,
        seen: Revision,
    ) -> Response {
        let path = format!("/api/v1/ha/versions/{}", seen.number);
        let before: Option<VersionView> = self.console.agent.get(&path).await.ok();
        let before = before.filter(|it| it.version.revision.digest == seen.digest);
        let known = gathered.known(view);
        let base = before.as_ref().map(|it| gathered.known_as(view, &it.settings).fields());
        let typed = match &before {
            Some(before) => gathered.known_as(view, &before.settings).sent(&sent.fields),
            None => known.sent(&sent.fields),
        };
        let merged = merge::merge(base.as_ref(), &typed, &known.fields());
        let conflict = Conflict {
            who: view.version.who.clone(),
            moment: Moment::of(view.version.at_ms),
            number: view.version.revision.number,
            changed: before.map(|it| differences(&it.settings, &view.settings)),
            both: !merged.theirs.is_empty(),
        };
        let form = sent.form(&known, view, merged.fields).beside(merged.theirs);
        let page = self.draw(gathered, Some(form), Some(conflict), None).await;
        (StatusCode::CONFLICT, page).into_response()
    }
}

impl Page<'_> {
    fn label(&self, key: &str) -> String {
        labels::label(key)
    }
}

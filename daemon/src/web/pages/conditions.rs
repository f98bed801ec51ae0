//! What is the matter with either node or the pair: the banner of every page has the worst, a
//! page of its own has all, with what was told lately, the gateways, and what this node has
//! left. The list changes by itself; the rest is as it was when the page was loaded.

use std::time::Duration;

use askama::Template;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use axum::routing::get;
use twinwall_core::explain::span;

use super::dashboard::render;
use super::moment::Moment;
use super::{Frame, Page as Address, Place, of, shown};
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::conditions::{ConditionId, Kind, Notice, Severity, Standing};
use crate::agent::dashboard::Dashboard;
use crate::agent::reach::view::{GatewayView, ReachView};
use crate::agent::resources::view::ResourcesView;
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::state::Shared;

/// Notices on the page.
const NOTICES: usize = 100;

/// The page.
pub(super) fn pages() -> Vec<Address> {
    vec![of(Role::Viewer, "/conditions", get(page))]
}

/// The list that changes by itself.
#[derive(Template)]
#[template(path = "conditions/present.html")]
struct Present<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    /// It ends, and for how long it has been good.
    ends: Option<String>,
    class: &'static str,
    icon: &'static str,
    since: Moment,
    one: &'a Standing,
}

/// The list.
pub(super) fn draw(pair: &Dashboard) -> String {
    let rows = pair.conditions.iter().map(row).collect();
    render(&Present { rows })
}

fn row(one: &Standing) -> Row<'_> {
    let (class, icon) = look(one.severity);
    let ends = one.good_for_ms.map(|good| span(Duration::from_millis(good)));
    Row { ends, class, icon, since: Moment::of(one.since_ms), one }
}

fn look(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Critical | Severity::Major => ("bad", "fault"),
        Severity::Warning => ("warn", "out-of-sync"),
        Severity::Info => ("calm", "check"),
    }
}

/// What every page says: what is worse than a warning, but what the banner says otherwise.
pub(super) fn urgent(pair: &Dashboard) -> Vec<String> {
    let told_otherwise =
        |id: ConditionId| matches!(id, ConditionId::OutOfSync | ConditionId::NeverSynchronised);
    let is_urgent =
        |one: &&Standing| one.severity <= Severity::Major && !told_otherwise(one.condition);
    let here = pair.here.name.as_deref().unwrap_or_default();
    let text = |one: &Standing| {
        let other = pair.there.as_ref().and_then(|there| there.name.as_deref());
        match other.filter(|other| one.node == *other && one.node != here) {
            // Whose fault it is stands before it, where it does not say so itself.
            Some(other) if !one.text.contains(other) => format!("{other}: {}", one.text),
            Some(_) | None => one.text.clone(),
        }
    };
    pair.conditions.iter().filter(is_urgent).map(text).collect()
}

#[derive(Template)]
#[template(path = "conditions/page.html")]
struct Page {
    page: Frame,
    notices: Result<Vec<Told>, Refusal>,
    reach: Option<ReachView>,
    resources: Vec<(String, String, String)>,
}

struct Told {
    at: Moment,
    class: &'static str,
    kind: &'static str,
    notice: Notice,
}

async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
) -> Response {
    let agent = &console.agent;
    let path = format!("/api/v1/notices?last={NOTICES}");
    let (page, notices, reach, resources) = tokio::join!(
        Frame::inside("Conditions", Place::Conditions, &console, &person, ends),
        agent.get::<Vec<Notice>>(&path),
        agent.get::<ReachView>("/api/v1/reach"),
        agent.get::<ResourcesView>("/api/v1/resources"),
    );
    let notices = notices.map(|all| all.into_iter().rev().map(told).collect());
    let resources = resources.map(|view| left(&view)).unwrap_or_default();
    shown(&Page { page, notices, reach: reach.ok(), resources })
}

fn told(notice: Notice) -> Told {
    let class = match notice.kind {
        Kind::Cleared => "good",
        Kind::Raised | Kind::Happened => look(notice.severity).0,
    };
    Told { at: Moment::of(notice.at_ms), class, kind: notice.kind.word(), notice }
}

/// What is left: of what, how much is in use, and the limit.
fn left(view: &ResourcesView) -> Vec<(String, String, String)> {
    let (now, limits) = (&view.now, &view.limits);
    let percent = |value: f64| format!("{value:.0} % in use");
    let mut all = Vec::new();
    all.extend(now.memory.as_ref().map(|memory| {
        let limit = format!("{} %", limits.memory_percent);
        ("Memory".to_owned(), percent(memory.used_percent()), limit)
    }));
    all.extend(now.disks.iter().map(|disk| {
        let name = format!("File system of {}", disk.mounted_for);
        (name, percent(disk.used_percent()), format!("{} %", limits.disk_percent))
    }));
    all.extend(now.connections.as_ref().map(|table| {
        let limit = format!("{} %", limits.connections_percent);
        ("Table of connections".to_owned(), percent(table.used_percent()), limit)
    }));
    all.extend(now.temperatures.iter().map(|sensor| {
        let limit = f64::from(limits.temperature_celsius);
        let limit = sensor.critical_celsius.map_or(limit, |critical| critical.min(limit));
        (sensor.name.clone(), format!("{:.0} °C", sensor.celsius), format!("{limit:.0} °C"))
    }));
    all
}

impl Page {
    fn answers(&self, answers: &Option<bool>) -> (&'static str, &'static str) {
        match answers {
            Some(true) => ("good", "answers"),
            Some(false) => ("bad", "does not answer"),
            None => ("unknown", "not known"),
        }
    }

    fn took(&self, gateway: &GatewayView) -> String {
        gateway.round_trip_ms.map_or_else(String::new, |ms| format!("in {ms:.1} ms"))
    }

    fn lasted(&self, gateway: &GatewayView) -> String {
        span(Duration::from_secs(gateway.since_s.max(0.0) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(condition: ConditionId, text: &str) -> Standing {
        Standing {
            condition,
            node: "gw-a".to_owned(),
            subject: None,
            severity: condition.severity(),
            since_ms: 0,
            known: true,
            good_for_ms: None,
            text: text.to_owned(),
            what_now: condition.what_now().to_owned(),
        }
    }

    #[test]
    fn the_list_shows_each_with_its_advice_and_escapes_what_others_wrote() {
        let standing = one(ConditionId::ServiceFailed, "It ended with <b>1</b>.");
        let html = render(&Present { rows: vec![row(&standing)] });
        assert!(html.contains("service-failed") && html.contains("class=\"bad\""), "{html}");
        assert!(html.contains("&#60;b&#62;1") && !html.contains("<b>1"), "{html}");
        assert!(html.contains("their last words") || html.contains("its last words"), "{html}");
        let ending = Standing { good_for_ms: Some(2_000), ..standing };
        let html = render(&Present { rows: vec![row(&ending)] });
        assert!(html.contains("ending, good for 2 s"), "{html}");
        let none = render(&Present { rows: Vec::new() });
        assert!(none.contains("Nothing is the matter"), "{none}");
    }
}

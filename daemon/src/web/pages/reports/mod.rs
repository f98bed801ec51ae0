//! The page of reports: how available the pair was in a month, the reports of both appliances,
//! and the DHCP leases that both know. It shows and downloads; nothing is changed here.

mod look;

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::moment::Moment;
use super::{Frame, Page as Address, Place, failed, of, shown};
use crate::agent::accounts::Role;
use crate::agent::failovers::Summary;
use crate::agent::history::{Availability, Day, Month, day_class, day_words, percent, span};
use crate::agent::leases::{LeaseFileView, LeasePart, LeasesView};
use crate::agent::logs::visible::visible;
use crate::agent::reports::{Form, Origin, ReportFile, ReportsView};
use crate::percent::encoded;
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::state::Shared;

/// Reports on the page; the filter and the command show the others.
const SHOWN: usize = 200;

/// The reports' pages. What they hand on is packed already, or not worth it.
pub(super) fn pages() -> Vec<Address> {
    vec![
        of(Role::Viewer, "/reports", get(page)),
        of(Role::Viewer, "/reports/view", get(look::view)).shows_a_secret(),
    ]
}

/// What stands behind the question mark; what is empty filters nothing, and an unknown month is the
/// present one.
#[derive(Debug, Default, Deserialize)]
struct Filter {
    #[serde(default)]
    month: String,
    /// By where it is, or by its name.
    #[serde(default)]
    node: String,
    #[serde(default)]
    source: String,
}

#[derive(Template)]
#[template(path = "reports/page.html")]
struct Page {
    page: Frame,
    availability: Availability,
    headline: String,
    reports: ReportsView,
    rows: Vec<Row>,
    /// Reports that the filter lets through and the page does not show.
    more: usize,
    nodes: Vec<(&'static str, String, bool)>,
    /// Why no node is meant, though one is asked for.
    no_node: Option<String>,
    sources: Vec<(String, bool)>,
    leases: Option<LeasesView>,
}

/// One report.
struct Row {
    written: Moment,
    node: String,
    source: String,
    name: String,
    path: String,
    form: &'static str,
    size: String,
    /// Where it can be looked at without being saved.
    view: Option<String>,
    file: String,
}

async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Query(filter): Query<Filter>,
) -> Response {
    let month = filter.month.parse::<Month>();
    let query = month.map(|month| format!("?month={month}")).unwrap_or_default();
    let path = format!("/api/v1/availability{query}");
    let (availability, reports, leases) = tokio::join!(
        console.agent.get::<Availability>(&path),
        console.agent.get::<ReportsView>("/api/v1/reports"),
        console.agent.get::<LeasesView>("/api/v1/leases"),
    );
    let both = availability.and_then(|it| Ok((it, reports?)));
    let (availability, reports) = match both {
        Ok(both) => both,
        Err(refusal) => return failed(&refusal),
    };
    let page = Frame::inside("Reports", Place::Reports, &console, &person, ends).await;
    let meant = reports.origin_of(&filter.node);
    let wanted = |report: &&ReportFile| {
        (filter.node.is_empty() || meant == Some(report.origin))
            && (filter.source.is_empty() || report.source == filter.source)
    };
    let all: Vec<&ReportFile> = reports.reports.iter().filter(wanted).collect();
    shown(&Page {
        headline: percent(&availability),
        rows: all.iter().take(SHOWN).map(|report| row(report)).collect(),
        more: all.len().saturating_sub(SHOWN),
        nodes: nodes(&reports, meant),
        no_node: (meant.is_none() && !filter.node.is_empty()).then(|| no_node(&reports, &filter)),
        sources: sources(&reports, &filter),
        leases: leases.ok().filter(|view| view.files.iter().any(is_there)),
        availability,
        reports,
        page,
    })
}

fn nodes(reports: &ReportsView, meant: Option<Origin>) -> Vec<(&'static str, String, bool)> {
    let other = reports.other.clone().unwrap_or_else(|| "the other node".to_owned());
    [(Origin::Here, reports.node.clone()), (Origin::There, other)]
        .map(|(origin, name)| (origin.word(), name, meant == Some(origin)))
        .into()
}

fn no_node(reports: &ReportsView, filter: &Filter) -> String {
    let other = reports.other.as_deref().unwrap_or("the other one");
    format!("There is no node '{}' here; choose {} or {other}.", filter.node, reports.node)
}

fn sources(reports: &ReportsView, filter: &Filter) -> Vec<(String, bool)> {
    let all = reports.reports.iter().map(|report| report.source.clone());
    let names: std::collections::BTreeSet<String> = all.collect();
    names.into_iter().map(|name| (name.clone(), name == filter.source)).collect()
}

fn row(report: &ReportFile) -> Row {
    let query = format!("origin={}&path={}", report.origin.word(), encoded(&report.path));
    let view = match report.form {
        Form::Html | Form::Csv => Some(format!("/reports/view?{query}")),
        // A browser shows it as a download as well as it is safe.
        Form::Pdf => None,
    };
    let path = visible(&report.path);
    Row {
        written: Moment::of(report.modified_ms),
        node: report.node.clone(),
        source: report.source.clone(),
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        path: path.into_owned(),
        form: report.form.words(),
        size: size(report.size),
        view,
        file: format!("/api/v1/reports/file?{query}"),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1024),
        _more => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

/// Of a server that is not on this machine nothing is shown.
fn is_there(file: &LeaseFileView) -> bool {
    file.leases.is_some() || file.trouble.is_some()
}

impl Page {
    fn span(&self, ms: &f64) -> String {
        span(*ms)
    }

    fn moment(&self, ms: &u64) -> Moment {
        Moment::of(*ms)
    }

    fn class(&self, day: &Day) -> &'static str {
        day_class(day)
    }

    fn words(&self, day: &Day) -> String {
        day_words(&self.availability.month, day)
    }

    fn x(&self, day: &Day) -> u32 {
        10 + (day.day - 1) * 24
    }

    fn way(&self, summary: &Summary) -> String {
        super::events::way(summary)
    }

    fn leased(&self, file: &LeaseFileView) -> (&'static str, String) {
        let count = file.leases.unwrap_or_default();
        match (file.part, file.written) {
            _ if file.trouble.is_some() => ("warn", file.trouble.clone().unwrap_or_default()),
            (LeasePart::Idle, _) => ("unknown", "not replicated now".to_owned()),
            (LeasePart::Source, _) => ("good", format!("{count}, told to the other node")),
            (LeasePart::Copy, Some(true)) => ("good", format!("{count}, all in this node's file")),
            (LeasePart::Copy, Some(false)) => {
                ("warn", format!("{count}, not all in this node's file yet"))
            }
            (LeasePart::Copy, None) => {
                ("unknown", format!("{count}, not written here: {} is left alone", file.service))
            }
        }
    }

    fn is_here(&self, row: &Row) -> bool {
        row.node == self.reports.node
    }
}

/// Whose report is meant.
pub(super) fn origin(word: &str) -> Option<Origin> {
    [Origin::Here, Origin::There].into_iter().find(|origin| origin.word() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_turns_the_order_of_letters_is_shown_as_it_is_and_asked_for_unchanged() {
        let report = ReportFile {
            origin: Origin::There,
            node: "gw-b".to_owned(),
            source: "mail".to_owned(),
            path: "/var/reports/\u{202e}fdp.csv".to_owned(),
            form: Form::Csv,
            size: 7,
            modified_ms: 0,
        };
        let shown = row(&report);
        assert_eq!(shown.name, "\\u{202e}fdp.csv");
        assert_eq!(shown.path, "/var/reports/\\u{202e}fdp.csv");
        assert!(shown.file.ends_with("%E2%80%AEfdp.csv"), "{}", shown.file);
    }
}

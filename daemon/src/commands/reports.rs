//! `twinwall reports` and `twinwall availability`: the reports of both appliances, and how
//! available the pair was.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use twinwall::agent::history::{Availability, percent, span};
use twinwall::agent::logs::visible::visible;
use twinwall::agent::reports::{Origin, ReportFile, ReportsView};
use twinwall::failure::Failure;
use twinwall::percent::encoded;

use crate::api_client::Api;
use crate::cli::{AvailabilityArgs, ReportsArgs, ReportsOrder};
use crate::show::{print, print_json, print_raw};
use crate::system;

pub(super) fn reports(root: &Path, args: &ReportsArgs) -> Result<(), Failure> {
    let api = Api::of(root);
    if let Some(ReportsOrder::Get { node, path, file }) = &args.order {
        let known = || api.get::<ReportsView>("/api/v1/reports");
        let (origin, wanted) = (origin(node, known)?.word(), encoded(path));
        let bytes = api.fetch(&format!("/api/v1/reports/file?origin={origin}&path={wanted}"))?;
        let own = || PathBuf::from(path.rsplit('/').next().unwrap_or("report"));
        return write(&file.clone().unwrap_or_else(own), &bytes);
    }
    let mut view: ReportsView = api.get("/api/v1/reports")?;
    if let Some(node) = &args.node {
        let origin = origin(node, || Ok(view.clone()))?;
        view.reports.retain(|report| report.origin == origin);
    }
    if args.json { print_json(&view) } else { print(&list(&view)) }
}

/// Which of the two nodes is meant: by where it is, or by the name that `known` gives.
fn origin(
    node: &str,
    known: impl FnOnce() -> Result<ReportsView, Failure>,
) -> Result<Origin, Failure> {
    match node {
        "here" => return Ok(Origin::Here),
        "there" => return Ok(Origin::There),
        _name => {}
    }
    let known = known()?;
    if let Some(origin) = known.origin_of(node) {
        return Ok(origin);
    }
    let other = known.other.unwrap_or_else(|| "there".to_owned());
    let text = format!("there is no node '{node}' here; name {} or {other}", known.node);
    Err(Failure::problem(text))
}

/// Writes a new file, and says so.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::machine(format!("writing {}", path.display()), &error))?;
    print(&format!("{}: {}\n", path.display(), size(bytes.len() as u64)))
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1024),
        _more => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

/// Why reports are not here.
const LEFT_OUT: &str = "left out: too long, too many, too old, or with unprintable bytes in the \
                        name.";

fn list(view: &ReportsView) -> String {
    let other = view.other.as_deref().unwrap_or("the other node");
    let mut text = match (view.replicates, view.complete_s) {
        (false, _) => "Each node has its own reports only: sync.logs is off.\n".to_owned(),
        (true, Some(_)) => match view.left_out_there {
            0 => format!("All reports of {other} are here.\n"),
            some => format!("All reports of {other} but {some} are here.\n"),
        },
        (true, None) => format!("Reports of {other} may be missing here.\n"),
    };
    if let Some(trouble) = &view.trouble {
        text += &format!("{}\n", visible(trouble));
    }
    if view.left_out > 0 {
        text += &format!("{} {LEFT_OUT}\n", view.left_out);
    }
    if view.reports.is_empty() {
        text += "There are none; the profile says where reports are ([[reports]]).\n";
        return text;
    }
    text.push('\n');
    text + &view.reports.iter().map(line).collect::<String>()
}

fn line(report: &ReportFile) -> String {
    let whose = match report.origin {
        Origin::Here => "here ",
        Origin::There => "there",
    };
    format!(
        "{}  {whose}  {:<12} {:<10} {:>10}  {}\n",
        &system::local_time(report.modified_ms)[..16],
        report.node,
        report.source,
        size(report.size),
        visible(&report.path)
    )
}

pub(super) fn availability(root: &Path, args: &AvailabilityArgs) -> Result<(), Failure> {
    let api = Api::of(root);
    let query = args.month.map(|month| format!("?month={month}")).unwrap_or_default();
    if let Some(file) = &args.html {
        return write(file, &api.fetch(&format!("/api/v1/availability/page{query}"))?);
    }
    if args.csv {
        let bytes = api.fetch(&format!("/api/v1/availability/csv{query}"))?;
        return print_raw(&String::from_utf8_lossy(&bytes));
    }
    let report: Availability = api.get(&format!("/api/v1/availability{query}"))?;
    if args.json { print_json(&report) } else { print(&whole(&report)) }
}

fn whole(report: &Availability) -> String {
    let mut text = format!("{}: somebody served {} of the time\n\n", report.month, percent(report));
    let mut row = |name: &str, value: String| text += &format!("{name:<20} {value}\n");
    row("watched", span(report.watched_ms));
    row("somebody served", span(report.up_ms));
    let unknown = match report.unknown_outages {
        0 => String::new(),
        some => format!(", and {some} outages of unknown length"),
    };
    row("nobody served", format!("{}{unknown}", span(report.down_ms)));
    row("out of sync", span(report.out_of_sync_ms));
    row("off", span(report.off_ms));
    row("moves of the role", report.moves.len().to_string());
    let failed = report.drills.iter().filter(|drill| drill.failed.is_some()).count();
    row("drills", format!("{}, {failed} of them failed", report.drills.len()));
    for missing in &report.missing {
        text += &format!("\n{missing}\n");
    }
    for one in &report.moves {
        text += &format!(
            "\n{}  {}  {} -> {}  outage {}\n    {}\n",
            system::local_time(one.ended_ms),
            one.kind.words(),
            one.from.as_deref().unwrap_or("nobody"),
            one.to,
            one.outage.words(),
            one.reason
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use twinwall::agent::reports::Form;

    use super::*;

    #[test]
    fn all_reports_are_only_said_to_be_here_where_none_is_left_out() {
        let mut view = ReportsView {
            node: "gw-a".to_owned(),
            other: Some("gw-b".to_owned()),
            replicates: true,
            complete_s: Some(1),
            left_out: 2,
            left_out_there: 0,
            trouble: None,
            reports: Vec::new(),
        };
        assert!(list(&view).starts_with("All reports of gw-b are here.\n2 left out: too long"));
        (view.left_out, view.left_out_there) = (5, 3);
        let shown = list(&view);
        assert!(shown.starts_with("All reports of gw-b but 3 are here.\n5 left out:"), "{shown}");
    }

    #[test]
    fn what_is_not_seen_of_a_name_is_written_out() {
        let report = ReportFile {
            origin: Origin::There,
            node: "gw-b".to_owned(),
            source: "mail".to_owned(),
            path: "/var/reports/\u{202e}fdp.csv".to_owned(),
            form: Form::Csv,
            size: 7,
            modified_ms: 0,
        };
        let shown = line(&report);
        assert!(shown.ends_with("  /var/reports/\\u{202e}fdp.csv\n"), "{shown:?}");
    }

    #[test]
    fn a_node_is_named_as_everywhere() {
        let view = ReportsView {
            node: "gw-a".to_owned(),
            other: Some("gw-b".to_owned()),
            replicates: true,
            complete_s: None,
            left_out: 0,
            left_out_there: 0,
            trouble: None,
            reports: Vec::new(),
        };
        for (name, wanted) in [
            ("here", Origin::Here),
            ("gw-a", Origin::Here),
            ("there", Origin::There),
            ("gw-b", Origin::There),
        ] {
            let found = origin(name, || Ok(view.clone())).map_err(|failure| failure.message);
            assert_eq!(found, Ok(wanted), "{name}");
        }
        let wrong = origin("gw-c", || Ok(view.clone())).map_err(|failure| failure.message);
        assert_eq!(wrong, Err("there is no node 'gw-c' here; name gw-a or gw-b".to_owned()));
    }
}

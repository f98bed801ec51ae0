//! The paths between the nodes, as a table that changes by itself.

use askama::Template;

use super::dashboard::render;
use super::moment::Moment;
use super::plot;
use crate::agent::dashboard::{Dashboard, PathView};
use crate::web::hub::Plot;

#[derive(Template)]
#[template(path = "part/paths.html")]
struct Paths<'a> {
    rows: Vec<Row<'a>>,
    round_trip: Option<String>,
}

/// A path.
struct Row<'a> {
    path: &'a PathView,
    silent: Option<Moment>,
    /// Of the last minute, in words.
    minute: Option<String>,
}

/// The table of all of them.
pub(super) fn draw(pair: &Dashboard, plot: &Plot) -> String {
    let interval = pair.heartbeat.as_ref().map_or(1.0, |beat| beat.interval_s);
    let row = |(index, path)| {
        let path: &PathView = path;
        let seconds = plot.paths.get(&path.interface).map(|beats| &beats.seconds);
        // Only the HA link carries every beat; the others carry some of them while it does.
        let minute = match index {
            0 => seconds.and_then(plot::loss).map(|loss| format!("{loss:.0} % lost")),
            _ => seconds
                .and_then(|all| plot::rate(all, interval))
                .map(|rate| format!("{rate:.1} a second heard")),
        };
        Row { path, silent: path.silent_since_ms.map(Moment::of), minute }
    };
    let round_trip = pair.heartbeat.as_ref().and_then(|beat| beat.round_trip_ms);
    let round_trip = round_trip.map(|ms| format!("{ms:.1} ms"));
    render(&Paths { rows: pair.paths.iter().enumerate().map(row).collect(), round_trip })
}

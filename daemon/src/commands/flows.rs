//! `twinwall flows`: how far the passive node has the active node's connections.

use std::path::Path;
use std::time::Duration;

use twinwall::agent::flows::view::{FlowsView, LagMs, Part, words};
use twinwall::failure::Failure;
use twinwall_core::explain::span;

use crate::api_client::Api;
use crate::cli::FlowsArgs;
use crate::show::{print, print_json};

/// Between two looks with `--watch`.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn flows(root: &Path, args: &FlowsArgs) -> Result<(), Failure> {
    loop {
        let view: FlowsView = Api::of(root).get("/api/v1/flows")?;
        match (args.json, args.watch) {
            (true, false) => return print_json(&view),
            (false, false) => return print(&text(&view)),
            (true, true) => print_json(&view)?,
            (false, true) => print(&line(&view))?,
        }
        std::thread::sleep(LOOK);
    }
}

fn text(view: &FlowsView) -> String {
    let now = &view.now;
    let since = Duration::from_secs(Duration::from_secs_f64(view.since_s.max(0.0)).as_secs());
    let mut text = format!("{}\n\n", view.sentence());
    let mut row = |name: &str, value: String| text += &format!("{name:<14} {value}\n");
    row("part", format!("{} for {}", words(now.part), span(since)));
    if now.part == Part::Off {
        return text;
    }
    let there = now.peer_flows.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    let beyond = match now.dropped {
        0 => String::new(),
        some => format!(", {some} were left out"),
    };
    row("connections", format!("{} here, {there} there, at most {}{beyond}", now.flows, now.bound));
    row("compared", view.comparison().to_owned());
    row("lag", now.lag_ms.map_or_else(|| "not measured lately".to_owned(), lag));
    row("backlog", format!("{} changes, {} of 4096 groups", now.backlog, now.behind_buckets));
    row("changes", format!("{}, {} overruns", now.events, now.overruns));
    row("refused", format!("{} by this node's kernel", now.refused_by_kernel));
    let last = now.last_resync.as_ref().map_or_else(String::new, |last| {
        format!(", the last one ({}) told {} in {} ms", last.reason, last.flows, last.ms)
    });
    row("as a whole", format!("told {} times{last}", now.resyncs));
    row("neighbours", now.neighbours.to_string());
    row("expectations", now.expectations.to_string());
    row("memory", format!("{:.1} MiB", now.memory_bytes as f64 / f64::from(1 << 20)));
    text
}

fn lag(lag: LagMs) -> String {
    format!(
        "{:.1} ms half of the time, {:.1} ms in 99 of 100, {:.1} ms at most",
        lag.p50, lag.p99, lag.max
    )
}

/// One line for each look.
fn line(view: &FlowsView) -> String {
    let now = &view.now;
    let lag = now.lag_ms.map_or_else(|| "-".to_owned(), |lag| format!("{:.1} ms", lag.p99));
    format!(
        "{:<6}  {} lag {lag}, backlog {}, behind {}\n",
        words(now.part),
        view.sentence(),
        now.backlog,
        now.behind_buckets
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinwall::agent::flows::view::{Resync, View};

    #[test]
    fn every_figure_is_shown_and_nothing_of_a_node_that_does_nothing() {
        let now = View {
            part: Part::Source,
            flows: 1000,
            peer_flows: Some(999),
            complete_percent: Some(99.9),
            compared: true,
            behind_buckets: 1,
            backlog: 4,
            lag_ms: Some(LagMs { p50: 1.0, p99: 2.25, max: 9.0 }),
            dropped: 3,
            bound: 1000,
            resyncs: 2,
            last_resync: Some(Resync { reason: "overrun".to_owned(), ms: 12, flows: 40 }),
            ..View::default()
        };
        let view = FlowsView { now, since_s: 61.0 };
        let shown = text(&view);
        for part in [
            "The other node has 99.9 % of 1000 connections.\n",
            "part           source for 1 min 1 s\n",
            "1000 here, 999 there, at most 1000, 3 were left out\n",
            "1.0 ms half of the time, 2.2 ms in 99 of 100, 9.0 ms at most\n",
            "told 2 times, the last one (overrun) told 40 in 12 ms\n",
            "compared       yes, group by group\n",
            "backlog        4 changes, 1 of 4096 groups\n",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let off = text(&FlowsView::default());
        assert_eq!(off, "Connections are not replicated.\n\npart           off for 0 ms\n");
    }
}

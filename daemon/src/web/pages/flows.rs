//! The connections that survive a failover: a line on the dashboard, and all figures on the
//! page Diagnostics.

use std::time::Duration;

use askama::Template;
use twinwall_core::explain::span;

use super::dashboard::render;
use crate::agent::dashboard::Dashboard;
use crate::agent::flows::view::{FlowsView, Part, words};

/// The figures.
#[derive(Template)]
#[template(path = "part/flows.html")]
struct Flows<'a> {
    flows: Option<&'a FlowsView>,
}

/// All of them.
pub(super) fn draw(pair: &Dashboard) -> String {
    render(&Flows { flows: pair.flows.as_ref().filter(|_| pair.paired) })
}

/// The line: class, words, and what it counts.
pub(super) fn line(pair: &Dashboard) -> Option<(&'static str, String, String)> {
    let flows = pair.flows.as_ref().filter(|_| pair.paired && pair.enabled)?;
    let count = match flows.now.part {
        Part::Source => flows.now.flows,
        Part::Mirror => flows.now.peer_flows.unwrap_or(flows.now.flows),
        Part::Off => return Some(("unknown", "not replicated".to_owned(), String::new())),
    };
    let (class, word) = state(flows);
    Some((class, word, format!("{count}")))
}

fn state(flows: &FlowsView) -> (&'static str, String) {
    match (&flows.now.trouble, flows.now.complete_percent) {
        (Some(_), _) => ("bad", "in trouble".to_owned()),
        (None, None) => ("unknown", "not compared yet".to_owned()),
        (None, Some(_)) if flows.is_complete() => ("good", "all on both nodes".to_owned()),
        (None, Some(percent)) => ("warn", format!("{:.1} % on both nodes", percent.min(99.9))),
    }
}

impl Flows<'_> {
    fn is_on(&self, flows: &FlowsView) -> bool {
        flows.now.part != Part::Off
    }

    fn class(&self, flows: &FlowsView) -> &'static str {
        if flows.now.part == Part::Off { "unknown" } else { state(flows).0 }
    }

    fn figures(&self, flows: &FlowsView) -> Vec<(&'static str, String)> {
        let now = &flows.now;
        let ms = |ms: f64| format!("{ms:.1} ms");
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "not known".to_owned());
        let since = Duration::from_secs(Duration::from_secs_f64(flows.since_s.max(0.0)).as_secs());
        let lag = now.lag_ms.map(|lag| {
            let (p50, p99, max) = (ms(lag.p50), ms(lag.p99), ms(lag.max));
            format!("{p50} half of the time, {p99} in 99 of 100, {max} at most")
        });
        let last = now.last_resync.as_ref().map_or_else(String::new, |last| {
            format!(", the last one ({}) told {} in {} ms", last.reason, last.flows, last.ms)
        });
        vec![
            ("This node is the", format!("{} for {}", words(now.part), span(since))),
            ("Here", now.flows.to_string()),
            ("There", or_unknown(now.peer_flows.map(|count| count.to_string()))),
            ("Compared", flows.comparison().to_owned()),
            ("Lag", or_unknown(lag)),
            ("Changes on their way", now.backlog.to_string()),
            ("Groups that are behind", format!("{} of 4096", now.behind_buckets)),
            ("Changes", now.events.to_string()),
            ("Overruns", now.overruns.to_string()),
            ("Left out beyond the bound", format!("{} (bound {})", now.dropped, now.bound)),
            ("Refused by this kernel", now.refused_by_kernel.to_string()),
            ("Told as a whole", format!("{}{last}", now.resyncs)),
            ("Neighbours", now.neighbours.to_string()),
            ("Expectations", now.expectations.to_string()),
            ("Memory", format!("{:.1} MiB", now.memory_bytes as f64 / f64::from(1 << 20))),
        ]
    }
}

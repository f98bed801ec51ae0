//! What the pair itself tells of a fault: the newest report of a gateway that lives, its outage
//! step by step, beside what the client saw. Called after each fault, and by the demonstration.

use std::time::Duration;

use serde_json::Value;
use twinwall_core::time::Moment;

use crate::clock;
use crate::lab::Lab;

/// Steps that are shown.
const STEPS: usize = 8;
/// A report begins with what came before the fault was noticed, as the last heartbeat.
const BEFORE: Duration = Duration::from_secs(5);

/// The report of a fault at this moment, in lines; nothing where only guards run, or no gateway
/// has one.
pub(super) fn by_the_pair(lab: &Lab, at: Moment) -> Vec<String> {
    let since = unix_ms().saturating_sub(millis(clock::now().since(at) + BEFORE));
    let newest = |said: String| {
        let all: Value = serde_json::from_str(&said).ok()?;
        let report = all.get(0)?.clone();
        let ended = report["ended_ms"].as_u64()?;
        (ended >= since).then_some((ended, report))
    };
    let ask = |gateway: &crate::gateway::Gateway| {
        // One that hangs would be waited for.
        gateway.guard().status().ok()?;
        // A gateway without power, or whose agent starts again, says nothing.
        gateway.ask_twinwall(&["failovers", "--json", "--last", "1"]).ok()
    };
    let told = lab.gateways.iter().filter_map(ask).filter_map(newest);
    told.max_by_key(|(ended, _)| *ended).map(|(_, report)| lines(&report)).unwrap_or_default()
}

fn lines(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let outage = match (report["outage"]["ms"].as_f64(), report["outage"]["bound"].as_str()) {
        (None, _) => "not known".to_owned(),
        (Some(ms), Some("at_most")) => format!("at most {ms:.1} ms"),
        (Some(ms), Some("at_least")) => format!("at least {ms:.1} ms"),
        (Some(ms), _) => format!("{ms:.1} ms"),
    };
    let mut lines = vec![format!(
        "the pair's own report {}: {} to {}, outage {outage}: {}",
        text(&report["id"]),
        text(&report["kind"]),
        text(&report["to"]),
        text(&report["reason"])
    )];
    let steps = report["steps"].as_array().cloned().unwrap_or_default();
    lines.extend(steps.iter().take(STEPS).map(|step| {
        let after = step["after_ms"].as_f64().unwrap_or_default();
        let words = [&step["node"], &step["kind"], &step["text"]].map(text);
        format!("  {after:>+9.1} ms  {:<5} {:<8} {}", words[0], words[1], words[2])
    }));
    lines
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_with_its_outage_and_steps() {
        let step = |kind: &str, after: f64| serde_json::json!({ "node": "gw-b", "kind": kind, "text": "so", "after_ms": after });
        let report = serde_json::json!({
            "id": "aa-1", "kind": "failover", "to": "gw-b", "reason": "gw-a was silent",
            "outage": { "ms": 18.25, "bound": "at_most" },
            "steps": [step("began", 0.0), step("served", 18.25)],
        });
        let lines = lines(&report);
        assert!(lines[0].ends_with("gw-b, outage at most 18.2 ms: gw-a was silent"), "{lines:?}");
        assert_eq!(lines[2], "      +18.2 ms  gw-b  served   so");
    }
}

//! Outcomes for people: one line a repetition, medians a scenario, time lines.

use std::fmt::Write;
use std::time::Duration;

use crate::monitoring::Monitored;
use crate::result::{Line, Outcome, millis};
use crate::scenario::Scenario;
use crate::timeline::Source;
use crate::traffic::connections::ConnectionsSeen;

/// One line for one repetition.
pub fn line(outcome: &Outcome) -> String {
    let verdict = if outcome.missed.is_empty() {
        "ok".to_owned()
    } else {
        format!("MISSED: {}", outcome.missed.join("; "))
    };
    format!("{:>3}  {:<5} {}  {verdict}", outcome.rep, outcome.active, figures(outcome).join("  "))
}

/// The figures, in groups short enough for a line of a terminal each.
pub fn figures(outcome: &Outcome) -> Vec<String> {
    let mut groups = Vec::new();
    if let Some(seen) = &outcome.traffic {
        groups.push(format!(
            "outage {:>7.1} ms (floor {:.1})  lost {:>4}/{}",
            millis(seen.outage),
            millis(seen.floor),
            seen.lost,
            seen.sent
        ));
        groups.push(format!(
            "VIP silent {}/{} ms (floor {:.1})  two answer {:.1} ms",
            silence(seen.vip_silence_ipv4),
            silence(seen.vip_silence_ipv6),
            millis(seen.vip_floor),
            millis(seen.two_answer)
        ));
        if let Some(last) = seen.per_vip_last {
            groups.push(format!("last VIP {:.1} ms", millis(last)));
        }
    }
    groups.extend(outcome.connections.as_ref().map(connections));
    let detected = outcome
        .detected_ms
        .map(|detected| format!("detected {detected:.1} ms  "))
        .unwrap_or_default();
    groups.push(format!("{detected}roles {}", outcome.role_changes));
    if let Some(seen) = &outcome.beside {
        groups.push(format!(
            "latest beat {:.1} ms  agent {}/{} within {:.0} ms  console {:.1} MiB",
            seen.beat_late_ms,
            seen.asked - seen.unanswered,
            seen.asked,
            seen.slowest_ms,
            seen.console_bytes as f64 / f64::from(1 << 20)
        ));
        groups.extend(seen.visitors.as_ref().map(visitors));
    }
    groups.extend(outcome.monitored.as_ref().map(monitored));
    for (who, cost) in ["active", "passive"].into_iter().zip(outcome.cost.iter().flatten()) {
        let resident = cost.resident_bytes as f64 / f64::from(1 << 20);
        groups.push(format!("{who} {:.3} CPU s/min {resident:.1} MiB", cost.cpu_s_per_min));
    }
    groups
}

/// What became of connections, in a line.
pub fn connections(seen: &ConnectionsSeen) -> String {
    let ftp = match seen.ftp {
        Some(ftp) if ftp.works() => "  FTP goes on",
        Some(_) => "  FTP does not go on",
        None => "",
    };
    format!(
        "connections {} alive, {} resumed, {} lost, longest pause {:.1} ms (floor {:.1}){ftp}",
        seen.alive,
        seen.resumed,
        seen.lost,
        millis(seen.longest_pause),
        millis(seen.floor)
    )
}

fn monitored(seen: &Monitored) -> String {
    format!(
        "SNMP {}/{} answered, longest silence {:.0} ms  lines {} of {} on the other node",
        seen.answered, seen.asked, seen.silence_ms, seen.lines_there, seen.lines
    )
}

fn visitors(said: &serde_json::Value) -> String {
    let number = |name: &str| said[name].as_f64().unwrap_or_default();
    format!(
        "visitors: {:.0} requests answered ({:.0} s), {:.0} connections, {:.0} slow, {:.0} endless, \
         {:.0} half-open",
        number("answered"),
        number("seconds"),
        number("opened"),
        number("slow"),
        number("bodies"),
        number("silent")
    )
}

fn silence(span: Option<Duration>) -> String {
    span.map_or_else(|| "-".to_owned(), |span| format!("{:.1}", millis(span)))
}

/// The time line of one repetition, at most `limit` lines.
pub fn events(lines: &[Line], limit: usize) -> String {
    let mut text = String::new();
    for line in lines.iter().take(limit) {
        let indent = match line.source {
            Source::Lab => "",
            Source::A => "  ",
            Source::B => "    ",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {:>9.2} ms  {:<5} {indent}{}",
            line.at_ms,
            line.source.name(),
            line.text
        );
    }
    if lines.len() > limit {
        let _ = writeln!(text, "  … and {} more", lines.len() - limit);
    }
    text
}

/// Medians over the repetitions of one scenario.
pub fn summary(scenario: &Scenario, outcomes: &[Outcome]) -> String {
    let traffic = || outcomes.iter().filter_map(|outcome| outcome.traffic.as_ref());
    let outage = median(traffic().map(|seen| millis(seen.outage)));
    let floor = median(traffic().map(|seen| millis(seen.floor)));
    let silence = median(traffic().filter_map(|seen| Some(millis(seen.vip_silence_ipv4?))));
    let missed = outcomes.iter().filter(|outcome| !outcome.missed.is_empty()).count();
    let figure =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    format!(
        "{}: {} of {} as they must be; medians: outage {} ms, floor {} ms, VIP silent {} ms",
        scenario.name,
        outcomes.len() - missed,
        outcomes.len(),
        figure(outage),
        figure(floor),
        figure(silence)
    )
}

/// The median; the mean of the two in the middle for an even number.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len().checked_sub(1)? / 2;
    let other = sorted.len() / 2;
    Some((sorted[middle] + sorted[other]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([].into_iter()), None);
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
    }
}

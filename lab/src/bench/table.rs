//! The benchmark as a page for docs/. Called by the lab's program; formats,
//! never judges: what was reached stands in [`super::run`].

use std::fmt::Write;

use super::figures::{Figures, Unit, number, ratio};
use super::rows::{Play, Target};
use super::run::{Benchmark, Line, Played};

/// The page.
pub fn page(benchmark: &Benchmark) -> String {
    let mut text = head(benchmark);
    text +=
        "\n| fault | interval | figure | keepalived | twinwall | ratio | must reach | reached |\n";
    text += "| --- | --- | --- | --- | --- | --- | --- | --- |\n";
    for row in &benchmark.rows {
        for (index, line) in row.lines.iter().enumerate() {
            text += &table_line(row, line, index == 0);
        }
    }
    text += &failures(benchmark);
    text
}

fn head(benchmark: &Benchmark) -> String {
    let machine = &benchmark.machine;
    let floor = |figures: &Figures| {
        let figure = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| number(value, Unit::Millis))
        };
        format!("median {} ms, longest {} ms", figure(figures.median()), figure(figures.most()))
    };
    format!(
        "# Failover, measured from the client's side\n\n\
         Written by `cargo xtask bench failover --against keepalived`; run it to see your own figures.\n\n\
         | | |\n| --- | --- |\n{}\
         | keepalived | {} |\n\
         | repetitions | {} of each fault, 1 of each steady state, with either product; {} of {} rows, {:.0} minutes |\n\
         | floor, routed packets | {} |\n\
         | floor, pings to VIPs | {} |\n\n\
         Both products run in the same lab and suffer the same faults, in turn, each time the other one first. \
         Figures are **medians** with the smallest and the largest in brackets. \
         An *outage* is the longest silence of packets routed through the pair (1,000 a second of each family), \
         lost or held up; *VIP silent* is the same for pings to the VIPs. \
         The *floor* is the longest silence in the quiet second before each fault: what the probe and the machine \
         cost by themselves. Figures of silence include it; 'reached' is decided on the median over the floor. \
         The products share the processors with all probes. A repetition in which the client itself could not \
         send for 20 ms, or lost packets before the fault, is set aside and listed below. \
         The kernel has one limiter of link notices for the whole machine: other programs that move links at the same \
         time delay them, and with them the rows about links.\n",
        machine.rows(),
        machine.keepalived,
        benchmark.reps,
        benchmark.rows.len(),
        benchmark.rows_wanted,
        benchmark.took_min,
        floor(&benchmark.floor),
        floor(&benchmark.vip_floor),
    )
}

fn table_line(row: &Played, line: &Line, first: bool) -> String {
    let unit = line.read.unit();
    let title = match (first, row.play) {
        (false, _) => String::new(),
        (true, Play::Often) => row.title.to_owned(),
        (true, Play::Once) => format!("{}, {:.0} s", row.title, row.watched_s),
    };
    let interval = if first { format!("{} ms", row.interval_ms) } else { String::new() };
    let target = match line.target {
        Target::AtMost(limit) => format!("≤ {}", trimmed(limit)),
        Target::NotAboveTheirs => "not above".to_owned(),
        Target::Shown => String::new(),
    };
    let reached = match line.reached() {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    };
    format!(
        "| {title} | {interval} | {} | {} | {} | {} | {target} | {reached} |\n",
        line.metric,
        line.keepalived.text(unit),
        line.twinwall.text(unit),
        ratio(&line.twinwall, &line.keepalived, unit).unwrap_or_default(),
    )
}

/// Limits are whole numbers.
fn trimmed(limit: f64) -> String {
    format!("{limit:.0}")
}

fn failures(benchmark: &Benchmark) -> String {
    let all: Vec<String> = benchmark
        .rows
        .iter()
        .flat_map(|row| {
            row.failures.iter().map(move |text| format!("- {}: {text}\n", row.scenario))
        })
        .collect();
    if all.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n## What could not be measured or counted\n\n");
    for line in all {
        // Writing to a String cannot fail.
        let _ = write!(text, "{line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::machine::Machine;
    use crate::bench::rows::Metric;

    fn figures(values: &[f64]) -> Figures {
        let mut figures = Figures::default();
        values.iter().for_each(|value| figures.add(*value));
        figures
    }

    fn line(read: Metric, target: Target, ours: &[f64], theirs: &[f64]) -> Line {
        Line {
            metric: read.words(),
            read,
            target,
            twinwall: figures(ours),
            twinwall_over_floor: figures(ours),
            keepalived: figures(theirs),
        }
    }

    fn benchmark(lines: Vec<Line>, play: Play) -> Benchmark {
        let row = Played {
            scenario: "power",
            title: "power loss",
            play,
            interval_ms: 100,
            watched_s: 60.0,
            lines,
            failures: vec!["twinwall: it broke".to_owned()],
        };
        let machine = Machine::example("0.1.0");
        let (floor, vip_floor) = (figures(&[1.0, 3.0]), Figures::default());
        Benchmark {
            machine,
            took_min: 1.0,
            rows_wanted: 1,
            reps: 3,
            floor,
            vip_floor,
            rows: vec![row],
        }
    }

    #[test]
    fn a_row_names_its_fault_once_and_what_was_reached() {
        let lines = vec![
            line(Metric::Outage, Target::AtMost(25.0), &[20.0, 26.0, 24.0], &[240.0]),
            line(Metric::Lost, Target::AtMost(0.0), &[1.0], &[0.0]),
        ];
        let page = page(&benchmark(lines, Play::Often));
        let first =
            "| power loss | 100 ms | outage, ms | 240 | **24** (20 to 26) | 10× | ≤ 25 | yes |";
        let second = "|  |  | packets lost | 0 | 1 |  | ≤ 0 | **no** |";
        assert!(page.contains(&format!("{first}\n{second}\n")), "{page}");
        assert!(
            page.contains("| floor, routed packets | median 2.0 ms, longest 3.0 ms |"),
            "{page}"
        );
        assert!(page.contains("- power: twinwall: it broke\n"), "{page}");
    }

    #[test]
    fn a_figure_that_is_missing_reaches_nothing() {
        let lines = vec![
            line(Metric::Outage, Target::AtMost(25.0), &[], &[]),
            line(Metric::CpuActive, Target::NotAboveTheirs, &[0.1], &[]),
            line(Metric::LastVip, Target::Shown, &[40.0], &[400.0]),
        ];
        let page = page(&benchmark(lines, Play::Once));
        assert!(
            page.contains("| power loss, 60 s | 100 ms | outage, ms | - | - |  | ≤ 25 | **no** |"),
            "{page}"
        );
        assert!(
            page.contains("| CPU s/min, active | - | 0.100 |  | not above | **no** |"),
            "{page}"
        );
        assert!(page.contains("| 400 | 40 | 10× |  |  |"), "{page}");
    }
}

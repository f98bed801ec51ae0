//! The page of figures. Pure.

use std::fmt::Write;

use super::{Contender, Failovers, Measured, Outcome, Row, Wanted};
use crate::bench::figures::{Unit, ratio};
use crate::bench::machine::{Machine, first_line};

/// What twinwall must not exceed: 99 in 100 lines are there within a second.
const MOST_LAG_MS: f64 = 1000.0;

/// Markdown: what was measured where, the rows of each load, and the failovers.
pub(super) fn page(machine: &Machine, wanted: &Wanted, measured: &Measured) -> String {
    let mut text = format!(
        "# Logs, side by side\n\n\
         Written by `cargo xtask bench logs --against relp`; run it to see your own figures.\n\n\
         | | |\n| --- | --- |\n{}| rsyslog | {} |\n| repetitions | {}{} |\n\n\
         Two gateways in the lab, both products on the same cable, one at a time. A program appends \
         lines of some 110 bytes to a log, every 2 ms those that are due; {}. A line counts as there \
         when it lies in the other node's store (twinwall) or file (rsyslog), looked at every 5 ms. \
         *CPU* is what the agent, or rsyslogd, of both nodes used together (/proc/PID/task/*/schedstat), \
         everything else that the agent does included. rsyslog reads the file with imfile, sends with \
         omrelp, and writes with omfile, in clear text and not packed, with queues in memory; twinwall \
         encrypts, packs, makes durable before it confirms, and writes a copy on both nodes.\n\n",
        machine.rows(),
        first_line("rsyslogd", &["-v"]).trim_end_matches(" compiled with:"),
        wanted.reps,
        if wanted.quick { ", a tenth of each load" } else { "" },
        if wanted.disk.is_some() { "all files on a disk (ext4)" } else { "all files in memory" },
    );
    for row in &measured.rows {
        table(&mut text, row);
    }
    text + &failovers(&measured.failovers)
}

fn table(text: &mut String, row: &Row) {
    let load = row.load;
    let find = |one: Contender| row.outcomes.iter().find(|(who, _)| *who == one).map(|(_, it)| it);
    let (Some(ours), Some(theirs)) = (find(Contender::Twinwall), find(Contender::Rsyslog)) else {
        return;
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "## {} lines a second for {} s: {}\n\n| | {} | twinwall | must reach | reached |\n\
         | --- | --- | --- | --- | --- |",
        load.rate,
        load.span.as_secs(),
        load.name,
        Contender::Rsyslog.name()
    );
    let lost = |it: &Outcome| it.wrong.to_string();
    line(text, ("lines lost or doubled", lost(theirs), lost(ours)), "0", Some(ours.wrong == 0));
    let names = ["half of the time", "99 times in 100", "at most"];
    for (at, name) in names.into_iter().enumerate() {
        let within = ours.lag_ms[at].median().is_some_and(|lag| lag <= MOST_LAG_MS);
        let must = (at == 1).then_some(within);
        let figures = [theirs, ours].map(|it| it.lag_ms[at].text(Unit::Millis));
        let [theirs, ours] = figures;
        let what = format!("ms behind, {name}");
        line(text, (&what, theirs, ours), if at == 1 { "≤ 1000" } else { "" }, must);
    }
    let times = ratio(&ours.cpu_ms, &theirs.cpu_ms, Unit::Packets);
    let cheaper = ours.cpu_ms.median() <= theirs.cpu_ms.median();
    // With few lines it is what the agent does besides.
    let must = (load.rate >= 1000).then_some(cheaper);
    let [theirs, ours] = [theirs, ours].map(|it| it.cpu_ms.text(Unit::Packets));
    let theirs = times.map_or(theirs.clone(), |times| format!("{theirs}, {times}"));
    let what = "CPU ms for a million lines";
    line(text, (what, theirs, ours), if must.is_some() { "≤ theirs" } else { "" }, must);
    text.push('\n');
}

/// What clients saw when the active lost power.
fn failovers(seen: &Failovers) -> String {
    let [alone, with_all] = &seen.outages;
    if alone.count() + with_all.count() == 0 {
        return String::new();
    }
    let mut text = format!(
        "## The active loses power meanwhile\n\n\
         The HA link is a direct cable, the heartbeat interval 100 ms. *All of it*: agents and \
         consoles, 20,000 lines a second on each node with a rotation every 10 s (the node that \
         took over kept {} a second), and both nodes asked for their metrics each second ({} \
         answers). Each failover in a lab of its own, in turn.\n\n\
         | | outage over the floor |\n| --- | --- |\n| the guards alone | {} ms |\n\
         | all of it | {} ms |\n",
        seen.lines_per_s.text(Unit::Packets),
        seen.answered,
        alone.text(Unit::Millis),
        with_all.text(Unit::Millis),
    );
    if !seen.failures.is_empty() {
        text += "\nNot counted:\n\n";
        text.extend(seen.failures.iter().map(|why| format!("- {why}\n")));
    }
    text
}

fn line(
    text: &mut String,
    (what, theirs, ours): (&str, String, String),
    must: &str,
    reached: Option<bool>,
) {
    let reached = reached.map_or("", |reached| if reached { "yes" } else { "**no**" });
    // Writing to a String cannot fail.
    let _ = writeln!(text, "| {what} | {theirs} | {ours} | {must} | {reached} |");
}

//! The page of figures. Pure.

use super::{Benchmark, Contender, Section};

/// Markdown: what was measured where, and a table for each part.
pub(super) fn page(benchmark: &Benchmark) -> String {
    let mut text = format!(
        "# Connections through a failover, side by side\n\n\
         Written by `cargo xtask bench flows --against conntrackd`; run it to see your own figures.\n\n\
         | | |\n| --- | --- |\n{}| keepalived | {} |\n| conntrackd | {} |\n\
         | repetitions | {} of each fault, {} of a takeover with many flows; {:.0} minutes |\n\n\
         Both products run in the same lab, on the same two processors, under the same packet \
         filter: only flows that it knows pass. conntrackd is tuned as an expert would: FTFW over \
         the HA link, filters in the kernel, large buffers, realtime priority, and the script of \
         its own documentation at each change of keepalived's role. It is measured in both of its \
         forms: with an external cache, which a takeover commits, and writing straight into the \
         passive's kernel. Figures are **medians** with the smallest and the largest in brackets; \
         silences include the probe's own floor, 'reached' is decided over it. Ratios are against \
         conntrackd with an external cache.\n",
        benchmark.machine.rows(),
        benchmark.machine.keepalived,
        benchmark.conntrackd,
        benchmark.reps,
        benchmark.trials,
        benchmark.took_min,
    );
    text.extend(benchmark.sections.iter().map(section));
    if !benchmark.failures.is_empty() {
        text += "\n## What could not be measured or counted\n\n";
        text.extend(benchmark.failures.iter().map(|why| format!("- {why}\n")));
    }
    text
}

fn section(section: &Section) -> String {
    let names = Contender::ALL.map(Contender::name).join(" | ");
    let mut text = format!(
        "\n## {}\n\n{}\n\n| figure | {names} | ratio | must reach | reached |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
        section.title, section.told
    );
    text.extend(section.rows.iter().map(super::rows::Row::line));
    text
}

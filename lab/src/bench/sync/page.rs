//! The page of figures. Pure.

use super::{Contender, Row, Task, Wanted};
use crate::bench::figures::{Unit, ratio};
use crate::bench::machine::Machine;

/// Markdown: what was measured where, and a row for each task.
pub(super) fn page(machine: &Machine, wanted: &Wanted, rows: &[Row]) -> String {
    let names: Vec<&str> = wanted.against.iter().map(|one| one.name()).collect();
    let mut text = format!(
        "# Synchronisation, side by side\n\n\
         Written by `cargo xtask bench sync --against {}{}`; run it to see your own figures.\n\n\
         | | |\n| --- | --- |\n{}| files | {} of 1 KB, {} |\n| repetitions | {} |\n\n\
         Two gateways in the lab, all products on the same cable in turn, each time another one \
         first. twinwall makes every change durable before it is done, which shows on a disk; the \
         others leave that to the kernel. Figures are milliseconds, **medians** with the smallest and the largest in brackets. rsync and csync2 \
         are called at once after the change, as a script would that knew of it; lsyncd and \
         twinwall find it by themselves. twinwall's figure ends when the files are in place, \
         before validators and apply commands of a profile would add theirs; it encrypts, verifies \
         and can take everything back, which the others do not.\n\n",
        names.join(","),
        if wanted.on_disk { " --disk FOLDER" } else { "" },
        machine.rows(),
        wanted.files,
        if wanted.on_disk { "on a disk (ext4)" } else { "in memory" },
        wanted.reps,
    );
    text += &format!("| task | {} | twinwall | must reach | reached |\n", names.join(" | "));
    text += &format!("| --- |{} --- | --- | --- |\n", " --- |".repeat(names.len()));
    text.extend(rows.iter().map(line));
    text
}

fn line(row: &Row) -> String {
    let ours = row.figures.iter().find(|(one, _)| *one == Contender::Twinwall);
    let mut text = format!("| {}", words(row.task));
    for (_, figures) in row.figures.iter().filter(|(one, _)| *one != Contender::Twinwall) {
        let times = ours.and_then(|(_, ours)| ratio(ours, figures, Unit::Millis));
        let times = times.map_or_else(String::new, |times| format!(", {times}"));
        let figure = figures.text(Unit::Millis);
        text += &format!(" | {figure}{}", if figure == "-" { "" } else { times.as_str() });
    }
    let median = ours.and_then(|(_, figures)| figures.median());
    let reached = median.is_some_and(|median| median <= row.at_most_ms);
    let figure = ours.map_or_else(|| "-".to_owned(), |(_, figures)| figures.text(Unit::Millis));
    text + &format!(
        " | {figure} | ≤ {:.0} | {} |\n",
        row.at_most_ms,
        if reached { "yes" } else { "**no**" }
    )
}

fn words(task: Task) -> &'static str {
    match task {
        Task::First => "first synchronisation of all files",
        Task::OneChanged => "one file changed, until it is in place",
        Task::Reread => {
            "nothing changed: read everything again (twinwall: from the kill of its agent; rsync \
             --checksum, both sides)"
        }
        Task::Unchanged => "nothing changed: compare everything (twinwall: the command included)",
    }
}

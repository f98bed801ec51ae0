//! `twinwall sync`: how the sections of the two nodes stand, what differs, and the orders to
//! synchronise or to put a version back.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use twinwall::agent::api::sync::{PutBack, Synchronise, Taken};
use twinwall::agent::engine::diff::{PathDiff, SectionDiff};
use twinwall::agent::engine::message::Phase;
use twinwall::agent::engine::overview::{Overview, SectionState, SectionView};
use twinwall::agent::engine::standing::Direction;
use twinwall::agent::pairing::NOT_PAIRED;
use twinwall::agent::section::Section;
use twinwall::agent::store::Version;
use twinwall::failure::{Exit, Failure};

use crate::api_client::Api;
use crate::cli::{DiffArgs, ForceArgs, HistoryArgs, RestoreArgs, SyncArgs, SyncOrder};
use crate::show::{print, print_json, print_raw};
use crate::system;

/// Between two looks at a synchronisation that runs.
const LOOK: Duration = Duration::from_millis(200);

/// Characters of a reason in the table.
const LONGEST_REASON: usize = 120;

pub(super) fn sync(root: &Path, args: &SyncArgs) -> Result<(), Failure> {
    let api = Api::of(root);
    match &args.order {
        None => status(&api, args.json),
        Some(SyncOrder::Push(force)) => self::force(&api, Direction::Push, force),
        Some(SyncOrder::Pull(force)) => self::force(&api, Direction::Pull, force),
        Some(SyncOrder::Cancel) => cancel(&api),
        Some(SyncOrder::Diff(diff)) => self::diff(&api, diff),
        Some(SyncOrder::History(history)) => self::history(&api, history),
        Some(SyncOrder::Restore(restore)) => self::restore(&api, restore),
    }
}

fn status(api: &Api, json: bool) -> Result<(), Failure> {
    let overview: Overview = api.get("/api/v1/sync")?;
    if json { print_json(&overview) } else { print(&text(&overview)) }
}

fn text(overview: &Overview) -> String {
    let peer = overview.peer.name.as_deref().unwrap_or("the other node");
    let mut text = format!("{} and {peer}: {}\n", overview.node, overview.verdict.words());
    if !overview.peer.paired {
        return format!("There is nothing to compare with: {NOT_PAIRED}.\n");
    }
    if !overview.peer.connected {
        text +=
            &format!("The agent of {peer} cannot be reached: 'twinwall pair status' says why.\n");
    }
    if !overview.automatic {
        text += "Changes are not sent by themselves.\n";
    }
    if let Some(job) = &overview.job {
        let kind = if job.forced { "A forced synchronisation" } else { "A synchronisation" };
        text += &format!("{kind} by {} runs: {} of {} sections.\n", job.who, job.finished, job.of);
    }
    text += "\n";
    let width = overview.sections.iter().map(|view| view.section.id().len()).max().unwrap_or(0);
    for view in &overview.sections {
        let state = view.state.words();
        let reason = cut(&view.reason);
        let line = format!("{:width$}  {state:<18}  {reason}", view.section.id());
        text += line.trim_end();
        text += "\n";
    }
    for view in overview.sections.iter().filter(|view| cut(&view.reason) != view.reason) {
        text += &format!("\n{}: {}\n", view.section, view.reason);
    }
    if overview.sections.iter().any(|view| view.state >= SectionState::OutOfSync) {
        text += "\n'twinwall sync diff SECTION' shows what differs; 'twinwall sync push' replaces \
                 the other node's configuration by this node's, 'pull' the other way.\n";
    }
    text
}

/// What fits into a row; the rest stands below the table.
fn cut(reason: &str) -> String {
    match reason.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{}…", reason[..end].trim_end()),
        None => reason.to_owned(),
    }
}

/// Shows what would change, asks, orders, and follows to the end.
fn force(api: &Api, direction: Direction, args: &ForceArgs) -> Result<(), Failure> {
    let overview: Overview = api.get("/api/v1/sync")?;
    let named = |view: &&SectionView| match args.sections.as_slice() {
        [] => view.state >= SectionState::OutOfSync,
        sections => sections.contains(&view.section),
    };
    let sections: Vec<Section> =
        overview.sections.iter().filter(named).map(|view| view.section).collect();
    if !args.yes && !sections.is_empty() {
        preview(api, direction, &sections)?;
        let peer = overview.peer.name.as_deref().unwrap_or("the other node");
        confirm(match direction {
            Direction::Push => peer,
            Direction::Pull => overview.node.as_str(),
        })?;
    }
    let order = Synchronise { direction, sections: args.sections.clone() };
    let _: Taken = api.post("/api/v1/sync", &order)?;
    follow(api, &args.sections)
}

fn preview(api: &Api, direction: Direction, sections: &[Section]) -> Result<(), Failure> {
    for section in sections {
        let diff: SectionDiff = api.get(&diff_path(*section, direction))?;
        print_raw(&format!("== {}\n{}\n", section.title(), shown(&diff)))?;
    }
    Ok(())
}

/// Asks whether this node's configuration may be replaced.
fn confirm(loses: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        let wrong = format!(
            "nothing was changed: this replaces configuration on {loses}; give --yes to do it \
             without being asked"
        );
        return Err(Failure::problem(wrong));
    }
    print(&format!("Replace this on {loses}? What it has now is kept as a version. [y/N] "))?;
    io::stdout().flush().map_err(|error| Failure::output(&error))?;
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.map_err(|error| Failure::machine("reading the answer", &error))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::problem("nothing was changed")),
    }
}

/// Prints each section's steps until the job has ended. None named means all.
fn follow(api: &Api, ordered: &[Section]) -> Result<(), Failure> {
    let mut told: Vec<(Section, String)> = Vec::new();
    loop {
        let overview: Overview = api.get("/api/v1/sync")?;
        for view in &overview.sections {
            let Some(phase) = view.phase.as_ref().filter(|phase| **phase != Phase::Waiting) else {
                continue;
            };
            let line = (view.section, phase.words());
            if !told.contains(&line) {
                print(&format!("{}: {}\n", line.0, line.1))?;
                told.push(line);
            }
        }
        if overview.job.is_none() {
            return ended(&overview, ordered);
        }
        std::thread::sleep(LOOK);
    }
}

/// A section that nobody ordered may have failed before: that is not this order's.
fn ended(overview: &Overview, ordered: &[Section]) -> Result<(), Failure> {
    let bad = |view: &&SectionView| {
        let meant = ordered.is_empty() || ordered.contains(&view.section);
        meant && view.state == SectionState::Failed
    };
    let failed: Vec<String> = overview
        .sections
        .iter()
        .filter(bad)
        .map(|view| format!("{}: {}", view.section, view.reason))
        .collect();
    if failed.is_empty() {
        return print(&format!("Done: {}.\n", overview.verdict.words()));
    }
    Err(Failure { exit: Exit::Problem, message: failed.join("\ntwinwall: ") })
}

fn cancel(api: &Api) -> Result<(), Failure> {
    let _: Taken = api.post("/api/v1/sync/cancel", &serde_json::json!({}))?;
    print("What has not begun yet stays as it is; what has begun is brought to its end.\n")
}

fn diff(api: &Api, args: &DiffArgs) -> Result<(), Failure> {
    let direction = if args.pull { Direction::Pull } else { Direction::Push };
    let diff: SectionDiff = api.get(&diff_path(args.section, direction))?;
    if args.json { print_json(&diff) } else { print_raw(&shown(&diff)) }
}

fn diff_path(section: Section, direction: Direction) -> String {
    let direction = match direction {
        Direction::Push => "push",
        Direction::Pull => "pull",
    };
    format!("/api/v1/sync/{section}/diff?direction={direction}")
}

fn shown(diff: &SectionDiff) -> String {
    if diff.paths.is_empty() {
        return "Nothing differs.\n".to_owned();
    }
    let mut text: String = diff.paths.iter().map(path).collect();
    if diff.more > 0 {
        text += &format!("and {} more paths\n", diff.more);
    }
    text
}

fn path(path: &PathDiff) -> String {
    let sign = match path.change {
        twinwall::agent::engine::diff::PathChange::Added => '+',
        twinwall::agent::engine::diff::PathChange::Removed => '-',
        twinwall::agent::engine::diff::PathChange::Modified => '*',
    };
    let notes = if path.notes.is_empty() {
        String::new()
    } else {
        format!("  ({})", path.notes.join("; "))
    };
    let mut text = format!("{sign} {}{notes}\n", path.path);
    for line in &path.lines {
        let number = line.new.or(line.old).unwrap_or(0);
        text += &format!("    {number:>5} {} {}\n", line.sign, line.text);
    }
    if path.more_lines > 0 {
        text += &format!("    and {} more lines\n", path.more_lines);
    }
    text
}

fn history(api: &Api, args: &HistoryArgs) -> Result<(), Failure> {
    let versions: Vec<Version> = api.get(&format!("/api/v1/sync/{}/versions", args.section))?;
    if args.json {
        return print_json(&versions);
    }
    if versions.is_empty() {
        return print("No version is kept yet.\n");
    }
    print(&versions.iter().rev().map(version).collect::<String>())
}

fn version(version: &Version) -> String {
    format!(
        "{}  {:>4}  {}  {}, {} files\n",
        system::local_time(version.at_ms),
        version.number,
        version.manifest.short(),
        version.cause.told(&version.who),
        version.entries
    )
}

fn restore(api: &Api, args: &RestoreArgs) -> Result<(), Failure> {
    if !args.yes {
        let versions = format!("/api/v1/sync/{}/versions", args.section);
        let diff: SectionDiff = api.get(&format!("{versions}/{}/diff", args.version))?;
        if diff.paths.is_empty() {
            return print(&format!("Version {} is what lies there already.\n", args.version));
        }
        print_raw(&format!("== {}\n{}\n", args.section.title(), shown(&diff)))?;
        confirm("this node")?;
    }
    let order = PutBack { version: args.version };
    let _: Taken = api.post(&format!("/api/v1/sync/{}/restore", args.section), &order)?;
    print(&format!("Version {} of {} is in use again.\n", args.version, args.section))
}

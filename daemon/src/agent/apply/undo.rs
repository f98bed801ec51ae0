//! The way back: the old files, whatever mixture lies there now. It may itself be killed
//! at any instant; the journal is still there, and it is done again.

use super::journal::{Journal, Record, RecordPart, UNDONE};
use crate::agent::manifest::{Kind, Manifest, RelPath};
use crate::agent::section::Section;
use crate::agent::step::{Leftovers, Step, StepFailure};
use crate::agent::tree::{
    Cache, Contents, Ground, Refusal, Root, Scope, WriteError, materialise, scan, sweep,
};

/// Brings the old files of every section back and makes them durable. Gives the
/// directories that could not be removed because something that is not synchronised lies
/// in them by now.
pub(super) fn undo(
    root: &Root,
    journal: &Journal,
    record: &Record,
    contents: &Contents<'_>,
) -> Result<Vec<RelPath>, String> {
    let once = || {
        let mut kept = Vec::new();
        for part in record.parts.iter().rev() {
            let text = |error: String| format!("{}: {error}", part.section);
            kept.extend(undo_part(root, journal, record, part, contents).map_err(text)?);
        }
        Ok(kept)
    };
    // A directory that held files of another of the sections is empty by the second time.
    let kept = once()?;
    if kept.is_empty() || record.parts.len() == 1 { Ok(kept) } else { once() }
}

fn undo_part(
    root: &Root,
    journal: &Journal,
    record: &Record,
    part: &RecordPart,
    contents: &Contents<'_>,
) -> Result<Vec<RelPath>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let scope = Scope::new(part.lists.clone()).map_err(|error| text(&error))?;
    let ground = Ground { root, scope: &scope, translator: &record.translator };
    sweep(root, part.redo.iter().map(|(path, _)| path)).map_err(|error| text(&error))?;
    let now = scan(ground, &mut Cache::default()).map_err(|error| text(&error))?.manifest;
    let mut old = now.clone();
    for (path, _) in part.redo.iter() {
        old.remove(path);
    }
    for (path, entry) in part.undo.iter() {
        old.insert(path.clone(), entry.clone());
    }
    let mut kept = keep_homes(&now, &mut old);
    kept.extend(back_to(ground, journal, &now, &mut old, contents)?);
    for (path, _) in part.parents.iter().rev() {
        root.remove_if_empty(path).map_err(|error| text(&error))?;
    }
    Ok(kept)
}

/// What the apply commands or somebody else put into a new directory is not ours to
/// remove: the directory stays with it. Where the old state has a file in the directory's
/// place, that counts more.
fn keep_homes(now: &Manifest, old: &mut Manifest) -> Vec<RelPath> {
    let mut kept = Vec::new();
    let there: Vec<RelPath> = old.iter().map(|(path, _)| path.clone()).collect();
    for path in there {
        let Some(parent) = path.parent() else { continue };
        match old.get(&parent) {
            Some(entry) if entry.kind != Kind::Directory => {
                old.remove(&path);
            }
            None if now.get(&parent).is_some() => {
                keep(now, old, &parent);
                kept.push(parent);
            }
            Some(_) | None => {}
        }
    }
    kept
}

/// Keeps a directory, and those that it lies in.
fn keep(now: &Manifest, old: &mut Manifest, path: &RelPath) {
    let mut keep = Some(path.clone());
    while let Some(directory) = keep {
        let Some(entry) = now.get(&directory) else { return };
        if old.get(&directory).is_none() {
            old.insert(directory.clone(), entry.clone());
        }
        keep = directory.parent();
    }
}

/// Makes the disk equal to the old manifest, but for directories that cannot go.
fn back_to(
    ground: Ground<'_>,
    journal: &Journal,
    now: &Manifest,
    old: &mut Manifest,
    contents: &Contents<'_>,
) -> Result<Vec<RelPath>, String> {
    let mut kept = Vec::new();
    loop {
        let staging = journal.fresh(UNDONE).map_err(|error| error.to_string())?;
        match materialise(ground, now, old, contents, &staging) {
            Ok(()) => return Ok(kept),
            Err(WriteError::Refused(path, Refusal::Keeps(_))) if old.get(&path).is_none() => {
                // Each round keeps one more of the finite number of directories.
                keep(now, old, &path);
                kept.push(path);
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Runs the apply steps of all sections, each once. It goes on after a failure: with the
/// old files in place, every service that takes them is a gain.
pub(super) fn apply_again(
    root: &Root,
    parts: &[(Section, &[Step])],
) -> Vec<(Section, StepFailure)> {
    let once = once(parts);
    let failed = |(section, step): &(Section, &Step)| {
        step.run(root.path(), Leftovers::Stay).err().map(|failure| (*section, failure))
    };
    once.iter().filter_map(failed).collect()
}

/// The steps of all sections in order, each distinct one once.
pub(super) fn once<'a>(parts: &[(Section, &'a [Step])]) -> Vec<(Section, &'a Step)> {
    let mut found: Vec<(Section, &Step)> = Vec::new();
    for (section, steps) in parts {
        for step in *steps {
            if !found.iter().any(|(_, other)| *other == step) {
                found.push((*section, step));
            }
        }
    }
    found
}

/// What did not succeed on the way back, in words.
pub(super) fn trouble(kept: &[RelPath], failed: &[(Section, StepFailure)]) -> Vec<String> {
    let kept = kept.iter().map(|path| format!("{path} holds something else by now and stays"));
    let steps = failed
        .iter()
        .map(|(section, failure)| format!("{section}: applying the old files failed: {failure}"));
    kept.chain(steps).collect()
}

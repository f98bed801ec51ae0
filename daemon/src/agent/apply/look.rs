//! What lies on the disk, against what a plan says: once more before anything is switched,
//! and after the services have it.

use std::collections::BTreeSet;

use super::{Part, Plan, Refused};
use crate::agent::manifest::{Change, Entry, Kind, Manifest, RelPath};
use crate::agent::translate::Translator;
use crate::agent::tree::{Ground, Root, refresh, scan};

/// Whether every section on the disk still is what the plan says, wherever it changes
/// something. What changed elsewhere meanwhile is not overwritten, and the comparison at
/// the end, which looks everywhere, finds it.
pub(super) fn unchanged(plan: &mut Plan<'_>) -> Result<(), Refused> {
    for part in &mut plan.parts {
        let from = part.from;
        let known = match files_changed(part) {
            Some(directories) => {
                let ground =
                    Ground { root: plan.root, scope: part.scope, translator: plan.translator };
                let looked = refresh(ground, part.cache, from, &directories);
                looked.map_err(|error| Refused::Unreadable(part.section, error.to_string()))?
            }
            None => None,
        };
        let difference = match known {
            Some(is) => Ok(first_change(from, &is)),
            None => difference(plan.root, plan.translator, part, from),
        };
        match difference {
            Ok(None) => {}
            Ok(Some(path)) => return Err(Refused::Changed(part.section, path)),
            Err(problem) => return Err(Refused::Unreadable(part.section, problem)),
        }
    }
    Ok(())
}

/// The directories in which files change, when nothing but files and symlinks does.
fn files_changed(part: &Part<'_>) -> Option<BTreeSet<RelPath>> {
    let is_directory = |entry: &Entry| matches!(entry.kind, Kind::Directory);
    let directory = |change: &Change<'_>| match change {
        Change::Added(path, entry) | Change::Removed(path, entry) => {
            path.parent().filter(|_| !is_directory(entry))
        }
        Change::Modified(path, old, new) => {
            path.parent().filter(|_| !is_directory(old) && !is_directory(new))
        }
    };
    part.from.changes(part.to).iter().map(directory).collect()
}

fn first_change(wanted: &Manifest, is: &Manifest) -> Option<String> {
    wanted.changes(is).first().map(|change| change.path().to_string())
}

/// The first path at which the disk is not what is wanted.
pub(super) fn difference(
    root: &Root,
    translator: &Translator,
    part: &mut Part<'_>,
    wanted: &Manifest,
) -> Result<Option<String>, String> {
    let ground = Ground { root, scope: part.scope, translator };
    let found = scan(ground, part.cache).map_err(|error| error.to_string())?;
    if let Some(problem) = found.blocked_by() {
        return Err(problem.to_string());
    }
    Ok(first_change(wanted, &found.manifest))
}

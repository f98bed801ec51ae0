//! Which reports this node has, and bytes of them. A file is a report by the profile's patterns
//! and by its name's end; symlinks are none, wherever they lead.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Form, Listed, MAX_REPORT, MAX_REPORTS};
use crate::agent::exchange::message::MAX_PART;
use crate::agent::manifest::RelPath;
use crate::agent::node::Node;
use crate::agent::profile::{Patterns, ReportFiles};
use crate::agent::tree::{Root, open_plain};

/// Names that one look goes through at the most.
const MAX_NAMES: usize = 50_000;
/// Directories below one another.
const MAX_DEPTH: usize = 16;
/// Bytes of all paths in one list: what one message takes beside the rest.
const MAX_PATHS: usize = 512 << 10;

/// The profile's patterns with their names.
pub(super) struct Sources(Vec<(String, Patterns)>);

impl Sources {
    pub(super) fn of(reports: &[ReportFiles]) -> Sources {
        let one = |files: &ReportFiles| (files.name.clone(), files.paths.iter().cloned().collect());
        Sources(reports.iter().map(one).collect())
    }

    /// What a path is a report of; none where it is none.
    pub(super) fn of_path(&self, path: &str) -> Option<(&str, Form)> {
        let form = Form::of(path)?;
        let path = relative(path)?;
        let found = self.0.iter().find(|(_, patterns)| patterns.matches(&path));
        found.map(|(name, _)| (name.as_str(), form))
    }

    /// Whether a path below the root is that of a report, though its name may not be told.
    fn has(&self, path: &Path) -> bool {
        let Ok(below) = RelPath::new(path.as_os_str().as_bytes()) else { return false };
        let is_form = path.file_name().is_some_and(|it| Form::of(&it.to_string_lossy()).is_some());
        is_form && self.0.iter().any(|(_, patterns)| patterns.matches(&below))
    }
}

/// A path as it is told, below the root; none for one that leads elsewhere.
pub(super) fn relative(path: &str) -> Option<RelPath> {
    let good = !path.chars().any(char::is_control);
    path.strip_prefix('/').filter(|_| good).and_then(|path| RelPath::new(path.as_bytes()).ok())
}

/// This node's reports, the newest first, and how many are too long or too many, or have a name
/// that cannot be told.
pub(super) fn own(root: &Path, reports: &[ReportFiles]) -> (Vec<Listed>, usize) {
    let sources = Sources::of(reports);
    let mut seen = Seen { found: Vec::new(), unspeakable: 0, names: MAX_NAMES };
    let bases = reports.iter().flat_map(|files| &files.paths).flat_map(|it| it.plain_bases());
    let mut bases: Vec<PathBuf> = bases.map(PathBuf::from).collect();
    bases.sort_unstable();
    bases.dedup();
    // What lies below another one is found with that.
    let all = bases.clone();
    bases.retain(|base| !all.iter().any(|other| other != base && base.starts_with(other)));
    for base in bases {
        walk(root, &base, &sources, &mut seen, MAX_DEPTH);
    }
    let Seen { mut found, unspeakable, .. } = seen;
    let before = found.len();
    found.retain(|file: &Listed| file.size <= MAX_REPORT);
    found.sort_by_key(|file| std::cmp::Reverse(file.modified_ms));
    found.truncate(MAX_REPORTS);
    let mut room = MAX_PATHS;
    found.retain(|file| {
        let left = room.checked_sub(file.path.len());
        room = left.unwrap_or(room);
        left.is_some()
    });
    let left_out = before - found.len() + unspeakable;
    (found, left_out)
}

/// The size of each, with the name of what it is a report of; and how many are left out.
pub(in crate::agent) fn sizes(root: &Path, reports: &[ReportFiles]) -> (Vec<(String, u64)>, usize) {
    let (found, left_out) = own(root, reports);
    let sources = Sources::of(reports);
    let named = found.iter().filter_map(|file| {
        let (name, _) = sources.of_path(&file.path)?;
        Some((name.to_owned(), file.size))
    });
    (named.collect(), left_out)
}

/// What a walk has come to.
struct Seen {
    found: Vec<Listed>,
    /// Reports with a name that cannot be told: it is no text, or has control characters.
    unspeakable: usize,
    /// Names that it may still go through.
    names: usize,
}

/// Looks at what lies at `path` below the root, and below that.
fn walk(root: &Path, path: &Path, sources: &Sources, seen: &mut Seen, depth: usize) {
    let Ok(here) = fs::symlink_metadata(root.join(path)) else { return };
    if here.is_file() {
        let told = path.to_str().map(|path| format!("/{path}"));
        match told.filter(|path| relative(path).is_some()) {
            Some(path) if sources.of_path(&path).is_some() => {
                seen.found.push(listed_as(path, &here));
            }
            Some(_) => {}
            None => seen.unspeakable += usize::from(sources.has(path)),
        }
    }
    if !here.is_dir() || depth == 0 {
        return;
    }
    for entry in fs::read_dir(root.join(path)).into_iter().flatten().flatten() {
        let Some(left) = seen.names.checked_sub(1) else { return };
        seen.names = left;
        walk(root, &path.join(entry.file_name()), sources, seen, depth - 1);
    }
}

fn listed_as(path: String, seen: &fs::Metadata) -> Listed {
    let ms = seen.mtime().saturating_mul(1000) + seen.mtime_nsec() / 1_000_000;
    let (inode, length) = (seen.ino(), seen.len());
    Listed {
        path,
        version: format!("{inode:x}-{length:x}-{:x}-{:x}", seen.mtime(), seen.mtime_nsec()),
        size: length,
        modified_ms: u64::try_from(ms).unwrap_or_default(),
    }
}

/// Answers the other node: which reports there are, and how many are left out.
pub(in crate::agent) async fn listed(node: &Arc<Node>) -> Result<(Vec<Listed>, usize), String> {
    let looking = Arc::clone(node);
    let look = move || own(looking.root(), &looking.settings().profile.reports);
    tokio::task::spawn_blocking(look).await.map_err(|error| error.to_string())
}

/// Answers the other node: bytes of one of them from `offset` on; none at its end.
pub(in crate::agent) async fn part(
    node: &Arc<Node>,
    path: &str,
    version: &str,
    offset: u64,
) -> Result<Vec<u8>, String> {
    let (reading, path, version) = (Arc::clone(node), path.to_owned(), version.to_owned());
    let read = move || read_part(&reading, &path, &version, offset);
    tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?
}

fn read_part(node: &Node, path: &str, version: &str, offset: u64) -> Result<Vec<u8>, String> {
    let mut file = open(node, path)?;
    let seen = file.metadata().map_err(|error| format!("{path}: {error}"))?;
    if listed_as(path.to_owned(), &seen).version != version {
        return Err(format!("{path}: it has changed"));
    }
    let mut bytes = Vec::new();
    let read = file
        .seek(SeekFrom::Start(offset))
        .and_then(|_| file.take(MAX_PART as u64).read_to_end(&mut bytes));
    read.map_err(|error| format!("{path}: {error}"))?;
    Ok(bytes)
}

/// Opens one of this node's reports.
pub(super) fn open(node: &Node, path: &str) -> Result<fs::File, String> {
    let sources = Sources::of(&node.settings().profile.reports);
    let relative = relative(path).filter(|_| sources.of_path(path).is_some());
    let relative = relative.ok_or_else(|| "no report of this node".to_owned())?;
    let root = Root::open(node.root()).map_err(|error| error.to_string())?;
    open_plain(&root, &relative).map_err(|error| format!("{relative}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::agent::profile::Pattern;

    fn reports(paths: &[&str]) -> Vec<ReportFiles> {
        let paths = paths.iter().map(|path| Pattern::new(path).expect("a pattern")).collect();
        vec![ReportFiles { name: "all".to_owned(), paths }]
    }

    #[test]
    fn only_files_of_the_right_kind_and_place_are_reports_and_no_symlink_is() {
        let root = std::env::temp_dir().join(format!("twinwall-list-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (path, text) in [
            ("var/reports/a.PDF", "1"),
            ("var/reports/deep/er/b.html", "22"),
            ("var/reports/c.sh", "no"),
            ("var/other/d.csv", "no"),
            ("var/odd/2026-11/e.csv", "333"),
            ("var/odd/2026-11/f.pdf", "no"),
            ("etc/shadow.csv", "secret"),
        ] {
            fs::create_dir_all(root.join(path).parent().expect("a folder")).expect("made");
            fs::write(root.join(path), text).expect("written");
        }
        symlink(root.join("etc/shadow.csv"), root.join("var/reports/x.csv")).expect("made");
        symlink(root.join("etc"), root.join("var/reports/etc")).expect("made");
        // Of those whose name cannot be told only reports count.
        for name in [&b"new\nline.csv"[..], b"esc\x1b.pdf", b"latin-\xe9.html", b"esc\x1b.txt"] {
            let name = std::ffi::OsStr::from_bytes(name);
            fs::write(root.join("var/reports").join(name), "1").expect("written");
        }
        let named = reports(&["/var/reports/**", "/var/{odd,even}/*/*.csv"]);
        let (found, left_out) = own(&root, &named);
        let mut paths: Vec<&str> = found.iter().map(|file| file.path.as_str()).collect();
        paths.sort_unstable();
        let wanted =
            ["/var/odd/2026-11/e.csv", "/var/reports/a.PDF", "/var/reports/deep/er/b.html"];
        assert_eq!((paths.as_slice(), left_out), (&wanted[..], 3));
        fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_none() {
        let sources = Sources::of(&reports(&["/var/reports"]));
        assert!(sources.of_path("/var/reports/a.pdf").is_some());
        for path in [
            "var/reports/a.pdf",
            "/var/reports/../a.pdf",
            "/var/reports//a.pdf",
            "/var/reports/a\n.pdf",
            "/var/reportsa.pdf",
            "/var/reports/a.exe",
            "/var/reports/pdf",
        ] {
            assert_eq!(sources.of_path(path), None, "{path:?}");
        }
    }
}

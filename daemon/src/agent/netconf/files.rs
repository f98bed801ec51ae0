//! The files below the root as they are, with planned changes over them: several interfaces
//! may stand in one file. Called by the plan; it writes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::Refused;
use crate::agent::settings::FileChange;

/// Largest file in bytes that is read: a network configuration has some kilobytes.
const MAX_FILE: u64 = 1 << 20;
/// Most files of one folder that are looked at.
const MAX_ENTRIES: usize = 1024;

/// See the module.
pub struct Files<'r> {
    root: &'r Path,
    changed: BTreeMap<String, String>,
}

impl<'r> Files<'r> {
    /// Nothing is changed yet.
    pub fn new(root: &'r Path) -> Files<'r> {
        Files { root, changed: BTreeMap::new() }
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The text of a file; none where there is none, or something else in its place, as the
    /// link to /dev/null that masks a file.
    pub(super) fn read(&self, path: &str) -> Result<Option<String>, Refused> {
        if let Some(text) = self.changed.get(path) {
            return Ok(Some(text.clone()));
        }
        let place = self.root.join(path);
        let refused = |error: io::Error| Refused::Unreadable(format!("{path}: {error}"));
        let found = match fs::metadata(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(refused)?,
        };
        if !found.is_file() {
            return Ok(None);
        }
        if found.len() > MAX_FILE {
            return Err(refused(io::Error::other(format!("longer than {MAX_FILE} bytes"))));
        }
        fs::read_to_string(&place).map(Some).map_err(refused)
    }

    /// The names in a folder, sorted; none where there is no folder.
    pub(super) fn list(&self, folder: &str) -> Result<Vec<String>, Refused> {
        let refused = |error: io::Error| Refused::Unreadable(format!("{folder}: {error}"));
        let entries = match fs::read_dir(self.root.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(refused)?,
        };
        let mut names = Vec::new();
        for entry in entries.take(MAX_ENTRIES) {
            names.extend(entry.map_err(refused)?.file_name().into_string());
        }
        let planned = self.changed.keys().filter_map(|path| path.strip_prefix(folder));
        let planned = planned.filter_map(|rest| rest.strip_prefix('/')).map(str::to_owned);
        names.extend(planned.filter(|name| !name.contains('/')));
        names.sort();
        names.dedup();
        Ok(names)
    }

    pub(super) fn put(&mut self, path: &str, text: String) {
        self.changed.insert(path.to_owned(), text);
    }

    pub(super) fn changes(self) -> Result<Vec<FileChange>, Refused> {
        let root = self.root;
        let change = |(path, after): (String, String)| {
            FileChange::of(root, &path, Some(after))
                .map_err(|error| Refused::Unreadable(format!("{path}: {error}")))
        };
        let all = self.changed.into_iter().map(change).collect::<Result<Vec<_>, _>>()?;
        Ok(all.into_iter().filter(|change| change.before != change.after).collect())
    }
}

/// Whether a shell pattern of `*`, `?` and `[...]` matches the whole text.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        Some((b'?', rest)) => text.split_first().is_some_and(|(_, text)| matches(rest, text)),
        Some((b'[', rest)) => {
            let (Some(end), Some((first, text))) =
                (rest.iter().position(|byte| *byte == b']'), text.split_first())
            else {
                return false;
            };
            let (set, negated) = match rest[..end].strip_prefix(b"!") {
                Some(set) => (set, true),
                None => (&rest[..end], false),
            };
            in_set(set, *first) != negated && matches(&rest[end + 1..], text)
        }
        Some((byte, rest)) => {
            text.split_first().is_some_and(|(first, text)| first == byte && matches(rest, text))
        }
    }
}

fn in_set(set: &[u8], byte: u8) -> bool {
    match set {
        [low, b'-', high, rest @ ..] => (*low..=*high).contains(&byte) || in_set(rest, byte),
        [one, rest @ ..] => *one == byte || in_set(rest, byte),
        [] => false,
    }
}

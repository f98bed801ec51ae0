//! What differs in a section, by file and line, for people. Asked by the API before a
//! direction is chosen; secrets are masked before anything is compared, so that they
//! leave the node in no form.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};

use crate::agent::digest::Digest;
use crate::agent::manifest::{Change, Entry, Kind, Manifest, RelPath};

/// Files whose lines are shown; of more only the names.
pub const MAX_FILES: usize = 100;
/// Paths that are named; more are counted.
pub const MAX_PATHS: usize = 2000;
/// Longest file in bytes whose lines are compared.
pub const MAX_TEXT: usize = 512 << 10;
/// Most lines shown of one file.
pub const MAX_LINES: usize = 1000;
/// Unchanged lines around a change.
const CONTEXT: usize = 3;

/// What differs in a section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SectionDiff {
    /// Each path that differs, at most [`MAX_PATHS`].
    pub paths: Vec<PathDiff>,
    /// How many more there are.
    pub more: usize,
}

/// How one path differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PathDiff {
    /// Where; unusual bytes are shown as escapes.
    pub path: String,
    /// What happens to it.
    pub change: PathChange,
    /// What differs besides the content: kind, mode, owner, in words.
    pub notes: Vec<String>,
    /// The lines around each change; empty when the content cannot be shown.
    pub lines: Vec<Line>,
    /// How many more lines there are.
    pub more_lines: usize,
}

/// What happens to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PathChange {
    /// Only the newer side has it.
    Added,
    /// Only the older side has it.
    Removed,
    /// Both have it.
    Modified,
}

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// Its number on the older side.
    pub old: Option<usize>,
    /// Its number on the newer side.
    pub new: Option<usize>,
    /// `-` only old, `+` only new, ` ` on both.
    pub sign: char,
    /// Its text without the line's end, secrets masked.
    pub text: String,
}

/// Where contents come from and how they are shown.
pub struct Sources<'a> {
    /// The bytes of a content, of at most [`MAX_TEXT`]; in words why not.
    pub content: &'a dyn Fn(&Digest) -> Result<Vec<u8>, String>,
    /// A text as it may be shown: tokens of addresses as words, secrets masked.
    pub shown: &'a dyn Fn(&RelPath, &str) -> String,
}

/// Compares two manifests of a section.
pub fn compare(old: &Manifest, new: &Manifest, sources: &Sources<'_>) -> SectionDiff {
    let changes = old.changes(new);
    let more = changes.len().saturating_sub(MAX_PATHS);
    let paths = changes.iter().take(MAX_PATHS).enumerate();
    let paths = paths.map(|(number, change)| path_diff(change, number < MAX_FILES, sources));
    SectionDiff { paths: paths.collect(), more }
}

fn path_diff(change: &Change<'_>, with_lines: bool, sources: &Sources<'_>) -> PathDiff {
    let (path, old, new, kind) = match change {
        Change::Added(path, new) => (*path, None, Some(*new), PathChange::Added),
        Change::Removed(path, old) => (*path, Some(*old), None, PathChange::Removed),
        Change::Modified(path, old, new) => (*path, Some(*old), Some(*new), PathChange::Modified),
    };
    let mut diff = PathDiff {
        path: path.to_string(),
        change: kind,
        notes: notes(old, new),
        lines: Vec::new(),
        more_lines: 0,
    };
    let texts = (text(path, old, sources), text(path, new, sources));
    match texts {
        (Ok(old), Ok(new)) if old == new => {
            if both_contents(change).is_some_and(|(old, new)| old != new) {
                diff.notes.push("content, only in what is masked".to_owned());
            }
        }
        (Ok(_), Ok(_)) if !with_lines => diff.notes.push("content".to_owned()),
        (Ok(old), Ok(new)) => {
            (diff.lines, diff.more_lines) = lines(&old, &new);
        }
        (Err(why), _) | (Ok(_), Err(why)) => diff.notes.push(why),
    }
    diff
}

/// Both contents of a file that stays a file.
fn both_contents(change: &Change<'_>) -> Option<(Digest, Digest)> {
    let Change::Modified(_, old, new) = change else { return None };
    match (&old.kind, &new.kind) {
        (Kind::File { content: old, .. }, Kind::File { content: new, .. }) => Some((*old, *new)),
        _ => None,
    }
}

/// The shown text of a file; empty where there is none.
fn text(path: &RelPath, entry: Option<&Entry>, sources: &Sources<'_>) -> Result<String, String> {
    let (size, content) = match entry.map(|entry| &entry.kind) {
        Some(Kind::File { size, content }) => (*size, content),
        Some(Kind::Directory | Kind::Symlink { .. }) | None => return Ok(String::new()),
    };
    if size > MAX_TEXT as u64 {
        return Err(format!("content: {size} bytes, too long to be shown"));
    }
    let bytes = (sources.content)(content)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((sources.shown)(path, &text)),
        Err(_) => Err(format!("content: {size} bytes, not text")),
    }
}

fn notes(old: Option<&Entry>, new: Option<&Entry>) -> Vec<String> {
    let mut notes = Vec::new();
    let (Some(old), Some(new)) = (old, new) else {
        notes.extend(old.or(new).and_then(|entry| describe(&entry.kind)));
        return notes;
    };
    let (was, is) = (describe(&old.kind), describe(&new.kind));
    if was != is {
        let file = || "a file".to_owned();
        notes.push(format!("{} → {}", was.unwrap_or_else(file), is.unwrap_or_else(file)));
    }
    if old.mode != new.mode {
        notes.push(format!("mode {:04o} → {:04o}", old.mode, new.mode));
    }
    let owner = |entry: &Entry| format!("{}:{}", entry.user, entry.group);
    if owner(old) != owner(new) {
        notes.push(format!("owner {} → {}", owner(old), owner(new)));
    }
    notes
}

/// What it is, if it is no plain file.
fn describe(kind: &Kind) -> Option<String> {
    match kind {
        Kind::File { .. } => None,
        Kind::Directory => Some("a directory".to_owned()),
        Kind::Symlink { target } => {
            Some(format!("a link to {}", String::from_utf8_lossy(target).escape_debug()))
        }
    }
}

fn lines(old: &str, new: &str) -> (Vec<Line>, usize) {
    let diff = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(CONTEXT) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let number = |index: Option<usize>| index.map(|index| index + 1);
            lines.push(Line {
                old: number(change.old_index()),
                new: number(change.new_index()),
                sign,
                text: change.value().trim_end_matches(['\n', '\r']).to_owned(),
            });
        }
    }
    let more = lines.len().saturating_sub(MAX_LINES);
    lines.truncate(MAX_LINES);
    (lines, more)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::agent::manifest::Owner;

    /// Contents by digest, as a store has them.
    #[derive(Default)]
    struct Contents(BTreeMap<Digest, Vec<u8>>);

    impl Contents {
        fn file(&mut self, bytes: &[u8]) -> Entry {
            let content = Digest::of(bytes);
            self.0.insert(content, bytes.to_vec());
            entry(Kind::File { size: bytes.len() as u64, content }, 0o644)
        }

        fn compare(&self, old: &Manifest, new: &Manifest) -> SectionDiff {
            let content = |digest: &Digest| self.0.get(digest).cloned().ok_or("gone".to_owned());
            let shown = |_: &RelPath, text: &str| text.replace("hunter2", "…");
            compare(old, new, &Sources { content: &content, shown: &shown })
        }
    }

    fn entry(kind: Kind, mode: u16) -> Entry {
        let root = || Owner::Name("root".to_owned());
        Entry { kind, mode, user: root(), group: root() }
    }

    fn at(name: &str, entry: Entry) -> (RelPath, Entry) {
        (RelPath::new(name.as_bytes()).expect("a path"), entry)
    }

    #[test]
    fn lines_are_shown_with_their_numbers_and_secrets_are_not() {
        let mut contents = Contents::default();
        let old: Manifest =
            [at("etc/a", contents.file(b"one\ntwo\npsk hunter2\n"))].into_iter().collect();
        let new: Manifest = [at("etc/a", contents.file(b"one\n2\npsk hunter2\nsecret hunter2\n"))]
            .into_iter()
            .collect();
        let diff = contents.compare(&old, &new);
        let shown: Vec<String> = diff.paths[0]
            .lines
            .iter()
            .map(|line| format!("{:?} {:?} {}{}", line.old, line.new, line.sign, line.text))
            .collect();
        let wanted = [
            "Some(1) Some(1)  one",
            "Some(2) None -two",
            "None Some(2) +2",
            "Some(3) Some(3)  psk …",
            "None Some(4) +secret …",
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_change_of_a_secret_alone_is_still_told() {
        let mut contents = Contents::default();
        let old: Manifest = [at("etc/a", contents.file(b"psk hunter2"))].into_iter().collect();
        let new: Manifest = [at("etc/a", contents.file("psk …".as_bytes()))].into_iter().collect();
        let diff = contents.compare(&old, &new);
        assert_eq!(diff.paths[0].notes, ["content, only in what is masked"]);
        assert!(diff.paths[0].lines.is_empty());
    }

    #[test]
    fn kind_mode_and_owner_are_told_in_words() {
        let mut contents = Contents::default();
        let mut changed = contents.file(b"same");
        changed.mode = 0o600;
        changed.group = Owner::Number(7);
        let link = entry(Kind::Symlink { target: b"../x".to_vec() }, 0);
        let old: Manifest = [
            at("etc/a", contents.file(b"same")),
            at("etc/b", contents.file(b"text")),
            at("etc/gone", entry(Kind::Directory, 0o755)),
        ]
        .into_iter()
        .collect();
        let new: Manifest = [at("etc/a", changed), at("etc/b", link)].into_iter().collect();
        let diff = contents.compare(&old, &new);
        assert_eq!(diff.paths[0].notes, ["mode 0644 → 0600", "owner root:root → root:7"]);
        assert!(diff.paths[0].lines.is_empty());
        assert_eq!(diff.paths[1].notes[0], "a file → a link to ../x");
        assert_eq!(
            (diff.paths[2].change, diff.paths[2].notes[0].as_str()),
            (PathChange::Removed, "a directory")
        );
    }

    #[test]
    fn what_cannot_be_shown_says_so() {
        let mut contents = Contents::default();
        let long = contents.file(&vec![b'x'; MAX_TEXT + 1]);
        let new: Manifest = [at("etc/bin", contents.file(&[0xff, 0, 1])), at("etc/long", long)]
            .into_iter()
            .collect();
        let diff = contents.compare(&Manifest::default(), &new);
        assert_eq!(diff.paths[0].notes, ["content: 3 bytes, not text"]);
        assert!(diff.paths[1].notes[0].contains("too long"));
        let many: Manifest = (0..MAX_PATHS + 5)
            .map(|number| at(&format!("etc/{number}"), contents.file(b"x\n")))
            .collect();
        let diff = contents.compare(&Manifest::default(), &many);
        assert_eq!((diff.paths.len(), diff.more), (MAX_PATHS, 5));
        assert_eq!(diff.paths.iter().filter(|path| !path.lines.is_empty()).count(), MAX_FILES);
        let lines = "x\n".repeat(MAX_LINES + 7);
        let new: Manifest = [at("etc/a", contents.file(lines.as_bytes()))].into_iter().collect();
        assert_eq!(contents.compare(&Manifest::default(), &new).paths[0].more_lines, 7);
    }
}

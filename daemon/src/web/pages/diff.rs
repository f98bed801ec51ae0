//! A difference as a page shows it: file by file and line by line, as much as a page bears.
//! Secrets are masked before it comes here.

use askama::Template;

use crate::agent::engine::diff::{PathChange, PathDiff, SectionDiff};

/// Lines on a page, over all files and sections.
const MAX_LINES: usize = 240;
/// Files on a page.
const MAX_FILES: usize = 60;
/// Characters of a line.
const MAX_WIDTH: usize = 240;

/// How much room a page has left.
pub(super) struct Room {
    lines: usize,
    files: usize,
}

impl Default for Room {
    fn default() -> Room {
        Room { lines: MAX_LINES, files: MAX_FILES }
    }
}

/// A difference, made to be shown.
#[derive(Template)]
#[template(path = "part/diff.html")]
pub(super) struct Diff {
    pub(super) files: Vec<File>,
    /// Files that are not shown.
    pub(super) more: usize,
}

/// One file.
pub(super) struct File {
    path: String,
    word: String,
    class: &'static str,
    notes: String,
    lines: Vec<Line>,
    more: usize,
}

/// One line.
pub(super) struct Line {
    class: &'static str,
    sign: char,
    number: String,
    text: String,
}

impl Diff {
    pub(super) fn of(diff: SectionDiff, room: &mut Room) -> Diff {
        let all = diff.paths.len() + diff.more;
        let shown = diff.paths.len().min(room.files);
        room.files -= shown;
        let files = diff.paths.into_iter().take(shown).map(|path| File::of(path, room)).collect();
        Diff { files, more: all - shown }
    }

    /// Says whose a file is that only one of two nodes has, where nothing is replaced yet.
    pub(super) fn between(mut self, older: &str, newer: &str) -> Diff {
        for file in &mut self.files {
            let only = match file.class {
                "good" => newer,
                "bad" => older,
                _both => continue,
            };
            (file.word, file.class) = (format!("only on {only}"), "calm");
        }
        self
    }

    /// Its HTML; empty where memory is short.
    pub(super) fn html(&self) -> String {
        self.render().unwrap_or_default()
    }
}

impl File {
    fn of(path: PathDiff, room: &mut Room) -> File {
        let (word, class) = match path.change {
            PathChange::Added => ("new", "good"),
            PathChange::Removed => ("removed", "bad"),
            PathChange::Modified => ("changed", "calm"),
        };
        let all = path.lines.len() + path.more_lines;
        let shown = path.lines.len().min(room.lines);
        room.lines -= shown;
        let lines = path.lines.into_iter().take(shown).map(|line| Line {
            class: match line.sign {
                '+' => "add",
                '-' => "del",
                _same => "",
            },
            sign: line.sign,
            number: line.new.or(line.old).map(|number| number.to_string()).unwrap_or_default(),
            text: cut(&line.text),
        });
        File {
            path: path.path,
            word: word.to_owned(),
            class,
            notes: path.notes.join("; "),
            lines: lines.collect(),
            more: all - shown,
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_WIDTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::engine::diff;

    #[test]
    fn a_page_shows_as_much_as_it_bears_and_counts_the_rest() {
        let line = |_| diff::Line { old: None, new: Some(1), sign: '+', text: "<x>".repeat(200) };
        let path = |number: usize| PathDiff {
            path: format!("etc/{number}"),
            change: PathChange::Added,
            notes: vec!["mode 0644 → 0600".to_owned()],
            lines: (0..100).map(line).collect(),
            more_lines: 5,
        };
        let diff = SectionDiff { paths: (0..MAX_FILES + 3).map(path).collect(), more: 4 };
        let mut room = Room::default();
        let shown = Diff::of(diff, &mut room);
        assert_eq!((shown.files.len(), shown.more), (MAX_FILES, 7));
        let lines: Vec<(usize, usize)> =
            shown.files.iter().take(4).map(|it| (it.lines.len(), it.more)).collect();
        assert_eq!(lines, [(100, 5), (100, 5), (40, 65), (0, 105)]);
        let html = shown.html();
        assert!(!html.contains("<x>") && html.contains("mode 0644") && html.contains("etc/59"));
    }
}

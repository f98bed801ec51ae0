//! What a node's guard told, kept over restarts of guard and agent: each event once, the
//! newest [`MAX_ENTRIES`]. One file for this node, one for what the other node said; both
//! are appended to, and written anew from time to time. A line that was cut off is passed over.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use twinwall_core::note::What;

use crate::agent::store::write_durably;

/// Events that are kept of each node: weeks of a quiet pair.
pub const MAX_ENTRIES: usize = 1000;
/// Longest text of an event that is taken from the other node, in bytes.
const MAX_TEXT: usize = 4 << 10;
/// Largest file in bytes that is read: twice as many events as are kept, with long texts.
const MAX_FILE: u64 = 16 << 20;

/// An event of a guard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GuardEntry")]
pub struct Entry {
    /// The guard's run, 32 hexadecimal digits.
    pub run: String,
    /// Its number in that run, from 1.
    pub number: u64,
    /// Microseconds since 1970 (UTC) on the clock of the node that tells it.
    pub unix_us: u64,
    /// What happened; none where the other node's release has a word that this one has not.
    #[serde(default, deserialize_with = "known")]
    pub what: Option<What>,
    /// The same in words.
    pub text: String,
}

/// Where a reader is in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The run of the last event that is known.
    pub run: String,
    /// Its number.
    pub number: u64,
}

fn known<'de, D: Deserializer<'de>>(from: D) -> Result<Option<What>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).ok())
}

/// One node's events.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    entries: VecDeque<Entry>,
    /// Lines in the file.
    lines: usize,
}

impl Log {
    /// Reads the file; one that is not there, or is nothing that was written here, is empty.
    pub(super) fn open(path: &Path) -> Log {
        let fits = fs::metadata(path).is_ok_and(|it| it.len() <= MAX_FILE);
        let bytes = if fits { fs::read(path).unwrap_or_default() } else { Vec::new() };
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let all = lines.iter().filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
        let mut entries: VecDeque<Entry> = all.collect();
        entries.drain(..entries.len().saturating_sub(MAX_ENTRIES));
        // The first one that is added writes a spoiled or an overlong file anew.
        let whole = bytes.is_empty() || bytes.last() == Some(&b'\n');
        let lines = if fits && whole { lines.len() } else { usize::MAX };
        Log { path: path.to_owned(), entries, lines }
    }

    pub(super) fn entries(&self) -> &VecDeque<Entry> {
        &self.entries
    }

    /// Where it ends.
    pub(super) fn place(&self) -> Option<Place> {
        let last = self.entries.back()?;
        Some(Place { run: last.run.clone(), number: last.number })
    }

    /// What came after `place`, at most `most`, the newest of them.
    pub(super) fn after(&self, place: Option<&Place>, most: usize) -> Vec<Entry> {
        let is_there = |entry: &Entry| {
            place.is_some_and(|it| (&it.run, it.number) == (&entry.run, entry.number))
        };
        let from = self.entries.iter().rposition(is_there).map_or(0, |at| at + 1);
        let from = from.max(self.entries.len().saturating_sub(most));
        self.entries.range(from..).cloned().collect()
    }

    /// Takes in events that are not known yet, in their order.
    pub(super) fn add(&mut self, new: Vec<Entry>) -> io::Result<()> {
        let mut text = Vec::new();
        let mut count = 0;
        for mut entry in new {
            if self.entries.iter().rev().any(|it| it.run == entry.run && it.number >= entry.number)
            {
                continue;
            }
            cut(&mut entry.text);
            serde_json::to_writer(&mut text, &entry)?;
            text.push(b'\n');
            count += 1;
            self.entries.push_back(entry);
        }
        self.entries.drain(..self.entries.len().saturating_sub(MAX_ENTRIES));
        if count == 0 {
            return Ok(());
        }
        if self.lines.saturating_add(count) > 2 * MAX_ENTRIES {
            return self.write_anew();
        }
        self.lines += count;
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        file.write_all(&text)?;
        file.sync_data()
    }

    fn write_anew(&mut self) -> io::Result<()> {
        let mut text = Vec::new();
        for entry in &self.entries {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        write_durably(&self.path, &text)?;
        self.lines = self.entries.len();
        Ok(())
    }

    /// Forgets everything: the other node is another one now.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.entries.clear();
        self.write_anew()
    }
}

fn cut(text: &mut String) {
    let fits = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=MAX_TEXT.min(text.len())).rev().find(fits);
    text.truncate(end.unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: &str, number: u64) -> Entry {
        let (run, text) = (run.to_owned(), "x".to_owned());
        Entry { run, number, unix_us: number, what: Some(What::DoubtEnded), text }
    }

    fn numbers(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.number).collect()
    }

    #[test]
    fn each_event_is_kept_once_over_restarts_and_only_so_many() {
        let name = format!("twinwall-log-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_file(&path);
        let mut log = Log::open(&path);
        log.add(vec![entry("a", 1), entry("a", 2)]).expect("written");
        log.add(vec![entry("a", 2), entry("b", 1)]).expect("written");
        let mut file = OpenOptions::new().append(true).open(&path).expect("there");
        file.write_all(b"{\"run\":\"b\",\"number").expect("cut off");
        let mut log = Log::open(&path);
        assert_eq!(numbers(&log.after(None, 9)), [1, 2, 1]);
        let place = Place { run: "a".to_owned(), number: 2 };
        assert_eq!(log.after(Some(&place), 9), [entry("b", 1)]);
        assert_eq!(numbers(&log.after(None, 2)), [2, 1]);
        let many = (2..MAX_ENTRIES as u64 * 3).map(|number| entry("b", number)).collect();
        log.add(many).expect("written");
        let log = Log::open(&path);
        assert_eq!(log.entries().len(), MAX_ENTRIES);
        assert_eq!(log.place().map(|it| it.number), Some(MAX_ENTRIES as u64 * 3 - 1));
        fs::remove_file(path).expect("removed");
    }

    #[test]
    fn a_word_of_a_newer_release_is_kept_in_its_text() {
        let text = r#"{"run":"a","number":1,"unix_us":5,"what":{"teleported":{}},"text":"gone"}"#;
        let entry: Entry = serde_json::from_str(text).expect("read");
        assert_eq!((entry.what, entry.text.as_str()), (None, "gone"));
    }
}

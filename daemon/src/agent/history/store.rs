//! The records on disk: a file that is appended to, and another one for what goes on. Of both
//! only whole lines count; a cut is passed over.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::record::{Record, Span};
use crate::agent::store::write_durably;

/// Records that are kept: many years of a quiet pair, one of a very restless one.
pub(super) const MAX_RECORDS: usize = 20_000;
/// What goes when there are more, so that the file is not written anew for each.
const SHARE: usize = 4;
/// Largest file in bytes that is read.
const MAX_FILE: u64 = 32 << 20;

/// What is kept.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    open: PathBuf,
    records: Vec<Record>,
    /// What was written of what goes on; none before that.
    written: Option<Vec<Span>>,
    /// Whether the file ends with a whole line.
    whole: bool,
}

impl Store {
    /// Reads both files. What was going on when the last agent ended was over then.
    pub(super) fn open(folder: &Path) -> Store {
        let (path, open) = (folder.join("history.jsonl"), folder.join("history-open.json"));
        let bytes = read(&path);
        let lines = bytes.split(|byte| *byte == b'\n');
        let records = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let whole = bytes.last().is_none_or(|last| *last == b'\n');
        let going_on: Vec<Span> = serde_json::from_slice(&read(&open)).unwrap_or_default();
        let mut store = Store { path, open, records, written: None, whole };
        let ended = going_on.into_iter().filter(|span| span.from_ms < span.to_ms);
        let ended: Vec<Record> = ended.map(Record::Span).collect();
        // A cut between the two files leaves a time in both.
        let fresh = ended.into_iter().filter(|it| !store.records.contains(it)).collect();
        if let Err(error) = store.add(fresh).and_then(|()| store.set_open(&[])) {
            eprintln!("twinwall agent: history: {error}");
        }
        store
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Whether this move is kept.
    pub(super) fn has_move(&self, id: &str) -> bool {
        self.records.iter().rev().any(|it| matches!(it, Record::Move(one) if one.id == id))
    }

    /// Appends them, durably.
    pub(super) fn add(&mut self, new: Vec<Record>) -> io::Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let text = lines(&new)?;
        self.records.extend(new);
        if self.records.len() > MAX_RECORDS || !self.whole {
            let surplus = self.records.len().saturating_sub(MAX_RECORDS);
            if surplus > 0 {
                self.records.drain(..surplus.max(MAX_RECORDS / SHARE));
            }
            write_durably(&self.path, &lines(&self.records)?)?;
            self.whole = true;
            return Ok(());
        }
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        // A line that is cut off by a full disk would swallow the next one.
        self.whole = false;
        file.write_all(&text)?;
        file.sync_data()?;
        self.whole = true;
        Ok(())
    }

    /// Writes down what goes on.
    pub(super) fn set_open(&mut self, going_on: &[Span]) -> io::Result<()> {
        if self.written.as_deref() == Some(going_on) {
            return Ok(());
        }
        write_durably(&self.open, &serde_json::to_vec(going_on)?)?;
        self.written = Some(going_on.to_vec());
        Ok(())
    }
}

fn read(path: &Path) -> Vec<u8> {
    let fits = fs::metadata(path).is_ok_and(|it| it.len() <= MAX_FILE);
    if fits { fs::read(path).unwrap_or_default() } else { Vec::new() }
}

fn lines(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for record in records {
        serde_json::to_writer(&mut text, record)?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::record::State;
    use super::*;

    fn span(at: u64) -> Span {
        Span { state: State::Watched, from_ms: at, to_ms: at + 5 }
    }

    #[test]
    fn what_went_on_when_the_agent_was_killed_is_told_once() {
        let folder = std::env::temp_dir().join(format!("twinwall-history-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("made");
        let mut store = Store::open(&folder);
        store.add(vec![Record::Span(span(10))]).expect("written");
        store.set_open(&[span(20)]).expect("written");
        let told = [Record::Span(span(10)), Record::Span(span(20))];
        assert_eq!(Store::open(&folder).records(), told);
        assert_eq!(Store::open(&folder).records(), told, "once");
        // The disk lost the end of a line.
        let path = folder.join("history.jsonl");
        let mut text = fs::read(&path).expect("there");
        text.truncate(text.len() - 4);
        fs::write(&path, text).expect("cut");
        let mut store = Store::open(&folder);
        store.add(vec![Record::Span(span(30))]).expect("written");
        let told = [Record::Span(span(10)), Record::Span(span(30))];
        assert_eq!(Store::open(&folder).records(), told);
        let many = (100..100 + MAX_RECORDS as u64).map(|at| Record::Span(span(at))).collect();
        store.add(many).expect("written");
        let kept = Store::open(&folder).records().to_vec();
        assert!(kept.len() <= MAX_RECORDS && kept.len() > MAX_RECORDS / 2, "{}", kept.len());
        assert_eq!(kept.last(), Some(&Record::Span(span(99 + MAX_RECORDS as u64))));
        fs::remove_dir_all(folder).expect("removed");
    }
}

//! The notices on disk: the newest [`MAX_NOTICES`], a line each, appended to and written anew
//! from time to time. A line that was cut off is passed over.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{MAX_NOTICES, Notice};
use crate::agent::store::write_durably;

/// Largest file in bytes that is read: twice as many as are kept, with the longest texts.
const MAX_FILE: u64 = 8 << 20;

/// The file.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// Lines in it.
    lines: usize,
}

impl Log {
    /// Reads the file; one that is not there, or is nothing that was written here, is empty.
    pub(super) fn open(path: &Path) -> (Log, VecDeque<Notice>) {
        let fits = fs::metadata(path).is_ok_and(|it| it.len() <= MAX_FILE);
        let bytes = if fits { fs::read(path).unwrap_or_default() } else { Vec::new() };
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let read = lines.iter().filter_map(|line| serde_json::from_slice::<Notice>(line).ok());
        let mut notices: VecDeque<Notice> = VecDeque::new();
        for notice in read {
            // Their numbers only go up, whatever somebody did to the file.
            if notices.back().is_none_or(|last| last.id < notice.id) {
                notices.push_back(notice);
            }
        }
        notices.drain(..notices.len().saturating_sub(MAX_NOTICES));
        // The first one that is added writes a spoiled or an overlong file anew.
        let whole = bytes.is_empty() || bytes.last() == Some(&b'\n');
        let lines = if fits && whole { lines.len() } else { usize::MAX };
        (Log { path: path.to_owned(), lines }, notices)
    }

    /// Appends `new`; `all` is what is kept with them.
    pub(super) fn add(&mut self, new: &[Notice], all: &VecDeque<Notice>) -> io::Result<()> {
        if self.lines.saturating_add(new.len()) > 2 * MAX_NOTICES {
            write_durably(&self.path, &lines(all.iter())?)?;
            self.lines = all.len();
            return Ok(());
        }
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        file.write_all(&lines(new.iter())?)?;
        self.lines += new.len();
        file.sync_data()
    }
}

fn lines<'a>(notices: impl Iterator<Item = &'a Notice>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for notice in notices {
        serde_json::to_writer(&mut text, notice)?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::conditions::{ConditionId, Kind};

    fn notice(id: u64) -> Notice {
        Notice {
            id,
            at_ms: id,
            since_ms: None,
            node: "gw-a".to_owned(),
            condition: ConditionId::DiskFull,
            subject: Some("/".to_owned()),
            severity: ConditionId::DiskFull.severity(),
            kind: Kind::Raised,
            text: "x".to_owned(),
            what_now: "y".to_owned(),
        }
    }

    #[test]
    fn notices_survive_a_restart_and_a_torn_line_and_only_so_many_are_kept() {
        let path = std::env::temp_dir().join(format!("twinwall-notices-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let (mut log, mut all) = Log::open(&path);
        all.extend([notice(1), notice(2)]);
        log.add(&[notice(1), notice(2)], &all).expect("written");
        let mut file = OpenOptions::new().append(true).open(&path).expect("there");
        file.write_all(b"{\"id\":3,\"at").expect("torn");
        let (mut log, mut all) = Log::open(&path);
        assert_eq!(all, [notice(1), notice(2)]);
        for first in 1..30 {
            let new: Vec<Notice> = (first * 100..first * 100 + 100).map(notice).collect();
            all.extend(new.iter().cloned());
            all.drain(..all.len().saturating_sub(MAX_NOTICES));
            log.add(&new, &all).expect("written");
        }
        let (_, read) = Log::open(&path);
        assert_eq!((read.len(), &read), (MAX_NOTICES, &all));
        let long = fs::read_to_string(&path).expect("there").lines().count();
        assert!(long <= 2 * MAX_NOTICES, "{long} lines");
        fs::remove_file(path).expect("removed");
    }
}

//! The files of one origin: each holds batches one after the other and is called after the
//! number of its first line. Listed and walked over here, for the writer, the readers and the
//! sender; nothing here changes one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::batch::{
    Batch, BatchError, HEADER, Head, MAX_BATCH, MAX_MARK, MAX_NAME, head, is_whole,
};

/// How the files' names end.
const ENDING: &str = ".lines";
/// Read from the disk in one go while headers are looked at: many of small batches, and little
/// of a large one that is passed over.
const GLANCE: usize = 8 << 10;
/// The same once a batch matters: those behind it do, too.
const WINDOW: usize = 64 << 10;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent::logs) struct Segment {
    /// Number of its first line.
    pub(in crate::agent::logs) first: u64,
    pub(in crate::agent::logs) path: PathBuf,
}

/// The file that begins with this line.
pub(super) fn path_of(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}{ENDING}"))
}

/// All files of this directory, the oldest first; none where it is not there.
pub(in crate::agent::logs) fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut all = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(ENDING));
        if let Some(first) = first.and_then(|digits| digits.parse().ok()) {
            all.push(Segment { first, path: directory.join(&name) });
        }
    }
    all.sort_unstable_by_key(|segment: &Segment| segment.first);
    Ok(all)
}

/// Which of these holds this line, if one does: the last that begins at or before it.
pub(in crate::agent::logs) fn holding(all: &[Segment], number: u64) -> Option<usize> {
    all.partition_point(|segment| segment.first <= number).checked_sub(1)
}

/// A way along the batches of one file: a look at each header, and at what is behind those
/// that matter.
pub(in crate::agent::logs) struct Walk {
    file: File,
    /// Where in the file `window` begins.
    begins: u64,
    window: Vec<u8>,
    /// Where the next batch begins.
    at: u64,
}

impl Walk {
    /// Begins with the batch at this place of the file.
    pub(in crate::agent::logs) fn open(path: &Path, at: u64) -> io::Result<Walk> {
        Ok(Walk { file: File::open(path)?, begins: at, window: Vec::new(), at })
    }

    /// Where the next batch begins.
    pub(in crate::agent::logs) fn at(&self) -> u64 {
        self.at
    }

    /// The header of the next batch. None at the end of what is written whole.
    pub(in crate::agent::logs) fn peek(&mut self) -> io::Result<Option<Head>> {
        // What is in the window may have been half written when it was read.
        for fresh in [false, true] {
            if fresh || self.behind().len() < HEADER + MAX_NAME + MAX_MARK {
                self.fill(GLANCE)?;
            }
            match head(self.behind()) {
                Ok(head) => return Ok(Some(head)),
                Err(BatchError::Short | BatchError::Damaged | BatchError::Wrong) => {}
            }
        }
        Ok(None)
    }

    /// The source's name in a header that was looked at.
    pub(in crate::agent::logs) fn name(&self, head: &Head) -> &[u8] {
        head.name(self.behind())
    }

    /// The whole batch whose header was looked at. None while it is not written whole.
    pub(in crate::agent::logs) fn batch(&mut self, head: &Head) -> io::Result<Option<Batch<'_>>> {
        if self.behind().len() < head.length() {
            self.fill(head.length().max(WINDOW))?;
        }
        if !is_whole(head, self.behind()) {
            // What was read of it may be old.
            self.window.clear();
            return Ok(None);
        }
        Ok(Some(Batch::of(*head, self.behind())))
    }

    /// Goes on behind this batch.
    pub(in crate::agent::logs) fn pass(&mut self, head: &Head) {
        self.at += head.length() as u64;
    }

    fn behind(&self) -> &[u8] {
        let passed = usize::try_from(self.at - self.begins).unwrap_or(usize::MAX);
        self.window.get(passed..).unwrap_or_default()
    }

    fn fill(&mut self, length: usize) -> io::Result<()> {
        self.window.resize(length.min(MAX_BATCH), 0);
        self.begins = self.at;
        let mut filled = 0;
        while filled < self.window.len() {
            match self.file.read_at(&mut self.window[filled..], self.at + filled as u64)? {
                0 => break,
                more => filled += more,
            }
        }
        self.window.truncate(filled);
        Ok(())
    }
}

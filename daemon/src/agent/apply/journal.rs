//! What is on the way, on the disk: for each section the paths that change, with what was
//! there before. Complete in itself, so that a recovery needs neither the profile nor the
//! settings of the moment. A journal that is there means: bring the old files back.
//!
//! The file: `TWJ1`, the length of a header u32 (big-endian), the header (JSON), then the
//! manifests that it announces, and at the end the BLAKE3 digest of all that.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::syncfs;
use serde::{Deserialize, Serialize};

use crate::agent::digest::{DIGEST_BYTES, Digest};
use crate::agent::exclusive::exclusive;
use crate::agent::manifest::{MAX_ENCODED, Manifest};
use crate::agent::section::Section;
use crate::agent::step::Step;
use crate::agent::translate::Translator;
use crate::agent::tree::Lists;

const MAGIC: &[u8] = b"TWJ1";
/// Longest journal in bytes that is read: three manifests for each section would be more,
/// but only what changes stands in it.
const MAX_JOURNAL: u64 = 4 * MAX_ENCODED as u64;

/// The directory of the journal and the staged files. Held by one agent at a time.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    _lock: File,
}

/// What went wrong with the journal.
#[derive(Debug)]
pub enum JournalError {
    /// Another agent works here.
    Busy(PathBuf),
    /// The disk: what was being done, where, and the system's error.
    Disk(&'static str, PathBuf, io::Error),
    /// It cannot be read, so the old files cannot be brought back by it.
    Damaged(PathBuf),
}

/// What a journal says.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub(super) title: String,
    pub(super) translator: Translator,
    pub(super) parts: Vec<RecordPart>,
}

/// One section of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RecordPart {
    pub(super) section: Section,
    pub(super) lists: Lists,
    pub(super) apply: Vec<Step>,
    /// What was at the paths that change.
    pub(super) undo: Manifest,
    /// What shall be there.
    pub(super) redo: Manifest,
    /// Directories made on the way, which no section covers.
    pub(super) parents: Manifest,
}

#[derive(Serialize, Deserialize)]
struct Header {
    title: String,
    translator: Translator,
    parts: Vec<HeaderPart>,
}

#[derive(Serialize, Deserialize)]
struct HeaderPart {
    section: Section,
    lists: Lists,
    apply: Vec<Step>,
    /// Bytes of the manifests undo, redo and parents.
    lengths: [usize; 3],
}

impl fmt::Display for JournalError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalError::Busy(path) => {
                write!(out, "{} is in use by another agent; stop that one", path.display())
            }
            JournalError::Disk(doing, path, error) => {
                write!(out, "{doing} {}: {error}", path.display())
            }
            JournalError::Damaged(path) => write!(
                out,
                "{} is damaged: files of an interrupted change may be half old, half new; restore the \
                 sections from a version or from the peer, then remove it",
                path.display()
            ),
        }
    }
}

impl std::error::Error for JournalError {}

fn disk(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> JournalError + use<> {
    let path = path.to_owned();
    move |error| JournalError::Disk(doing, path.clone(), error)
}

impl Journal {
    /// Opens the directory, makes it if it is not there, and clears what was staged.
    pub fn open(directory: &Path) -> Result<Journal, JournalError> {
        let broken = disk("opening", directory);
        let fresh = !directory.is_dir();
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(&broken)?;
        let lock = File::open(directory).map_err(&broken)?;
        if fresh {
            // A journal is not found again in a directory that is lost.
            syncfs(&lock).map_err(|error| broken(error.into()))?;
        }
        if !exclusive(&lock).map_err(|error| broken(error.into()))? {
            return Err(JournalError::Busy(directory.to_owned()));
        }
        let journal = Journal { directory: directory.to_owned(), _lock: lock };
        journal.clear()?;
        Ok(journal)
    }

    /// Whether a change was interrupted and is not undone yet.
    pub fn is_pending(&self) -> bool {
        self.file().exists()
    }

    fn file(&self) -> PathBuf {
        self.directory.join("journal")
    }

    fn draft(&self) -> PathBuf {
        self.directory.join("journal.tmp")
    }

    /// The directory of this name.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A fresh directory of this name for staged files; nobody else may look into it.
    pub(super) fn fresh(&self, name: &str) -> Result<PathBuf, JournalError> {
        let path = self.directory.join(name);
        remove_tree(&path)?;
        DirBuilder::new().mode(0o700).create(&path).map_err(disk("making", &path))?;
        Ok(path)
    }

    /// Removes everything but the journal itself.
    pub(super) fn clear(&self) -> Result<(), JournalError> {
        for name in [STAGED, UNDONE, SCRATCH] {
            remove_tree(&self.directory.join(name))?;
        }
        match fs::remove_file(self.draft()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(disk("removing", &self.draft())(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes the record beside, makes it durable, and puts it in force. What was staged
    /// need not be durable: as long as the journal is there, the old files count.
    pub(super) fn begin(&self, record: &Record) -> Result<(), JournalError> {
        let draft = self.draft();
        let broken = disk("writing", &draft);
        let options = File::options().write(true).create_new(true).mode(0o600).to_owned();
        let mut file = options.open(&draft).map_err(&broken)?;
        file.write_all(&record.encode().map_err(&broken)?).map_err(&broken)?;
        file.sync_all().map_err(&broken)?;
        fs::rename(&draft, self.file()).map_err(&broken)?;
        self.sync_directory()
    }

    /// Takes the journal away, durably: what lies on the disk now is what counts.
    pub(super) fn end(&self) -> Result<(), JournalError> {
        match fs::remove_file(self.file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(disk("removing", &self.file())(error))
            }
            Ok(()) | Err(_) => self.sync_directory(),
        }
    }

    fn sync_directory(&self) -> Result<(), JournalError> {
        let open = File::open(&self.directory);
        open.and_then(|it| it.sync_all()).map_err(disk("syncing", &self.directory))
    }

    /// The record of an interrupted change.
    pub(super) fn read(&self) -> Result<Option<Record>, JournalError> {
        let path = self.file();
        let broken = disk("reading", &path);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(broken(error)),
            Ok(seen) if seen.len() > MAX_JOURNAL => return Err(JournalError::Damaged(path)),
            Ok(_) => {}
        }
        let bytes = fs::read(&path).map_err(&broken)?;
        Record::decode(&bytes).map(Some).ok_or(JournalError::Damaged(path))
    }
}

/// Names in the directory: new files, old files on their way back, and the place where a
/// private view of the file system keeps what validators write.
pub(super) const STAGED: &str = "staged";
pub(super) const UNDONE: &str = "undone";
pub(super) const SCRATCH: &str = "scratch";

fn remove_tree(path: &Path) -> Result<(), JournalError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk("removing", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Record {
    /// As it lies on the disk.
    ///
    /// # Errors
    /// When it is too long to be written.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let blobs: Vec<[Vec<u8>; 3]> = self
            .parts
            .iter()
            .map(|part| [part.undo.encode(), part.redo.encode(), part.parents.encode()])
            .collect();
        let parts = self.parts.iter().zip(&blobs).map(|(part, blobs)| HeaderPart {
            section: part.section,
            lists: part.lists.clone(),
            apply: part.apply.clone(),
            lengths: [blobs[0].len(), blobs[1].len(), blobs[2].len()],
        });
        let header = Header {
            title: self.title.clone(),
            translator: self.translator.clone(),
            parts: parts.collect(),
        };
        let header = serde_json::to_vec(&header).map_err(io::Error::other)?;
        let length = u32::try_from(header.len()).map_err(io::Error::other)?;
        let mut bytes = [MAGIC, &length.to_be_bytes(), header.as_slice()].concat();
        blobs.iter().flatten().for_each(|blob| bytes.extend_from_slice(blob));
        bytes.extend_from_slice(&Digest::of(&bytes).0);
        Ok(bytes)
    }

    /// Reads it back; none when it is damaged.
    pub fn decode(bytes: &[u8]) -> Option<Record> {
        let (body, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST_BYTES)?)?;
        if Digest::of(body).0 != digest {
            return None;
        }
        let body = body.strip_prefix(MAGIC)?;
        let (length, body) = body.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        let (header, mut blobs) = body.split_at_checked(length)?;
        let header: Header = serde_json::from_slice(header).ok()?;
        let mut next = |length: usize| {
            let (blob, rest) = blobs.split_at_checked(length)?;
            blobs = rest;
            Manifest::decode(blob).ok()
        };
        let mut parts = Vec::new();
        for part in header.parts {
            let [undo, redo, parents] = part.lengths;
            parts.push(RecordPart {
                section: part.section,
                lists: part.lists,
                apply: part.apply,
                undo: next(undo)?,
                redo: next(redo)?,
                parents: next(parents)?,
            });
        }
        blobs.is_empty().then_some(Record {
            title: header.title,
            translator: header.translator,
            parts,
        })
    }
}

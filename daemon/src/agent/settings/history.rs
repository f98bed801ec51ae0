//! The settings of this node as they are and as they were. Each change is a version with a
//! number, the day, and who made it; a file that was edited by hand becomes one as well as
//! soon as it is looked at. One agent works here at a time.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::PAIR;
use super::journal::{self, Decided, FileChange};
use super::revision::{Revision, Source, Version};
use crate::agent::digest::Digest;
use crate::agent::identity::private::{Lock, lock_directory};

/// Where the versions lie, relative to the root.
pub const DIRECTORY: &str = "var/lib/twinwall/settings";
/// Versions that are kept: years of an administrator's changes, at some kilobytes each.
pub const MAX_VERSIONS: usize = 500;

/// The history of one node's settings.
#[derive(Debug)]
pub struct History {
    root: PathBuf,
    node: String,
    versions: Mutex<Vec<Version>>,
    _lock: Lock,
}

/// The settings as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// Their version.
    pub version: Version,
    /// The text of pair.toml.
    pub text: String,
}

/// Why the history cannot be read or added to.
#[derive(Debug)]
pub enum HistoryError {
    /// The disk.
    Disk(PathBuf, io::Error),
    /// This node has no settings: it was never paired.
    NotPaired,
    /// No such version.
    NoVersion(u64),
    /// A file is not as it was when the change was planned.
    Changed(String),
    /// These settings are older than those that are here, or apart from them.
    NotNewer(Revision),
}

impl fmt::Display for HistoryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HistoryError::Disk(path, error) => write!(out, "{}: {error}", path.display()),
            HistoryError::NotPaired => out.write_str(
                "this node has no HA settings yet; pair it first: 'twinwall pair invite' on the \
                 node that serves today, 'twinwall pair join' on the other one",
            ),
            HistoryError::NoVersion(number) => write!(
                out,
                "version {number} of the settings is not kept; 'twinwall ha history' lists all"
            ),
            HistoryError::Changed(path) => {
                write!(out, "{path} was changed meanwhile; look at it and give the order again")
            }
            HistoryError::NotNewer(here) => write!(
                out,
                "the settings here are of revision {}, which is not older; take them over first",
                here.number
            ),
        }
    }
}

impl std::error::Error for HistoryError {}

/// A version as it lies on the disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: Version,
    text: String,
    /// The other files that were changed with it, with what was in them.
    #[serde(default)]
    files: Vec<FileChange>,
}

impl History {
    /// Opens the history below `root`, and carries a change out that was cut off. `node` is
    /// this node's name. Waits for another holder.
    ///
    /// # Errors
    /// The disk's.
    pub fn open(root: &Path, node: &str) -> Result<History, HistoryError> {
        let directory = root.join(DIRECTORY);
        let broken = |error| HistoryError::Disk(directory.clone(), error);
        let lock = lock_directory(&directory).map_err(broken)?;
        fs::create_dir_all(directory.join("versions")).map_err(broken)?;
        let history = History {
            root: root.to_owned(),
            node: node.to_owned(),
            versions: Mutex::new(Vec::new()),
            _lock: lock,
        };
        let journal = history.journal();
        if let Some(decided) = Decided::found(&journal).map_err(disk(&journal))? {
            decided.finish(root).map_err(disk(&journal))?;
            history.keep(&decided)?;
            history.forget(&journal)?;
        }
        *history.list() = history.read_list()?;
        Ok(history)
    }

    /// The settings as they are. What was edited by hand since the last look is noted.
    ///
    /// # Errors
    /// The disk's, or that there are none.
    pub fn current(&self, now_ms: u64) -> Result<Current, HistoryError> {
        let mut versions = self.list();
        self.look(&mut versions, now_ms)
    }

    fn look(&self, versions: &mut Vec<Version>, now_ms: u64) -> Result<Current, HistoryError> {
        let path = self.root.join(PAIR);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(HistoryError::NotPaired);
            }
            Err(error) => return Err(HistoryError::Disk(path, error)),
        };
        let last = versions.last();
        if let Some(version) = last.filter(|it| it.revision.digest == Digest::of(text.as_bytes())) {
            return Ok(Current { version: version.clone(), text });
        }
        let number = last.map_or(1, |version| version.revision.number + 1);
        let version = Version {
            revision: Revision::of(number, &text),
            at_ms: now_ms,
            who: "outside twinwall".to_owned(),
            node: self.node.clone(),
            source: Source::File,
            addresses_by_hand: false,
            note: None,
        };
        let decided = Decided { version: version.clone(), text, files: Vec::new() };
        self.keep(&decided)?;
        self.remember(versions, version.clone());
        Ok(Current { version, text: decided.text })
    }

    /// Makes these the settings, together with other files. Done as a whole or not at all.
    ///
    /// # Errors
    /// When they are not newer, a file changed meanwhile, or the disk refuses; then nothing
    /// is changed, unless it was the disk in the middle: then the next start goes on.
    pub fn put(
        &self,
        version: Version,
        text: &str,
        others: Vec<FileChange>,
    ) -> Result<(), HistoryError> {
        let mut versions = self.list();
        if let Some(last) = versions.last().filter(|last| {
            last.revision.number >= version.revision.number && last.revision != version.revision
        }) {
            return Err(HistoryError::NotNewer(last.revision));
        }
        for file in &others {
            let path = self.root.join(&file.path);
            if !file.still_holds(&self.root).map_err(disk(&path))? {
                return Err(HistoryError::Changed(path.display().to_string()));
            }
        }
        let path = self.root.join(PAIR);
        let own = FileChange::of(&self.root, PAIR, Some(text.to_owned())).map_err(disk(&path))?;
        let files = others.into_iter().chain([own]).collect();
        let decided = Decided { version: version.clone(), text: text.to_owned(), files };
        let journal = self.journal();
        decided.carry_out(&self.root, &journal).map_err(disk(&journal))?;
        self.keep(&decided)?;
        self.forget(&journal)?;
        self.remember(&mut versions, version);
        Ok(())
    }

    /// Every version that is kept, oldest first.
    pub fn versions(&self) -> Vec<Version> {
        self.list().clone()
    }

    /// The text of a version.
    ///
    /// # Errors
    /// When it is not kept or cannot be read.
    pub fn text(&self, number: u64) -> Result<String, HistoryError> {
        let path = self.path(number);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(HistoryError::NoVersion(number));
            }
            read => read.map_err(disk(&path))?,
        };
        let kept: Kept = serde_json::from_slice(&bytes)
            .map_err(|error| HistoryError::Disk(path, io::Error::other(error)))?;
        Ok(kept.text)
    }

    /// A version of this node for the next number.
    pub fn next(&self, text: &str, at_ms: u64, who: &str, source: Source) -> Version {
        let number = self.list().last().map_or(0, |version| version.revision.number) + 1;
        let revision = Revision::of(number, text);
        Version {
            revision,
            at_ms,
            who: who.to_owned(),
            node: self.node.clone(),
            source,
            addresses_by_hand: false,
            note: None,
        }
    }

    /// Whether these settings were ever here. Ones from before the oldest version that is
    /// kept count as such.
    pub fn knows(&self, revision: &Revision) -> bool {
        let versions = self.list();
        let pruned = versions.first().is_some_and(|it| it.revision.number > revision.number);
        pruned || versions.iter().any(|version| version.revision == *revision)
    }

    /// Whether own addresses changed by hand since these settings: a node that has them has
    /// missed that. After settings that were never here it may have missed any of all.
    pub fn by_hand_since(&self, revision: &Revision) -> bool {
        let known = self.knows(revision);
        let missed = |it: &Version| !known || it.revision.number > revision.number;
        self.list().iter().any(|version| version.addresses_by_hand && missed(version))
    }

    fn keep(&self, decided: &Decided) -> Result<(), HistoryError> {
        let others = decided.files.iter().filter(|file| file.path != PAIR);
        let kept = Kept {
            version: decided.version.clone(),
            text: decided.text.clone(),
            files: others.cloned().collect(),
        };
        let path = self.path(decided.version.revision.number);
        let bytes = serde_json::to_vec_pretty(&kept).map_err(io::Error::other);
        bytes.and_then(|bytes| journal::write(&path, &bytes)).map_err(disk(&path))
    }

    fn remember(&self, versions: &mut Vec<Version>, version: Version) {
        versions.push(version);
        while versions.len() > MAX_VERSIONS {
            let oldest = versions.remove(0);
            // One that stays on the disk is passed over and goes the next time.
            let _ = fs::remove_file(self.path(oldest.revision.number));
        }
    }

    fn forget(&self, journal: &Path) -> Result<(), HistoryError> {
        let gone = fs::remove_file(journal).and_then(|()| journal::sync_directory(journal));
        gone.map_err(disk(journal))
    }

    fn read_list(&self) -> Result<Vec<Version>, HistoryError> {
        let folder = self.root.join(DIRECTORY).join("versions");
        let mut all = Vec::new();
        for entry in fs::read_dir(&folder).map_err(disk(&folder))? {
            let path = entry.map_err(disk(&folder))?.path();
            if path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            // One that cannot be read is no reason to lose the others.
            let read = fs::read(&path).ok();
            let kept = read.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
            all.extend(kept.map(|kept| kept.version));
        }
        all.sort_by_key(|version| version.revision.number);
        Ok(all)
    }

    fn journal(&self) -> PathBuf {
        self.root.join(DIRECTORY).join("decided.json")
    }

    fn path(&self, number: u64) -> PathBuf {
        self.root.join(DIRECTORY).join("versions").join(format!("{number:08}.json"))
    }

    /// The list is whole between any two changes, so a panic elsewhere leaves it usable.
    fn list(&self) -> MutexGuard<'_, Vec<Version>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> HistoryError + use<> {
    let path = path.to_owned();
    move |error| HistoryError::Disk(path, error)
}

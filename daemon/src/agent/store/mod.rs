//! Every version of every section, by content: what is the same is stored once. The
//! engine writes versions, the channel serves contents, `apply` reads them back. It
//! survives kill -9 and power loss at any instant: a thing counts when its last rename
//! is durable, and what a broken-off write left is removed at the next start.
//!
//! One process at a time. Reading blocks nobody; it never touches the configuration.

mod batch;
mod collect;
mod open;
mod pack;
#[cfg(test)]
mod tests;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use batch::Batch;
pub use collect::{Collected, Retention};
pub use pack::Content;
pub use version::{Cause, Lineage, NewVersion, OUTSIDE, Version};

use super::digest::Digest;
use super::manifest::{DecodeError, MAX_ENCODED, Manifest};
use super::section::Section;
use pack::{PackWriter, Place};

/// Longest version file in bytes.
const MAX_VERSION: u64 = 64 << 10;

/// Most packs kept open for reading.
const MAX_OPEN: usize = 32;

/// What went wrong in the store.
#[derive(Debug)]
pub enum StoreError {
    /// The disk: what was being done, where, and the system's error.
    Disk(String, PathBuf, io::Error),
    /// Another process holds the store.
    Busy(PathBuf),
    /// A content that a manifest names is not there.
    Missing(Digest),
    /// A manifest in the store cannot be read.
    Manifest(Digest, DecodeError),
    /// There is no such version.
    NoVersion(Section, u64),
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Disk(doing, path, error) => {
                write!(out, "{doing} {}: {error}", path.display())
            }
            StoreError::Busy(path) => {
                write!(out, "{} is in use by another agent; stop that one", path.display())
            }
            StoreError::Missing(digest) => {
                write!(out, "content {} is not in the store", digest.short())
            }
            StoreError::Manifest(digest, error) => {
                write!(out, "manifest {} in the store: {error}", digest.short())
            }
            StoreError::NoVersion(section, number) => {
                write!(
                    out,
                    "{section} has no version {number}; 'twinwall sync history {section}' lists them"
                )
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// Something found unusable at the start and put aside; nothing else depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file as it is called now.
    pub path: PathBuf,
    /// What is lost with it.
    pub what: String,
}

/// The store of one node.
pub struct Store {
    directory: PathBuf,
    /// Held as long as the store is open.
    lock: File,
    inside: Mutex<Inside>,
}

struct Inside {
    contents: BTreeMap<Digest, (u64, Place)>,
    versions: BTreeMap<Section, BTreeMap<u64, Version>>,
    next_pack: u64,
    /// Packs that were read from last, at most [`MAX_OPEN`].
    open: BTreeMap<u64, Arc<File>>,
}

impl Store {
    /// Opens the store in this directory, makes it if it is not there, and removes
    /// what a broken-off write left.
    pub fn open(directory: &Path) -> Result<(Store, Vec<Damage>), StoreError> {
        for part in ["packs", "versions"] {
            let path = directory.join(part);
            fs::create_dir_all(&path).map_err(disk("making", &path))?;
        }
        let lock = open::lock(directory)?;
        let mut damage = Vec::new();
        let mut inside = Inside {
            contents: BTreeMap::new(),
            versions: BTreeMap::new(),
            next_pack: 1,
            open: BTreeMap::new(),
        };
        inside.read_packs(&directory.join("packs"), &mut damage)?;
        for section in Section::ALL {
            inside.read_versions(&directory.join("versions"), section, &mut damage)?;
        }
        let store = Store { directory: directory.to_owned(), lock, inside: inside.into() };
        Ok((store, damage))
    }

    /// Whether this content is here.
    pub fn has(&self, digest: &Digest) -> bool {
        self.inside().contents.contains_key(digest)
    }

    /// Those of the contents of this manifest that are not here.
    pub fn missing(&self, manifest: &Manifest) -> Vec<Digest> {
        let inside = self.inside();
        let absent = |digest: &Digest| !inside.contents.contains_key(digest);
        manifest.contents().into_iter().filter(absent).collect()
    }

    /// Opens a content, with its length. The reader fails at its end if the disk changed
    /// the bytes.
    pub fn open_content(&self, digest: &Digest) -> Result<Content, StoreError> {
        // The file is opened under the lock: a collection may remove the pack right after.
        let (number, file, place) = {
            let mut inside = self.inside();
            let (pack, place) = *inside.contents.get(digest).ok_or(StoreError::Missing(*digest))?;
            (pack, inside.pack(pack, &self.directory)?, place)
        };
        pack::read(&file, place, *digest).map_err(|it| disk("reading", &self.pack_path(number))(it))
    }

    /// Opens a content. The reader fails at its end if the disk changed the bytes.
    pub fn read(&self, digest: &Digest) -> Result<Box<dyn Read + Send>, StoreError> {
        Ok(self.open_content(digest)?.bytes)
    }

    /// A content of at most `limit` bytes as a whole.
    pub fn read_whole(&self, digest: &Digest, limit: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let mut reader = self.read(digest)?.take(limit as u64 + 1);
        reader.read_to_end(&mut bytes).map_err(disk("reading", &self.directory))?;
        if bytes.len() > limit {
            let error = io::Error::new(io::ErrorKind::FileTooLarge, "longer than allowed here");
            return Err(StoreError::Disk("reading".to_owned(), self.directory.clone(), error));
        }
        Ok(bytes)
    }

    /// Begins to put contents in.
    pub fn batch(&self) -> Result<Batch<'_>, StoreError> {
        let number = {
            let mut inside = self.inside();
            inside.next_pack += 1;
            inside.next_pack - 1
        };
        let path = self.directory.join("packs").join(format!("{number:016x}.tmp"));
        let file = File::options().write(true).create(true).truncate(true).open(&path);
        let writer = file.and_then(PackWriter::new).map_err(disk("writing", &path))?;
        Ok(Batch {
            store: self,
            number,
            path,
            writer: Some(writer),
            fresh: BTreeSet::new(),
            again: false,
        })
    }

    /// Notes a version. All its contents must be here already. When the newest version
    /// of the section is the same, that one comes back and nothing is written.
    pub fn add_version(&self, new: NewVersion, manifest: &Manifest) -> Result<Version, StoreError> {
        if let Some(absent) = self.missing(manifest).first() {
            return Err(StoreError::Missing(*absent));
        }
        let encoded = manifest.encode();
        let digest = Digest::of(&encoded);
        if let Some(head) = self.head(new.section).filter(|head| head.manifest == digest) {
            return Ok(head);
        }
        if !self.has(&digest) {
            let mut batch = self.batch()?;
            batch.put(&encoded)?;
            batch.commit()?;
        }
        let mut inside = self.inside();
        let versions = inside.versions.entry(new.section).or_default();
        let number = versions.last_key_value().map_or(1, |(last, _)| last + 1);
        let version = Version {
            section: new.section,
            number,
            manifest: digest,
            entries: manifest.len() as u64,
            lineage: new.lineage,
            at_ms: new.at_ms,
            cause: new.cause,
            who: new.who,
        };
        let path = version_path(&self.directory.join("versions"), new.section, number);
        let text = serde_json::to_vec_pretty(&version).map_err(|error| {
            StoreError::Disk("writing".to_owned(), path.clone(), io::Error::other(error))
        })?;
        write_durably(&path, &text).map_err(disk("writing", &path))?;
        versions.insert(number, version.clone());
        Ok(version)
    }

    /// All versions of a section, oldest first.
    pub fn versions(&self, section: Section) -> Vec<Version> {
        let inside = self.inside();
        inside.versions.get(&section).into_iter().flat_map(|all| all.values().cloned()).collect()
    }

    /// The newest version of a section.
    pub fn head(&self, section: Section) -> Option<Version> {
        let inside = self.inside();
        inside.versions.get(&section)?.last_key_value().map(|(_, version)| version.clone())
    }

    /// One version of a section.
    pub fn version(&self, section: Section, number: u64) -> Result<Version, StoreError> {
        let inside = self.inside();
        let found = inside.versions.get(&section).and_then(|all| all.get(&number));
        found.cloned().ok_or(StoreError::NoVersion(section, number))
    }

    /// The manifest with this digest.
    pub fn manifest(&self, digest: &Digest) -> Result<Manifest, StoreError> {
        let bytes = self.read_whole(digest, MAX_ENCODED)?;
        Manifest::decode(&bytes).map_err(|error| StoreError::Manifest(*digest, error))
    }

    fn pack_path(&self, number: u64) -> PathBuf {
        pack_path(&self.directory, number)
    }

    /// The state behind the lock is whole between any two of its changes, so a panic
    /// elsewhere leaves it usable.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pack_path(directory: &Path, number: u64) -> PathBuf {
    directory.join("packs").join(format!("{number:016x}.pack"))
}

impl Inside {
    /// The open file of a pack.
    fn pack(&mut self, number: u64, directory: &Path) -> Result<Arc<File>, StoreError> {
        if let Some(file) = self.open.get(&number) {
            return Ok(Arc::clone(file));
        }
        let path = pack_path(directory, number);
        let file = Arc::new(File::open(&path).map_err(disk("reading", &path))?);
        if self.open.len() == MAX_OPEN {
            self.open.clear();
        }
        self.open.insert(number, Arc::clone(&file));
        Ok(file)
    }
}

fn version_name(number: u64) -> String {
    format!("{number:08}")
}

fn version_path(folder: &Path, section: Section, number: u64) -> PathBuf {
    folder.join(section.id()).join(format!("{}.json", version_name(number)))
}

impl Drop for Store {
    /// Lets go of the lock at once: a process that is just being started may still hold a
    /// copy of its descriptor.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.lock, rustix::fs::FlockOperation::Unlock);
    }
}

/// Writes a file so that after power loss either the old or the new one is there.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn disk(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let (doing, path) = (doing.to_owned(), path.to_owned());
    move |error| StoreError::Disk(doing, path, error)
}

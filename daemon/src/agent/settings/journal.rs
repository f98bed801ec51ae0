//! Changes several files as one: pair.toml and the node's own network configuration. What
//! is decided is written down first, whole; from then on it is carried out to its end, after
//! a crash at the next start. Called by the history alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::revision::Version;

/// Largest journal in bytes that is read: pair.toml and a dozen network files, twice.
const MAX_JOURNAL: u64 = 16 << 20;
/// Mode of a file that was not there before.
const MODE: u32 = 0o644;

/// A file that gets another content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileChange {
    /// Relative to the root.
    pub path: String,
    /// What it holds before; none: it is not there.
    pub before: Option<String>,
    /// What it shall hold; none: it goes.
    pub after: Option<String>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decided {
    pub(super) version: Version,
    pub(super) text: String,
    pub(super) files: Vec<FileChange>,
}

impl FileChange {
    /// A change of a file below `root`, as it is there now.
    ///
    /// # Errors
    /// When it cannot be read, or is no regular file.
    pub fn of(root: &Path, path: &str, after: Option<String>) -> io::Result<FileChange> {
        let before = read_regular(&place(root, path)?)?;
        Ok(FileChange { path: path.to_owned(), before, after })
    }

    /// Whether the file still is as it was when the change was planned.
    pub(super) fn still_holds(&self, root: &Path) -> io::Result<bool> {
        Ok(read_regular(&place(root, &self.path)?)? == self.before)
    }

    fn carry_out(&self, root: &Path) -> io::Result<()> {
        let path = place(root, &self.path)?;
        match &self.after {
            Some(text) => write(&path, text.as_bytes()),
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => sync_directory(&path),
            },
        }
    }
}

/// Where it lies. Never outside of the root.
fn place(root: &Path, path: &str) -> io::Result<PathBuf> {
    let below = Path::new(path);
    let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || path.is_empty() {
        return Err(io::Error::other(format!("{path}: not a path below the root")));
    }
    Ok(root.join(below))
}

/// The text of a file, none where there is none. A link would lead the write elsewhere.
fn read_regular(path: &Path) -> io::Result<Option<String>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(found) if !found.is_file() => Err(io::Error::other(format!(
            "{}: not a regular file; put the file itself in its place",
            path.display()
        ))),
        Ok(_) => fs::read_to_string(path).map(Some),
    }
}

impl Decided {
    /// Writes it down and carries it out. From the moment at which it is written it is done
    /// to its end, by this call or at the next start.
    pub(super) fn carry_out(&self, root: &Path, journal: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(io::Error::other)?;
        write(journal, &bytes)?;
        self.finish(root)
    }

    pub(super) fn finish(&self, root: &Path) -> io::Result<()> {
        self.files.iter().try_for_each(|file| file.carry_out(root))
    }

    /// What a start finds: the decided change that was cut off.
    pub(super) fn found(journal: &Path) -> io::Result<Option<Decided>> {
        match fs::metadata(journal) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(found) if found.len() > MAX_JOURNAL => {
                return Err(io::Error::other(format!("{} bytes long", found.len())));
            }
            Ok(_) => {}
        }
        serde_json::from_slice(&fs::read(journal)?).map(Some).map_err(io::Error::other)
    }
}

/// Replaces a file as a whole, with the owner and mode that it has; after a return it
/// outlives a power cut.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    let mut draft = path.as_os_str().to_owned();
    // No reader of network configuration takes a file of this ending.
    draft.push(".twinwall-new");
    let draft = Path::new(&draft);
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(draft)?;
    if let Ok(old) = fs::metadata(path) {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    sync_directory(path)
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

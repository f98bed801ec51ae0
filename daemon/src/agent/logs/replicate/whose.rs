//! Which store the lines are from: this node's own one has a name drawn once, and beside the
//! other node's lines stands the name of theirs. A node that was replaced, or lost its disk,
//! begins its numbers anew; by the name that is noticed, and its lines go on behind those of the
//! one before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::agent::logs::store::{DIRECTORY, Origin};
use crate::agent::store::write_durably;

/// Largest file in bytes that is read.
const MAX_FILE: u64 = 4096;

/// This node's own store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Own {
    /// 32 hexadecimal digits.
    pub(super) store: String,
    /// Lines below this number were said under another name.
    pub(super) begins: u64,
}

/// Where the other node's lines are from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Theirs {
    /// Their store.
    pub(super) store: String,
    /// Their numbers are so much higher here: lines of an earlier store stand before them.
    pub(super) shift: u64,
}

impl Own {
    /// Reads the name, or draws one for lines from `begins` on.
    pub(super) fn open(root: &Path, begins: u64) -> io::Result<Own> {
        match read(&path(root, Origin::Here))? {
            Some(own) => Ok(own),
            None => Own::draw(root, begins),
        }
    }

    /// A new name for lines from `begins` on.
    pub(super) fn draw(root: &Path, begins: u64) -> io::Result<Own> {
        let mut bytes = [0; 16];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        let own = Own { store: format!("{:032x}", u128::from_be_bytes(bytes)), begins };
        write(&path(root, Origin::Here), &own)?;
        Ok(own)
    }
}

impl Theirs {
    /// What is known of it; nothing before the first line.
    pub(super) fn open(root: &Path) -> io::Result<Option<Theirs>> {
        read(&path(root, Origin::There))
    }

    pub(super) fn save(&self, root: &Path) -> io::Result<()> {
        write(&path(root, Origin::There), self)
    }
}

fn path(root: &Path, origin: Origin) -> PathBuf {
    root.join(DIRECTORY).join(origin.directory()).join("store.json")
}

/// One that cannot be read was not written here, and counts as none.
fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> io::Result<Option<T>> {
    match fs::metadata(path) {
        Ok(seen) if seen.len() <= MAX_FILE => Ok(serde_json::from_slice(&fs::read(path)?).ok()),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    write_durably(path, &serde_json::to_vec(value)?)
}

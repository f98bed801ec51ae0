//! The administrator's values, as they were before high availability set its own. Kept in a
//! file that is whole and durable whenever it is there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file, relative to the root.
pub const NOTE: &str = "var/lib/twinwall/sysctls.json";

/// One changed setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Old {
    /// Its name, as `sysctl` writes it.
    pub(super) name: String,
    /// The administrator's value.
    pub(super) before: String,
    /// The one that was set instead.
    pub(super) ours: String,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    settings: Vec<Old>,
}

impl Note {
    pub(super) fn all(&self) -> impl Iterator<Item = &Old> {
        self.settings.iter()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Old> {
        self.all().find(|old| old.name == name)
    }

    pub(super) fn before(&self, name: &str) -> Option<&str> {
        self.get(name).map(|old| old.before.as_str())
    }

    pub(super) fn add(&mut self, old: Old) {
        self.settings.push(old);
    }

    pub(super) fn keep(&mut self, old: Option<&Old>) {
        self.settings.extend(old.cloned());
    }

    /// What was noted; nothing when there is no file.
    pub(super) fn read(path: &Path) -> io::Result<Note> {
        let named = |error: io::Error| {
            let text = format!(
                "{}: {error}; it holds the kernel settings from before high availability: mend it, \
                 or remove it and set them by hand",
                path.display()
            );
            io::Error::new(error.kind(), text)
        };
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from).map_err(named),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Note::default()),
            Err(error) => Err(named(error)),
        }
    }

    /// Writes it to the disk before it returns; an empty one has no file.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        if Note::read(path).is_ok_and(|there| there == *self) {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        if self.settings.is_empty() {
            fs::remove_file(path)?;
        } else {
            let fresh = path.with_extension("new");
            let mut file = File::create(&fresh)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&fresh, path)?;
        }
        File::open(folder)?.sync_all()
    }
}

//! How far each target is, on the disk: after a restart nothing is told twice, and nothing is
//! forgotten. One small file, written whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::agent::engine::assemble::STATE;
use crate::agent::store::write_durably;

/// Largest file in bytes that is read.
const MAX_FILE: u64 = 64 << 10;

/// How far one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The last notice that is settled.
    pub(super) after: u64,
    /// Messages that it took.
    pub(super) told: u64,
}

type Marks = BTreeMap<String, Mark>;

/// The file.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    written: Marks,
    /// Said once in a row: the disk may be full for days.
    failed: bool,
}

impl Kept {
    /// Reads the file. One that cannot be read was not written here, and is begun anew.
    pub(super) fn open(root: &Path) -> Kept {
        let path = root.join(STATE).join("alerts.json");
        let fits = fs::metadata(&path).is_ok_and(|it| it.len() <= MAX_FILE);
        let bytes = if fits { fs::read(&path).unwrap_or_default() } else { Vec::new() };
        let written = serde_json::from_slice(&bytes).unwrap_or_default();
        Kept { path, written, failed: false }
    }

    pub(super) fn marks(&self) -> &Marks {
        &self.written
    }

    /// Writes them, where they are others than before.
    pub(super) fn write(&mut self, marks: Marks) {
        if marks == self.written {
            return;
        }
        let text = serde_json::to_vec(&marks).map_err(std::io::Error::other);
        match text.and_then(|text| write_durably(&self.path, &text)) {
            Ok(()) => (self.written, self.failed) = (marks, false),
            Err(error) if !self.failed => {
                let path = self.path.display();
                eprintln!(
                    "twinwall agent: {path}: {error}; after a restart some alerts may be told twice"
                );
                self.failed = true;
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_outlive_a_restart_and_a_damaged_file_is_begun_anew() {
        let root = std::env::temp_dir().join(format!("twinwall-marks-{}", std::process::id()));
        fs::create_dir_all(root.join(STATE)).expect("made");
        let mut kept = Kept::open(&root);
        let marks = Marks::from([("noc".to_owned(), Mark { after: 7, told: 3 })]);
        kept.write(marks.clone());
        assert_eq!(Kept::open(&root).marks(), &marks);
        fs::write(root.join(STATE).join("alerts.json"), "{").expect("written");
        assert_eq!(Kept::open(&root).marks(), &Marks::default());
        fs::remove_dir_all(&root).expect("removed");
    }
}

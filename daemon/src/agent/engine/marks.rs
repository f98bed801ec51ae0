//! What the engine must remember over a restart besides the versions: the history that
//! the configuration belongs to, and what both nodes had when they last agreed. Without
//! the second nobody could say who changed a section.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::agent::digest::Digest;
use crate::agent::section::Section;
use crate::agent::store::{Lineage, write_durably};

/// The remembered facts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// None on a node that was never paired: it can never be a source.
    pub lineage: Option<Lineage>,
    /// By section, the manifest that both nodes had last.
    #[serde(default)]
    pub common: BTreeMap<Section, Digest>,
    /// Sections that this node joined the history with and has not taken yet: what lies
    /// there is still its own of before, and can never be a source.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub missing: BTreeSet<Section>,
}

impl Marks {
    /// Whether this node's section is one of the history, so that it may be given.
    pub fn has(&self, section: Section) -> bool {
        self.lineage.is_some() && !self.missing.contains(&section)
    }
}

/// The file that holds them.
#[derive(Debug)]
pub struct MarksFile {
    path: PathBuf,
    marks: Marks,
}

impl MarksFile {
    /// Reads the file; one that is not there holds nothing.
    ///
    /// # Errors
    /// When it cannot be read. It is written whole or not at all, so text that is no
    /// JSON was put there by somebody else.
    pub fn open(path: &Path) -> io::Result<MarksFile> {
        let marks = match fs::read(path) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Marks::default(),
            Err(error) => return Err(error),
        };
        Ok(MarksFile { path: path.to_owned(), marks })
    }

    /// What is remembered.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Changes it durably; on failure nothing changes.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn set(&mut self, marks: Marks) -> io::Result<()> {
        if marks == self.marks {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        write_durably(&self.path, &serde_json::to_vec_pretty(&marks)?)?;
        self.marks = marks;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_survive_a_restart() {
        let name = format!("twinwall-marks-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let path = folder.join("deeper/marks.json");
        let mut file = MarksFile::open(&path).expect("an absent file holds nothing");
        assert_eq!(file.marks(), &Marks::default());
        let marks = Marks {
            lineage: Some(Lineage(5)),
            common: [(Section::Vpn, Digest::of(b"x"))].into(),
            missing: [Section::Ips].into(),
        };
        file.set(marks.clone()).expect("written");
        assert_eq!(MarksFile::open(&path).expect("read").marks(), &marks);
        fs::write(&path, "{").expect("spoiled");
        assert!(MarksFile::open(&path).is_err());
        fs::remove_dir_all(folder).expect("removed");
    }
}

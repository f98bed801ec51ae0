//! What came of the last synchronisation, kept over a restart of the agent. Written by the
//! engine's thread when one has ended. Losing it costs nothing but that line on a page.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::overview::LastJob;
use crate::agent::store::write_durably;

/// The file, relative to the root.
pub const LAST: &str = "var/lib/twinwall/sync-last.json";

/// The file that holds it.
#[derive(Debug)]
pub struct LastFile {
    path: PathBuf,
    last: Option<LastJob>,
}

impl LastFile {
    /// Reads it. One that is not there, or that cannot be read, holds nothing.
    pub fn open(root: &Path) -> LastFile {
        let path = root.join(LAST);
        let read = fs::read(&path).and_then(|text| Ok(serde_json::from_slice(&text)?));
        let last = read.unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                eprintln!("twinwall agent: {}: {error}", path.display());
            }
            None
        });
        LastFile { path, last }
    }

    /// What it holds.
    pub fn last(&self) -> Option<&LastJob> {
        self.last.as_ref()
    }

    /// Keeps this from now on; a disk that does not take it is told once for each.
    pub(super) fn keep(&mut self, last: Option<&LastJob>) {
        if self.last.as_ref() == last {
            return;
        }
        self.last = last.cloned();
        let text = serde_json::to_vec_pretty(&self.last).map_err(io::Error::other);
        if let Err(error) = text.and_then(|text| write_durably(&self.path, &text)) {
            eprintln!("twinwall agent: {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::engine::overview::SectionResult;
    use crate::agent::section::Section;

    #[test]
    fn it_survives_a_restart_and_a_spoiled_file_is_none() {
        let root = std::env::temp_dir().join(format!("twinwall-last-{}", std::process::id()));
        fs::create_dir_all(root.join("var/lib/twinwall")).expect("made");
        let mut file = LastFile::open(&root);
        assert_eq!(file.last(), None);
        let failed = Some("its apply command failed".to_owned());
        let last = LastJob {
            taking_here: true,
            forced: true,
            who: "anna".to_owned(),
            ended_ms: 7,
            sections: vec![SectionResult { section: Section::Vpn, failed }],
        };
        file.keep(Some(&last));
        assert_eq!(LastFile::open(&root).last(), Some(&last));
        fs::write(root.join(LAST), "{").expect("spoiled");
        assert_eq!(LastFile::open(&root).last(), None);
        file.keep(None);
        assert_eq!(LastFile::open(&root).last(), None);
        fs::remove_dir_all(root).expect("removed");
    }
}

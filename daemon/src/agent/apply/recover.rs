//! After a kill or a power cut. Called when the agent starts, before anything else looks
//! at a section, and early at boot, before the services read their files.

use super::journal::{Journal, JournalError};
use super::undo::{apply_again, trouble, undo};
use crate::agent::section::Section;
use crate::agent::step::Step;
use crate::agent::tree::{Contents, Root};

/// Whether the services run that the apply steps talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Services {
    /// They may run and may have read the new files: the old ones are applied again.
    Running,
    /// Early at boot: they will read the old files when they start.
    NotStarted,
}

/// What was recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The change that was interrupted.
    pub title: String,
    /// The sections whose old files are back.
    pub sections: Vec<Section>,
    /// What did not succeed beside that; the files are the old ones.
    pub trouble: Vec<String>,
}

/// Brings the old files of an interrupted change back. `None` when none was interrupted.
///
/// # Errors
/// The journal stays then, and it can be called again.
pub fn recover(
    root: &Root,
    journal: &Journal,
    contents: &Contents<'_>,
    services: Services,
) -> Result<Option<Recovered>, String> {
    let text = |error: JournalError| error.to_string();
    let Some(record) = journal.read().map_err(text)? else { return Ok(None) };
    let kept = undo(root, journal, &record, contents)?;
    let failed = match services {
        Services::Running => {
            let parts: Vec<(Section, &[Step])> =
                record.parts.iter().map(|part| (part.section, part.apply.as_slice())).collect();
            apply_again(root, &parts)
        }
        Services::NotStarted => Vec::new(),
    };
    journal.end().map_err(text)?;
    journal.clear().map_err(text)?;
    Ok(Some(Recovered {
        sections: record.parts.iter().map(|part| part.section).collect(),
        title: record.title,
        trouble: trouble(&kept, &failed),
    }))
}

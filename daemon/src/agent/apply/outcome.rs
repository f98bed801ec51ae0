//! How an apply ends, in words for the engine, the operator and the history.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::agent::section::Section;
use crate::agent::step::StepFailure;
use crate::agent::tree::WriteError;

/// How it ended.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// What was wanted lies on the disk, is applied, and was compared.
    Applied(Vec<Note>),
    /// Nothing was changed.
    Refused(Refused),
    /// The old files lie there again.
    RolledBack {
        /// Why.
        why: Failure,
        /// What did not succeed on the way back: steps of the old files, or a directory
        /// that could not be removed. The files themselves are the old ones.
        trouble: Vec<String>,
    },
    /// Neither the new nor the old could be brought about. The journal stays, no other
    /// apply begins, and [`super::recover`] tries again.
    Stuck {
        /// Why the new could not.
        why: Failure,
        /// Why the old could not.
        trouble: String,
    },
}

/// Something worth knowing about an apply that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// No private view of the file system could be made, for this reason; the validators
    /// ran after the switch and before the apply commands.
    ValidatedInPlace(String),
}

/// Why nothing was changed.
#[derive(Debug)]
pub enum Refused {
    /// A section on the disk is not what the plan says, at this path.
    Changed(Section, String),
    /// A section cannot be read whole.
    Unreadable(Section, String),
    /// The new files cannot be written here, or their contents cannot be had.
    Write(Section, WriteError),
    /// An old content is not in the store, so there would be no way back.
    NoWayBack(Section, String),
    /// A validator said no.
    Invalid(Section, StepFailure),
    /// The watcher cancelled it.
    Cancelled,
    /// The journal of an earlier apply is still there: recover first.
    Pending,
    /// The journal or the staging directory cannot be written.
    Journal(String),
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum During {
    /// New files are written beside.
    Staging,
    /// Validators run.
    Validation,
    /// Files are renamed into place.
    Switch,
    /// Apply commands run.
    Apply,
    /// What lies on the disk is compared with what was wanted.
    Comparison,
}

/// What failed after the first rename.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In which section.
    pub section: Section,
    /// While what was done.
    pub during: During,
    /// In words.
    pub text: String,
    /// The step, if it was one.
    pub step: Option<StepFailure>,
}

impl Outcome {
    /// The section because of which all of them stay as they were, where it is one.
    pub fn section(&self) -> Option<Section> {
        match self {
            Outcome::Applied(_) => None,
            Outcome::Refused(refused) => refused.section(),
            Outcome::RolledBack { why, .. } | Outcome::Stuck { why, .. } => Some(why.section),
        }
    }
}

impl Refused {
    fn section(&self) -> Option<Section> {
        match self {
            Refused::Changed(section, _)
            | Refused::Unreadable(section, _)
            | Refused::Write(section, _)
            | Refused::NoWayBack(section, _)
            | Refused::Invalid(section, _) => Some(*section),
            Refused::Cancelled | Refused::Pending | Refused::Journal(_) => None,
        }
    }
}

/// In words; which section it was says [`Outcome::section`].
impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Applied(_) => out.write_str("applied, and compared"),
            Outcome::Refused(refused) => refused.fmt(out),
            Outcome::RolledBack { why, trouble } if trouble.is_empty() => {
                write!(out, "{why}; the old configuration is back")
            }
            Outcome::RolledBack { why, trouble } => {
                write!(out, "{why}; the old files are back, but {}", trouble.join("; "))
            }
            Outcome::Stuck { why, trouble } => write!(
                out,
                "{why}; the old files could not be brought back either ({trouble}); mend that and \
                 restart the agent, which tries again"
            ),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::ValidatedInPlace(why) => write!(
                out,
                "validated after the files were switched, not before: no private view of them \
                 could be made ({why})"
            ),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Changed(_, path) => {
                write!(out, "{path} changed meanwhile; nothing was overwritten")
            }
            Refused::Unreadable(_, problem) => out.write_str(problem),
            Refused::Write(_, error) => error.fmt(out),
            Refused::NoWayBack(_, text) => write!(
                out,
                "{text}; without the old content there is no way back, so nothing was changed"
            ),
            Refused::Invalid(_, failure) => {
                write!(out, "the new files did not pass the check, nothing was changed: {failure}")
            }
            Refused::Cancelled => out.write_str("cancelled; nothing was changed"),
            Refused::Pending => out.write_str(
                "an earlier change was interrupted and is not undone yet; restart the agent",
            ),
            Refused::Journal(text) => out.write_str(text),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = match self.during {
            During::Staging => "staging",
            During::Validation => "validating",
            During::Switch => "switching",
            During::Apply => "applying",
            During::Comparison => "comparing",
        };
        write!(out, "{doing} failed: {}", self.text)
    }
}

//! Makes sections of this node equal to what was agreed, all of them or none: everything
//! new is staged beside, validated as if it were in place, switched by renames, applied,
//! and compared with what was wanted. Whatever fails on the way leads back to the old
//! files, and to the old files applied again. Called by the engine, one at a time, on a
//! thread that may wait.
//!
//! From the first rename to the end a journal lies on the disk. After a kill or a power
//! cut [`recover`] reads it and brings the old files back; without a journal the new ones
//! are whole. Nothing else may change the sections meanwhile.

mod isolate;
mod journal;
mod look;
mod outcome;
mod recover;
mod run;
#[cfg(test)]
mod tests;
mod undo;

use std::ops::ControlFlow;

pub use journal::{Journal, JournalError, Record};
pub use outcome::{During, Failure, Note, Outcome, Refused};
pub use recover::{Recovered, Services, recover};
pub use run::apply;

use super::manifest::Manifest;
use super::section::Section;
use super::step::Step;
use super::translate::Translator;
use super::tree::{Cache, Root, Scope};

/// Sections that change together.
pub struct Plan<'a> {
    /// Below which they lie.
    pub root: &'a Root,
    /// Between canonical contents and this node's addresses.
    pub translator: &'a Translator,
    /// The sections, in the order in which they are applied.
    pub parts: Vec<Part<'a>>,
    /// What this is, for whoever finds its journal after a crash.
    pub title: String,
}

/// One section of a plan.
pub struct Part<'a> {
    /// Which.
    pub section: Section,
    /// What belongs to it.
    pub scope: &'a Scope,
    /// What earlier scans of it know.
    pub cache: &'a mut Cache,
    /// What lies on the disk. If it is something else by now, nothing is done. The old
    /// contents must be among the contents that [`apply`] is given.
    pub from: &'a Manifest,
    /// What shall lie there.
    pub to: &'a Manifest,
    /// Run before anything is switched, in a view of the file system in which it is.
    pub validate: &'a [Step],
    /// Run after the switch, and again after a switch back. A step that several sections
    /// have in common is run once.
    pub apply: &'a [Step],
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub during: During,
    /// With which section.
    pub section: Section,
    /// Paths or steps of this section done so far.
    pub done: usize,
    /// Of how many.
    pub total: usize,
}

/// Told the progress, before each path and each step. `Break` cancels until the journal
/// is written; after that it is too late, and the answer is not heard.
pub type Watch<'a> = dyn Fn(Progress) -> ControlFlow<()> + 'a;

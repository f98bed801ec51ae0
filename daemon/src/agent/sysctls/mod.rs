//! Kernel settings that a failover needs: which and why, set when high availability turns
//! on, set again when the agent starts while it is on, and the administrator's values put
//! back when it turns off. Each old value is on the disk before anything is changed.
//!
//! `promote_secondaries` is here so that it holds all the time; the guard, which works
//! without an agent, sees to it once more for the moment in which it takes an address away.

mod note;
mod plan;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::Pair;

pub use note::NOTE;
use note::Note;
pub use plan::{Knob, knobs};

/// A kernel setting as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SysctlView {
    /// Its name, as `sysctl` writes it.
    pub name: String,
    /// Its value now; none when this kernel does not have it (yet).
    pub now: Option<String>,
    /// The administrator's value, while twinwall's stands in its place.
    pub before: Option<String>,
    /// The value that a failover needs.
    pub wanted: String,
    /// What it is needed for.
    pub why: String,
}

impl SysctlView {
    /// Whether the kernel has the value that is needed.
    pub fn is_good(&self) -> bool {
        self.now.as_deref() == Some(self.wanted.as_str())
    }
}

/// What turning on or off did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Settings that were changed, each in words.
    pub changed: Vec<String>,
    /// What could not be done, each in words with what to do; nothing of it is fatal.
    pub trouble: Vec<String>,
}

/// Where the settings are and where the old values are kept.
#[derive(Clone, Debug)]
pub struct Sysctls {
    kernel: PathBuf,
    note: PathBuf,
}

impl Sysctls {
    /// Those that procfs shows at `proc`; the old values are kept below `root`.
    pub fn new(proc: &Path, root: &Path) -> Sysctls {
        Sysctls { kernel: proc.join("sys"), note: root.join(NOTE) }
    }

    /// The settings that this pair needs, with their values on this node.
    pub fn look(&self, pair: &Pair) -> Vec<SysctlView> {
        // One that cannot be read is told when it is needed: on turning on or off.
        let note = Note::read(&self.note).unwrap_or_default();
        let view = |knob: Knob| SysctlView {
            now: self.value(&knob.name),
            before: note.before(&knob.name).map(str::to_owned),
            wanted: knob.wanted.to_owned(),
            why: knob.why.to_owned(),
            name: knob.name,
        };
        knobs(pair).into_iter().map(view).collect()
    }

    /// Sets what is needed; may be called as often as one likes while high availability
    /// is on.
    ///
    /// # Errors
    /// When the old values cannot be written down: then nothing is changed.
    pub fn turn_on(&self, pair: &Pair) -> io::Result<Outcome> {
        let plan = plan::on(&knobs(pair), &Note::read(&self.note)?, |name| self.value(name));
        plan.note.write(&self.note)?;
        let mut outcome = self.carry_out(&plan.writes);
        outcome.trouble.extend(plan.missing.iter().map(|name| {
            format!(
                "this kernel has no {name} yet: it comes with the module nf_conntrack, or with \
                 the interface"
            )
        }));
        Ok(outcome)
    }

    /// Puts the administrator's values back, where ours still stand.
    ///
    /// # Errors
    /// When the written-down values cannot be read or be removed.
    pub fn turn_off(&self) -> io::Result<Outcome> {
        let note = Note::read(&self.note)?;
        if note == Note::default() {
            return Ok(Outcome::default());
        }
        let outcome = self.carry_out(&plan::off(&note, |name| self.value(name)));
        Note::default().write(&self.note)?;
        Ok(outcome)
    }

    fn carry_out(&self, writes: &[plan::Write]) -> Outcome {
        let mut outcome = Outcome::default();
        for plan::Write { name, from, to } in writes {
            match fs::write(self.path(name), to) {
                Ok(()) => outcome.changed.push(format!("{name}: {from} -> {to}")),
                Err(error) => outcome
                    .trouble
                    .push(format!("setting {name} to {to}: {error}; set it with 'sysctl -w'")),
            }
        }
        outcome
    }

    fn value(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok().map(|text| text.trim().to_owned())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.kernel.join(plan::file(name))
    }
}

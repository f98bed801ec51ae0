//! The story of a run: one line per transition in fixed columns.

use twinwall_core::beat::RoleWord;
use twinwall_core::event::Applied;
use twinwall_core::note::What;

use super::clock::Time;
use super::machine::Machine;

/// Where the lines go.
pub(crate) struct Trace {
    /// Lines of the run so far; `None`: nobody wants them.
    lines: Option<Vec<String>>,
    /// Without what every start repeats.
    brief: bool,
}

impl Trace {
    /// A trace that keeps its lines.
    pub(crate) fn kept() -> Trace {
        Trace { lines: Some(Vec::new()), brief: false }
    }

    /// A trace without what every start repeats.
    pub(crate) fn brief() -> Trace {
        Trace { lines: Some(Vec::new()), brief: true }
    }

    /// A trace that keeps nothing.
    pub(crate) fn none() -> Trace {
        Trace { lines: None, brief: false }
    }

    /// Whether a note is kept.
    pub(crate) fn wants(&self, what: &What, role: RoleWord) -> bool {
        let routine = match what {
            What::Started { .. } | What::PathHeard { .. } => true,
            What::Link { .. }
            | What::HaCarrier { .. }
            | What::CableIsDirect { .. }
            | What::Check { .. } => role == RoleWord::Starting,
            What::Addresses { present, outcome } => {
                !present && matches!(outcome, Applied::Done | Applied::Unchanged)
            }
            _ => false,
        };
        self.lines.is_some() && !(self.brief && routine)
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// Something that happened to the world.
    pub(crate) fn world(&mut self, time: Time, text: &str) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>13}  *  {text}", stamp(time)));
        }
    }

    /// Something that a node did.
    pub(crate) fn node(&mut self, time: Time, machine: &Machine, text: &str) {
        if let Some(lines) = &mut self.lines {
            let gate = if machine.answers(time) { "open" } else { "shut" };
            lines.push(format!(
                "{:>13}  {}  {:<9} e{:<3} {gate}  {text}",
                stamp(time),
                machine.letter(),
                machine.role.word(),
                machine.epoch,
            ));
        }
    }
}

fn stamp(time: Time) -> String {
    format!("{}.{:03}", time / 1_000_000, time / 1_000 % 1_000)
}

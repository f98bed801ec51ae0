//! `bench sync`: the configuration of a gateway brought to the other one, by twinwall and by
//! what its users have today, on the same two gateways in the same run, in turn. Called by
//! the lab's program.

pub mod command;
mod contender;
pub(super) mod disk;
mod page;
mod site;

use serde::Serialize;

use super::figures::Figures;
use crate::error::Result;
pub use contender::Contender;
use site::Site;

/// What is asked of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Nothing is there yet.
    First,
    /// One file was changed.
    OneChanged,
    /// Nothing was; what each knows of the other side will do.
    Unchanged,
    /// Nothing was, and every file is read again.
    Reread,
}

/// One row: a task, what twinwall must reach, and every contender's figures.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was asked.
    pub task: Task,
    /// Milliseconds that twinwall's median must not exceed.
    pub at_most_ms: f64,
    /// Milliseconds of each repetition, by contender.
    pub figures: Vec<(Contender, Figures)>,
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Repetitions of each task.
    pub reps: u32,
    /// Files of 1 KB.
    pub files: u32,
    /// Whether everything lies on a disk, not in memory.
    pub on_disk: bool,
    /// With whom it is compared.
    pub against: Vec<Contender>,
    /// The guard's program; `twinwall` stands beside it.
    pub guard: std::path::PathBuf,
}

/// Measures everything; says on standard error how far it is.
///
/// # Errors
/// When the site cannot be built or a contender does not get there.
pub fn run(wanted: &Wanted) -> Result<Vec<Row>> {
    let mut site = Site::build(wanted)?;
    let all: Vec<Contender> =
        std::iter::once(Contender::Twinwall).chain(wanted.against.iter().copied()).collect();
    let tasks = [
        (Task::First, 600.0),
        (Task::OneChanged, 60.0),
        (Task::Unchanged, 5.0),
        (Task::Reread, 250.0),
    ];
    let mut rows: Vec<Row> = Vec::new();
    for (task, at_most_ms) in tasks {
        let mut figures: Vec<(Contender, Figures)> =
            all.iter().map(|one| (*one, Figures::default())).collect();
        for rep in 0..wanted.reps as usize {
            // Each time another one first.
            for turn in 0..all.len() {
                let (one, figures) = &mut figures[(rep + turn) % all.len()];
                if let Some(took) = site.measure(*one, task, rep)? {
                    eprintln!(
                        "{task:?} {} {}: {:.1} ms",
                        rep + 1,
                        one.name(),
                        took.as_secs_f64() * 1e3
                    );
                    figures.add(took.as_secs_f64() * 1e3);
                }
            }
        }
        rows.push(Row { task, at_most_ms, figures });
    }
    Ok(rows)
}

//! `bench logs`: log lines of two gateways brought to each other, by twinwall and by rsyslog over
//! RELP, on the same two gateways and cables, one after the other: what is lost, how far behind
//! the copy is, and what it costs; and whether a failover notices them. Called by the lab's
//! program.

pub mod command;
mod failover;
mod load;
mod page;
mod site;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::figures::Figures;
use crate::error::Result;
use failover::Failovers;
use site::Site;

/// Who brings lines over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Contender {
    /// twinwall.
    Twinwall,
    /// rsyslog: imfile, omrelp, imrelp and omfile.
    Rsyslog,
}

impl Contender {
    /// Both.
    pub const ALL: [Contender; 2] = [Contender::Twinwall, Contender::Rsyslog];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Contender::Twinwall => "twinwall",
            Contender::Rsyslog => "rsyslog (RELP)",
        }
    }
}

/// Lines that are written, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Load {
    /// What it is called.
    pub name: &'static str,
    /// Lines a second on each node that writes.
    pub rate: u32,
    /// For so long.
    pub span: Duration,
    /// Whether both nodes write.
    pub both: bool,
}

/// What came of a load.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// Lines that never came, or came twice, over all repetitions.
    pub wrong: u64,
    /// Milliseconds behind: half of the time, 99 times in 100, at most.
    pub lag_ms: [Figures; 3],
    /// CPU milliseconds for a million lines, the programs of both nodes together.
    pub cpu_ms: Figures,
}

/// A load and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The load.
    pub load: Load,
    /// By contender.
    pub outcomes: Vec<(Contender, Outcome)>,
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Repetitions of each load.
    pub reps: u32,
    /// Failovers with and without all of it.
    pub failovers: u32,
    /// A tenth of each span.
    pub quick: bool,
    /// Let everything lie on the disk that this folder is on.
    pub disk: Option<PathBuf>,
    /// The guard's program; `twinwall` stands beside it.
    pub guard: PathBuf,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// The loads.
    pub rows: Vec<Row>,
    /// Failovers meanwhile.
    pub failovers: Failovers,
}

/// Measures everything; says on standard error how far it is.
///
/// # Errors
/// When the site cannot be built or a contender does not start.
pub fn run(wanted: &Wanted) -> Result<Measured> {
    let rows = loads(wanted)?;
    Ok(Measured { rows, failovers: failover::run(wanted)? })
}

fn loads(wanted: &Wanted) -> Result<Vec<Row>> {
    let span = |seconds: u64| match wanted.quick {
        true => Duration::from_secs(seconds.div_ceil(10)),
        false => Duration::from_secs(seconds),
    };
    let loads = [
        Load { name: "a burst on one node", rate: 200_000, span: span(10), both: false },
        Load { name: "sustained on both", rate: 20_000, span: span(30), both: true },
        Load { name: "a quiet day on both", rate: 100, span: span(30), both: true },
    ];
    let mut rows: Vec<Row> = loads
        .map(|load| Row {
            load,
            outcomes: Contender::ALL.map(|one| (one, Outcome::default())).into(),
        })
        .into();
    let mut site = Site::build(wanted)?;
    for rep in 0..wanted.reps as usize {
        // Each time the other one first.
        for turn in 0..Contender::ALL.len() {
            let who = (rep + turn) % Contender::ALL.len();
            for row in &mut rows {
                let (one, outcome) = &mut row.outcomes[who];
                let seen = site.measure(*one, row.load)?;
                eprintln!("{} {}: {seen:.1?}", one.name(), row.load.name);
                outcome.wrong += seen.wrong;
                for (figures, value) in outcome.lag_ms.iter_mut().zip(seen.lag_ms) {
                    figures.add(value);
                }
                outcome.cpu_ms.add(seen.cpu_ms);
            }
        }
    }
    Ok(rows)
}

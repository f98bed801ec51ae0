//! `bench flows --against conntrackd`: connections through a failover, and what it costs that the
//! passive knows them, with twinwall and with keepalived and conntrackd, in the same lab and the
//! same run. Called by the lab's program; says on standard error how far it is.

pub mod command;
mod lag;
mod limits;
mod load;
mod page;
mod resync;
mod rows;
mod survival;
mod takeover;

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use super::machine::{Machine, first_line};
use crate::clock;
use crate::error::Result;
use crate::product::{Flows, Product};
use rows::Row;

/// Who replicates flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Contender {
    /// conntrackd with an external cache, as its manual advises: a takeover commits it.
    Conntrackd,
    /// conntrackd that writes straight into the passive's kernel.
    Injecting,
    /// twinwall's agents.
    Twinwall,
}

impl Contender {
    /// All, in the order of the columns.
    pub const ALL: [Contender; 3] =
        [Contender::Conntrackd, Contender::Injecting, Contender::Twinwall];

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Contender::Conntrackd => "conntrackd",
            Contender::Injecting => "conntrackd into the kernel",
            Contender::Twinwall => "twinwall",
        }
    }

    fn product(self) -> Product {
        match self {
            Contender::Conntrackd | Contender::Injecting => Product::Keepalived,
            Contender::Twinwall => Product::Twinwall,
        }
    }

    fn flows(self) -> Flows {
        match self {
            Contender::Conntrackd | Contender::Twinwall => Flows::Replicated,
            Contender::Injecting => Flows::Injected,
        }
    }
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Connections after each fault.
    Survival,
    /// A takeover with many flows and with none.
    Takeover,
    /// CPU time, lag and the rate that is kept up with.
    Load,
    /// Everything anew after a restart, and memory.
    Resync,
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Repetitions of each fault, and of what is measured under load.
    pub reps: u32,
    /// Takeovers with many flows, and with none.
    pub trials: u32,
    /// Less of everything, to see that all works.
    pub quick: bool,
    /// Only these parts; all when empty.
    pub only: Vec<Part>,
    /// Only these contenders; all when empty.
    pub contenders: Vec<Contender>,
    /// The guard's program; `twinwall` stands beside it.
    pub guard: PathBuf,
}

impl Wanted {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn contenders(&self) -> impl Iterator<Item = Contender> {
        let wanted = self.contenders.clone();
        Contender::ALL.into_iter().filter(move |one| wanted.is_empty() || wanted.contains(one))
    }
}

/// Rows about one thing.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// What they are about.
    pub title: &'static str,
    /// How it was measured.
    pub told: &'static str,
    /// How often.
    pub repetitions: u32,
    /// The figures.
    pub rows: Vec<Row>,
    /// What could not be measured or counted, and why.
    pub failures: Vec<String>,
}

/// The whole benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct Benchmark {
    /// Where it ran.
    pub machine: Machine,
    /// Version of conntrackd.
    pub conntrackd: String,
    /// Repetitions of each fault.
    pub reps: u32,
    /// Takeovers with many flows, and with none.
    pub trials: u32,
    /// The figures.
    pub sections: Vec<Section>,
    /// What could not be measured or counted of the part that runs, and why.
    #[serde(skip)]
    failures: Vec<String>,
}

impl Benchmark {
    /// Adds the figures of a part, with what of it could not be measured up to now.
    fn measured(&mut self, title: &'static str, told: &'static str, times: u32, rows: Vec<Row>) {
        let failures = std::mem::take(&mut self.failures);
        self.sections.push(Section { title, told, repetitions: times, rows, failures });
    }

    /// Notes what could not be measured; the rest still is.
    fn failed(&mut self, who: Contender, what: &str, why: impl std::fmt::Display) {
        let text = format!("{}, {what}: {why}", who.name());
        eprintln!("  FAILED: {text}");
        self.failures.push(text);
    }
}

/// A part, as it is run: it adds its sections.
type Run = fn(&mut Benchmark, &Wanted) -> Result<()>;

/// Measures everything that is wanted; `save` is handed what there is after each part, so that a
/// run that is interrupted was not for nothing.
///
/// # Errors
/// When a lab cannot be built, or the page not be saved.
pub fn run(wanted: &Wanted, save: impl Fn(&Benchmark) -> Result<()>) -> Result<Benchmark> {
    let started = clock::now();
    let mut benchmark = Benchmark {
        machine: Machine::look(&wanted.guard),
        conntrackd: first_line("conntrackd", &["-v"]),
        reps: wanted.reps,
        trials: wanted.trials,
        sections: Vec::new(),
        failures: Vec::new(),
    };
    let parts: [(Part, Run); 4] = [
        (Part::Survival, survival::run),
        (Part::Takeover, takeover::run),
        (Part::Load, load::run),
        (Part::Resync, resync::run),
    ];
    for (part, run) in parts.into_iter().filter(|(part, _)| wanted.wants(*part)) {
        eprintln!("[{:.0} min] {part:?}", clock::now().since(started).as_secs_f64() / 60.0);
        run(&mut benchmark, wanted)?;
        save(&benchmark)?;
    }
    Ok(benchmark)
}

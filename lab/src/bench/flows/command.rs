//! `bench flows --against conntrackd`: its options, its output.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::limits::Raised;
use super::{Benchmark, Contender, Part, Wanted, page, run};
use crate::error::{Doing, Result};
use crate::isolate::{self, Side};

/// What it is compared with.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Against {
    /// keepalived and conntrackd of the distribution, in both forms of conntrackd.
    Conntrackd,
}

/// What is measured, and where it is written.
#[derive(Args)]
pub struct FlowsOptions {
    /// What to compare with.
    #[arg(long)]
    against: Against,
    /// Repetitions of each fault, and of what is measured under load.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    reps: u32,
    /// Takeovers with many flows, and with none.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    trials: u32,
    /// One of everything, and no million flows.
    #[arg(long)]
    quick: bool,
    /// Only this part; may be given more than once. The page keeps its other parts.
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Measure only this one, to try that out; may be given more than once.
    #[arg(long, value_name = "NAME", hide = true)]
    contender: Vec<Contender>,
    /// Print JSON, and write no page.
    #[arg(long)]
    json: bool,
    /// Where the page is written.
    #[arg(long, value_name = "FILE", default_value = "docs/benchmarks-flows.md")]
    output: PathBuf,
}

/// Runs it.
///
/// # Errors
/// When the lab cannot be built, or the page not be written.
pub fn command(options: FlowsOptions, guard: PathBuf) -> Result<ExitCode> {
    // Today it is one of one; a second one must be told apart here.
    let Against::Conntrackd = options.against;
    if !options.json {
        super::super::command::refuse_missing_folder(&options.output)?;
    }
    // Held until the inner process has ended.
    let _room = if isolate::is_inside() { None } else { Some(Raised::raise()?) };
    match isolate::cross()? {
        Side::Done(code) => return Ok(code),
        Side::Inside { .. } => {}
    }
    let FlowsOptions { reps, trials, quick, only, contender, json, output, .. } = options;
    let at_most = |number: u32| if quick { 1 } else { number };
    let (reps, trials) = (at_most(reps), at_most(trials));
    let wanted = Wanted { reps, trials, quick, only, contenders: contender, guard };
    if json {
        let benchmark = run(&wanted, |_| Ok(()))?;
        let text = serde_json::to_string_pretty(&benchmark).map_err(std::io::Error::other);
        println!("{}", text.doing("write the figures as JSON")?);
        return Ok(ExitCode::SUCCESS);
    }
    let before = fs::read_to_string(&output).unwrap_or_default();
    let save = |benchmark: &Benchmark| {
        let page = page::page(benchmark, &before);
        fs::write(&output, page).doing(format!("write {}", output.display()))
    };
    print!("{}", page::page(&run(&wanted, save)?, &before));
    eprintln!("written to {}", output.display());
    Ok(ExitCode::SUCCESS)
}

//! `bench logs`: its options, its output.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{Wanted, page, run};
use crate::bench::machine::Machine;
use crate::bench::sync::disk;
use crate::error::{Doing, Result};
use crate::isolate::{self, Side};

/// What it is compared with.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Against {
    /// rsyslog of the distribution, over RELP.
    Relp,
}

/// What is measured, and where it is written.
#[derive(Args)]
pub struct LogsOptions {
    /// What to compare with.
    #[arg(long)]
    against: Against,
    /// How often each load is given to each.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    reps: u32,
    /// Failovers with nothing but the guards, and as many with all of it.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=100))]
    failovers: u32,
    /// A tenth of each load, one of each.
    #[arg(long)]
    quick: bool,
    /// Let everything lie on the disk that this folder is on, instead of in memory.
    #[arg(long, value_name = "FOLDER")]
    disk: Option<PathBuf>,
    /// Print JSON, and write no page.
    #[arg(long)]
    json: bool,
    /// Where the page is written.
    #[arg(long, value_name = "FILE", default_value = "docs/benchmarks-logs.md")]
    output: PathBuf,
}

/// Runs it.
///
/// # Errors
/// When the lab cannot be built, or the page not be written.
pub fn command(options: LogsOptions, guard: PathBuf) -> Result<ExitCode> {
    // Today it is one of one; a second one must be told apart here.
    let Against::Relp = options.against;
    if !options.json {
        crate::bench::command::refuse_missing_folder(&options.output)?;
    }
    match isolate::cross()? {
        Side::Done(code) => return Ok(code),
        Side::Inside { .. } => {}
    }
    let LogsOptions { reps, failovers, quick, disk, .. } = options;
    let at_most = |number: u32| if quick { number.min(1) } else { number };
    let (reps, failovers) = (at_most(reps), at_most(failovers));
    if let Some(folder) = &disk {
        disk::lie_below(folder)?;
    }
    let machine = Machine::look(&guard);
    let wanted = Wanted { reps, failovers, quick, disk, guard };
    let measured = run(&wanted)?;
    if options.json {
        let text = serde_json::to_string_pretty(&measured).map_err(std::io::Error::other);
        println!("{}", text.doing("write the figures as JSON")?);
        return Ok(ExitCode::SUCCESS);
    }
    let page = page::page(&machine, &wanted, &measured);
    fs::write(&options.output, &page).doing(format!("write {}", options.output.display()))?;
    print!("{page}");
    eprintln!("written to {}", options.output.display());
    Ok(ExitCode::SUCCESS)
}

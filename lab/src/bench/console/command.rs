//! `bench console`: its options, its output.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Wanted, page, run};
use crate::bench::machine::Machine;
use crate::error::{Doing, Result};
use crate::isolate::{self, Side};

/// What is measured, and where it is written.
#[derive(Args)]
pub struct ConsoleOptions {
    /// How many look at it all the while.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    viewers: u32,
    /// How often each page is asked for.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    requests: u32,
    /// How many failovers there are, with and without viewers.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=100))]
    reps: u32,
    /// Print JSON, and write no page.
    #[arg(long)]
    json: bool,
    /// Where the page is written.
    #[arg(long, value_name = "FILE", default_value = "docs/benchmarks-console.md")]
    output: PathBuf,
}

/// Runs it.
///
/// # Errors
/// When the lab cannot be built, or the page not be written.
pub fn command(options: ConsoleOptions, guard: PathBuf) -> Result<ExitCode> {
    if !options.json {
        super::super::command::refuse_missing_folder(&options.output)?;
    }
    match isolate::cross()? {
        Side::Done(code) => return Ok(code),
        Side::Inside { .. } => {}
    }
    let ConsoleOptions { viewers, requests, reps, .. } = options;
    let machine = Machine::look(&guard);
    let wanted = Wanted { viewers, requests, reps, guard };
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

//! `bench failover --against keepalived`, `bench sync`, `bench flows`, `bench logs` and `bench console`: options and output. Called by the
//! lab's program, which finds the guard.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, ValueEnum};

use super::console::command::ConsoleOptions;
use super::flows::command::FlowsOptions;
use super::logs::command::LogsOptions;
use super::run::{Benchmark, Wanted, run};
use super::sync::command::SyncOptions;
use super::{console, flows, logs, sync, table};
use crate::error::{Doing, LabError, Result};
use crate::isolate::{self, Side};

/// The same tasks with twinwall and with what it is compared with, in one run: medians,
/// spread, ratios. Needs root; leaves nothing behind but the page.
#[derive(Parser)]
#[command(name = "twinwall-lab bench")]
enum What {
    /// Failovers, planned moves, and faults that must not move anything.
    Failover(Options),
    /// The configuration of a gateway brought to the other one.
    Sync(SyncOptions),
    /// Connections through a failover, and what it costs that the passive knows them.
    Flows(FlowsOptions),
    /// Log lines of both gateways brought to each other: what is lost, the lag, the cost.
    Logs(LogsOptions),
    /// What pages cost while people look, and a failover meanwhile.
    Console(ConsoleOptions),
}

/// What it is compared with.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Against {
    /// keepalived of the distribution.
    Keepalived,
}

/// Both products in the same lab under the same faults.
#[derive(Args)]
struct Options {
    /// What to compare with.
    #[arg(long)]
    against: Against,
    /// How often each fault is injected, with either product.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    reps: u32,
    /// At most 3 repetitions and 15 s of each steady state.
    #[arg(long)]
    quick: bool,
    /// Only the row of this scenario; may be given more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Print JSON, and write no page.
    #[arg(long)]
    json: bool,
    /// Where the page is written.
    #[arg(long, value_name = "FILE", default_value = "docs/benchmarks.md")]
    output: PathBuf,
    /// The guard's program; by default the one beside this program.
    #[arg(long, value_name = "PATH")]
    guard: Option<PathBuf>,
}

/// Runs the benchmark that `arguments` (after the word `bench`) ask for.
/// `find_guard` gives the guard's program, checked.
pub fn command(
    arguments: impl Iterator<Item = String>,
    find_guard: impl FnOnce(Option<PathBuf>) -> Result<PathBuf>,
) -> Result<ExitCode> {
    let name = "twinwall-lab bench".to_owned();
    match What::parse_from(std::iter::once(name).chain(arguments)) {
        What::Sync(options) => sync::command::command(options, find_guard(None)?),
        What::Flows(options) => flows::command::command(options, find_guard(None)?),
        What::Logs(options) => logs::command::command(options, find_guard(None)?),
        What::Console(options) => console::command::command(options, find_guard(None)?),
        What::Failover(options) => failover(options, find_guard),
    }
}

fn failover(
    options: Options,
    find_guard: impl FnOnce(Option<PathBuf>) -> Result<PathBuf>,
) -> Result<ExitCode> {
    // Today it is one of one; a second one must be told apart here.
    let Against::Keepalived = options.against;
    if !options.json {
        refuse_missing_folder(&options.output)?;
    }
    let guard = find_guard(options.guard)?;
    match isolate::cross()? {
        Side::Done(code) => return Ok(code),
        Side::Inside { .. } => {}
    }
    let wanted = Wanted { reps: options.reps, quick: options.quick, only: options.only, guard };
    if options.json {
        let benchmark = run(&wanted, |_| Ok(()))?;
        let text = serde_json::to_string_pretty(&benchmark).map_err(std::io::Error::other);
        println!("{}", text.doing("write the figures as JSON")?);
        return Ok(ExitCode::SUCCESS);
    }
    let path = &options.output;
    let save = |benchmark: &Benchmark| {
        fs::write(path, table::page(benchmark)).doing(format!("write {}", path.display()))
    };
    print!("{}", table::page(&run(&wanted, save)?));
    eprintln!("written to {}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Before half an hour of measuring, not after it.
pub(super) fn refuse_missing_folder(output: &Path) -> Result<()> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        let path = output.display();
        let text = format!("no folder for {path}; run it in the repository, or give --output FILE");
        return Err(LabError::Usage(text));
    }
    Ok(())
}

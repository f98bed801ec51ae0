//! `cargo xtask test`: everything that proves the product, on a machine that has
//! Rust and nothing else. Called by people and by `.ci/run`. It needs root for
//! the tests in network namespaces, asks nothing, and leaves nothing behind.

use std::io::{BufRead, BufReader, Write, pipe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::failure::{Failure, Outcome, fail};
use crate::leftovers::Before;
use crate::machines::{self, Machines};
use crate::{programs, setup, shell};

/// Simulation seeds of a full run.
const SEEDS: &str = "1000";
/// Tests at a time without nextest, which alone knows which ones may run together.
const PLAIN_THREADS: &str = "--test-threads=1";
/// Lines of the runner shown again at the very end.
const CLOSING_LINES: usize = 40;

/// Builds everything, runs the simulation, then all tests.
pub(crate) fn test(root: &Path) -> Outcome {
    if !shell::is_root() {
        return fail!(
            "test: the tests build network namespaces and load nftables rules in them; run this as root"
        );
    }
    setup::setup(root)?;
    let before = Before::look();
    let result = everything(root, &before);
    let clean = before.compare();
    let closing = result?;
    clean?;
    for line in closing {
        println!("{line}");
    }
    Ok(())
}

fn everything(root: &Path, before: &Before) -> Result<Vec<String>, Failure> {
    let start = Instant::now();
    let everything = ["build", "--workspace", "--all-targets", "--locked", "--features"];
    let mut build = shell::cargo(root, &everything);
    build.arg(machines::FEATURE);
    shell::run(build)?;
    let machines = Machines::prepare(root)?;
    eprintln!("test: built in {} s", start.elapsed().as_secs());
    let mut simulation = programs::simulation(root, &["--seeds", SEEDS]);
    before.mark(&mut simulation);
    shell::run(simulation)?;
    eprintln!("test: simulated, {} s so far", start.elapsed().as_secs());
    let closing = run_tests(root, before, &machines)?;
    eprintln!("test: done in {} s", start.elapsed().as_secs());
    Ok(closing)
}

/// Runs the tests by nextest if it is installed, else by cargo itself, and gives
/// back the runner's closing lines.
fn run_tests(root: &Path, before: &Before, machines: &Machines) -> Result<Vec<String>, Failure> {
    let command = |words: &[&str], runner: &[&str]| {
        let mut command = shell::cargo(root, words);
        command.args([
            "--workspace",
            "--locked",
            "--no-fail-fast",
            "--features",
            machines::FEATURE,
        ]);
        command.args(runner);
        machines.name(&mut command);
        command
    };

    if shell::find("cargo-nextest").is_some() {
        let documented = ["test", "--workspace", "--locked", "--quiet", "--doc", "--features"];
        let mut examples = shell::cargo(root, &documented);
        examples.arg(machines::FEATURE);
        tee(examples, before, |_| false)?;
        let all = command(&["nextest", "run"], &[]);
        return tee(all, before, |line| line.contains("Summary ["));
    }
    let all = command(&["test"], &["--", PLAIN_THREADS]);
    let mut lines = tee(all, before, |line| line.starts_with("test result:"))?;
    let passed: u64 = lines.iter().filter_map(|line| passed_in(line)).sum();
    lines.push(format!("test result: ok in all {} programs: {passed} passed", lines.len()));
    Ok(lines)
}

/// `test result: ok. 12 passed; 0 failed; …` → 12.
fn passed_in(line: &str) -> Option<u64> {
    line.split_once(" passed")?.0.rsplit(' ').next()?.parse().ok()
}

/// Runs a test program, shows every line as it comes and keeps those wanted.
fn tee(
    mut command: Command,
    before: &Before,
    wanted: fn(&str) -> bool,
) -> Result<Vec<String>, Failure> {
    let shown = shell::show(&command);
    eprintln!("  $ {shown}");
    let broken = |e: std::io::Error| Failure(format!("`{shown}` could not be run: {e}"));
    before.mark(&mut command);
    let (reader, writer) = pipe().map_err(broken)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(broken)?).stderr(writer);
    let mut child = command.spawn().map_err(broken)?;
    // The command holds the pipe's writing end too; with it open the reading below never ends.
    drop(command);
    let mut kept = Vec::new();
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.map_err(broken)?;
        let line = String::from_utf8_lossy(&line);
        writeln!(out, "{line}").map_err(broken)?;
        if wanted(&line) {
            kept.push(line.into_owned());
        }
    }
    let surplus = kept.len().saturating_sub(CLOSING_LINES);
    let status = child.wait().map_err(broken)?;
    if status.success() {
        Ok(kept.split_off(surplus))
    } else {
        fail!("`{shown}` failed ({status}); the failed tests are named above")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_closing_line_is_read() {
        let line = "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(passed_in(line), Some(12));
        assert_eq!(passed_in("running 3 tests"), None);
    }
}

//! `lab`, `bench`, `sim`, `fuzz`: build a program of the workspace and start it.
//! Called from the command line and by `test`. Nothing here knows what those
//! programs do; their arguments are passed on as they are.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Outcome, fail};
use crate::{setup, shell};

/// Minutes that `fuzz` gives each decoder unless told otherwise.
const FUZZ_MINUTES: u64 = 10;

/// Builds guard, daemon and lab for release and becomes the lab.
pub(crate) fn lab(root: &Path, arguments: &[String]) -> Outcome {
    setup::setup(root)?;
    let packages = ["-p", "twinwall-guard", "-p", "twinwall", "-p", "twinwall-lab"];
    let mut build = shell::cargo(root, &["build", "--release", "--locked"]);
    build.args(packages);
    shell::run(build)?;
    let program = shell::target_folder(root)?.join("release/twinwall-lab");
    let mut command = Command::new(program);
    command.args(arguments);
    shell::replace(command)
}

/// `bench failover --against keepalived`: the lab measures.
pub(crate) fn bench(root: &Path, arguments: &[String]) -> Outcome {
    let mut passed = vec!["bench".to_owned()];
    passed.extend_from_slice(arguments);
    lab(root, &passed)
}

/// The simulation's command.
pub(crate) fn simulation(root: &Path, arguments: &[&str]) -> Command {
    let mut command = shell::cargo(root, &["run", "--release", "--locked", "--quiet"]);
    command.args(["-p", "twinwall-core", "--example", "sim", "--"]).args(arguments);
    command
}

/// Runs the simulation.
pub(crate) fn sim(root: &Path, arguments: &[String]) -> Outcome {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    shell::run(simulation(root, &arguments))
}

/// Fuzzes each decoder for some minutes, one after another; those named, else all.
pub(crate) fn fuzz(root: &Path, arguments: &[String]) -> Outcome {
    let (minutes, named) = match arguments {
        [flag, number, named @ ..] if flag == "--minutes" => {
            let minutes = number.parse().map_err(|_| {
                Failure(format!(
                    "fuzz --minutes {number}: not a number of minutes; try `--minutes 10`"
                ))
            })?;
            (minutes, named)
        }
        [flag, ..] if flag.starts_with('-') => {
            return fail!("fuzz: only `--minutes N` and names of targets are known");
        }
        named => (FUZZ_MINUTES, named),
    };
    let all = fuzz_targets(root)?;
    if let Some(unknown) = named.iter().find(|name| !all.contains(name)) {
        return fail!("fuzz: {unknown}: no such target; there are {}", all.join(", "));
    }
    if shell::find("cargo-fuzz").is_none() {
        return fail!(
            "fuzz: cargo-fuzz is missing; `cargo install cargo-fuzz` and `rustup toolchain install nightly`"
        );
    }
    for target in if named.is_empty() { &all } else { named } {
        fuzz_target(root, target, minutes)?;
    }
    Ok(())
}

/// Asks every route of the API of a pair with bodies by its document, and with spoilt ones: the
/// test of the same name with more cases.
pub(crate) fn fuzz_api(root: &Path, arguments: &[String]) -> Outcome {
    let (mut cases, mut seed) = ("100", "1");
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(flag) = rest.next() {
        let (place, name) = match flag {
            "--cases" => (&mut cases, "cases"),
            "--seed" => (&mut seed, "seed"),
            other => return fail!("fuzz-api: {other}: only `--cases N` and `--seed S` are known"),
        };
        let value = rest.next().filter(|text| text.parse::<u64>().is_ok());
        *place = value.ok_or_else(|| Failure(format!("fuzz-api --{name}: give a number")))?;
    }
    setup::setup(root)?;
    let packages = ["build", "--locked", "-p", "twinwall-guard", "-p", "twinwall"];
    shell::run(shell::cargo(root, &packages))?;
    let mut command = shell::cargo(root, &["test", "--locked", "-p", "twinwall", "--test", "two"]);
    command.args(["api::", "--", "--nocapture"]);
    command.env("TWINWALL_API_CASES", cases).env("TWINWALL_API_SEED", seed);
    shell::run(command)
}

fn fuzz_target(root: &Path, target: &str, minutes: u64) -> Outcome {
    // New inputs go to the first folder; the committed seeds stay as they are.
    let (found, corpus) = (format!("fuzz/found/{target}"), format!("fuzz/corpus/{target}"));
    fs::create_dir_all(root.join(&found))
        .map_err(|e| Failure(format!("{found}: {e}; the fuzzer keeps new inputs there")))?;
    let mut command = Command::new("cargo");
    command.current_dir(root).args(["+nightly", "fuzz", "run", target, &found, &corpus, "--"]);
    command.arg(format!("-max_total_time={}", minutes * 60));
    // The toolchain that runs xtask must not leak into the nightly one.
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC");
    shell::run(command)
}

/// Names of the fuzz targets: the files in fuzz/fuzz_targets.
pub(crate) fn fuzz_targets(root: &Path) -> Result<Vec<String>, Failure> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder)
        .map_err(|e| Failure(format!("{}: {e}; no fuzz targets there", folder.display())))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            Some(entry.file_name().to_string_lossy().strip_suffix(".rs")?.to_owned())
        })
        .collect();
    names.sort();
    Ok(names)
}

//! Becomes another program of the product: the guard or the lab. Both lie beside
//! this one.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::LabArgs;
use twinwall::failure::{Exit, Failure};

/// The guard's program.
pub(super) const GUARD: &str = "twinwall-guard";
const LAB: &str = "twinwall-lab";

pub(super) fn guard(root: &Path) -> Result<(), Failure> {
    let error = Command::new(beside(GUARD)?).arg("--root").arg(root).exec();
    Err(cannot_start(GUARD, &error))
}

pub(super) fn lab(args: &LabArgs) -> Result<(), Failure> {
    let error = Command::new(beside(LAB)?).args(&args.arguments).exec();
    Err(cannot_start(LAB, &error))
}

/// This program.
pub(super) fn own() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::machine("finding this program's directory", &error))
}

/// The program of that name in the directory of this one.
pub(super) fn beside(name: &str) -> Result<PathBuf, Failure> {
    let own = own()?;
    let path = own.with_file_name(name);
    if path.exists() {
        return Ok(path);
    }
    let message =
        format!("{name} is not in {}; install it there", own.parent().unwrap_or(&own).display());
    Err(Failure { exit: Exit::Machine, message })
}

pub(super) fn cannot_start(name: &str, error: &io::Error) -> Failure {
    Failure::machine(format!("starting {name}"), error)
}

//! `twinwall ha`: the settings of high availability, and whether it is on.

use std::path::Path;

use twinwall::agent::settings;
use twinwall::failure::{Exit, Failure};

use crate::cli::Ha;
use crate::show::print;

pub(super) fn ha(root: &Path, order: &Ha) -> Result<(), Failure> {
    match order {
        Ha::IsEnabled => is_enabled(root),
    }
}

/// For units and scripts: the answer is the exit code too.
fn is_enabled(root: &Path) -> Result<(), Failure> {
    if settings::is_enabled(root) {
        return print("on\n");
    }
    print("off\n")?;
    Err(Failure { exit: Exit::Problem, message: String::new() })
}

//! `twinwall-guard [--root DIR]`: decides and holds the role of this node.
//! `twinwall-guard --clear` takes its gate and addresses off the machine.

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: twinwall-guard [--root DIR] [--clear | --version]";

fn main() -> ExitCode {
    let mut root = PathBuf::from("/");
    let mut clear = false;
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--root") => match arguments.next() {
                Some(directory) => root = PathBuf::from(directory),
                None => return usage(),
            },
            Some("--clear") => clear = true,
            Some("--version") => {
                println!("twinwall-guard {}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            Some(_) | None => return usage(),
        }
    }
    let result =
        if clear { twinwall_guard::start::clear() } else { twinwall_guard::start::run(&root) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("twinwall-guard: {message}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

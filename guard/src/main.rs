//! `twinwall-guard [--root DIR]`: decides and holds the role of this node.
//! `twinwall-guard --clear` takes its gate and addresses off the machine.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use twinwall_guard::start::{self, Failed};

/// Exit code while high availability is off. The packaged unit does not start it again then.
const OFF: u8 = 5;

const HELP: &str = "\
Decides and holds the role of this node. systemd starts it as twinwall-guard.service;
in the foreground 'twinwall run' does.

usage: twinwall-guard [--root DIR] [--clear | --help | --version]
  --root DIR  where etc/twinwall and run/twinwall are looked for; / without it
  --clear     take the gate and every virtual IP off this machine, then end
  --help      print this
  --version   print the version

Ends with exit code 5 while high availability is off (pair.toml: enabled = false).";

fn main() -> ExitCode {
    let mut root = PathBuf::from("/");
    let mut clear = false;
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--root") => match arguments.next() {
                Some(directory) => root = PathBuf::from(directory),
                None => return wrong("--root: name a directory after it"),
            },
            Some("--clear") => clear = true,
            Some("--help" | "-h") => return print(HELP),
            Some("--version" | "-V") => {
                return print(concat!("twinwall-guard ", env!("CARGO_PKG_VERSION")));
            }
            Some(_) | None => {
                return wrong(&format!("{}: not an option", argument.to_string_lossy()));
            }
        }
    }
    let result = if clear { start::clear().map_err(Failed::Other) } else { start::run(&root) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Off(message)) => {
            eprintln!("twinwall-guard: {message}");
            ExitCode::from(OFF)
        }
        Err(Failed::Other(message)) => {
            eprintln!("twinwall-guard: {message}");
            ExitCode::FAILURE
        }
    }
}

/// A reader that has gone (`| head`) is no failure.
fn print(text: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{text}");
    ExitCode::SUCCESS
}

fn wrong(what: &str) -> ExitCode {
    eprintln!("twinwall-guard: {what}; 'twinwall-guard --help' lists the options");
    ExitCode::from(2)
}

//! Why a command did not do what it was told, and the exit code that says so.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

/// How a command ends. The codes are part of the interface; `cli` documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The reader of our output went away; that is his right.
    Quiet,
    /// A problem was found, or the guard refused.
    Problem,
    /// The guard cannot be reached, or does not answer as it should.
    Unreachable,
    /// This machine did not let us: a file, a right, a missing program.
    Machine,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Quiet => 0,
            Exit::Problem => 1,
            Exit::Unreachable => 3,
            Exit::Machine => 4,
        })
    }
}

/// A command that failed. The message says what, where and what now; empty when
/// everything was already said on standard output.
#[derive(Debug)]
pub struct Failure {
    /// The code it ends with.
    pub exit: Exit,
    /// What, where, what now.
    pub message: String,
}

impl Failure {
    /// A problem was found, or somebody refused.
    pub fn problem(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Problem, message: message.into() }
    }

    /// Somebody who was asked cannot be reached.
    pub fn unreachable(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Unreachable, message: message.into() }
    }

    /// An operating system's error with what we were about to do.
    pub fn machine(doing: impl Display, error: &io::Error) -> Failure {
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied => "; run this as root",
            _ => "",
        };
        Failure { exit: Exit::Machine, message: format!("{doing}: {error}{hint}") }
    }

    /// Standard output could not be written.
    pub fn output(error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure { exit: Exit::Quiet, message: String::new() };
        }
        Failure::machine("writing to standard output", error)
    }
}

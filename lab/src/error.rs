//! What can go wrong in the lab, told to the person who started it.

use std::fmt;
use std::io;
use std::time::Duration;

/// Why the lab cannot go on.
#[derive(Debug)]
pub enum LabError {
    /// The kernel refused something.
    System {
        /// What the lab was doing.
        doing: String,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A program that the lab needs failed.
    Command {
        /// The program and its arguments.
        line: String,
        /// What it printed, or why it could not start.
        output: String,
    },
    /// Something did not happen within its bound.
    Late {
        /// What was waited for.
        waiting_for: String,
        /// For how long.
        bound: Duration,
        /// What was seen instead.
        seen: String,
    },
    /// The guard said no, or something that is no answer.
    Guard {
        /// Which node.
        node: String,
        /// What it said.
        said: String,
    },
    /// The user asked for something that there is not.
    Usage(String),
}

/// What the lab's functions return.
pub type Result<T> = std::result::Result<T, LabError>;

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LabError::System { doing, cause } => write!(f, "cannot {doing}: {cause}"),
            LabError::Command { line, output } => write!(f, "`{line}` failed: {}", output.trim()),
            LabError::Late { waiting_for, bound, seen } => {
                write!(
                    f,
                    "{waiting_for} did not happen within {:.1} s; seen: {seen}",
                    bound.as_secs_f64()
                )
            }
            LabError::Guard { node, said } => write!(f, "{node}: {said}"),
            LabError::Usage(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for LabError {}

/// Says what was being done when the kernel refused.
pub trait Doing<T> {
    /// `cannot {doing}: {cause}`.
    fn doing(self, doing: impl Into<String>) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: impl Into<String>) -> Result<T> {
        self.map_err(|cause| LabError::System { doing: doing.into(), cause })
    }
}

//! A command of the profile: a validator, an apply command, a check, a source of facts.
//! Run by `apply`, the profile's sources and the engine, on a thread that may wait. It
//! never gets our input, our descriptors or our scheduling, and never outlives its limit.

mod output;
mod run;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use output::tail;

/// Bytes of each of the two outputs that are kept: the first and the last half of it.
pub const MAX_OUTPUT: usize = 64 << 10;
/// Last lines of output that a failure quotes.
pub const QUOTED_LINES: usize = 10;
/// Bytes of a line that are quoted.
const QUOTED_LINE: usize = 300;
/// Characters of a command that name it in a sentence.
const SHOWN_COMMAND: usize = 60;
/// In an argument: the agent's root without its final slash, so that
/// `{root}/etc/nftables.conf` is right under any `--root`.
const ROOT_MARK: &str = "{root}";

/// A command with its time limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The program (a path, or a name to be found in [`SEARCHED`]) and its arguments, as
    /// they are, without a shell. `{root}` in an argument becomes the agent's root.
    pub argv: Vec<String>,
    /// After this it is killed with all of its process group.
    pub limit: Duration,
    /// The step is left out while this program (a name) or file (a path) is not there.
    #[serde(default)]
    pub when_exists: Option<String>,
}

/// Where programs are looked for; also the steps' `PATH`.
pub const SEARCHED: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What becomes of the processes that a step leaves behind when it ends well. After a
/// failure or its limit its whole process group is killed in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// They stay: an apply command may start a service.
    Stay,
    /// They are killed: a validator has no business after its verdict.
    Killed,
}

/// A step that ended well, or was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// `when_exists` named something that is not there: nothing was started.
    pub left_out: bool,
    /// What it wrote on its standard output, at most [`MAX_OUTPUT`] bytes.
    pub stdout: Vec<u8>,
    /// What it wrote on its standard error, at most [`MAX_OUTPUT`] bytes.
    pub stderr: Vec<u8>,
    /// How long it took.
    pub took: Duration,
}

/// How a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It ended with this code, which is not 0.
    Exit(i32),
    /// This signal ended it.
    Signal(i32),
    /// It ran into its limit and was killed.
    Limit(Duration),
    /// Nobody wanted its result any more; it was killed.
    Cancelled,
    /// It could not be started, or not be watched; why.
    NotStarted(String),
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFailure {
    /// The command as one would type it.
    pub command: String,
    /// How it failed.
    pub how: How,
    /// The last lines that it wrote, of standard error if there are any, at most
    /// [`QUOTED_LINES`].
    pub lines: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Step {
    /// A step without condition.
    pub fn new(argv: &[&str], limit: Duration) -> Step {
        let argv = argv.iter().map(|part| (*part).to_owned()).collect();
        Step { argv, limit, when_exists: None }
    }

    /// The command as one would type it.
    pub fn command(&self, root: &Path) -> String {
        let shown: Vec<String> = self.arguments(root).iter().map(|part| quoted(part)).collect();
        shown.join(" ")
    }

    /// Whether what it waits for is there.
    pub fn is_wanted(&self, root: &Path) -> bool {
        match self.when_exists.as_deref() {
            None => true,
            Some(path) if path.starts_with('/') => root.join(&path[1..]).exists(),
            Some(name) => SEARCHED.split(':').any(|folder| Path::new(folder).join(name).exists()),
        }
    }

    /// Runs it to its end; `Err` unless it ends with 0 within its limit.
    pub fn run(&self, root: &Path, leftovers: Leftovers) -> Result<Ran, StepFailure> {
        self.run_until(root, leftovers, &AtomicBool::new(false))
    }

    /// The same, and it is killed soon after `cancelled` is set.
    pub fn run_until(
        &self,
        root: &Path,
        leftovers: Leftovers,
        cancelled: &AtomicBool,
    ) -> Result<Ran, StepFailure> {
        if !self.is_wanted(root) {
            let (stdout, stderr) = (Vec::new(), Vec::new());
            return Ok(Ran { left_out: true, stdout, stderr, took: Duration::ZERO });
        }
        match run::run(self, root, leftovers, cancelled) {
            (Ok(()), written) => Ok(Ran {
                left_out: false,
                took: written.took,
                stdout: written.stdout.into_bytes(),
                stderr: written.stderr.into_bytes(),
            }),
            (Err(how), written) => Err(StepFailure {
                command: self.command(root),
                how,
                lines: tail(&written),
                took: written.took,
            }),
        }
    }

    fn arguments(&self, root: &Path) -> Vec<String> {
        let root = root.to_string_lossy();
        let root = root.trim_end_matches('/');
        self.argv.iter().map(|part| part.replace(ROOT_MARK, root)).collect()
    }
}

impl fmt::Display for StepFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (`{}`)", self.in_short(), shortened(&self.command))
    }
}

impl StepFailure {
    /// How it failed without the command, where there is room for a few words only: a script
    /// in the command would take it all.
    pub fn in_short(&self) -> String {
        match self.lines.as_slice() {
            [] => self.how.to_string(),
            lines => format!("{}: {}", self.how, lines.join(" | ")),
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Exit(code) => write!(out, "ended with {code}"),
            How::Signal(signal) => write!(out, "was ended by signal {signal}"),
            How::Limit(limit) => {
                write!(out, "was not done within {} s and was killed", limit.as_secs_f64())
            }
            How::Cancelled => out.write_str("was broken off: something newer is wanted"),
            How::NotStarted(why) => write!(out, "could not be run: {why}"),
        }
    }
}

impl std::error::Error for StepFailure {}

/// A command that is a script is named by its beginning.
fn shortened(command: &str) -> String {
    let line = command.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN_COMMAND) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None if line.len() < command.len() => format!("{}…", line.trim_end()),
        None => line.to_owned(),
    }
}

/// An argument in quotes where a shell would need them.
fn quoted(part: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=,+@%".contains(c);
    if !part.is_empty() && part.chars().all(plain) {
        part.to_owned()
    } else {
        format!("'{}'", part.replace('\'', "'\\''"))
    }
}

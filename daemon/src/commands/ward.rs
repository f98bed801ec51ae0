//! One process that `twinwall run` looks after: started, started again whenever it dies,
//! told to stop, and killed when it does not.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use twinwall::failure::{Exit, Failure};

use super::start;
use crate::system;

/// A process that ran this long was well; its next end counts as the first.
const STEADY: Duration = Duration::from_secs(10);
/// First pause after the restart at once; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Time for ending in order before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The process, or its place.
pub(super) struct Ward {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Whether one that ended well by itself is left alone.
    may_leave: bool,
    stage: Stage,
    restarts: Restarts,
}

enum Stage {
    /// It shall not run, or ended well by itself.
    Off,
    /// It runs since then.
    On(Child, Instant),
    /// It was told to stop and is killed then.
    Ending(Child, Instant),
    /// It died and is started again then.
    Pausing(Instant),
}

impl Ward {
    /// One that is started again however it ended.
    pub(super) fn new(name: &'static str, program: PathBuf, arguments: Vec<OsString>) -> Ward {
        let (may_leave, stage) = (false, Stage::Off);
        Ward { name, program, arguments, may_leave, stage, restarts: Restarts::default() }
    }

    /// One that may say goodbye: then it is not started again.
    pub(super) fn that_may_leave(self) -> Ward {
        Ward { may_leave: true, ..self }
    }

    /// Whether a process of it is there.
    pub(super) fn is_there(&self) -> bool {
        matches!(self.stage, Stage::On(..) | Stage::Ending(..))
    }

    /// Starts it unless it runs or is about to.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        match self.stage {
            Stage::Off => {}
            Stage::On(..) | Stage::Ending(..) | Stage::Pausing(_) => return Ok(()),
        }
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        system::detach_signals(&mut command);
        let child = command.spawn().map_err(|error| start::cannot_start(self.name, &error))?;
        say(&format!("{} started, process {}", self.name, child.id()));
        self.stage = Stage::On(child, Instant::now());
        Ok(())
    }

    /// Tells it to end, by this signal; one that pauses is not started again.
    pub(super) fn stop(&mut self, signal: i32) -> Result<(), Failure> {
        match std::mem::replace(&mut self.stage, Stage::Off) {
            Stage::On(child, _) => {
                let told = system::signal(child.id(), signal);
                self.stage = Stage::Ending(child, Instant::now() + STOP_LIMIT);
                told.map_err(|error| self.failed("stopping", &error))
            }
            ending @ Stage::Ending(..) => {
                self.stage = ending;
                Ok(())
            }
            Stage::Off | Stage::Pausing(_) => Ok(()),
        }
    }

    /// Looks how it is and does what is due. The result of one that was told to stop comes
    /// back when it has ended.
    pub(super) fn tend(&mut self) -> Result<Option<ExitStatus>, Failure> {
        let now = Instant::now();
        match &mut self.stage {
            Stage::Off => Ok(None),
            Stage::On(child, begun) => {
                let begun = *begun;
                if let Some(status) =
                    child.try_wait().map_err(|error| waiting(self.name, &error))?
                {
                    self.died(status, begun);
                }
                Ok(None)
            }
            Stage::Ending(child, kill_at) => {
                let ended = child.try_wait().map_err(|error| waiting(self.name, &error))?;
                if ended.is_some() {
                    self.stage = Stage::Off;
                } else if *kill_at <= now {
                    say(&format!(
                        "the {} did not stop within {} s; killing it",
                        self.name,
                        STOP_LIMIT.as_secs()
                    ));
                    *kill_at = now + STOP_LIMIT;
                    let killed = child.kill();
                    killed.map_err(|error| self.failed("killing", &error))?;
                }
                Ok(ended)
            }
            Stage::Pausing(until) if *until <= now => {
                self.stage = Stage::Off;
                self.start().map(|()| None)
            }
            Stage::Pausing(_) => Ok(None),
        }
    }

    /// When [`Ward::tend`] has something to do, if no child changes before.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Off | Stage::On(..) => None,
            Stage::Ending(_, at) | Stage::Pausing(at) => Some(*at),
        }
    }

    fn died(&mut self, status: ExitStatus, begun: Instant) {
        if status.success() && self.may_leave {
            say(&format!("{} ended by itself", self.name));
            self.stage = Stage::Off;
            return;
        }
        let pause = self.restarts.pause(begun.elapsed());
        say(&format!(
            "{} ended ({status}); starting it again in {} ms",
            self.name,
            pause.as_millis()
        ));
        self.stage = Stage::Pausing(Instant::now() + pause);
    }

    fn failed(&self, doing: &str, error: &io::Error) -> Failure {
        Failure::machine(format!("{doing} the {}", self.name), error)
    }
}

/// Says it in one write: the children write to the same place.
pub(super) fn say(text: &str) {
    // Nobody reads it any more; the work goes on.
    let _ = io::stderr().write_all(format!("twinwall: {text}\n").as_bytes());
}

/// How it ended after it was told to.
pub(super) fn ended(name: &str, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    let message = format!("the {name} did not end well ({status}); see its log above");
    Err(Failure { exit: Exit::Problem, message })
}

fn waiting(name: &str, error: &io::Error) -> Failure {
    Failure::machine(format!("waiting for the {name}"), error)
}

/// How long to wait before it is started again.
#[derive(Default)]
struct Restarts {
    in_a_row: u32,
}

impl Restarts {
    /// After a run of this length.
    fn pause(&mut self, ran: Duration) -> Duration {
        if ran >= STEADY {
            self.in_a_row = 0;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        match self.in_a_row {
            1 => Duration::ZERO,
            more => FIRST_PAUSE.saturating_mul(1 << (more - 2).min(16)).min(LONGEST_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_is_at_once_and_a_steady_process_earns_it_again() {
        let mut restarts = Restarts::default();
        let short = Duration::from_millis(5);
        let millis: Vec<u128> = (0..9).map(|_| restarts.pause(short).as_millis()).collect();
        assert_eq!(millis, [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(restarts.pause(STEADY), Duration::ZERO);
        assert_eq!(restarts.pause(short), FIRST_PAUSE);
        restarts.in_a_row = u32::MAX;
        assert_eq!(restarts.pause(short), LONGEST_PAUSE);
    }
}

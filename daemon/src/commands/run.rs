//! `twinwall run`: starts the guard, starts it again whenever it dies, and passes
//! on the order to stop. It holds no role: while it is away the guard goes on.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::system::{self, Signal, Signals};
use twinwall::client;
use twinwall::failure::{Exit, Failure};
use twinwall::files;

use super::start;

/// A guard that ran this long was well; its next end counts as the first.
const STEADY: Duration = Duration::from_secs(10);
/// First pause after the restart at once; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Time for handing over and saying goodbye before the guard is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks when no signal comes.
const IDLE: Duration = Duration::from_secs(60);

pub(super) fn run(root: &Path) -> Result<(), Failure> {
    let problems = files::read_settings(root).problems;
    if !problems.is_empty() {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(Failure::problem(format!("not started:\n{}", lines.join("\n"))));
    }
    if client::guard_listens(root) {
        let wrong =
            "not started: a guard runs here already; see 'twinwall status', or stop it first";
        return Err(Failure::problem(wrong));
    }
    let program = start::beside(start::GUARD)?;
    let signals = Signals::block().map_err(|error| Failure::machine("blocking signals", &error))?;
    let mut restarts = Restarts::default();
    loop {
        let mut command = Command::new(&program);
        command.arg("--root").arg(root);
        system::detach_signals(&mut command);
        let begun = Instant::now();
        let mut guard =
            command.spawn().map_err(|error| start::cannot_start(start::GUARD, &error))?;
        eprintln!("twinwall: guard started, process {}", guard.id());
        match watch(&mut guard, &signals)? {
            Ended::AsOrdered(status) => return ended(status),
            Ended::ByItself(status) if status.success() => return Ok(()),
            Ended::ByItself(status) => {
                let pause = restarts.pause(begun.elapsed());
                eprintln!(
                    "twinwall: guard ended ({status}); starting it again in {} ms",
                    pause.as_millis()
                );
                if let Some(Signal::Stop(_)) = wait_for_stop(&signals, pause) {
                    return Ok(());
                }
            }
        }
    }
}

enum Ended {
    AsOrdered(ExitStatus),
    ByItself(ExitStatus),
}

/// Waits for the guard's end; passes on each order to stop.
fn watch(guard: &mut Child, signals: &Signals) -> Result<Ended, Failure> {
    let mut kill_at: Option<Instant> = None;
    loop {
        let looked =
            guard.try_wait().map_err(|error| Failure::machine("waiting for the guard", &error))?;
        match (looked, kill_at) {
            (Some(status), None) => return Ok(Ended::ByItself(status)),
            (Some(status), Some(_)) => return Ok(Ended::AsOrdered(status)),
            (None, Some(at)) if at <= Instant::now() => {
                eprintln!(
                    "twinwall: the guard did not stop within {} s; killing it",
                    STOP_LIMIT.as_secs()
                );
                guard.kill().map_err(|error| Failure::machine("killing the guard", &error))?;
                kill_at = Some(Instant::now() + STOP_LIMIT);
            }
            (None, _) => {}
        }
        let limit = kill_at.map_or(IDLE, |at| at.saturating_duration_since(Instant::now()));
        if let Some(Signal::Stop(number)) = signals.wait(limit) {
            system::signal(guard.id(), number)
                .map_err(|error| Failure::machine("stopping the guard", &error))?;
            kill_at.get_or_insert_with(|| Instant::now() + STOP_LIMIT);
        }
    }
}

/// Sleeps for the pause unless told to stop; the signal of an ended child does not wake it.
fn wait_for_stop(signals: &Signals, pause: Duration) -> Option<Signal> {
    let until = Instant::now() + pause;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match signals.wait(left) {
            Some(Signal::Child) if !left.is_zero() => {}
            other => return other,
        }
    }
}

fn ended(status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(Failure {
        exit: Exit::Problem,
        message: format!("the guard did not end well ({status}); see its log above"),
    })
}

/// How long to wait before the guard is started again.
#[derive(Default)]
struct Restarts {
    in_a_row: u32,
}

impl Restarts {
    /// The pause after a guard that ran for `ran`: none at first, for every
    /// millisecond counts, then longer and longer for one that cannot live.
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
    fn the_first_restart_is_at_once_and_a_steady_guard_earns_it_again() {
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

//! The thread that asks the gateways: all at once in each interval, and whatever answers in
//! between is taken. It waits for nothing but its sockets, and ends with what it works for.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use twinwall_core::time::Moment;
use twinwall_netlink::wait::{readable, wait};

use super::line::{Answer, Line, Seal, Unsent};
use super::plan::Target;
use super::{Inside, Shared};
use crate::agent::failovers::monotonic;

/// The thread looks at least this often whether it is still wanted.
const TURN: Duration = Duration::from_millis(500);

/// Asks until nobody holds what it works for, or nothing is to be asked.
pub(super) fn run(shared: &Weak<Shared>, sys: PathBuf) {
    let mut asking = Asking { lines: Vec::new(), seal: seal(), sys, due: Moment::ZERO };
    while let Some(shared) = shared.upgrade() {
        if !asking.turn(&shared) {
            return;
        }
    }
}

struct Asking {
    lines: Vec<Line>,
    seal: Seal,
    sys: PathBuf,
    /// When the next questions go out.
    due: Moment,
}

impl Asking {
    /// One turn: asks if it is time, waits for answers, takes them. Whether there is more to do.
    fn turn(&mut self, shared: &Arc<Shared>) -> bool {
        let now = monotonic();
        if now >= self.due {
            let mut inside = shared.inside();
            if inside.targets.is_empty() {
                inside.runs = false;
                return false;
            }
            self.due = now + inside.settings.interval;
            self.ask(now, &mut inside);
            shared.tell_losses(now, &inside);
        }
        let left = self.due.since(monotonic()).min(TURN);
        let mut fds: Vec<libc::pollfd> = vec![readable(shared.wake())];
        fds.extend(self.lines.iter().flat_map(Line::descriptors).map(readable));
        if wait(&mut fds, Some(left)).is_err() {
            // What cannot be waited for is looked at a little later.
            std::thread::sleep(left);
        }
        if fds.first().is_some_and(|fd| fd.revents != 0) {
            shared.heard();
            // Other gateways are to be asked now.
            self.due = monotonic();
        }
        self.take(shared);
        true
    }

    fn ask(&mut self, now: Moment, inside: &mut Inside) {
        self.lines.retain(Line::stands);
        let Inside { targets, watched, settings, .. } = inside;
        for (number, (target, watched)) in (0u16..).zip(targets.iter().zip(watched)) {
            let sent = match self.line(target) {
                Ok(line) => {
                    watched.asked(now, settings);
                    line
                }
                Err(why) => {
                    watched.failed(now, settings, why);
                    continue;
                }
            };
            let line = &mut self.lines[sent];
            match line.ask(target, number, self.seal) {
                Ok(()) => {}
                Err(Unsent::Failed(why)) => watched.failed(now, settings, why),
                Err(Unsent::Cannot(why)) => watched.cannot(now, why),
            }
        }
    }

    /// The place of the line of a target's interface.
    fn line(&mut self, target: &Target) -> Result<usize, String> {
        let name = &target.interface;
        if let Some(place) = self.lines.iter().position(|line| line.interface == *name) {
            return Ok(place);
        }
        let line = Line::find(name, &self.sys).map_err(|_| format!("there is no {name} here"))?;
        self.lines.push(line);
        Ok(self.lines.len() - 1)
    }

    fn take(&self, shared: &Arc<Shared>) {
        let answers: Vec<(&str, Answer)> = self
            .lines
            .iter()
            .flat_map(|line| {
                line.answers(self.seal).into_iter().map(|answer| (line.interface.as_str(), answer))
            })
            .collect();
        if answers.is_empty() {
            return;
        }
        let now = monotonic();
        let mut inside = shared.inside();
        let Inside { targets, watched, settings, .. } = &mut *inside;
        for (number, (target, watched)) in (0u16..).zip(targets.iter().zip(watched)) {
            let is_its = |(interface, answer): &(&str, Answer)| {
                *interface == target.interface
                    && match answer {
                        Answer::Neighbour(address) => *address == target.address,
                        Answer::Echo(echo) => *echo == number,
                    }
            };
            if answers.iter().any(is_its) {
                watched.answered(now, settings);
            }
        }
    }
}

/// Random, so that nobody answers who was not asked.
fn seal() -> Seal {
    let mut random = [0; 10];
    // Should the machine give nothing, an answer may be a stranger's; it is a neighbour's still.
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    let [high, low, nonce @ ..] = random;
    Seal { identifier: u16::from_be_bytes([high, low]), nonce }
}

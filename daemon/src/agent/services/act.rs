//! One action on one service, or one health check, on a thread that may wait: whether it is
//! ours to touch, and its command within its limit.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::plan::{Ended, Verb};
use super::unit;
use crate::agent::profile::{Service, Task};
use crate::agent::step::{How, Leftovers, StepFailure};

/// Does it.
pub(super) fn act(service: &Service, verb: Verb, root: &Path, cancelled: &AtomicBool) -> Ended {
    if let Some(why) = left_alone(service) {
        return Ended::LeftAlone(why);
    }
    let step = match verb {
        Verb::Check => &service.check,
        Verb::Start => &service.start,
        Verb::Stop => &service.stop,
    };
    match (step.run_until(root, Leftovers::Stay, cancelled), verb) {
        (Ok(_), _) => Ended::Well,
        (Err(StepFailure { how: How::Cancelled, .. }), _) => Ended::BrokenOff,
        (Err(failure), Verb::Check) => match &failure.how {
            How::NotStarted(_) => Ended::Failed(failure.to_string()),
            How::Exit(_) | How::Signal(_) | How::Limit(_) | How::Cancelled => {
                Ended::No(failure.to_string())
            }
        },
        (Err(failure), Verb::Start | Verb::Stop) => Ended::Failed(failure.to_string()),
    }
}

/// Runs a health check; what it leaves behind ends with it.
pub(super) fn check(task: &Task, root: &Path, cancelled: &AtomicBool) -> Ended {
    if !task.is_due_below(root) {
        let program = task.program.display();
        let why =
            if task.program.exists() { "what it needs".to_owned() } else { program.to_string() };
        return Ended::LeftAlone(format!("{why} is not there"));
    }
    match task.step.run_until(root, Leftovers::Killed, cancelled) {
        Ok(_) => Ended::Well,
        Err(StepFailure { how: How::Cancelled, .. }) => Ended::BrokenOff,
        Err(failure) => Ended::No(failure.in_short()),
    }
}

/// Why a service is none of ours, where it is so. What the administrator has not enabled
/// shall not run on the active either.
fn left_alone(service: &Service) -> Option<String> {
    if !service.is_installed() {
        return Some(format!("{} is not installed", service.program.display()));
    }
    let systemctl = unit::systemctl(service)?;
    if !Path::new(unit::SYSTEMD).exists() {
        return Some("systemd does not run this machine".to_owned());
    }
    let enabled = unit::is_enabled(systemctl, &service.unit);
    (!enabled).then(|| format!("{} is not enabled here", service.unit))
}

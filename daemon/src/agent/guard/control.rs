//! Whether the guard runs: started and stopped when high availability is turned on and
//! off, and never for any other reason. Whoever supervises it does that; this asks them.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Signal, getppid, kill_process};

use crate::agent::step::{Leftovers, Step};

/// The guard's unit.
const UNIT: &str = "twinwall-guard.service";
/// Its program, which lies beside this one.
const PROGRAM: &str = "twinwall-guard";
/// A goodbye takes well under a second; the unit is killed after five.
const LIMIT: Duration = Duration::from_secs(20);

/// Who supervises the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// systemd.
    Systemd,
    /// `twinwall run`, the agent's parent.
    Run,
    /// Nobody that is known.
    Nobody,
}

impl Control {
    /// As this machine is: `supervised` says that `twinwall run` started this agent. The
    /// unit's guard is that of the machine itself, never of a root below it.
    pub fn here(root: &Path, supervised: bool) -> Control {
        if supervised {
            Control::Run
        } else if root == Path::new("/") && Path::new("/run/systemd/system").exists() {
            Control::Systemd
        } else {
            Control::Nobody
        }
    }

    /// Takes away what a guard that was killed may have left in the kernel. Nothing is left
    /// by one that ended well.
    ///
    /// # Errors
    /// In words, with what to do by hand.
    pub fn clear(self) -> Result<(), String> {
        if self == Control::Nobody {
            return Ok(());
        }
        let own =
            std::env::current_exe().map_err(|error| format!("finding this program: {error}"))?;
        let guard = own.with_file_name(PROGRAM);
        let step = Step::new(&[&guard.to_string_lossy(), "--clear"], LIMIT);
        let ran = step.run(Path::new("/"), Leftovers::Stay);
        ran.map(drop).map_err(|failure| failure.to_string())
    }

    /// Has who supervises this agent look at the settings again: 'twinwall run' starts what they
    /// want beside it.
    pub fn look(self) {
        if self == Control::Run
            && let Some(parent) = getppid()
        {
            // One that has just ended needs to know nothing.
            let _ = kill_process(parent, Signal::USR1);
        }
    }

    /// Makes the guard run, or not, from now on and after a reboot. pair.toml says so
    /// already; this only makes its supervisor look. May wait some seconds.
    ///
    /// # Errors
    /// In words, with what to do by hand.
    pub fn set(self, runs: bool) -> Result<(), String> {
        match self {
            Control::Systemd => {
                let verb = if runs { "enable" } else { "disable" };
                let step = Step::new(&["systemctl", verb, "--now", UNIT], LIMIT);
                let ran = step.run(Path::new("/"), Leftovers::Stay);
                ran.map(drop).map_err(|failure| failure.to_string())
            }
            Control::Run => {
                let parent = getppid().ok_or("this agent has no parent; start 'twinwall run'")?;
                kill_process(parent, Signal::USR1)
                    .map_err(|error| format!("telling 'twinwall run' to look: {error}"))
            }
            Control::Nobody => {
                let what = if runs { "start" } else { "stop" };
                Err(format!(
                    "nobody supervises the guard here; {what} it by hand, or run the node by \
                     'twinwall run'"
                ))
            }
        }
    }
}

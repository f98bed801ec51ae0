//! What an agent acts on besides the files below its root: who supervises the guard, and the
//! kernel as it shows itself. Named once, where the agent is started; the kernel's network
//! settings are those of the network namespace in which it runs.

use std::path::{Path, PathBuf};

use super::guard::Control;

/// The machine around an agent.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Who supervises the guard.
    pub control: Control,
    /// Where procfs is mounted: the kernel's settings, processors, memory.
    pub proc: PathBuf,
    /// Where sysfs is mounted: interfaces, and what the firmware says of the hardware.
    pub sys: PathBuf,
    /// Whether the agent acts on the network namespace in which it runs: connections.
    pub network: bool,
}

impl Machine {
    /// This one, for an agent on `root`; `supervised` says that `twinwall run` started it.
    pub fn here(root: &Path, supervised: bool) -> Machine {
        Machine {
            control: Control::here(root, supervised),
            proc: PathBuf::from("/proc"),
            sys: PathBuf::from("/sys"),
            network: true,
        }
    }

    /// One that is made of files below a directory, so that the real one stays as it is.
    #[cfg(test)]
    pub(super) fn below(folder: &Path) -> Machine {
        let control = Control::Nobody;
        let (proc, sys) = (folder.join("proc"), folder.join("sys"));
        Machine { control, proc, sys, network: false }
    }
}

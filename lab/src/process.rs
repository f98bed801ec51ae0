//! Processes of a gateway: signals to all of them at once, and their end
//! within a bound.

use std::fs;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use crate::error::{Doing, Result};
use crate::wait;

/// A killed process is gone within this, even on a busy machine.
const END_WITHIN: Duration = Duration::from_secs(5);

/// A started program and, once asked for, its children.
pub struct Running {
    child: Child,
}

impl Running {
    /// Takes charge of a started program.
    pub fn new(child: Child) -> Running {
        Running { child }
    }

    /// The program's own process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its process id and those of its children, parents first.
    pub fn pids(&self) -> Vec<i32> {
        let mut pids = vec![self.child.id().cast_signed()];
        let mut next = 0;
        while let Some(pid) = pids.get(next).copied() {
            let children =
                fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            pids.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
            next += 1;
        }
        pids
    }

    /// Whether the program itself still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal to the program alone, as a service manager does to stop it.
    pub fn signal_main(&self, signal: libc::c_int) {
        signal_all(&[self.child.id().cast_signed()], signal);
    }

    /// Waits for the program's end; how it ended.
    pub fn wait_end(&mut self, bound: Duration) -> Result<ExitStatus> {
        let child = &mut self.child;
        wait::until("the end of a process", bound, || match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it runs".to_owned()),
            Err(cause) => Err(cause.to_string()),
        })
    }

    /// Takes the dead program and its orphans off the process table.
    pub fn bury(&mut self, pids: &[i32]) -> Result<()> {
        self.child.wait().doing("wait for a killed process")?;
        for pid in pids.iter().skip(1).copied() {
            // The lab is process 1: orphans become its children.
            wait::until("the end of an orphan", END_WITHIN, || {
                // SAFETY: a plain query of our own child; the status is not wanted.
                let found = unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) };
                if found == 0 { Err(format!("process {pid} runs")) } else { Ok(()) }
            })?;
        }
        Ok(())
    }
}

impl Drop for Running {
    /// A lab that ends leaves nothing running for the next one in this process.
    fn drop(&mut self) {
        if self.runs() {
            let pids = self.pids();
            signal_all(&pids, libc::SIGKILL);
            // What does not end within its bound ends with the lab's PID namespace.
            let _ = self.bury(&pids);
        }
    }
}

/// Sends a signal to processes, in this order. Those that are gone are skipped.
pub fn signal_all(pids: &[i32], signal: libc::c_int) {
    for &pid in pids.iter().filter(|pid| **pid > 1) {
        // SAFETY: a plain system call; the ids are of processes that this lab started.
        unsafe { libc::kill(pid, signal) };
    }
}

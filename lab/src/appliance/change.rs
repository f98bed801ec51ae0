//! The administrator changes a file on the gateway that serves: how long until the other one
//! has it in use. Called by the live view and by the demonstration.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Doing, LabError, Result};
use crate::gateway::Gateway;
use crate::plan;
use crate::wait;

/// The file: hosts that rules and name service know, of the section of definitions.
const FILE: &str = "etc/hosts.d/lan";
/// A change is on the other gateway within this, however busy the machine.
const WITHIN: Duration = Duration::from_secs(60);

/// A change on its way.
pub struct Changed {
    line: String,
    from: usize,
    ended: Receiver<Result<Duration>>,
}

impl Changed {
    /// Adds a line on the gateway `from`; `tree` is that of the other one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(from: &Gateway, tree: PathBuf, host: u8) -> Result<Changed> {
        let line = format!("10.1.0.{host} host-{host}");
        let added = format!("{line}\n");
        let path = PathBuf::from("/").join(FILE);
        let written = from.machine.worker.run(move || {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.and_then(|mut file| file.write_all(added.as_bytes()))
        })?;
        let at = Instant::now();
        written.doing(format!("change /{FILE}"))?;
        let (end, ended) = channel();
        let wanted = line.clone();
        thread::spawn(move || {
            let there = wait::until("the change on the other gateway", WITHIN, || {
                let text = fs::read_to_string(tree.join(FILE)).unwrap_or_default();
                if text.contains(&wanted) { Ok(at.elapsed()) } else { Err("not there".to_owned()) }
            });
            // Whoever asked may be gone.
            let _ = end.send(there);
        });
        Ok(Changed { line, from: from.node, ended })
    }

    /// What was done, in words.
    pub fn words(&self) -> String {
        let name = [plan::GATEWAY_A, plan::GATEWAY_B][self.from];
        format!("'{}' added to /{FILE} on {name}", self.line)
    }

    /// How long it took, once it is there.
    pub fn ended(&self) -> Option<Result<Duration>> {
        match self.ended.try_recv() {
            Ok(took) => Some(took),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err(LabError::Usage("nobody watches the change any more".to_owned())))
            }
        }
    }

    /// Waits for it.
    ///
    /// # Errors
    /// When it does not get there.
    pub fn wait(&mut self) -> Result<Duration> {
        let gone = || LabError::Usage("nobody watches the change any more".to_owned());
        self.ended.recv().map_err(|_| gone())?
    }

    /// How long it took, in words.
    pub fn told(&self, took: Duration) -> String {
        let other = [plan::GATEWAY_A, plan::GATEWAY_B][1 - self.from];
        format!("{}; validated and in place on {other} after {} ms", self.words(), took.as_millis())
    }
}

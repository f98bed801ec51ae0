//! A gateway as a whole: its own Debian configuration and the whole of twinwall on it, as
//! on a machine of its own. Called by [`crate::gateway`]; its role is the guard's affair.

pub mod change;
mod disk;
mod files;
pub mod set_up;

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::{Doing, Result};
use crate::isolate::TREES;
use crate::worker::Worker;
use crate::{netns, wait};

/// A person's way in, below [`TREES`].
pub const DOOR: &str = "in";
/// Number of the machine's thread, below its tree.
const THREAD: &str = "thread";
/// A started agent answers within this.
const START_WITHIN: Duration = Duration::from_secs(10);

/// What makes a gateway an appliance.
#[derive(Clone, Debug)]
pub struct Appliance {
    /// The `twinwall` command.
    pub program: PathBuf,
    /// Whether high availability is on, so that a guard runs after a start.
    pub is_on: bool,
}

impl Appliance {
    /// One that nobody has set up yet.
    pub fn new(program: PathBuf) -> Appliance {
        Appliance { program, is_on: false }
    }

    /// Gives the machine its disk, with what its administrator wrote there.
    pub fn furnish(&self, node: usize, worker: &Worker, tree: &Path) -> Result<()> {
        for (path, text, mode) in files::of(node) {
            disk::write(tree, path, &text, mode)?;
        }
        disk::close(tree, files::ACCOUNTS)?;
        disk::mount(worker, tree)?;
        self.open_door(worker, tree)
    }

    /// Lets a person in: `in gw-a COMMAND`, run inside the lab, runs it on the machine.
    fn open_door(&self, worker: &Worker, tree: &Path) -> Result<()> {
        let thread = worker.run(|| {
            // SAFETY: no arguments, cannot fail.
            unsafe { libc::gettid() }
        })?;
        // The machine's mounts are those of its thread. They cannot be given a name as network
        // namespaces have: the kernel refuses that now and then, for fear of a loop.
        disk::write(tree, THREAD, &thread.to_string(), 0o644)?;
        let programs = self.program.parent().unwrap_or(Path::new("/usr/bin"));
        let script = format!(
            "#!/bin/sh\nnode=$1\nshift\n[ $# -gt 0 ] || set -- bash\n\
             exec nsenter --net={}/$node --mount=/proc/1/task/$(cat {TREES}/$node/{THREAD})/ns/mnt \
             env PATH={}:$PATH \"$@\"\n",
            netns::NAMES,
            programs.display(),
        );
        disk::write(Path::new(TREES), DOOR, &script, 0o755)
    }

    /// Sets addresses and packet filter as Debian does at boot, from the machine's own files.
    pub fn boot(&self, worker: &Worker, tree: &Path) -> Result<()> {
        let state = tree.join("run/network");

        for entry in fs::read_dir(&state).doing("look into run/network")?.flatten() {
            fs::remove_file(entry.path()).doing("clear run/network")?;
        }
        worker.command("ifup", &["--all", "--no-scripts"], String::new())?;
        worker.command("nft", &["-f", "/etc/nftables.conf"], String::new()).map(drop)
    }

    /// The command that runs twinwall there.
    pub fn run(&self) -> Command {
        let mut command = self.twinwall(&["run"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// An administrator's command.
    pub fn twinwall(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words);
        command
    }

    /// Waits until the agent answers.
    pub fn await_agent(&self, name: &str, tree: &Path) -> Result<()> {
        let socket = tree.join("run/twinwall/agent.sock");
        wait::until(&format!("the start of the agent on {name}"), START_WITHIN, || {
            UnixStream::connect(&socket).map(drop).map_err(|cause| cause.to_string())
        })
    }
}

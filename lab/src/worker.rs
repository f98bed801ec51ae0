//! One thread for each machine of the lab, in its network namespace and in a mount
//! namespace of its own. Work is handed to it as closures; programs that it
//! starts are born there.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::error::{Doing, LabError, Result};
use crate::mount;
use crate::netns::Namespace;

/// Realtime priority of the workers: a fault must not wait behind CPU hogs. Programs
/// that a worker starts do not inherit it.
const PRIORITY: libc::c_int = 5;

type Job = Box<dyn FnOnce() + Send>;

/// The thread of one machine.
#[derive(Clone)]
pub struct Worker {
    namespace: Arc<Namespace>,
    jobs: Sender<Job>,
}

impl Worker {
    /// Makes the namespace `name` and starts its thread.
    pub fn start(name: &str) -> Result<Worker> {
        let mut namespace = Namespace::create(name).doing(format!("make namespace {name}"))?;
        namespace.publish().doing(format!("name namespace {name}"))?;
        let namespace = Arc::new(namespace);
        let (jobs, todo) = channel::<Job>();
        let (ready, started) = channel();
        let inner = Arc::clone(&namespace);
        let body = move || {
            let settled = settle(&inner);
            // From here on only the lab holds the namespace: its name must go when the
            // lab goes, not when this thread gets to it, or the next lab's would go.
            drop(inner);
            let lives = settled.is_ok();
            if ready.send(settled).is_err() || !lives {
                return;
            }
            for job in todo {
                job();
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(body).doing("start a thread")?;
        started.recv().map_err(|_| gone(name))??;
        Ok(Worker { namespace, jobs })
    }

    /// The machine's namespace.
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }

    /// The machine's name.
    pub fn name(&self) -> &str {
        &self.namespace.name
    }

    /// Runs `job` there and waits for its result.
    pub fn run<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> Result<R> {
        let (done, result) = channel();
        let boxed: Job = Box::new(move || {
            // The receiver is gone only when the caller is.
            let _ = done.send(job());
        });
        self.jobs.send(boxed).map_err(|_| gone(self.name()))?;
        result.recv().map_err(|_| gone(self.name()))
    }

    /// Runs a program to its end with `input` on stdin; its output when it succeeds.
    pub fn command(&self, program: &str, arguments: &[&str], input: String) -> Result<String> {
        let line = format!("{}: {program} {}", self.name(), arguments.join(" "));
        let command = piped(program, arguments);
        outcome(line, self.run(move || feed(command, &input))?)
    }

    /// Writes values below `/proc/sys/net`, as seen by this machine.
    pub fn sysctl(&self, values: &'static [(&'static str, &'static str)]) -> Result<()> {
        self.run(move || {
            for (key, value) in values {
                fs::write(format!("/proc/sys/net/{key}"), value).doing(format!("set net/{key}"))?;
            }
            Ok(())
        })?
    }
}

/// As [`Worker::command`], outside all machines, where every namespace has its name.
pub fn command_outside(program: &str, arguments: &[&str], input: &str) -> Result<String> {
    let line = format!("{program} {}", arguments.join(" "));
    outcome(line, feed(piped(program, arguments), input))
}

fn piped(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn feed(mut command: Command, input: &str) -> io::Result<Output> {
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    child.wait_with_output()
}

fn outcome(line: String, result: io::Result<Output>) -> Result<String> {
    match result {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(LabError::Command {
            line,
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        }),
        Err(cause) => {
            Err(LabError::Command { line, output: format!("{cause}; is the program installed?") })
        }
    }
}

fn gone(name: &str) -> LabError {
    LabError::Usage(format!("the lab's thread for {name} died; this is a bug in the lab"))
}

fn settle(namespace: &Namespace) -> Result<()> {
    // SAFETY: plain system call; it changes this thread only.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(io::Error::last_os_error()).doing("make a mount namespace");
    }
    namespace.enter().doing(format!("enter namespace {}", namespace.name))?;
    mount::make_private().doing("keep mounts private")?;
    mount::fresh("sysfs", Path::new("/sys")).doing("mount /sys")?;
    let parameter = libc::sched_param { sched_priority: PRIORITY };
    // A machine that grants no realtime priority still has a lab, only less exact under load.
    // SAFETY: the parameter is valid; 0 is this thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &parameter) };
    Ok(())
}

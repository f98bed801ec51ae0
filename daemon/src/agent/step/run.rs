//! Starts a step and stays with it to its end. Called by [`super::Step::run`] only.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::output::{Kept, Written};
use super::{How, Leftovers, SEARCHED, Step};

/// Bytes read at once.
const PIECE: usize = 16 << 10;
/// Reads from one output at a time: one that never stops writing must not keep us from
/// looking at the clock.
const READS_AT_ONCE: usize = 64;

/// How often it is looked whether its result is still wanted.
const TURN: Duration = Duration::from_millis(100);

/// A step that runs.
struct Running {
    child: Child,
    /// Becomes readable when the child ends.
    ended: OwnedFd,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    written: Written,
    started: Instant,
}

pub(super) fn run(
    step: &Step,
    root: &Path,
    leftovers: Leftovers,
    cancelled: &AtomicBool,
) -> (Result<(), How>, Written) {
    match start(step, root) {
        Ok(mut running) => {
            let how = running.follow(step.limit, leftovers, cancelled);
            running.written.took = running.started.elapsed();
            (how, running.written)
        }
        Err(how) => (Err(how), Written::default()),
    }
}

fn start(step: &Step, root: &Path) -> Result<Running, How> {
    let arguments = step.arguments(root);
    let Some((program, rest)) = arguments.split_first() else {
        return Err(How::NotStarted("it names no program".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(rest).current_dir("/").process_group(0);
    command.env_clear().env("PATH", SEARCHED).env("LC_ALL", "C.UTF-8").env("HOME", "/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: the closure allocates nothing, takes no lock, and calls only what is
    // async-signal-safe.
    unsafe { command.pre_exec(become_ordinary) };
    let started = Instant::now();
    let mut child = command.spawn().map_err(|error| not_started(program, &error))?;
    match watch(&mut child) {
        Ok((ended, stdout, stderr)) => Ok(Running {
            child,
            ended,
            stdout: Some(stdout),
            stderr: Some(stderr),
            written: Written::default(),
            started,
        }),
        Err(error) => {
            kill_group(&child);
            let _reaped = child.wait();
            Err(How::NotStarted(format!("it cannot be watched: {error}")))
        }
    }
}

fn not_started(program: &str, error: &io::Error) -> How {
    How::NotStarted(match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no program '{program}'; install it, or set 'when_exists'")
        }
        _ => error.to_string(),
    })
}

/// In the child, before the program starts: ordinary scheduling, and an end with ours.
/// A step that went on after the agent was killed could overtake what the next one does.
fn become_ordinary() -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel reads `parameter`, which outlives the call; the rest passes no
    // pointer.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const parameter) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        // Ours close themselves; those that we were started with might not.
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
    Ok(())
}

/// What is needed to watch a child: its end, and its two outputs, which never block us.
fn watch(child: &mut Child) -> io::Result<(OwnedFd, OwnedFd, OwnedFd)> {
    let pid = Pid::from_child(child);
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    let missing = || io::Error::other("it has no pipe");
    let stdout: OwnedFd = child.stdout.take().ok_or_else(missing)?.into();
    let stderr: OwnedFd = child.stderr.take().ok_or_else(missing)?.into();
    for pipe in [&stdout, &stderr] {
        fcntl_setfl(pipe, OFlags::NONBLOCK)?;
    }
    Ok((ended, stdout, stderr))
}

/// Ends a child's process group. Right only while the child is not waited for: until
/// then no other group can have its number.
fn kill_group(child: &Child) {
    // Fails only when nothing is left of the group.
    let _nobody_left = kill_process_group(Pid::from_child(child), Signal::KILL);
}

impl Running {
    /// Reads what it writes until it ends or its limit does. A process that it leaves
    /// behind may keep the outputs open; nobody waits for that.
    fn follow(
        &mut self,
        limit: Duration,
        leftovers: Leftovers,
        cancelled: &AtomicBool,
    ) -> Result<(), How> {
        let deadline = self.started + limit;
        let broken_off = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Some(How::Limit(limit));
            }
            if cancelled.load(Ordering::Relaxed) {
                break Some(How::Cancelled);
            }
            if self.wait(left.min(TURN)) {
                break None;
            }
        };
        if broken_off.is_some() {
            kill_group(&self.child);
        }
        let status = {
            // Before it is waited for, its group's number is still its own.
            let ended = self.wait_for_end();
            if leftovers == Leftovers::Killed {
                kill_group(&self.child);
            }
            ended.and_then(|()| self.child.try_wait())
        };
        self.read_all();
        if let Some(how) = broken_off {
            return Err(how);
        }
        match status {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => {
                Err(status.code().map_or(How::Signal(status.signal().unwrap_or(0)), How::Exit))
            }
            Ok(None) => Err(How::NotStarted("its end cannot be seen".to_owned())),
            Err(error) => Err(How::NotStarted(format!("its end cannot be seen: {error}"))),
        }
    }

    /// Waits for output or the end; true when it has ended.
    fn wait(&mut self, left: Duration) -> bool {
        let mut fds = vec![PollFd::new(&self.ended, PollFlags::IN)];
        let outputs = [&self.stdout, &self.stderr].into_iter().flatten();
        fds.extend(outputs.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        let left = Timespec::try_from(left).ok();
        let ready = poll(&mut fds, left.as_ref());
        let ended = ready.is_ok() && fds[0].revents().contains(PollFlags::IN);
        self.read_all();
        ended
    }

    fn wait_for_end(&self) -> io::Result<()> {
        loop {
            match poll(&mut [PollFd::new(&self.ended, PollFlags::IN)], None) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read_all(&mut self) {
        read_some(&mut self.stdout, &mut self.written.stdout);
        read_some(&mut self.stderr, &mut self.written.stderr);
    }
}

/// Takes what is there; a pipe at its end is closed.
fn read_some(pipe: &mut Option<OwnedFd>, kept: &mut Kept) {
    let mut buffer = [0; PIECE];
    for _ in 0..READS_AT_ONCE {
        let Some(open) = pipe.as_ref() else { return };
        match rustix::io::read(open.as_fd(), &mut buffer) {
            Ok(0) => *pipe = None,
            Ok(length) => kept.push(&buffer[..length]),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return,
            Err(_) => *pipe = None,
        }
    }
}

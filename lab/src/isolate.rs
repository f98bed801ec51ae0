//! Isolation by construction: the lab runs itself again as process 1 of new PID,
//! mount and network namespaces. When it dies, however it dies, the kernel ends
//! every process and removes every namespace that it made; there is no clean-up
//! code that could be skipped. Only cgroups outlive their processes: a process that waits for
//! the outer side's end sweeps them. Called by `main` before anything else.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::sync::OnceLock;

use crate::container::cgroup::{self, Sweeper};
use crate::error::{Doing, LabError, Result};
use crate::live::Doors;
use crate::terminal::Saved;
use crate::{mount, netns};

/// Names the descriptor of the lifeline for the inner process. Whoever starts a lab inside of
/// another one removes it from its environment.
pub const LIFELINE: &str = "TWINWALL_LAB_LIFELINE";
/// Where the gateways' file trees are; on a file system that dies with the lab.
pub const TREES: &str = "/run/twinwall-lab";

/// Set on the inner side.
static OUTER_PID: OnceLock<u32> = OnceLock::new();

/// On the inner side, this process's id as seen from outside.
pub fn outer_pid() -> Option<u32> {
    OUTER_PID.get().copied()
}

/// Whether this process is the inner one.
pub fn is_inside() -> bool {
    env::var_os(LIFELINE).is_some()
}

/// Which side of the border this process is on.
pub enum Side {
    /// The outer process has run the inner one to its end; leave with this code.
    Done(ExitCode),
    /// This is the inner process.
    Inside {
        /// Its process id as seen from outside, for `nsenter`.
        outer_pid: u32,
    },
}

/// Outside: runs this program again inside and waits for its end. Inside: prepares the mounts.
pub fn cross() -> Result<Side> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    cross_with(&arguments)
}

/// As [`cross`], with other arguments for the inner process: a test runs itself alone
/// inside. Outside, the calling thread makes no threads afterwards and crosses once.
pub fn cross_with(arguments: &[OsString]) -> Result<Side> {
    cross_by(arguments, || None)
}

/// As [`cross`], with sockets that are opened outside, for the way to the consoles.
pub fn cross_with_doors() -> Result<Side> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    cross_by(&arguments, || Some(Doors::open()))
}

fn cross_by(arguments: &[OsString], doors: impl FnOnce() -> Option<Doors>) -> Result<Side> {
    match env::var(LIFELINE) {
        Ok(fd) => settle(&fd).map(|outer_pid| Side::Inside { outer_pid }),
        Err(_) => run_inside(arguments, doors().as_ref()).map(Side::Done),
    }
}

fn run_inside(arguments: &[OsString], doors: Option<&Doors>) -> Result<ExitCode> {
    // SAFETY: no arguments, cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return Err(LabError::Usage("the lab makes network namespaces: run it as root".into()));
    }
    cgroup::sweep();
    let mut sweeper = Sweeper::start()?;
    let (reader, writer) = io::pipe().doing("make a pipe")?;
    // SAFETY: a plain system call; only children made from now on are in the new namespace.
    if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        return Err(io::Error::last_os_error()).doing("make a PID namespace");
    }
    let saved = Saved::of_stdin();
    let mut child = spawn_inner(reader.as_raw_fd(), arguments, doors)?;
    drop(reader);
    sweeper.watch(child.id())?;
    let mut lifeline = writer;
    writeln!(lifeline, "{}", child.id()).doing("tell the inner process its id")?;
    let status = child.wait().doing("wait for the inner process")?;
    saved.restore();
    if let Some(signal) = status.signal() {
        eprintln!("the lab was ended by signal {signal}; its namespaces went with it");
    }
    // The lifeline is held until here: its end tells the inner process that nobody waits for it.
    drop(lifeline);
    drop(sweeper);
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

fn spawn_inner(lifeline: i32, arguments: &[OsString], doors: Option<&Doors>) -> Result<Child> {
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments).env(LIFELINE, lifeline.to_string());
    let mut kept = vec![lifeline];
    if let Some((fds, (name, value))) = doors.map(Doors::inherited) {
        command.env(name, value);
        kept.extend(fds);
    }
    // SAFETY: between fork and exec only system calls are made; nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            for fd in &kept {
                check(libc::fcntl(*fd, libc::F_SETFD, 0))?;
            }
            check(libc::unshare(libc::CLONE_NEWNS | libc::CLONE_NEWNET))
        });
    }
    command.spawn().doing("start the lab in its own namespaces")
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads the own outer id from the lifeline (an end of file means that the outer
/// process died before the death signal was armed) and makes the mounts.
fn settle(fd: &str) -> Result<u32> {
    let fd: i32 =
        fd.parse().map_err(|_| LabError::Usage(format!("{LIFELINE} is for the lab's own use")))?;
    // SAFETY: the outer process passed this descriptor for us alone.
    let lifeline = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut line = String::new();
    BufReader::new(io::PipeReader::from(lifeline))
        .read_line(&mut line)
        .doing("read the lifeline")?;
    let outer_pid: u32 = line
        .trim()
        .parse()
        .map_err(|_| LabError::Usage("the process that started the lab is gone".into()))?;
    OUTER_PID.get_or_init(|| outer_pid);
    mount::make_private().doing("keep mounts private")?;
    mount::fresh("proc", Path::new("/proc")).doing("mount /proc")?;
    // The new /sys hides the cgroups, which containers need.
    let cgroups = File::open(cgroup::MOUNT).ok();
    mount::fresh("sysfs", Path::new("/sys")).doing("mount /sys")?;
    if let Some(cgroups) = cgroups {
        let source = format!("/proc/self/fd/{}", cgroups.as_raw_fd());
        mount::bind_all(&source, Path::new(cgroup::MOUNT)).doing("show the cgroups")?;
    }
    mount::fresh("tmpfs", Path::new("/run")).doing("mount /run")?;
    for dir in [netns::NAMES, TREES] {
        fs::create_dir_all(dir).doing(format!("make {dir}"))?;
    }
    Ok(outer_pid)
}

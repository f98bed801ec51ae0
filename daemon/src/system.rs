//! The few things that only the C library tells: signals, interfaces, local
//! time. Each unsafe call stands in a safe function of its own.

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use twinwall::failure::Failure;

/// Waits until there is something to read, or the end of it; whether there was within `limit`.
pub(crate) fn readable(from: &impl AsFd, limit: Duration) -> io::Result<bool> {
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut one = [PollFd::new(from, PollFlags::IN)];
        match poll(&mut one, Some(&left)) {
            Err(Errno::INTR) => {}
            done => return Ok(done? > 0),
        }
    }
}

/// A signal that `twinwall run` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// The process shall end; the number is passed on.
    Stop(i32),
    /// A child changed.
    Child,
    /// The settings changed: look whether the guard shall run.
    Look,
}

/// The signals of [`Signal`], blocked so that they wait until they are fetched.
pub(crate) struct Signals(libc::sigset_t);

impl Signals {
    /// Blocks them; to be called before any thread or child is started.
    pub(crate) fn block() -> io::Result<Signals> {
        // SAFETY: the set is initialised by sigemptyset before any other use, and
        // all pointers are to locals that outlive the calls.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGCHLD, libc::SIGUSR1]
            {
                libc::sigaddset(&raw mut set, signal);
            }
            match libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) {
                0 => Ok(Signals(set)),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }

    /// Waits for one of them, at most for `limit`.
    pub(crate) fn wait(&self, limit: Duration) -> Option<Signal> {
        let limit = libc::timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        // SAFETY: the set was initialised in `block`; no information is asked for.
        let signal = unsafe {
            libc::sigtimedwait(&raw const self.0, std::ptr::null_mut(), &raw const limit)
        };
        match signal {
            libc::SIGCHLD => Some(Signal::Child),
            libc::SIGUSR1 => Some(Signal::Look),
            libc::SIGTERM | libc::SIGINT | libc::SIGHUP => Some(Signal::Stop(signal)),
            _ => None,
        }
    }
}

/// Calls this once when the user presses Ctrl-C, in a thread of its own; the command itself
/// goes on and hears of it by what happens. To be called before any other thread is started.
pub(crate) fn on_interrupt(then: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    // SAFETY: the set is initialised by sigemptyset before any other use, and the pointers
    // are to locals that outlive the calls.
    let set = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        set
    };
    let waiting = move || {
        let mut number = 0;
        // SAFETY: the set was initialised above; the number is a local.
        if unsafe { libc::sigwait(&raw const set, &raw mut number) } == 0 {
            then();
        }
    };
    let thread = std::thread::Builder::new().spawn(waiting);
    thread.map(drop).map_err(|error| Failure::machine("starting a thread", &error))
}

/// Lets a child start with no signal blocked, whatever its parent waits for, and
/// in a process group of its own, so that Ctrl-C reaches it only through us.
pub(crate) fn detach_signals(command: &mut Command) {
    command.process_group(0);
    let unblock = || {
        // SAFETY: only async-signal-safe calls on a local set.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
        }
        Ok(())
    };
    // SAFETY: the closure allocates nothing and takes no lock.
    unsafe { command.pre_exec(unblock) };
}

/// Sends a signal to a child that has not been waited for.
pub(crate) fn signal(pid: u32, signal: i32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: no memory is involved.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The names of this network namespace's interfaces.
pub(crate) fn interfaces() -> Vec<String> {
    let mut names = Vec::new();
    // SAFETY: the list ends with an entry of index 0; the names are C strings that
    // live until the list is freed, which happens once.
    unsafe {
        let list = libc::if_nameindex();
        if list.is_null() {
            return names;
        }
        let mut entry = list;
        while (*entry).if_index != 0 {
            names.push(CStr::from_ptr((*entry).if_name).to_string_lossy().into_owned());
            entry = entry.add(1);
        }
        libc::if_freenameindex(list);
    }
    names
}

/// The addresses of this network namespace with their interfaces.
pub(crate) fn addresses() -> Vec<(String, IpAddr)> {
    let mut found = Vec::new();
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: getifaddrs fills `list` or fails; each entry, its name and its address
    // live until the list is freed, which happens once. An address is read as the
    // family says that it is.
    unsafe {
        if libc::getifaddrs(&raw mut list) != 0 {
            return found;
        }
        let mut entry = list;
        while let Some(one) = entry.as_ref() {
            let name = CStr::from_ptr(one.ifa_name).to_string_lossy().into_owned();
            found.extend(address(one.ifa_addr).map(|address| (name, address)));
            entry = one.ifa_next;
        }
        libc::freeifaddrs(list);
    }
    found
}

/// # Safety
/// `at` is null or points to an address as long as its family says.
unsafe fn address(at: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: as above.
    unsafe {
        match i32::from(at.as_ref()?.sa_family) {
            libc::AF_INET => {
                let four = at.cast::<libc::sockaddr_in>().read_unaligned();
                Some(IpAddr::V4(Ipv4Addr::from(four.sin_addr.s_addr.to_ne_bytes())))
            }
            libc::AF_INET6 => {
                let six = at.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(IpAddr::V6(Ipv6Addr::from(six.sin6_addr.s6_addr)))
            }
            _ => None,
        }
    }
}

/// A moment since 1970 in this machine's time zone: `2026-11-22 21:15:42.123`.
pub(crate) fn local_time(unix_ms: u64) -> String {
    let seconds = libc::time_t::try_from(unix_ms / 1_000).unwrap_or(libc::time_t::MAX);
    // SAFETY: both pointers are to locals; a failed call leaves the zeroed value.
    let time = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const seconds, &raw mut time);
        time
    };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
        i64::from(time.tm_year) + 1900,
        time.tm_mon + 1,
        time.tm_mday,
        time.tm_hour,
        time.tm_min,
        time.tm_sec,
        unix_ms % 1_000
    )
}

/// While this value lives, the terminal does not show what is typed.
pub(crate) struct Unseen(Termios);

impl Unseen {
    /// Of the terminal at standard input.
    pub(crate) fn begin() -> io::Result<Unseen> {
        let shown = tcgetattr(io::stdin())?;
        let mut unseen = shown.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &unseen)?;
        Ok(Unseen(shown))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that has gone needs it no more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_a_loopback_interface() {
        assert!(interfaces().iter().any(|name| name == "lo"));
        let own = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        assert!(addresses().iter().any(|(name, held)| name == "lo" && own.contains(held)));
    }

    #[test]
    fn a_moment_has_date_time_and_milliseconds() {
        // 15 November 2023 in every time zone east of -8 h, the day before elsewhere.
        let text = local_time(1_700_035_200_007);
        assert!(text.starts_with("2023-11-1") && text.ends_with(":00.007"), "{text}");
    }
}

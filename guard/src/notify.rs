//! Tells systemd how the service is (`sd_notify`, by hand: one datagram).
//!
//! Used by the beat thread. Never blocks; a message that cannot be sent is dropped,
//! the next one says more. Without systemd every method does nothing.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Longest status text in bytes; it is for one line of `systemctl status`.
const MAX_STATUS: usize = 200;

/// The way to systemd, if there is one.
#[derive(Debug)]
pub struct Notifier {
    target: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// From `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` of the environment.
    ///
    /// # Errors
    /// When `NOTIFY_SOCKET` is there but is no socket's address.
    pub fn from_environment() -> io::Result<Notifier> {
        let [socket, every, process] =
            ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"].map(std::env::var_os);
        Notifier::new(socket.as_deref(), every.as_deref(), process.as_deref())
    }

    /// The same from given values.
    ///
    /// # Errors
    /// When `socket` is no socket's address.
    pub fn new(
        socket: Option<&OsStr>,
        every: Option<&OsStr>,
        process: Option<&OsStr>,
    ) -> io::Result<Notifier> {
        let number = |text: Option<&OsStr>| {
            text.and_then(OsStr::to_str).and_then(|text| text.parse::<u64>().ok())
        };
        let for_us = process.is_none() || number(process) == Some(u64::from(std::process::id()));
        let watchdog =
            number(every).filter(|micros| for_us && *micros > 0).map(Duration::from_micros);
        let target = match socket.map(OsStr::as_bytes) {
            None | Some([]) => None,
            Some(name) => {
                let address = match name {
                    [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
                    [b'/', ..] => SocketAddr::from_pathname(OsStr::from_bytes(name))?,
                    _ => return Err(bad_socket(name)),
                };
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                Some((socket, address))
            }
        };
        Ok(Notifier { target, watchdog })
    }

    /// How often [`Notifier::watchdog`] must be called: half of what systemd allows.
    pub fn watchdog_every(&self) -> Option<Duration> {
        self.watchdog.map(|allowed| allowed / 2)
    }

    /// The service is up.
    pub fn ready(&self) {
        self.send(b"READY=1");
    }

    /// One line for `systemctl status`; more is cut off.
    pub fn status(&self, text: &str) {
        let line = text.lines().next().unwrap_or("");
        let fits = |end: &usize| *end <= MAX_STATUS && line.is_char_boundary(*end);
        let line = &line[..(0..=line.len().min(MAX_STATUS)).rev().find(fits).unwrap_or(0)];
        let mut message = [0; 7 + MAX_STATUS];
        message[..7].copy_from_slice(b"STATUS=");
        message[7..7 + line.len()].copy_from_slice(line.as_bytes());
        self.send(&message[..7 + line.len()]);
    }

    /// The service is ending.
    pub fn stopping(&self) {
        self.send(b"STOPPING=1");
    }

    /// The service lives.
    pub fn watchdog(&self) {
        self.send(b"WATCHDOG=1");
    }

    fn send(&self, message: &[u8]) {
        if let Some((socket, address)) = &self.target {
            let _ = socket.send_to_addr(message, address);
        }
    }
}

fn bad_socket(name: &[u8]) -> io::Error {
    let name = String::from_utf8_lossy(name);
    let text =
        format!("NOTIFY_SOCKET is '{name}': give an absolute path or '@' and a name, or unset it");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(text: &str) -> Option<&OsStr> {
        Some(OsStr::new(text))
    }

    #[test]
    fn messages_reach_an_abstract_socket() {
        let name = format!("twinwall-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let systemd = UnixDatagram::bind_addr(&address).unwrap();
        let notifier = Notifier::new(os(&format!("@{name}")), None, None).unwrap();
        let next = || {
            let mut buffer = [0; 512];
            let length = systemd.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        notifier.ready();
        assert_eq!(next(), "READY=1");
        notifier.status("active\nsecond line");
        assert_eq!(next(), "STATUS=active");
        notifier.status(&"ä".repeat(300));
        assert_eq!(next().len(), 7 + MAX_STATUS);
        notifier.watchdog();
        assert_eq!(next(), "WATCHDOG=1");
        notifier.stopping();
        assert_eq!(next(), "STOPPING=1");
    }

    #[test]
    fn messages_reach_a_socket_in_the_file_system_and_a_deaf_one_does_not_block() {
        let path = std::env::temp_dir().join(format!("twinwall-notify-{}", std::process::id()));
        let systemd = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::new(Some(path.as_os_str()), None, None).unwrap();
        for _ in 0..10_000 {
            notifier.watchdog();
        }
        let mut buffer = [0; 64];
        let length = systemd.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"WATCHDOG=1");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_watchdog_counts_only_when_meant_for_this_process() {
        let own = std::process::id().to_string();
        let every = |usec, pid| Notifier::new(None, usec, pid).unwrap().watchdog_every();
        assert_eq!(every(os("2000000"), None), Some(Duration::from_secs(1)));
        assert_eq!(every(os("2000000"), os(&own)), Some(Duration::from_secs(1)));
        assert_eq!(every(os("2000000"), os("1")), None);
        assert_eq!(every(os("0"), None), None);
        assert_eq!(every(os("soon"), None), None);
        assert_eq!(every(None, None), None);
    }

    #[test]
    fn a_relative_socket_is_refused_and_an_empty_one_is_none() {
        assert!(Notifier::new(os("here"), None, None).is_err());
        Notifier::new(os(""), None, None).unwrap().ready();
    }
}

//! Opens regular files at paths where others may put something else, also between a look at
//! what is there and the opening: a pipe that nobody writes to would hold whoever opens it for
//! ever, and a terminal could become the agent's own.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::io::Errno;

/// What becomes of a path that ends in a symlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agent) enum Links {
    /// What it leads to is opened.
    Followed,
    /// It is no regular file.
    Refused,
}

/// Opens what is there for reading, without waiting for anybody; none where it is no regular file.
///
/// # Errors
/// The system's.
pub(in crate::agent) fn open(path: &Path, links: Links) -> io::Result<Option<File>> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let flags = match links {
        Links::Followed => flags,
        Links::Refused => flags | libc::O_NOFOLLOW,
    };
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = match opened.map_err(|error| (Errno::from_io_error(&error), error)) {
        Ok(file) => file,
        // A symlink, a socket, and a device that nothing drives.
        Err((Some(Errno::LOOP), _)) if links == Links::Refused => return Ok(None),
        Err((Some(Errno::NXIO | Errno::NODEV), _)) => return Ok(None),
        Err((_, error)) => return Err(error),
    };
    Ok(file.metadata()?.is_file().then_some(file))
}

/// What runs in a test that may hang: its thread is left behind then.
#[cfg(test)]
pub(in crate::agent) fn at_once<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, done) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(run()));
    done.recv_timeout(std::time::Duration::from_secs(20)).expect("it hangs")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_a_regular_file_is_opened_and_nothing_else_is_waited_for() {
        let root = std::env::temp_dir().join(format!("twinwall-plain-{}", std::process::id()));
        std::fs::create_dir_all(root.join("folder")).expect("made");
        std::fs::write(root.join("file"), "text").expect("written");
        symlink(root.join("file"), root.join("link")).expect("made");
        mknodat(CWD, root.join("pipe"), FileType::Fifo, Mode::RUSR, 0).expect("made");
        symlink(root.join("pipe"), root.join("to-pipe")).expect("made");
        let _socket = UnixListener::bind(root.join("socket")).expect("bound");
        let is_file = |name: &str, links| {
            let path = root.join(name);
            at_once(move || open(&path, links)).expect("looked at").is_some()
        };
        for links in [Links::Followed, Links::Refused] {
            assert!(is_file("file", links));
            for other in ["pipe", "to-pipe", "socket", "folder"] {
                assert!(!is_file(other, links), "{other} {links:?}");
            }
        }
        assert!(is_file("link", Links::Followed) && !is_file("link", Links::Refused));
        let missing = open(&root.join("nothing"), Links::Refused).map_err(|error| error.kind());
        assert_eq!(missing.err(), Some(io::ErrorKind::NotFound));
        std::fs::remove_dir_all(root).expect("removed");
    }
}

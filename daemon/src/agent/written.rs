//! Notices that files are written, come and go (inotify): a watch for each directory, since one
//! for each file would miss what is renamed. Logs and leases are read when it says so. It may say
//! too much; what it misses, the look of every few seconds finds.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::inotify::{
    CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch,
};
use rustix::io::Errno;

/// What is written, and names that come and go. Nothing is told of files without a name left.
const WHAT: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::EXCL_UNLINK);

/// What happened since it was asked last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::agent) struct Happened {
    /// Files that were written.
    pub(in crate::agent) written: BTreeSet<PathBuf>,
    /// Names came or went, or something was missed.
    pub(in crate::agent) names: bool,
    /// Something was missed: any file may have been written.
    pub(in crate::agent) any: bool,
}

/// Most names of written files that are kept apart; with more, any may have been.
const MAX_WRITTEN: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(in crate::agent) struct Watch {
    queue: OwnedFd,
    directories: BTreeMap<i32, PathBuf>,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the kernel gives no queue.
    pub(in crate::agent) fn new() -> io::Result<Watch> {
        let queue = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Watch { queue, directories: BTreeMap::new() })
    }

    /// Watches these directories and no others.
    pub(in crate::agent) fn set(&mut self, wanted: &BTreeSet<PathBuf>) {
        self.directories.retain(|watch, path| {
            let keep = wanted.contains(path);
            if !keep {
                // One that the system has already removed is as good.
                let _ = remove_watch(&self.queue, *watch);
            }
            keep
        });
        let watched: BTreeSet<&PathBuf> = self.directories.values().collect();
        let fresh: Vec<PathBuf> =
            wanted.iter().filter(|path| !watched.contains(path)).cloned().collect();
        for path in fresh {
            // What cannot be watched is looked at every few seconds.
            if let Ok(watch) = add_watch(&self.queue, &path, WHAT) {
                self.directories.insert(watch, path);
            }
        }
    }

    /// What happened meanwhile; never waits.
    pub(in crate::agent) fn take(&mut self) -> Happened {
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = Reader::new(&self.queue, &mut buffer);
        let mut happened = Happened::default();
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return happened,
                Err(_) => {
                    (happened.names, happened.any) = (true, true);
                    return happened;
                }
            };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                (happened.names, happened.any) = (true, true);
                continue;
            }
            if flags.contains(ReadFlags::IGNORED) {
                self.directories.remove(&event.wd());
                happened.names = true;
            }
            happened.names |= !flags.contains(ReadFlags::MODIFY);
            let directory = self.directories.get(&event.wd());
            let (Some(directory), Some(name)) = (directory, event.file_name()) else { continue };
            match happened.written.len() < MAX_WRITTEN {
                true => {
                    _ = happened.written.insert(directory.join(OsStr::from_bytes(name.to_bytes())))
                }
                false => happened.any = true,
            }
        }
    }
}

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.queue.as_raw_fd()
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

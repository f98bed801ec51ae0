//! What the beat thread waits for, and what of it has something to read: a turn
//! asks no socket that is silent.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use twinwall_core::ids::{PathId, PathSet};

use crate::syscall::Epoll;

/// Who is behind a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// One of the mailboxes.
    Mail,
    /// Beats on a path.
    Frames(PathId),
    /// Answers of the peer's kernel on a path.
    Kernel(PathId),
    /// Ping targets.
    Targets,
}

impl Source {
    /// As a number that the kernel keeps beside the descriptor.
    fn tag(self) -> u64 {
        match self {
            Source::Mail => 0,
            Source::Targets => 1,
            Source::Frames(path) => 2 | u64::from(path.0) << 8,
            Source::Kernel(path) => 3 | u64::from(path.0) << 8,
        }
    }

    fn of(tag: u64) -> Source {
        let path = PathId((tag >> 8) as u8);
        match tag & 0xff {
            0 => Source::Mail,
            1 => Source::Targets,
            2 => Source::Frames(path),
            _ => Source::Kernel(path),
        }
    }
}

/// What has something to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) mail: bool,
    pub(super) frames: PathSet,
    pub(super) kernels: PathSet,
    pub(super) targets: bool,
}

/// Told in one turn; what does not fit is told in the next one.
const EVENTS: usize = 16;

/// The list to wait on. It stays from turn to turn and is made anew when what is to be
/// waited for has changed.
pub(super) struct Waiting {
    list: Epoll,
}

impl Waiting {
    /// An empty list.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub(super) fn new() -> io::Result<Waiting> {
        Ok(Waiting { list: Epoll::new()? })
    }

    /// Adds a descriptor.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub(super) fn add(&self, fd: BorrowedFd<'_>, source: Source) -> io::Result<()> {
        self.list.add(fd, source.tag())
    }

    /// Waits until something is there or `span` is over.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub(super) fn wait(&mut self, span: Duration) -> io::Result<Ready> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let found = self.list.wait(&mut events, span)?;
        let mut ready = Ready::default();
        for event in events.iter().take(found) {
            match Source::of(event.u64) {
                Source::Mail => ready.mail = true,
                Source::Frames(path) => ready.frames.insert(path),
                Source::Kernel(path) => ready.kernels.insert(path),
                Source::Targets => ready.targets = true,
            }
        }
        Ok(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_known_again_by_its_tag() {
        let path = PathId(13);
        for source in [Source::Mail, Source::Targets, Source::Frames(path), Source::Kernel(path)] {
            assert_eq!(Source::of(source.tag()), source);
        }
    }
}

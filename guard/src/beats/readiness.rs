//! What the beat thread waits for, and what of it has something to read: a turn
//! asks no socket that is silent.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use twinwall_core::ids::{PathId, PathSet};

use crate::syscall::{readable, wait};

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

/// What has something to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) mail: bool,
    pub(super) frames: PathSet,
    pub(super) kernels: PathSet,
    pub(super) targets: bool,
}

/// The list to wait on; kept to spare the memory, filled anew for each wait.
#[derive(Default)]
pub(super) struct Waiting {
    fds: Vec<libc::pollfd>,
    sources: Vec<Source>,
}

impl Waiting {
    /// Forgets the list.
    pub(super) fn clear(&mut self) {
        self.fds.clear();
        self.sources.clear();
    }

    /// Adds a descriptor.
    pub(super) fn add(&mut self, fd: BorrowedFd<'_>, source: Source) {
        self.fds.push(readable(fd));
        self.sources.push(source);
    }

    /// Waits until something is there or `span` is over.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub(super) fn wait(&mut self, span: Duration) -> io::Result<Ready> {
        wait(&mut self.fds, Some(span))?;
        let mut ready = Ready::default();
        let told = self.fds.iter().zip(&self.sources).filter(|(fd, _)| fd.revents != 0);
        for (_, source) in told {
            match *source {
                Source::Mail => ready.mail = true,
                Source::Frames(path) => ready.frames.insert(path),
                Source::Kernel(path) => ready.kernels.insert(path),
                Source::Targets => ready.targets = true,
            }
        }
        Ok(ready)
    }
}

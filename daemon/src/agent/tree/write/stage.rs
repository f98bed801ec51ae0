//! The first move: every new file, symlink and directory in the staging directory, at
//! its own path, so that it can be laid over the real tree for validation and renamed
//! into it afterwards. It touches nothing outside of that directory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Uid, chownat, fchmod, fchown, mkdirat, openat, symlinkat,
};
use rustix::io::Errno;

use super::{Prepared, Refusal, Watch, WriteError, target};
use crate::agent::digest::Digest;
use crate::agent::manifest::{Entry, Kind, RelPath};
use crate::agent::translate::MAX_TRANSLATED;
use crate::agent::tree::Contents;
use crate::agent::tree::root::{look_at, mode, name_of};

/// Bytes copied at once.
const PIECE: usize = 128 << 10;

/// Files below which one thread is enough.
const WORTH_SHARING: usize = 64;
/// Most threads that write: more wait for the file system's own locks.
const MOST_WRITERS: usize = 4;

/// The directory written into last, as the next path is mostly in the same.
type Last = Option<(Option<RelPath>, OwnedFd)>;

/// A file to be written: path, entry, size and digest of its content.
type Wanted<'a> = (&'a RelPath, &'a Entry, (u64, &'a Digest));

impl<'a> Prepared<'a> {
    /// Directories and symlinks first, then the files, on several threads if they are many.
    pub(super) fn stage(
        &self,
        contents: &Contents<'_>,
        watch: &Watch<'_>,
    ) -> Result<(), WriteError> {
        let mut last: Last = None;
        let mut files: Vec<Wanted<'a>> = Vec::new();
        for change in &self.changes {
            let (path, Some(entry)) = target(change) else { continue };
            let disk = |error: io::Error| WriteError::Disk("staging", path.clone(), error);
            match &entry.kind {
                Kind::File { size, content } => {
                    self.staged_parent(&mut last, path).map_err(disk)?;
                    files.push((path, entry, (*size, content)));
                    continue;
                }
                Kind::Directory => {
                    told(watch, path)?;
                    // Another section's files may have made it before, as it was.
                    let open = self.staged_directory(Some(path)).map_err(disk)?;
                    self.own(&open, path, entry).map_err(disk)?;
                }
                Kind::Symlink { target } => {
                    told(watch, path)?;
                    let parent = self.staged_parent(&mut last, path).map_err(disk)?;
                    self.link(parent, path, target).map_err(disk)?;
                }
            }
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        if files.len() < WORTH_SHARING || cores == 1 {
            return self.write(&files, contents, &mut |path| watch(path));
        }
        self.write_shared(&files, cores.min(MOST_WRITERS), contents, watch)
    }

    /// Several threads write, and this one tells what they do.
    fn write_shared(
        &self,
        files: &[Wanted<'a>],
        writers: usize,
        contents: &Contents<'_>,
        watch: &Watch<'_>,
    ) -> Result<(), WriteError> {
        let cancelled = AtomicBool::new(false);
        let (tell, told) = mpsc::sync_channel::<&RelPath>(WORTH_SHARING);
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for share in files.chunks(files.len().div_ceil(writers)) {
                let (cancelled, tell) = (&cancelled, tell.clone());
                let write = move || {
                    self.write(share, contents, &mut |path| {
                        if cancelled.load(Ordering::Relaxed) || tell.send(path).is_err() {
                            return ControlFlow::Break(());
                        }
                        ControlFlow::Continue(())
                    })
                };
                let thread = thread::Builder::new().name("staging".to_owned());
                let thread = thread.spawn_scoped(scope, write);
                let unusable = |error| WriteError::Staging(self.staging.path().to_owned(), error);
                threads.push(thread.map_err(unusable)?);
            }
            drop(tell);
            for path in told {
                if watch(path) == ControlFlow::Break(()) {
                    cancelled.store(true, Ordering::Relaxed);
                }
            }
            threads.into_iter().map(|thread| self.ended(thread)).reduce(worse).unwrap_or(Ok(()))
        })
    }

    fn ended(
        &self,
        thread: thread::ScopedJoinHandle<'_, Result<(), WriteError>>,
    ) -> Result<(), WriteError> {
        thread.join().unwrap_or_else(|_| {
            let error = io::Error::other("a writing thread ended early");
            Err(WriteError::Staging(self.staging.path().to_owned(), error))
        })
    }

    /// Writes these files one after the other; their directories are there.
    fn write(
        &self,
        files: &[Wanted<'a>],
        contents: &Contents<'_>,
        watch: &mut dyn FnMut(&'a RelPath) -> ControlFlow<()>,
    ) -> Result<(), WriteError> {
        let mut last: Last = None;
        let mut buffer = vec![0; PIECE];
        for (path, entry, content) in files {
            if watch(path) == ControlFlow::Break(()) {
                return Err(WriteError::Cancelled);
            }
            let disk = |error: io::Error| WriteError::Disk("staging", (*path).clone(), error);
            let parent = self.staged_parent(&mut last, path).map_err(disk)?;
            let file = create(parent, path, entry).map_err(disk)?;
            self.fill(&file, path, *content, contents, &mut buffer)?;
            self.own(&file, path, entry).map_err(disk)?;
        }
        Ok(())
    }

    fn link(&self, parent: BorrowedFd<'_>, path: &RelPath, target: &[u8]) -> io::Result<()> {
        let (user, group) = self.numbers(path);
        let name = name_of(path);
        symlinkat(target, parent, &name)?;
        Ok(chownat(parent, &name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    pub(super) fn numbers(&self, path: &RelPath) -> (Uid, Gid) {
        let (user, group) = self.owners.get(path).copied().unwrap_or_default();
        (Uid::from_raw(user), Gid::from_raw(group))
    }

    /// Gives it owner and mode, where it has others: each change costs the file system a
    /// transaction. Owner first, as a change of owner takes set-user-ID away.
    pub(super) fn own(&self, open: impl AsFd, path: &RelPath, entry: &Entry) -> io::Result<()> {
        let (user, group) = self.numbers(path);
        let seen = look_at(&open)?;
        if (seen.stx_uid, seen.stx_gid) != (user.as_raw(), group.as_raw()) {
            fchown(&open, Some(user), Some(group))?;
        } else if mode(&seen) == entry.mode {
            return Ok(());
        }
        Ok(fchmod(&open, Mode::from_raw_mode(entry.mode.into()))?)
    }

    fn staged_parent<'b>(&self, last: &'b mut Last, path: &RelPath) -> io::Result<BorrowedFd<'b>> {
        let parent = path.parent();
        let open = match last.take() {
            Some((known, open)) if known == parent => open,
            _ => self.staged_directory(parent.as_ref())?,
        };
        Ok(last.insert((parent, open)).1.as_fd())
    }

    /// Opens a directory in the staging directory, making what is missing on the way. Laid
    /// over the real tree it hides the attributes of the real one, so it has those that
    /// the real one will have.
    fn staged_directory(&self, path: Option<&RelPath>) -> io::Result<OwnedFd> {
        match self.staging.open_directory(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let Some(path) = path else { return Err(Errno::NOENT.into()) };
        let parent = self.staged_directory(path.parent().as_ref())?;
        mkdirat(&parent, name_of(path), Mode::RWXU)?;
        let open = self.staging.open_directory(Some(path))?;
        match self.to.get(path) {
            Some(entry) if self.owners.contains_key(path) => self.own(&open, path, entry)?,
            _ => match self.ground.root.open_directory(Some(path)) {
                Ok(real) => {
                    let seen = look_at(&real)?;
                    let owner = (Uid::from_raw(seen.stx_uid), Gid::from_raw(seen.stx_gid));
                    fchown(&open, Some(owner.0), Some(owner.1))?;
                    fchmod(&open, Mode::from_raw_mode(mode(&seen).into()))?;
                }
                // It will be made by the switch, like this.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fchmod(&open, Mode::from_raw_mode(super::switch::PARENT_MODE))?;
                }
                Err(error) => return Err(error),
            },
        }
        Ok(open)
    }

    /// Writes the content of a file, translated if need be, and checks it on the way.
    fn fill(
        &self,
        file: &OwnedFd,
        path: &RelPath,
        (size, digest): (u64, &Digest),
        contents: &Contents<'_>,
        buffer: &mut [u8],
    ) -> Result<(), WriteError> {
        let missing = |error: io::Error| WriteError::Content(path.clone(), *digest, error);
        let disk = |error: io::Error| WriteError::Disk("staging", path.clone(), error);
        let mut source = contents(digest).map_err(missing)?.take(size.saturating_add(1));
        let mut out = Out(file);
        let mut hasher = blake3::Hasher::new();
        let mut length = 0;
        let translated = self.ground.scope.translates(path);
        let mut canonical = Vec::new();
        loop {
            let piece = match source.read(buffer) {
                Ok(0) => break,
                Ok(piece) => &buffer[..piece],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(missing(error)),
            };
            hasher.update(piece);
            length += piece.len() as u64;
            if !translated {
                out.write_all(piece).map_err(disk)?;
            } else if length <= MAX_TRANSLATED {
                canonical.extend_from_slice(piece);
            }
        }
        if length != size || Digest(*hasher.finalize().as_bytes()) != *digest {
            return Err(missing(io::Error::other("what came is something else")));
        }
        if translated {
            let refused = |error| WriteError::Refused(path.clone(), Refusal::Translation(error));
            let local = self.ground.translator.to_local(&canonical).map_err(refused)?;
            out.write_all(&local).map_err(disk)?;
        }
        Ok(())
    }
}

/// A failure counts more than the cancelling that another thread met because of it.
fn worse(one: Result<(), WriteError>, other: Result<(), WriteError>) -> Result<(), WriteError> {
    match (&one, &other) {
        (Ok(()), _) | (Err(WriteError::Cancelled), Err(_)) => other,
        (Err(_), _) => one,
    }
}

fn told(watch: &Watch<'_>, path: &RelPath) -> Result<(), WriteError> {
    match watch(path) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(WriteError::Cancelled),
    }
}

/// Creates a file with as much of its mode as our umask leaves. Nobody else gets into the
/// staging directory.
fn create(parent: BorrowedFd<'_>, path: &RelPath, entry: &Entry) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(u32::from(entry.mode) & 0o777);
    Ok(openat(parent, name_of(path), flags, mode)?)
}

/// Writes to a descriptor that stays open.
struct Out<'a>(&'a OwnedFd);

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies an open file to another, from its beginning.
pub(super) fn copy(from: OwnedFd, to: &OwnedFd) -> io::Result<()> {
    io::copy(&mut File::from(from), &mut Out(to)).map(drop)
}

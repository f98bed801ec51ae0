//! Whether a change can be made here at all: asked before anything is written. It reads
//! the disk and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{RawDir, StatVfsMountFlags, fstatvfs};
use rustix::io::Errno;

use super::{Refusal, WriteError, target};
use crate::agent::manifest::{Change, Entry, Kind, Manifest, RelPath};
use crate::agent::translate::MAX_TRANSLATED;
use crate::agent::tree::Ground;
use crate::agent::tree::owners::Owners;
use crate::agent::tree::root::{is_locked, is_mount, look, look_at, name_of};
use crate::agent::tree::scan::MAX_DEPTH;

/// What was found out on the way.
pub(super) struct Checked<'a> {
    /// Numbers of user and group, of each path that is written.
    pub(super) owners: BTreeMap<&'a RelPath, (u32, u32)>,
    /// Directories that are missing and that no section covers.
    pub(super) parents: BTreeSet<RelPath>,
}

struct Check<'a, 'l> {
    ground: Ground<'a>,
    from: &'a Manifest,
    to: &'a Manifest,
    /// What goes with other sections of the same change.
    leaving: &'l BTreeSet<RelPath>,
    names: Owners,
    found: Checked<'a>,
    /// The directory looked at last; `None` in it when it does not exist yet.
    parent: Option<(Option<RelPath>, Option<OwnedFd>)>,
}

pub(super) fn check<'a>(
    ground: Ground<'a>,
    (from, to): (&'a Manifest, &'a Manifest),
    leaving: &BTreeSet<RelPath>,
    changes: &[Change<'a>],
) -> Result<Checked<'a>, WriteError> {
    let names = Owners::read(ground.root)
        .map_err(|error| WriteError::Staging(ground.root.path().join("etc"), error))?;
    let found = Checked { owners: BTreeMap::new(), parents: BTreeSet::new() };
    let mut check = Check { ground, from, to, leaving, names, found, parent: None };
    for change in changes {
        let (path, new) = target(change);
        check.place(path).map_err(|refusal| WriteError::Refused(path.clone(), refusal))?;
        if let Some(entry) = new {
            check.entry(path, entry).map_err(|it| WriteError::Refused(path.clone(), it))?;
        }
        check.disk(path, change)?;
    }
    nothing_loses_its_directory(to, changes)?;
    Ok(check.found)
}

/// What does not change must not lie in a directory that goes.
fn nothing_loses_its_directory(to: &Manifest, changes: &[Change<'_>]) -> Result<(), WriteError> {
    let goes = |change: &Change<'_>| {
        let (path, new) = target(change);
        let stays = new.is_some_and(|entry| entry.kind == Kind::Directory);
        (!stays).then(|| path.clone())
    };
    let gone: BTreeSet<RelPath> = changes.iter().filter_map(goes).collect();
    let orphan = |path: &&RelPath| path.parent().is_some_and(|parent| gone.contains(&parent));
    let mut paths = to.iter().map(|(path, _)| path).filter(|_| !gone.is_empty());
    match paths.find(orphan) {
        Some(path) => Err(WriteError::Refused(path.clone(), Refusal::NoDirectory)),
        None => Ok(()),
    }
}

impl<'a> Check<'a, '_> {
    /// The path by itself.
    fn place(&self, path: &RelPath) -> Result<(), Refusal> {
        if !self.ground.scope.covers(path) {
            return Err(Refusal::Outside);
        }
        if path.as_bytes().split(|byte| *byte == b'/').count() > MAX_DEPTH {
            return Err(Refusal::TooDeep);
        }
        Ok(())
    }

    /// What shall lie there.
    fn entry(&mut self, path: &'a RelPath, entry: &Entry) -> Result<(), Refusal> {
        if let Some(parent) = path.parent()
            && self.ground.scope.covers(&parent)
            && !matches!(self.to.get(&parent), Some(Entry { kind: Kind::Directory, .. }))
        {
            return Err(Refusal::NoDirectory);
        }
        if let Kind::File { size, .. } = entry.kind
            && size > MAX_TRANSLATED
            && self.ground.scope.translates(path)
        {
            return Err(Refusal::TooLarge);
        }
        // The last number is not one: to the kernel it means 'leave as it is'.
        let usable = |number: &u32| *number != u32::MAX;
        let user = self.names.user_number(&entry.user).filter(usable);
        let user = user.ok_or_else(|| Refusal::NoUser(entry.user.clone()))?;
        let group = self.names.group_number(&entry.group).filter(usable);
        let group = group.ok_or_else(|| Refusal::NoGroup(entry.group.clone()))?;
        self.found.owners.insert(path, (user, group));
        Ok(())
    }

    /// What lies there now.
    fn disk(&mut self, path: &RelPath, change: &Change<'_>) -> Result<(), WriteError> {
        let refused = |refusal| WriteError::Refused(path.clone(), refusal);
        let broken = |error: Errno| WriteError::Disk("looking at", path.clone(), error.into());
        self.open_parent(path)?;
        let Some((_, Some(parent))) = &self.parent else { return Ok(()) };
        let name = name_of(path);
        let seen = match look(parent, &name) {
            Ok(seen) => seen,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(broken(error)),
        };
        match change {
            Change::Added(..) => return Err(refused(Refusal::InTheWay)),
            Change::Modified(_, old, new) => {
                if old.kind == Kind::Directory && new.kind != Kind::Directory {
                    self.is_emptied(path)?;
                }
            }
            Change::Removed(_, old) => {
                if old.kind == Kind::Directory {
                    self.is_emptied(path)?;
                }
            }
        }
        if is_mount(&seen) {
            return Err(refused(Refusal::MountPoint));
        }
        if is_locked(&seen) {
            return Err(refused(Refusal::Locked));
        }
        Ok(())
    }

    /// Opens the directory that a path lies in, unless it is the one looked at last.
    fn open_parent(&mut self, path: &RelPath) -> Result<(), WriteError> {
        let parent = path.parent();
        if self.parent.as_ref().is_some_and(|(last, _)| *last == parent) {
            return Ok(());
        }
        let refused = |refusal| Err(WriteError::Refused(path.clone(), refusal));
        let open = match self.ground.root.open_directory(parent.as_ref()) {
            Ok(open) => {
                let broken =
                    |error: Errno| WriteError::Disk("looking at", path.clone(), error.into());
                if is_locked(&look_at(&open).map_err(broken)?) {
                    return refused(Refusal::Locked);
                }
                let flags = fstatvfs(&open).map_err(broken)?.f_flag;
                if flags.contains(StatVfsMountFlags::RDONLY) {
                    return refused(Refusal::ReadOnly);
                }
                Some(open)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.missing(parent.as_ref());
                None
            }
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::LOOP | Errno::NOTDIR) if self.makes_way(parent.as_ref()) => None,
                Some(Errno::LOOP) => return refused(Refusal::SymlinkInTheWay),
                Some(Errno::NOTDIR) => return refused(Refusal::NoDirectory),
                _ => return Err(WriteError::Disk("opening the directory of", path.clone(), error)),
            },
        };
        self.parent = Some((parent, open));
        Ok(())
    }

    /// Notes the missing directories on the way that no manifest makes.
    fn missing(&mut self, path: Option<&RelPath>) {
        let mut path = path.cloned();
        while let Some(directory) = path {
            let above = directory.parent();
            if !self.ground.scope.covers(&directory) {
                match self.ground.root.open_directory(Some(&directory)) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        self.found.parents.insert(directory);
                    }
                    Ok(_) | Err(_) => return,
                }
            }
            path = above;
        }
    }

    /// Whether this directory, or one above it, takes the place of a file or symlink of the
    /// section.
    fn makes_way(&self, path: Option<&RelPath>) -> bool {
        let mut path = path.cloned();
        while let Some(directory) = path {
            let is_directory =
                |entry: Option<&Entry>| entry.map(|entry| entry.kind == Kind::Directory);
            if is_directory(self.from.get(&directory)) == Some(false)
                && is_directory(self.to.get(&directory)) == Some(true)
            {
                return true;
            }
            path = directory.parent();
        }
        false
    }

    /// Whether everything in a directory that shall go is of the section, or leaves with
    /// another one, and so goes too.
    fn is_emptied(&self, path: &RelPath) -> Result<(), WriteError> {
        let broken = |error: io::Error| WriteError::Disk("listing", path.clone(), error);
        let open = self.ground.root.open_directory(Some(path)).map_err(broken)?;
        let mut listing = vec![MaybeUninit::uninit(); 8 << 10];
        let mut raw = RawDir::new(open, &mut listing);
        while let Some(entry) = raw.next() {
            let entry = entry.map_err(|error| broken(error.into()))?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let inside = path.join(name).map_err(|error| broken(io::Error::other(error)))?;
            if self.from.get(&inside).is_none() && !self.leaving.contains(&inside) {
                return Err(WriteError::Refused(path.clone(), Refusal::Keeps(inside)));
            }
        }
        Ok(())
    }
}

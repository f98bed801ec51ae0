//! The second move: what was staged is renamed into place, what shall go is removed. New
//! things come before old ones go, so that a service which reads in between finds either
//! or both. After an error, or a kill, the disk holds a mixture; `apply` puts it right.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, RenameFlags, chownat, fchmod, mkdirat, openat,
    readlinkat, renameat, renameat_with, symlinkat, syncfs, unlinkat,
};
use rustix::io::Errno;

use super::stage::copy;
use super::{Prepared, Watch, WriteError};
use crate::agent::manifest::{Change, Entry, Kind, RelPath};
use crate::agent::tree::root::{
    Root, kind, look, look_at, name_of, open_directory_at, open_file_at,
};
use crate::agent::tree::scope::TEMPORARY;

/// Mode of directories that are made on the way to a section.
pub(super) const PARENT_MODE: u32 = 0o755;

/// Makes the disk equal to the new manifests of all that was staged in one directory. It is
/// durable after [`Touched::sync`]. Directories of one may hold files of another, so all
/// paths are taken in one order.
///
/// # Errors
/// What failed, and at which of them: its place in `all`.
pub fn switch(
    all: &[Prepared<'_>],
    watch: &Watch<'_>,
    touched: &mut Touched,
) -> Result<(), (usize, WriteError)> {
    let touched = RefCell::new(touched);
    let mut switches: Vec<Switch<'_, '_>> = Vec::new();
    for (number, prepared) in all.iter().enumerate() {
        let mut switch = Switch { prepared, all, last: None, moved: None, touched: &touched };
        switch.make_way(watch).map_err(|error| (number, error))?;
        switches.push(switch);
    }
    for (number, change) in in_order(all, Prepared::coming) {
        switches[number].put(change, watch).map_err(|error| (number, error))?;
    }
    for (number, change) in in_order(all, Prepared::leaving).into_iter().rev() {
        switches[number].remove(change, watch).map_err(|error| (number, error))?;
    }
    Ok(())
}

/// The changes of all in the order of paths, each with the place of whose it is.
fn in_order<'p, C: Iterator<Item = &'p Change<'p>>>(
    all: &'p [Prepared<'_>],
    of: impl Fn(&'p Prepared<'p>) -> C,
) -> Vec<(usize, &'p Change<'p>)> {
    let mut changes: Vec<(usize, &Change<'_>)> = Vec::new();
    for (number, prepared) in all.iter().enumerate() {
        changes.extend(of(prepared).map(|change| (number, change)));
    }
    changes.sort_by(|(_, one), (_, other)| one.path().cmp(other.path()));
    changes
}

impl Prepared<'_> {
    /// What is new or other than before.
    fn coming(&self) -> impl Iterator<Item = &Change<'_>> {
        self.changes.iter().filter(|change| !matches!(change, Change::Removed(..)))
    }

    /// What goes once everything new is there.
    fn leaving(&self) -> impl Iterator<Item = &Change<'_>> {
        let removed = |change: &&Change<'_>| matches!(change, Change::Removed(..));
        self.changes.iter().filter(removed).filter(|change| !self.makes_room(change))
    }

    /// Whether this has to be removed before anything new comes.
    fn makes_room(&self, change: &Change<'_>) -> bool {
        match change {
            Change::Added(..) => false,
            Change::Modified(_, old, new) => {
                (old.kind == Kind::Directory) != (new.kind == Kind::Directory)
            }
            Change::Removed(path, _) => {
                let mut above = path.parent();
                while let Some(directory) = above {
                    match self.to.get(&directory) {
                        Some(entry) => return entry.kind != Kind::Directory,
                        None => above = directory.parent(),
                    }
                }
                false
            }
        }
    }
}

fn disk(doing: &'static str, path: &RelPath) -> impl Fn(io::Error) -> WriteError + use<> {
    let path = path.clone();
    move |error| WriteError::Disk(doing, path.clone(), error)
}

/// Two directories of the same path: in the staging directory, if it is there, and below
/// the root.
struct Both {
    path: Option<RelPath>,
    staged: Option<OwnedFd>,
    real: OwnedFd,
}

/// A descriptor on each file system that was written to.
#[derive(Debug, Default)]
pub struct Touched(BTreeMap<(u32, u32), OwnedFd>);

impl Touched {
    /// Waits until everything written there is on the disk: one call for each file system,
    /// where one for each file would take a hundred times as long.
    pub fn sync(&self) -> io::Result<()> {
        self.0.values().try_for_each(|open| Ok(syncfs(open)?))
    }
}

struct Switch<'a, 't> {
    prepared: &'a Prepared<'a>,
    all: &'a [Prepared<'a>],
    /// The directory that was moved last with all that is in it.
    moved: Option<RelPath>,
    /// The directories worked in last.
    last: Option<Both>,
    touched: &'a RefCell<&'t mut Touched>,
}

impl Switch<'_, '_> {
    /// Makes the directories on the way, and removes of the old what stands in the way: where
    /// a directory takes the place of something else or something else its place, with all
    /// that is in it.
    fn make_way(&mut self, watch: &Watch<'_>) -> Result<(), WriteError> {
        let prepared = self.prepared;
        let comes = |path: &RelPath| self.all.iter().any(|other| other.to.get(path).is_some());
        let parents: Vec<&RelPath> = prepared.parents.iter().filter(|path| !comes(path)).collect();
        for path in parents {
            self.parent(path).map_err(disk("making the directory", path))?;
        }
        for change in prepared.changes.iter().rev().filter(|change| prepared.makes_room(change)) {
            self.remove(change, watch)?;
        }
        Ok(())
    }

    fn open(&mut self, path: &RelPath) -> io::Result<&Both> {
        let parent = path.parent();
        let both = match self.last.take() {
            Some(both) if both.path == parent => both,
            _ => {
                let real = self.prepared.ground.root.open_directory(parent.as_ref())?;
                let seen = look_at(&real)?;
                let device = (seen.stx_dev_major, seen.stx_dev_minor);
                if let Slot::Vacant(first) = self.touched.borrow_mut().0.entry(device) {
                    first.insert(real.try_clone()?);
                }
                let staged = self.prepared.staging.open_directory(parent.as_ref()).ok();
                Both { path: parent, staged, real }
            }
        };
        Ok(self.last.insert(both))
    }

    fn parent(&mut self, path: &RelPath) -> io::Result<()> {
        let name = name_of(path);
        let both = self.open(path)?;
        match mkdirat(&both.real, &name, Mode::RWXU) {
            // Not by mkdir: our umask would take away from it.
            Ok(()) => {
                let open = open_directory_at(&both.real, &name)?;
                Ok(fchmod(open, Mode::from_raw_mode(PARENT_MODE))?)
            }
            Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn remove(&mut self, change: &Change<'_>, watch: &Watch<'_>) -> Result<(), WriteError> {
        let (Change::Removed(path, old) | Change::Modified(path, old, _)) = change else {
            return Ok(());
        };
        let _not_left_halfway = watch(path);
        let broken = disk("removing", path);
        let both = self.open(path).map_err(&broken)?;
        let flags = match old.kind {
            Kind::Directory => AtFlags::REMOVEDIR,
            Kind::File { .. } | Kind::Symlink { .. } => AtFlags::empty(),
        };
        match unlinkat(&both.real, name_of(path), flags) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(broken(error.into())),
        }
        if old.kind == Kind::Directory {
            // Its descriptor must not be taken for a new directory of the same path.
            self.last = None;
        }
        Ok(())
    }

    fn put(&mut self, change: &Change<'_>, watch: &Watch<'_>) -> Result<(), WriteError> {
        let (path, entry, there) = match change {
            Change::Added(path, new) => (*path, *new, false),
            Change::Modified(path, old, new) => {
                (*path, *new, old.kind == Kind::Directory && new.kind == Kind::Directory)
            }
            Change::Removed(..) => return Ok(()),
        };
        if self.is_moved(path) {
            return Ok(());
        }
        let _not_left_halfway = watch(path);
        let put = match entry.kind {
            Kind::Directory => self.put_directory(path, entry, there),
            Kind::File { .. } | Kind::Symlink { .. } => self.put_name(path, entry),
        };
        put.map_err(disk("switching", path))
    }

    /// Whether it came with its directory.
    fn is_moved(&self, path: &RelPath) -> bool {
        self.moved.as_ref().is_some_and(|directory| path.is_within(directory))
    }

    /// Moves a new directory as a whole, where that works. All that is in it is new and
    /// staged in it, and of this section alone.
    fn move_whole(&mut self, path: &RelPath) -> io::Result<bool> {
        let within = |change: &Change<'_>| change.path().is_within(path);
        let shared = |other: &&Prepared<'_>| !std::ptr::eq(*other, self.prepared);
        if self.all.iter().filter(shared).any(|other| other.changes.iter().any(within)) {
            return Ok(false);
        }
        let name = name_of(path);
        let both = self.open(path)?;
        let Some(staged) = &both.staged else { return Ok(false) };
        match renameat_with(staged, &name, &both.real, &name, RenameFlags::NOREPLACE) {
            Ok(()) => {
                self.moved = Some(path.clone());
                Ok(true)
            }
            // Another file system, or one that knows no such flag.
            Err(Errno::XDEV | Errno::INVAL) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn put_directory(&mut self, path: &RelPath, entry: &Entry, there: bool) -> io::Result<()> {
        if !there && self.move_whole(path)? {
            return Ok(());
        }
        let name = name_of(path);
        let prepared = self.prepared;
        let both = self.open(path)?;
        if !there {
            mkdirat(&both.real, &name, Mode::RWXU)?;
        }
        let open = open_directory_at(&both.real, &name)?;
        prepared.own(&open, path, entry)
    }

    fn put_name(&mut self, path: &RelPath, entry: &Entry) -> io::Result<()> {
        let name = name_of(path);
        let prepared = self.prepared;
        let both = self.open(path)?;
        let staged = both.staged.as_ref().ok_or(Errno::NOENT)?;
        match renameat(staged, &name, &both.real, &name) {
            // The staging directory lies on another file system.
            Err(Errno::XDEV) => {
                let temporary = temporary_name();
                let beside = prepared.carry(staged.as_fd(), &name, both, &temporary, path, entry);
                let moved =
                    beside.and_then(|()| Ok(renameat(&both.real, &temporary, &both.real, &name)?));
                if moved.is_err() {
                    // Whatever stopped us may stop this too; a recovery sweeps it.
                    let _swept_later = unlinkat(&both.real, &temporary, AtFlags::empty());
                }
                moved
            }
            renamed => Ok(renamed?),
        }
    }
}

impl Prepared<'_> {
    /// Copies a staged file or symlink beside its place, on the other file system.
    fn carry(
        &self,
        staged: BorrowedFd<'_>,
        name: &CStr,
        both: &Both,
        temporary: &CStr,
        path: &RelPath,
        entry: &Entry,
    ) -> io::Result<()> {
        if let Kind::Symlink { .. } = entry.kind {
            let (user, group) = self.numbers(path);
            symlinkat(readlinkat(staged, name, Vec::new())?, &both.real, temporary)?;
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            return Ok(chownat(&both.real, temporary, Some(user), Some(group), flags)?);
        }
        // It lies where others look: nobody gets in before it has its owner.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let new = openat(&both.real, temporary, flags, Mode::RUSR | Mode::WUSR)?;
        copy(open_file_at(staged, name)?, &new)?;
        self.own(&new, path, entry)
    }
}

/// One at a time in a directory, and swept after a crash, so one name is enough.
fn temporary_name() -> CString {
    CString::new([TEMPORARY, b"switch"].concat()).expect("no NUL")
}

/// Removes what a broken-off switch left beside these paths.
pub fn sweep<'a>(root: &Root, paths: impl Iterator<Item = &'a RelPath>) -> io::Result<()> {
    let mut last = None;
    for path in paths {
        let parent = path.parent();
        if last.as_ref() == Some(&parent) {
            continue;
        }
        if let Ok(open) = root.open_directory(parent.as_ref()) {
            sweep_directory(&open)?;
        }
        last = Some(parent);
    }
    Ok(())
}

fn sweep_directory(open: &OwnedFd) -> io::Result<()> {
    let mut listing = vec![MaybeUninit::uninit(); 8 << 10];
    let mut found = Vec::new();
    let mut raw = RawDir::new(open, &mut listing);
    while let Some(entry) = raw.next() {
        let entry = entry?;
        if entry.file_name().to_bytes().starts_with(TEMPORARY) {
            found.push(entry.file_name().to_owned());
        }
    }
    for name in found {
        let seen = look(open, &name)?;
        if kind(&seen) != FileType::Directory {
            unlinkat(open, &name, AtFlags::empty())?;
        }
    }
    Ok(())
}

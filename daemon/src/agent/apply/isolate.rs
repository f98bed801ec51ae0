//! A view of the file system in which the staged files are in place, for validators: a
//! mount namespace of its own, with the staged tree laid over the real directories, and
//! memory on top for whatever a validator writes. Nobody else sees it, and it goes with
//! the thread that made it, also when the agent is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::thread;

use rustix::fs::{AtFlags, CWD, Gid, Mode, StatxFlags, Uid, chmodat, chownat, statx};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::journal::{Journal, SCRATCH, STAGED};
use crate::agent::manifest::{Change, Entry, Kind, RelPath};
use crate::agent::tree::Root;

/// Runs `validate` in such a view. The outer error says why none could be made; then
/// nothing has run.
pub(super) fn isolated<T: Send>(
    root: &Path,
    journal: &Journal,
    changes: &[&Change<'_>],
    validate: impl FnOnce() -> T + Send,
) -> Result<T, String> {
    let scratch = journal.fresh(SCRATCH).map_err(|error| error.to_string())?;
    let staged = journal.path(STAGED);
    thread::scope(|scope| {
        let inside = move || {
            enter(root, &scratch, &staged, changes)
                .map_err(|(doing, error)| format!("{doing}: {}", io::Error::from(error)))?;
            Ok(validate())
        };
        let thread = thread::Builder::new().name("validation".to_owned());
        let thread = thread.spawn_scoped(scope, inside).map_err(|error| error.to_string())?;
        thread.join().unwrap_or_else(|_| Err("the validating thread ended early".to_owned()))
    })
}

type Broken = (&'static str, Errno);

fn doing<T>(what: &'static str, done: Result<T, impl Into<io::Error>>) -> Result<T, Broken> {
    let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    done.map_err(|error| (what, errno(error.into())))
}

/// Puts the calling thread, and all that it starts, into the view.
fn enter(
    root: &Path,
    scratch: &Path,
    staged: &Path,
    changes: &[&Change<'_>],
) -> Result<(), Broken> {
    // SAFETY: the descriptors stay shared; only mounts, root and working directory become
    // this thread's own.
    let unshared = unsafe { unshare_unsafe(UnshareFlags::NEWNS) };
    doing("making a mount namespace", unshared)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    doing("making mounts private", mount_change("/", private))?;
    let memory = MountFlags::NOSUID | MountFlags::NODEV;
    doing("mounting memory", mount("twinwall", scratch, "tmpfs", memory, c"mode=0700"))?;
    // Opened anew: a descriptor from outside would lead to the mounts outside.
    let opened = doing("opening the root", Root::open(root))?;
    let staged = doing("opening the staged files", Root::open(staged))?;
    for (number, directory) in laid_over(&opened, changes).into_iter().enumerate() {
        let Some(directory) = directory else {
            return Err(("laying files over the root directory itself", Errno::NOTSUP));
        };
        let writes = scratch.join(number.to_string());
        overlay(&opened, &staged, &directory, &writes)?;
    }
    let view = doing("opening the root", Root::open(root))?;
    for change in changes.iter().rev() {
        remove(&view, change)?;
    }
    Ok(())
}

/// The directories to lay over: those that hold a changed path, or where the first of
/// them that exists is; none inside another.
fn laid_over(root: &Root, changes: &[&Change<'_>]) -> BTreeSet<Option<RelPath>> {
    let mut known: BTreeMap<RelPath, Option<RelPath>> = BTreeMap::new();
    let mut found: BTreeSet<Option<RelPath>> = BTreeSet::new();
    for change in changes {
        let (Change::Added(path, _) | Change::Removed(path, _) | Change::Modified(path, ..)) =
            change;
        let Some(parent) = path.parent() else {
            found.insert(None);
            continue;
        };
        let there = known.entry(parent).or_insert_with_key(|parent| {
            let mut directory = Some(parent.clone());
            while let Some(path) = &directory
                && root.open_directory(Some(path)).is_err()
            {
                directory = path.parent();
            }
            directory
        });
        found.insert(there.clone());
    }
    let all: Vec<RelPath> = found.iter().flatten().cloned().collect();
    let outermost = |path: &Option<RelPath>| match path {
        Some(path) => !all.iter().any(|other| other != path && path.is_within(other)),
        None => true,
    };
    found.into_iter().filter(outermost).collect()
}

/// Lays the staged directory over the real one, and memory over both.
fn overlay(root: &Root, staged: &Root, directory: &RelPath, writes: &Path) -> Result<(), Broken> {
    let (upper, work) = (writes.join("upper"), writes.join("work"));
    for path in [&upper, &work] {
        doing("making a directory in memory", fs::create_dir_all(path))?;
    }
    let real = doing("opening a directory", root.open_directory(Some(directory)))?;
    let new = match staged.open_directory(Some(directory)) {
        Ok(new) => Some(new),
        // Nothing comes, something goes.
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return doing("opening a staged directory", Err(error)),
    };
    doing("copying attributes", like(new.as_ref().unwrap_or(&real), &upper))?;
    // By descriptors: a path could hold a comma or a colon.
    let path = |open: &OwnedFd| format!("/proc/self/fd/{}", open.as_raw_fd());
    let lower = match &new {
        Some(new) => format!("{}:{}", path(new), path(&real)),
        None => path(&real),
    };
    let (upper, work) =
        (doing("opening memory", open(&upper))?, doing("opening memory", open(&work))?);
    let options = format!("lowerdir={lower},upperdir={},workdir={}", path(&upper), path(&work));
    let options = CString::new(options).expect("numbers and words have no NUL");
    let flags = MountFlags::empty();
    let mounted = mount("twinwall", path(&real), "overlay", flags, options.as_c_str());
    doing("mounting an overlay", mounted)
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(fs::File::open(path)?.into())
}

/// Gives a directory the owner and mode of another: the top one shows.
fn like(open: &OwnedFd, path: &Path) -> Result<(), Errno> {
    let seen = statx(open, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?;
    let (user, group) = (Uid::from_raw(seen.stx_uid), Gid::from_raw(seen.stx_gid));
    chownat(CWD, path, Some(user), Some(group), AtFlags::empty())?;
    chmodat(CWD, path, Mode::from_raw_mode(u32::from(seen.stx_mode) & 0o7777), AtFlags::empty())
}

/// Takes away in the view what shall go.
fn remove(view: &Root, change: &Change<'_>) -> Result<(), Broken> {
    let Change::Removed(path, old) = change else { return Ok(()) };
    let directory = matches!(old, Entry { kind: Kind::Directory, .. });
    let removed = view.remove(path, directory);
    match removed.as_ref().map_err(Errno::from_io_error) {
        // Hidden already by a file in the place of its directory.
        Ok(()) | Err(Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) => Ok(()),
        Err(_) => doing("removing a file in the view", removed),
    }
}

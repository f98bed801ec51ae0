//! A file of leases on the disk: read so that what was read was there at one moment, and written
//! as a whole or not at all. Never through a symlink.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, fchmod, fchown, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::table::{Format, MAX_BYTES, Table};
use crate::agent::manifest::RelPath;
use crate::agent::profile::LeaseFile;
use crate::agent::tree::{Root, open_plain};

/// What Kea keeps beside its file while it cleans up (its lease file clean-up): what was cleaned
/// before, then what is being cleaned. The newer ones last.
const KEA_DONE: &str = ".completed";
const KEA_BESIDE: [&str; 2] = [".2", ".1"];
/// All of them, with its unfinished output.
const KEA_ALL: [&str; 4] = [".completed", ".2", ".1", ".output"];
/// Tries to read files that are being written, and the time between two.
const TRIES: usize = 25;
const PAUSE: Duration = Duration::from_millis(4);
/// A file that was written so short a time ago may be written again unseen, since a tick of the
/// kernel's coarse clock is up to 10 ms; and a server that rewrites it may not be done.
pub(super) const FRESH: Duration = Duration::from_millis(50);
/// Name of a file that is being written.
const TEMPORARY: &str = ".twinwall-leases.tmp";
/// Rights of a new file.
const MODE: Mode = Mode::from_raw_mode(0o644);

/// Tells two states of a file, and of those beside it, apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Option<State>>);

/// One of them. The change time tells what a program that sets the other one hides.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    inode: u64,
    length: u64,
    modified: SystemTime,
    changed: (i64, i64),
}

impl Stamp {
    /// Whether it changed just now.
    pub(super) fn is_fresh(&self) -> bool {
        let recent = |at: &SystemTime| at.elapsed().map_or(true, |age| age < FRESH);
        self.0.iter().flatten().any(|state| recent(&state.modified))
    }
}

/// Which files there are, the oldest first; the own one is the last.
pub(super) fn names(file: &LeaseFile) -> Result<Vec<RelPath>, String> {
    let beside = |end: &&str| {
        let name = [file.path.as_bytes(), end.as_bytes()].concat();
        RelPath::new(&name).map_err(|error| error.to_string())
    };
    let mut all = match file.format {
        Format::Kea => [KEA_DONE, KEA_BESIDE[0], KEA_BESIDE[1]]
            .iter()
            .map(beside)
            .collect::<Result<Vec<_>, String>>()?,
        Format::Dnsmasq | Format::Whole => Vec::new(),
    };
    all.push(file.path.clone());
    Ok(all)
}

/// How the files are now; none where the own one is not there.
pub(super) fn stamp(root: &Root, file: &LeaseFile) -> Result<Option<Stamp>, String> {
    let mut all = Vec::new();
    for path in names(file)? {
        all.push(match open_plain(root, &path) {
            Ok(open) => {
                let seen = open.metadata().map_err(|error| told(&path, &error))?;
                let modified = seen.modified().map_err(|error| told(&path, &error))?;
                let changed = (seen.ctime(), seen.ctime_nsec());
                Some(State { inode: seen.ino(), length: seen.len(), modified, changed })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(told(&path, &error)),
        });
    }
    let is_there = all.last().is_some_and(Option::is_some);
    Ok(is_there.then_some(Stamp(all)))
}

/// Reads them as one table.
pub(super) fn read(root: &Root, file: &LeaseFile) -> Result<(Stamp, Table), String> {
    let mut wrong = format!("{} goes on changing while it is read", file.path);
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        let Some(before) = stamp(root, file)? else { continue };
        let first = contents(root, file)?;
        // Some rewrite a file in place: twice the same says that nobody does.
        let second = contents(root, file)?;
        if stamp(root, file)?.as_ref() != Some(&before) || first != second {
            continue;
        }
        match Table::parse(file.format, &first) {
            Ok(table) => return Ok((before, table)),
            Err(error) => {
                wrong = format!("{}: {error}; is 'format' right in the profile?", file.path);
            }
        }
    }
    Err(wrong)
}

fn contents(root: &Root, file: &LeaseFile) -> Result<Vec<Vec<u8>>, String> {
    let mut all = Vec::new();
    let mut is_done = false;
    for path in names(file)? {
        // What was cleaned holds all that the files beside it hold.
        let beside = KEA_BESIDE.iter().any(|end| path.as_bytes().ends_with(end.as_bytes()));
        if is_done && beside && path != file.path {
            continue;
        }
        let open = match open_plain(root, &path) {
            Ok(open) => open,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(told(&path, &error)),
        };
        is_done |= path.as_bytes().ends_with(KEA_DONE.as_bytes());
        let mut bytes = Vec::new();
        let most = MAX_BYTES as u64 + 1;
        open.take(most).read_to_end(&mut bytes).map_err(|error| told(&path, &error))?;
        all.push(bytes);
    }
    Ok(all)
}

fn told(path: &RelPath, error: &io::Error) -> String {
    format!("{path}: {error}")
}

/// A file that is written and not in its place yet.
pub(super) struct Prepared {
    directory: std::os::fd::OwnedFd,
    name: Vec<u8>,
    beside: Vec<Vec<u8>>,
}

/// Writes a table beside its place, with the owner and rights of the file that is there, else
/// with the owner of the directory.
pub(super) fn prepare(root: &Root, file: &LeaseFile, table: &Table) -> Result<Prepared, String> {
    let failed = |error: io::Error| told(&file.path, &error);
    let directory = root.open_directory(file.path.parent().as_ref()).map_err(failed)?;
    let name = |path: &RelPath| {
        path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec()
    };
    let (owner, group, mode) = match open_plain(root, &file.path) {
        Ok(old) => {
            let seen = old.metadata().map_err(failed)?;
            (seen.uid(), seen.gid(), Mode::from_raw_mode(seen.mode() & 0o7777))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let own = File::from(directory.try_clone().map_err(failed)?);
            let seen = own.metadata().map_err(failed)?;
            (seen.uid(), seen.gid(), MODE)
        }
        Err(error) => return Err(failed(error)),
    };
    let written = || -> io::Result<()> {
        match unlinkat(&directory, TEMPORARY, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = openat(&directory, TEMPORARY, flags, Mode::from_raw_mode(0o600))?;
        fchown(&open, Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)))?;
        fchmod(&open, mode)?;
        let mut open = File::from(open);
        open.write_all(&table.write(file.format))?;
        open.sync_all()
    };
    written().map_err(failed)?;
    let beside = match file.format {
        Format::Kea => {
            let own = name(&file.path);
            KEA_ALL.iter().map(|end| [&own[..], end.as_bytes()].concat()).collect()
        }
        Format::Dnsmasq | Format::Whole => Vec::new(),
    };
    Ok(Prepared { name: name(&file.path), directory, beside })
}

impl Prepared {
    /// Puts it into its place; what the server kept beside an older one goes, for it would be
    /// read first.
    pub(super) fn put(&self) -> io::Result<()> {
        for name in &self.beside {
            match unlinkat(&self.directory, name.as_slice(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        renameat(&self.directory, TEMPORARY, &self.directory, self.name.as_slice())?;
        Ok(())
    }

    /// Has the disk keep it.
    pub(super) fn settle(self) -> io::Result<()> {
        File::from(self.directory).sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    const HEAD: &str = "address,hwaddr,valid_lifetime\n";

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("twinwall-leases-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("var")).expect("made");
        folder
    }

    fn kea() -> LeaseFile {
        LeaseFile {
            name: "kea4".to_owned(),
            format: Format::Kea,
            path: RelPath::new(b"var/leases4.csv").expect("a path"),
            service: "kea".to_owned(),
        }
    }

    #[test]
    fn what_kea_left_beside_its_file_is_read_and_replaced_with_it() {
        let folder = folder("kea");
        let root = Root::open(&folder).expect("opened");
        assert_eq!(stamp(&root, &kea()), Ok(None));
        let put = |name: &str, rows: &str| {
            fs::write(folder.join("var").join(name), format!("{HEAD}{rows}")).expect("written");
        };
        put("leases4.csv.2", "10.0.0.1,aa,100\n10.0.0.2,bb,100\n");
        put("leases4.csv.1", "10.0.0.2,bb,0\n10.0.0.3,cc,100\n");
        put("leases4.csv", "10.0.0.1,aa,900\n");
        let (_, table) = read(&root, &kea()).expect("read");
        let text = String::from_utf8(table.write(Format::Kea)).expect("text");
        assert_eq!(text, format!("{HEAD}10.0.0.1,aa,900\n10.0.0.3,cc,100\n"));
        // Cleaned meanwhile, and not in its place yet.
        put("leases4.csv.completed", "10.0.0.7,dd,100\n");
        let (_, cleaned) = read(&root, &kea()).expect("read");
        assert_eq!(cleaned.leases(), 2);
        fs::set_permissions(folder.join("var/leases4.csv"), PermissionsExt::from_mode(0o640))
            .expect("set");
        let prepared = prepare(&root, &kea(), &table).expect("written");
        prepared.put().expect("put");
        prepared.settle().expect("kept");
        assert_eq!(read(&root, &kea()).expect("read").1, table);
        let mode = fs::metadata(folder.join("var/leases4.csv")).expect("there").mode();
        assert_eq!(mode & 0o777, 0o640);
        let left = fs::read_dir(folder.join("var")).expect("there").count();
        assert_eq!(left, 1, "nothing of the older file is left");
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn neither_reading_nor_writing_follows_a_symlink() {
        let folder = folder("link");
        let root = Root::open(&folder).expect("opened");
        fs::write(folder.join("secret"), "10.0.0.1\n").expect("written");
        symlink(folder.join("secret"), folder.join("var/leases4.csv")).expect("made");
        assert!(stamp(&root, &kea()).is_err());
        assert!(prepare(&root, &kea(), &Table::default()).is_err());
        assert_eq!(fs::read_to_string(folder.join("secret")).expect("there"), "10.0.0.1\n");
        fs::remove_dir_all(folder).expect("removed");
    }
}

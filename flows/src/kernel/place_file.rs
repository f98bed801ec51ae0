//! The mirror's place in a file, which outlives its agent but not what its kernel holds: a
//! few bytes below `run`, written over each time without waiting for a disk, after the kernel
//! was told. Contents that are torn, of another namespace, of another run of the machine or
//! too old mean that all is compared.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::position::{Holding, Kept, Table};

/// An agent that was away for longer is not believed: a mirror prolongs lives four minutes
/// after the last time at the latest, when those of five minutes may be left.
const MOST_AWAY: Duration = Duration::from_secs(30);
/// Written again after this when nothing changes, so that its age says how long nobody was here.
const REFRESH: Duration = Duration::from_secs(1);
/// The kernel's name for this run of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The file.
#[derive(Debug)]
pub(super) struct PlaceFile {
    path: PathBuf,
    file: File,
    table: Table,
    /// What it says, and since when.
    says: Option<(Holding, Duration)>,
}

impl PlaceFile {
    /// Opens it for the kernel table of this namespace, and believes what it says, if it may.
    /// It is root's alone from then on.
    ///
    /// # Errors
    /// When it cannot be kept here.
    pub(super) fn open(path: &Path, namespace: u64) -> io::Result<(PlaceFile, Option<Holding>)> {
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true).truncate(false);
        let file = how.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        let own = about.uid() == fs::metadata("/proc/self")?.uid() && about.mode() & 0o077 == 0;
        file.set_permissions(Permissions::from_mode(0o600))?;
        let table = Table { boot: boot_id()?, namespace };
        let now = since_boot()?;
        let kept = read(&file)?.filter(|kept| own && kept.table == table);
        let fresh =
            kept.filter(|kept| now.checked_sub(kept.at).is_some_and(|away| away <= MOST_AWAY));
        let mut kept = PlaceFile { path: path.to_owned(), file, table, says: None };
        let holding = fresh.map(|kept| kept.holding);
        if holding.is_none() {
            kept.write(&[0; Kept::BYTES])?;
        }
        kept.says = holding.map(|holding| (holding, now));
        Ok((kept, holding))
    }

    /// What the kernel holds now; nothing while that is not known.
    ///
    /// # Errors
    /// When it could not be noted; then the file is gone, if it can go.
    pub(super) fn note(&mut self, holding: Option<Holding>) -> io::Result<()> {
        let done = self.note_or_fail(holding);
        if done.is_err() {
            // What it says may be wrong from now on.
            let _ = fs::remove_file(&self.path);
        }
        done
    }

    fn note_or_fail(&mut self, holding: Option<Holding>) -> io::Result<()> {
        let Some(holding) = holding else {
            if self.says.take().is_some() {
                self.write(&[0; Kept::BYTES])?;
            }
            return Ok(());
        };
        let at = since_boot()?;
        let known = self.says.is_some_and(|(said, since)| said == holding && at < since + REFRESH);
        if !known {
            self.write(&Kept { table: self.table, holding, at }.encode())?;
            self.says = Some((holding, at));
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8; Kept::BYTES]) -> io::Result<()> {
        self.file.write_all_at(bytes, 0)
    }
}

/// Longer ones are foreign.
fn read(file: &File) -> io::Result<Option<Kept>> {
    let mut bytes = [0; Kept::BYTES + 1];
    let length = file.read_at(&mut bytes, 0)?;
    if length > Kept::BYTES {
        file.set_len(0)?;
    }
    Ok(Kept::decode(&bytes[..length]))
}

fn boot_id() -> io::Result<[u8; 16]> {
    let text = fs::read_to_string(BOOT_ID)?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let number = u128::from_str_radix(&digits, 16);
    number.map(u128::to_be_bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// How long this machine runs, its sleep included.
fn since_boot() -> io::Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives across the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    twinwall_netlink::syscall::check(result)?;
    let (seconds, nanos) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    Ok(Duration::from_secs(seconds) + Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::{Position, StreamId};

    const SPACE: u64 = 4711;

    /// A file of one test, gone with it.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let name = format!("twinwall-place-{}-{name}", std::process::id());
            Place(std::env::temp_dir().join(name))
        }

        fn says(&self, namespace: u64) -> Option<Holding> {
            PlaceFile::open(&self.0, namespace).expect("it can be opened").1
        }

        /// As an agent leaves it that is killed.
        fn leave(&self, holding: Holding) {
            let (mut file, _) = PlaceFile::open(&self.0, SPACE).expect("it can be opened");
            file.note(Some(holding)).expect("noted");
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn holding(sequence: u64) -> Holding {
        Holding { position: Position { stream: StreamId::from_bits(9), sequence }, flows: 3 }
    }

    #[test]
    fn what_was_noted_last_is_found_by_the_next_agent_and_is_roots_alone() {
        let place = Place::new("found");
        assert_eq!(place.says(SPACE), None);
        place.leave(holding(7));
        place.leave(holding(8));
        assert_eq!(place.says(SPACE), Some(holding(8)));
        assert_eq!(place.says(SPACE), Some(holding(8)), "looking changes nothing");
        assert_eq!(fs::metadata(&place.0).expect("there").mode() & 0o777, 0o600);
        let (mut file, _) = PlaceFile::open(&place.0, SPACE).expect("it can be opened");
        file.note(None).expect("noted");
        assert_eq!(place.says(SPACE), None);
    }

    #[test]
    fn other_namespaces_old_torn_and_readable_files_are_not_believed() {
        let place = Place::new("foreign");
        place.leave(holding(7));
        assert_eq!(place.says(SPACE + 1), None);
        place.leave(holding(7));
        fs::set_permissions(&place.0, Permissions::from_mode(0o644)).expect("changed");
        assert_eq!(place.says(SPACE), None, "others could read it");
        let now = since_boot().expect("a clock");
        let table = Table { boot: boot_id().expect("a name"), namespace: SPACE };
        let mut kept = Kept { table, holding: holding(7), at: now };
        let says = |kept: &Kept| {
            fs::write(&place.0, kept.encode()).expect("written");
            place.says(SPACE)
        };
        assert_eq!(says(&kept), Some(holding(7)));
        kept.at = now.saturating_sub(MOST_AWAY + REFRESH);
        assert_eq!(says(&kept), None, "too old");
        kept.at = now + MOST_AWAY;
        assert_eq!(says(&kept), None, "not yet");
        kept.at = now;
        kept.table.boot[3] ^= 1;
        assert_eq!(says(&kept), None, "of another run of the machine");
        fs::write(&place.0, [7; 4096]).expect("written");
        assert_eq!(place.says(SPACE), None, "somebody else's");
    }

    #[test]
    fn what_lies_elsewhere_is_not_written_to() {
        let (place, other) = (Place::new("link"), Place::new("other"));
        fs::write(&other.0, b"mine").expect("written");
        std::os::unix::fs::symlink(&other.0, &place.0).expect("linked");
        assert!(PlaceFile::open(&place.0, SPACE).is_err());
        assert_eq!(fs::read(&other.0).expect("there"), b"mine");
    }
}

//! Sees to it that rotation of any kind loses and doubles nothing. Which file is which is
//! decided by number (inode) and by what was read before the place, see `print`:
//!
//! - renamed: the same number elsewhere, read on where it is;
//! - copied and cut off, or the number given to a new file: what was read is not before the
//!   place any more; it is looked for among the files that it became, packed or not, and the
//!   one that holds it is read on from there;
//! - rotated several times while nobody looked: what became of it since is read whole.
//!
//! What is found out is noted in one batch: after a crash it is all known or all found out anew.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::content::{holds, is_packed_path, is_unreadable};
use super::family::{Member, family, plain};
use super::files::{FileSource, MAX_ROTATED};
use super::print::{FileId, HowFar};
use super::tracked::{Rest, Standing, Tracked};

/// A rotated file is given back to the system after this long without a change.
const SETTLED: Duration = Duration::from_secs(10);
/// For so long a file is looked for that is nowhere: longer than a rotation takes, and packing.
const SOUGHT: Duration = Duration::from_secs(20);
/// Further looks for a copy of what was cut off, which was there before the cut.
const LOOKS: u32 = 3;
/// Files are given up one by one where their times, in microseconds, are so far apart.
const APART_US: u64 = 1_000_000;
/// So many first bytes tell whether two files begin alike: some lines with their times.
const BEGINNING: u64 = 512;

/// Where a file was live, what it and others became since it was read last, and which of these
/// holds what was read of it.
type Became = (PathBuf, Vec<Member>, Option<usize>);

impl FileSource {
    /// It is no longer where it was, or was not found since the start. While names change it may
    /// be nowhere for a moment: then it is looked for again.
    pub(super) fn leave(&mut self, id: FileId) {
        let Some(file) = self.files.get(&id) else { return };
        let followed = file.followed || file.file.is_some();
        let unread = file.how_far.offset == 0 && !followed;
        let (base, members, at) = match self.became(id, true) {
            Ok(found) => found,
            Err((base, why)) => return self.look_again(id, &base, &why),
        };
        if at.is_none() && file.how_far.done && file.file.is_none() {
            // Removed, as old logs are. Those after it are known by the ones after it.
            self.files.remove(&id);
            self.changed.insert(id);
            return;
        }
        let found = match at.map(|at| &members[at]) {
            // What is open gives all of it.
            _ if file.file.is_some() => Ok(()),
            Some(member) if member.id == id => self.move_to(id, member),
            Some(member) => {
                let how_far = file.how_far.clone();
                self.files.remove(&id);
                self.changed.insert(id);
                self.go_on(&base, member, how_far);
                Ok(())
            }
            // Nothing was read of it: what holds it is among the others.
            None if file.how_far.offset == 0 && !members.is_empty() => Ok(()),
            None => Err("what it became is nowhere any more".to_owned()),
        };
        // Of one of which nothing was read, what it held earlier may be in an older one.
        let after = if unread { None } else { at };
        let whole = self.take_between(&base, &members, after, followed);
        // Where it went on under another number, that one is looked for again.
        let held = at.map(|at| &members[at]);
        let sought = if self.files.contains_key(&id) { Some(id) } else { held.map(|it| it.id) };
        match (found, sought.and_then(|sought| self.files.get_mut(&sought))) {
            (Ok(()), Some(file)) if whole && file.id == id => {
                if let Some(member) = held.filter(|member| member.id == id) {
                    file.path.clone_from(&member.path);
                }
                (file.standing, file.dirty, file.sought) = (Standing::Rotated, true, None);
            }
            (Ok(()), Some(file)) if !whole => {
                let id = file.id;
                self.look_again(id, &base, "a file beside it cannot be read");
            }
            (Ok(()), Some(_) | None) => {}
            (Err(why), _) => self.look_again(id, &base, &why),
        }
    }

    /// It is there under another name.
    fn move_to(&mut self, id: FileId, member: &Member) -> Result<(), String> {
        let Some(file) = self.files.get_mut(&id) else { return Ok(()) };
        file.path.clone_from(&member.path);
        file.begin().map_err(|error| error.to_string())
    }

    /// Soon, unless it has been looked for long enough.
    fn look_again(&mut self, id: FileId, base: &Path, why: &str) {
        self.again = true;
        let Some(file) = self.files.get_mut(&id) else { return };
        let since = *file.sought.get_or_insert_with(Instant::now);
        file.standing = Standing::Unknown;
        if since.elapsed() >= SOUGHT {
            (file.standing, file.dirty) = (Standing::Rotated, true);
            self.miss(base, why);
        }
    }

    /// What was read of it is gone from it: it is a new one, at this path.
    pub(super) fn change(&mut self, id: FileId, path: PathBuf) {
        let mut found = self.became(id, false);
        for _ in 0..LOOKS {
            if !matches!(found, Ok((_, _, None))) {
                break;
            }
            // Renamed or packed between the listing and the look into it.
            found = self.became(id, false);
        }
        let Some(file) = self.files.get_mut(&id) else { return };
        let (how_far, followed) = (file.how_far.clone(), file.followed);
        file.set_path(path, &self.root);
        file.standing = Standing::Live;
        file.begin_anew();
        self.changed.insert(id);
        match found {
            Ok((base, members, at)) => {
                // Else nothing was left unread, or it is lost: nobody can tell.
                if let Some(member) = at.map(|at| &members[at]) {
                    self.go_on(&base, member, how_far);
                }
                if !self.take_between(&base, &members, at, followed)
                    && let Some(held) = at.and_then(|at| self.files.get_mut(&members[at].id))
                {
                    // From there on it is looked for again.
                    held.standing = Standing::Unknown;
                    self.again = true;
                }
            }
            Err((base, why)) => self.miss(&base, &why),
        }
    }

    /// The family of a file since it was read last, the oldest first, and which of them holds
    /// what was read of it: itself only where `whole`, else a copy.
    fn became(&self, id: FileId, whole: bool) -> Result<Became, (PathBuf, String)> {
        let how_far = self.files.get(&id).map(|file| file.how_far.clone()).unwrap_or_default();
        let base = self.root.join(OsStr::from_bytes(&how_far.path));
        let mut members = match family(&base) {
            Ok(members) => members,
            // The directory went with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err((base, error.to_string())),
        };
        // Times of packed files may be whole seconds.
        let second = |us: u64| us / 1_000_000;
        members.retain(|member| second(member.written_us) >= second(how_far.written_us));
        let is_same = |member: &Member| match how_far.offset {
            // Nothing tells it from another one with its number but that it was not read.
            0 => !self.is_known(&member.path),
            _read => is_one(&member.path, &how_far),
        };
        let itself = |member: &Member| whole && member.id == id && is_same(member);
        let copy = |member: &Member| member.id != id && is_one(&member.path, &how_far);
        let at = members.iter().position(itself).or_else(|| members.iter().rposition(copy));
        Ok((base, members, at))
    }

    /// Whether what was read of some file is in this one.
    fn is_known(&self, path: &Path) -> bool {
        let known: Vec<&HowFar> = self.files.values().map(|file| &file.how_far).collect();
        holds(path, &known).is_ok_and(|held| held.contains(&true))
    }

    /// Reads this one on from a place to which it was read under another number.
    fn go_on(&mut self, base: &Path, member: &Member, how_far: HowFar) {
        let is_known = |known: &&mut Tracked| {
            // Else the number was that of another file.
            known.how_far.offset == 0 || is_one(&member.path, &known.how_far)
        };
        if let Some(known) = self.files.get_mut(&member.id).filter(is_known) {
            if known.how_far.offset < how_far.offset {
                let path = known.how_far.path.clone();
                known.how_far = HowFar { path, ..how_far };
            }
            if known.standing == Standing::Copy {
                known.standing = Standing::Live;
            }
            known.dirty = true;
            self.changed.insert(member.id);
            return;
        }
        self.track(member.id, member.path.clone(), base, how_far, Standing::Rotated);
    }

    /// The number is another file's now: what was read under it is known by the file that holds
    /// it.
    pub(super) fn make_room(&mut self, id: FileId) {
        if self.files.get(&id).is_none_or(|file| file.how_far.offset == 0) {
            return;
        }
        let Ok((base, members, Some(at))) = self.became(id, false) else { return };
        if let Some(file) = self.files.remove(&id) {
            self.go_on(&base, &members[at], file.how_far);
        }
    }

    /// It was renamed to what a pattern matches, too: what became of its log since may be packed.
    pub(super) fn take_after(&mut self, id: FileId) {
        if let Ok((base, members, Some(at))) = self.became(id, true) {
            self.take_between(&base, &members, Some(at), true);
        }
    }

    /// A file of which nothing was read: what it held may have been copied and cut off, which
    /// nothing in it tells.
    pub(super) fn take_unread(&mut self, id: FileId) {
        if let Ok((base, members, None)) = self.became(id, false) {
            self.take_between(&base, &members, None, false);
        }
    }

    /// Files that became of a log while nobody looked, and of which nothing was read: those
    /// behind the one that holds what was. Of one that was followed until now, and of which no
    /// copy holds all that was read, there are none. Whether all could be read.
    fn take_between(
        &mut self,
        base: &Path,
        all: &[Member],
        at: Option<usize>,
        followed: bool,
    ) -> bool {
        let from = match at {
            Some(at) => at + 1,
            None if followed => return true,
            None => 0,
        };
        let mut whole = true;
        for member in &all[from..] {
            let name = member.path.as_os_str().as_bytes();
            let is_being_packed = is_packed_path(&member.path)
                && all.iter().any(|other| other.path.as_os_str().as_bytes() == plain(name));
            let unread = |known: &Tracked| known.how_far.offset == 0;
            if is_being_packed || self.files.get(&member.id).is_some_and(unread) {
                continue;
            }
            if is_unreadable(name) {
                self.miss(&member.path, "it is packed in a way that is not read here");
                continue;
            }
            let known: Vec<&HowFar> = self.files.values().map(|file| &file.how_far).collect();
            match holds(&member.path, &known) {
                Ok(held) if held.contains(&true) => continue,
                Ok(_) => {}
                Err(_) => {
                    whole = false;
                    continue;
                }
            }
            if !begin_alike(base, &member.path) {
                let how_far = HowFar { written_us: member.written_us, ..HowFar::default() };
                self.track(member.id, member.path.clone(), base, how_far, Standing::Rotated);
            }
        }
        whole
    }

    pub(super) fn miss(&mut self, path: &Path, why: &str) {
        self.missed += 1;
        eprintln!("twinwall agent: logs: {}: {}: {why}", self.name, path.display());
        self.trouble = Some(format!("the end of {} could not be read: {why}", path.display()));
    }

    /// Rotated files are given up from the oldest on: a younger one that is not known while
    /// an older one is would be taken for one of which nothing was read.
    pub(super) fn forget(&mut self) {
        if self.files.values().any(|file| file.standing == Standing::Unknown) {
            return;
        }
        let mut rotated: Vec<(u64, FileId)> = Vec::new();
        for file in self.files.values_mut().filter(|file| file.standing == Standing::Rotated) {
            rotated.push((file.how_far.written_us, file.id));
            // Somebody may still write to one that was renamed.
            let seen = match &file.file {
                Some(open) => open.metadata(),
                None => file.path.metadata(),
            };
            file.dirty |= seen.is_ok_and(|seen| {
                FileId::of(&seen) == file.id
                    && seen.len() > file.how_far.offset
                    && !is_packed_path(&file.path)
            });
            if is_settled(file) {
                file.file = None;
            }
        }
        rotated.sort_unstable();
        let surplus = rotated.len().saturating_sub(MAX_ROTATED);
        for (at, (written_us, id)) in rotated.iter().enumerate().take(surplus) {
            // Times may be those of whole seconds: which of two is older must be plain.
            let next = rotated.get(at + 1).map_or(u64::MAX, |(written_us, _)| *written_us);
            if next < written_us.saturating_add(APART_US) {
                return;
            }
            let blocked =
                |file: &Tracked| !is_settled(file) || self.is_younger_than_a_live_one(file);
            if self.files.get(id).is_some_and(blocked) {
                return;
            }
            self.files.remove(id);
            self.changed.insert(*id);
        }
    }

    /// Whether one that a pattern still matches became of the same log, and earlier.
    fn is_younger_than_a_live_one(&self, file: &Tracked) -> bool {
        let (base, written_us) = (&file.how_far.path, file.how_far.written_us);
        self.files.values().any(|other| {
            other.standing != Standing::Rotated
                && other.how_far.path == *base
                && other.path != self.root.join(OsStr::from_bytes(base))
                && other.how_far.written_us <= written_us
        })
    }
}

impl Tracked {
    /// Opens it, plain or packed.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if is_packed_path(&self.path) {
            self.rest = Some(Rest::open(&self.path, &self.how_far)?);
            return Ok(());
        }
        self.open()
    }
}

fn is_settled(file: &Tracked) -> bool {
    file.rest.is_none() && !file.dirty && file.grew.elapsed() > SETTLED
}

fn is_one(path: &Path, how_far: &HowFar) -> bool {
    // One that cannot be read is none.
    holds(path, &[how_far]).is_ok_and(|held| held[0])
}

/// Whether one is a copy of what the other still is: it was not cut off yet.
pub(super) fn begin_alike(live: &Path, copy: &Path) -> bool {
    let first = |path: &Path| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(BEGINNING).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match (first(live), first(copy)) {
        (Ok(live), Ok(copy)) => !copy.is_empty() && live.starts_with(&copy),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

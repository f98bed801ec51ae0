//! Which file is which generation of a log, decided by number (inode) and by what was read of
//! it, see `print`; and of which files nothing was read. The files are those of one moment:
//! whoever asks makes sure of that, and acts on the answer. Changes nothing.
//!
//! Generations are read in their order, so that all files behind the oldest one that is known,
//! by their names and their times, are known as well, or nothing was read of them: what a log
//! became while nobody looked.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::content::{
    Holds, first_bytes, holds, is_copy_of, is_packed_path, is_unreadable, open_log, open_seen,
};
use super::family::{Member, plain};
use super::print::{FileId, HowFar};
use super::tracked::Tracked;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Located {
    /// By generation: which file it is, and whether that one holds all that was read.
    pub(super) at: Vec<Option<(usize, Holds)>>,
    /// Files of which nothing was read, the oldest first.
    pub(super) unread: Vec<usize>,
    /// One of the others is a copy of the log, which nobody has read yet: soon one of the two is
    /// cut off.
    pub(super) unsure: bool,
}

/// The file that could not be looked into.
#[derive(Debug)]
pub(super) struct NotRead {
    pub(super) at: usize,
    pub(super) error: io::Error,
}

/// The files of a log, the oldest first, and which of them are spoken for.
struct Family<'m> {
    base: &'m Path,
    members: &'m [Member],
    taken: Vec<bool>,
}

/// Finds the generations among the files.
///
/// # Errors
/// When a file cannot be read, or is another one by now: then nothing is known.
pub(super) fn locate(
    generations: &[Tracked],
    members: &[Member],
    base: &Path,
) -> Result<Located, NotRead> {
    let mut family = Family { base, members, taken: vec![false; members.len()] };
    for at in 0..members.len() {
        family.taken[at] = family.is_being_packed(at)?;
    }
    let mut found = Located { at: vec![None; generations.len()], ..Located::default() };
    for wanted in [Holds::All, Holds::Beginning] {
        for (at, one) in found.at.iter_mut().zip(generations).rev() {
            if at.is_some() || !one.how_far.is_known() {
                continue;
            }
            if let Some(member) = family.find(one, wanted)? {
                *at = Some((member, wanted));
                family.taken[member] = true;
            }
        }
    }
    family.add_unread(generations, &mut found)?;
    Ok(found)
}

impl Family<'_> {
    /// What is being packed is beside what it is made from, and begins in the same way. Beside
    /// another one it is a file for itself, as where packing was turned on or off.
    fn is_being_packed(&self, at: usize) -> Result<bool, NotRead> {
        let member = &self.members[at];
        let name = member.path.as_os_str().as_bytes();
        let is_from = |other: &&Member| other.path.as_os_str().as_bytes() == plain(name);
        let Some(from) = self.members.iter().find(is_from).filter(|_| plain(name) != name) else {
            return Ok(false);
        };
        let first = |member: &Member| first_bytes(&member.path, member.id);
        let whole = first(from).map_err(|error| NotRead { at, error })?;
        match first(member) {
            Ok(packed) => Ok(whole.starts_with(&packed)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NotRead { at, error }),
            // Not even its first bytes are there yet.
            Err(_) => Ok(true),
        }
    }

    fn is_live(&self, at: usize) -> bool {
        self.members[at].path == self.base
    }

    fn holds(&self, at: usize, how_far: &HowFar) -> Result<Holds, NotRead> {
        let member = &self.members[at];
        holds(&member.path, member.id, how_far).map_err(|error| NotRead { at, error })
    }

    /// The file of this generation that nobody else has: the one that it was, else the one
    /// that was written last of those that hold all of it, else the oldest that begins as it.
    fn find(&self, one: &Tracked, wanted: Holds) -> Result<Option<usize>, NotRead> {
        let free: Vec<usize> = (0..self.members.len()).filter(|at| !self.taken[*at]).collect();
        let own = free.iter().copied().find(|at| self.members[*at].id == one.how_far.id);
        if let Some(own) = own.filter(|_| wanted == Holds::All) {
            if self.is_unchanged(own, one) {
                return Ok(Some(own));
            }
            if self.holds(own, &one.how_far)? == Holds::All {
                // With a restored disk a copy may have got the number of what it is a copy of.
                let from = self.copied_from(own)?.filter(|from| !self.taken[*from]);
                return Ok(from.or(Some(own)));
            }
        }
        let mut found: Option<usize> = None;
        for at in free {
            let is_wanted = match wanted {
                Holds::All => self.is_unread_packed(at, one),
                Holds::Beginning if self.is_live(at) => continue,
                Holds::Beginning | Holds::Nothing => false,
            };
            if !is_wanted && self.holds(at, &one.how_far)? != wanted {
                continue;
            }
            if wanted == Holds::Beginning {
                return Ok(Some(at));
            }
            let written = |at: usize| self.members[at].written_us;
            found = found.filter(|best| written(*best) > written(at)).or(Some(at));
        }
        Ok(found)
    }

    /// A file that was read to its end and not written since needs no look into it, which would
    /// cost much where it is packed.
    fn is_unchanged(&self, at: usize, one: &Tracked) -> bool {
        let written = self.members[at].written_us == one.how_far.written_us;
        one.how_far.done && written && !self.is_live(at)
    }

    /// One that was read to its end may be packed in a way that is not read here: then its time
    /// must tell, which packing leaves as it is, but for parts of a second.
    fn is_unread_packed(&self, at: usize, one: &Tracked) -> bool {
        let member = &self.members[at];
        one.how_far.done
            && is_unreadable(member.path.as_os_str().as_bytes())
            && second(member.written_us) == second(one.how_far.written_us)
    }

    fn add_unread(&self, generations: &[Tracked], found: &mut Located) -> Result<(), NotRead> {
        let after = self.after(generations, found);
        for (at, is_after) in after.into_iter().enumerate().filter(|(at, _)| !self.taken[*at]) {
            if self.is_live(at) {
                found.unread.push(at);
            } else if is_after && !self.is_any(at, generations)? {
                match self.copied_from(at)? {
                    None => found.unread.push(at),
                    Some(from) => found.unsure |= self.is_live(from) && !self.taken[from],
                }
            }
        }
        Ok(())
    }

    /// Which files are behind what was read: those that are so by their names and by their
    /// times, seen from the oldest that is known; where none is, by their times. Names alone say
    /// nothing where packed and plain files are counted each for themselves.
    fn after(&self, generations: &[Tracked], found: &Located) -> Vec<bool> {
        let known =
            || found.at.iter().zip(generations).filter_map(|(at, one)| Some(((*at)?.0, one)));
        let oldest = known().map(|(member, _)| member).min();
        let written = known().map(|(_, one)| second(one.how_far.written_us)).min();
        let oldest = oldest.zip(written);
        // Before anything was read of a log, nothing of it can be found again.
        let began = |one: &&Tracked| oldest.is_none() || !one.how_far.is_known();
        let marked = generations.iter().filter(|one| one.is_marked());
        let newest = marked.filter(began).map(|one| second(one.how_far.written_us)).max();
        let nothing_known = oldest.is_none() && newest.is_none();
        let is_after = |(at, member): (usize, &Member)| {
            nothing_known
                || oldest.is_some_and(|(oldest, written)| {
                    at > oldest && second(member.written_us) >= written
                })
                || newest.is_some_and(|newest| second(member.written_us) >= newest)
        };
        self.members.iter().enumerate().map(is_after).collect()
    }

    /// Whether all that was read of some generation is in it, too.
    fn is_any(&self, at: usize, generations: &[Tracked]) -> Result<bool, NotRead> {
        for one in generations {
            if self.holds(at, &one.how_far)? == Holds::All {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Of which other file this one is a copy, or becomes one.
    fn copied_from(&self, at: usize) -> Result<Option<usize>, NotRead> {
        if is_packed_path(&self.members[at].path) {
            return Ok(None);
        }
        let open = |at: usize| -> Result<File, NotRead> {
            let member = &self.members[at];
            open_seen(&member.path, member.id).map_err(|error| NotRead { at, error })
        };
        let copy = open(at)?;
        for other in (0..self.members.len()).rev() {
            let is_other = other != at && (self.taken[other] || self.is_live(other));
            if !is_other || is_packed_path(&self.members[other].path) {
                continue;
            }
            let is_copy = is_copy_of(&copy, &open(other)?);
            if is_copy.map_err(|error| NotRead { at, error })? {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }
}

/// What a rotated file is beside the log, before anything of it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Something else than is in the log.
    Other,
    /// A copy of the log, which was not cut off yet: nothing of it is to be read.
    Copy,
    /// Nothing yet: it may become such a copy.
    Empty,
}

/// What the file that was seen at this path is beside the log.
///
/// # Errors
/// The disk's; as [`open_seen`].
pub(super) fn beside(path: &Path, id: FileId, base: &Path) -> io::Result<Beside> {
    let copy = open_seen(path, id)?;
    if copy.metadata()?.len() == 0 {
        return Ok(Beside::Empty);
    }
    match open_log(base) {
        Ok(live) if is_copy_of(&copy, &live)? => Ok(Beside::Copy),
        Ok(_) => Ok(Beside::Other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Beside::Other),
        Err(error) => Err(error),
    }
}

/// Times of packed files may be whole seconds.
pub(super) const fn second(us: u64) -> u64 {
    us / 1_000_000
}

//! One log: the file at its path, which is live, and what it became by rotation. Sees to it that
//! rotation of any kind loses and doubles nothing, also while nobody looked:
//!
//! - renamed: the same number (inode) elsewhere, read on where it is;
//! - copied and cut off, packed, or the number given to another file: what was read is found by
//!   its bytes in the file that holds it now, which is read on from there;
//! - rotated several times: the files behind what is known are read whole, in their order.
//!
//! Which file is which says `locate`. It is acted on only when the names were the same before
//! and after; what is found out is noted in one batch with what else was: after a crash it is
//! all known or all found out anew.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::content::{Holds, first_bytes, is_packed_path, is_unreadable};
use super::family::{Member, family, have_same_names, list};
use super::locate::{Located, NotRead, locate, second};
use super::print::{ENDLESS, FileId, Head, HowFar, Print};
use super::tracked::{Rest, Tracked};

/// For so long a file that cannot be read is tried again: longer than packing takes.
const SOUGHT: Duration = Duration::from_secs(20);
/// Generations of one log that are remembered, at the most: the older ones were not written to
/// since so many others came.
pub(super) const MAX_GENERATIONS: usize = 32;

/// What a source learns of its logs.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Whose marks are to be written: they came, changed other than by reading, or went.
    pub(super) changed: BTreeSet<u64>,
    /// Names are changing: soon it is to be looked again.
    pub(super) again: bool,
    pub(super) trouble: Option<String>,
    /// What can never be read, and why.
    pub(super) missed: Vec<String>,
    /// The number of the next generation.
    pub(super) next: u64,
}

impl Learned {
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn miss(&mut self, path: &Path, why: &str) {
        self.missed.push(format!("the end of {} could not be read: {why}", path.display()));
    }
}

/// See the module.
pub(super) struct Log {
    pub(super) base: PathBuf,
    /// The path relative to the root, as the marks have it.
    name: Vec<u8>,
    /// The oldest first; the last one may be live.
    pub(super) generations: Vec<Tracked>,
    /// The files on which was decided last.
    seen: Vec<Member>,
    /// Whatever the files are, it is to be decided anew.
    pub(super) stale: bool,
    undecided: Option<Instant>,
    /// Files that could not be read for too long.
    broken: BTreeSet<FileId>,
}

impl Log {
    pub(super) fn new(base: PathBuf, name: Vec<u8>, generations: Vec<Tracked>) -> Log {
        let (seen, broken) = (Vec::new(), BTreeSet::new());
        Log { base, name, generations, seen, stale: true, undecided: None, broken }
    }

    /// A log that was never seen before: what it became earlier nobody asked for.
    pub(super) fn begin(&mut self, learned: &mut Learned) -> io::Result<()> {
        let mut how_far = HowFar { done: true, path: self.name.clone(), ..HowFar::default() };
        let members = family(&self.base)?;
        let is_old = |member: &&Member| member.path != self.base && member.length > 0;
        if let Some(newest) = members.iter().rfind(is_old) {
            let head = match first_bytes(&newest.path, newest.id) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                // By its time at least it is known.
                first => Head::of(&first.unwrap_or_default()),
            };
            let (id, written_us) = (newest.id, newest.written_us);
            how_far = HowFar { offset: ENDLESS, head, id, written_us, ..how_far };
        } else if let Some(live) = members.last() {
            how_far.written_us = live.written_us;
        }
        self.add_beginning(how_far, learned);
        Ok(())
    }

    /// What is before this was read, or is not to be.
    fn add_beginning(&mut self, how_far: HowFar, learned: &mut Learned) {
        let number = learned.number();
        self.generations.insert(0, Tracked::new(number, self.base.clone(), how_far));
        learned.changed.insert(number);
    }

    /// Gives this generation to another log, whose name it has now.
    pub(super) fn give(&mut self, at: usize, learned: &mut Learned) -> Tracked {
        let given = self.generations.remove(at);
        self.stale = true;
        if !self.generations.iter().any(Tracked::is_marked) {
            let written_us = given.how_far.written_us;
            let (done, path) = (true, self.name.clone());
            self.add_beginning(HowFar { written_us, done, path, ..HowFar::default() }, learned);
        }
        given
    }

    /// Takes generations of which it was not known that they are of this log.
    pub(super) fn take(&mut self, fresh: Vec<Tracked>, learned: &mut Learned) {
        for mut one in fresh {
            one.how_far.path.clone_from(&self.name);
            learned.changed.insert(one.number);
            self.generations.push(one);
        }
    }

    /// Whether nothing is left of it.
    pub(super) fn is_gone(&self) -> bool {
        let is_there = |one: &Tracked| one.file.is_some() || one.rest.is_some();
        self.seen.is_empty() && !self.stale && !self.generations.iter().any(is_there)
    }

    /// Looks which files there are and what became of those that were.
    pub(super) fn look(&mut self, keep: usize, learned: &mut Learned) {
        match self.members(list) {
            Ok(members) if members.is_empty() => self.leave(),
            Ok(members) if !self.stale && self.is_as_before(&members) => self.notice(&members),
            Ok(_) => self.decide(learned),
            Err(error) => self.put_off(&error, learned),
        }
        self.forget(keep, learned);
        learned.again |= self.stale;
    }

    fn members(
        &mut self,
        list: impl Fn(&Path) -> io::Result<Vec<Member>>,
    ) -> io::Result<Vec<Member>> {
        let mut members = list(&self.base)?;
        if !self.broken.is_empty() {
            self.broken.retain(|id| members.iter().any(|member| member.id == *id));
            members.retain(|member| !self.broken.contains(&member.id));
        }
        Ok(members)
    }

    /// The same files with the same names; only the live one may have grown.
    fn is_as_before(&self, members: &[Member]) -> bool {
        let is_same = |(one, other): (&Member, &Member)| {
            one == other || one.path == self.base && (&one.path, one.id) == (&other.path, other.id)
        };
        members.len() == self.seen.len() && members.iter().zip(&self.seen).all(is_same)
    }

    /// Files that grew are to be read.
    fn notice(&mut self, members: &[Member]) {
        for one in &mut self.generations {
            let member = members.iter().find(|member| member.id == one.how_far.id);
            one.dirty |= member.is_some_and(|member| is_longer(one, member));
        }
    }

    /// Nothing of it is there, as when a disk was taken off: should it come back, it goes on.
    fn leave(&mut self) {
        self.generations.iter_mut().for_each(|one| one.is_live = false);
        self.seen.clear();
        self.stale = false;
    }

    fn put_off(&mut self, error: &io::Error, learned: &mut Learned) {
        (self.stale, learned.again) = (true, true);
        if error.kind() != io::ErrorKind::NotFound {
            learned.trouble = Some(format!("{}: {error}", self.base.display()));
        }
    }

    fn decide(&mut self, learned: &mut Learned) {
        self.stale = true;
        let members = match self.members(family) {
            Ok(members) => members,
            Err(error) => return self.put_off(&error, learned),
        };
        let located = locate(&self.generations, &members, &self.base);
        let is_moment = self.members(list).is_ok_and(|now| have_same_names(&now, &members));
        match located {
            _ if !is_moment => learned.again = true,
            Ok(located) => {
                (self.stale, self.undecided) = (located.unsure, None);
                self.settle(&located, &members, learned);
                self.seen = members;
            }
            Err(NotRead { at, error }) => self.doubt(&members[at], &error, learned),
        }
    }

    /// Soon again, unless it has been tried for long enough: then it is left out.
    fn doubt(&mut self, member: &Member, error: &io::Error, learned: &mut Learned) {
        self.put_off(error, learned);
        let since = *self.undecided.get_or_insert_with(Instant::now);
        if since.elapsed() >= SOUGHT && error.kind() != io::ErrorKind::NotFound {
            self.undecided = None;
            self.broken.insert(member.id);
            learned.miss(&member.path, &error.to_string());
        }
    }

    /// Each generation is where it was found; what was not read before becomes one.
    pub(super) fn settle(&mut self, located: &Located, members: &[Member], learned: &mut Learned) {
        let marked = self.generations.iter().filter(|one| one.is_marked());
        let written_us = marked.map(|one| one.how_far.written_us).max();
        let old = std::mem::take(&mut self.generations);
        let mut ordered: Vec<(usize, Tracked)> = Vec::new();
        let mut unread: Vec<Tracked> = Vec::new();
        let mut place = 0;
        for (mut one, at) in old.into_iter().zip(&located.at) {
            if let Some((at, held)) = *at {
                place = at;
                self.move_to(&mut one, (&members[at], held), learned);
            } else if !one.is_marked() {
                unread.push(one);
                continue;
            } else if !self.is_kept(&mut one, located, members, learned) {
                learned.changed.insert(one.number);
                continue;
            }
            ordered.push((place, one));
        }
        for at in &located.unread {
            let is_same = |one: &mut Tracked| one.how_far.id == members[*at].id;
            let known = unread.extract_if(.., is_same).next();
            ordered.push((*at, self.begin_with(known, &members[*at], learned)));
        }
        ordered.sort_by_key(|(place, _)| *place);
        self.generations = ordered.into_iter().map(|(_, one)| one).collect();
        if !self.generations.iter().any(Tracked::is_marked) {
            let (done, path, id) = (true, self.name.clone(), FileId::default());
            let written_us = written_us.unwrap_or_default();
            let how_far = HowFar { written_us, done, path, id, ..HowFar::default() };
            self.add_beginning(how_far, learned);
        }
    }

    fn move_to(&mut self, one: &mut Tracked, (to, held): (&Member, Holds), learned: &mut Learned) {
        let is_packed = is_packed_path(&to.path);
        (one.is_live, one.dirty) = (to.path == self.base, true);
        // The number of a packed one may have been that of the plain one.
        let is_other = is_packed && one.how_far.written_us != to.written_us;
        let moved = one.how_far.id != to.id || is_other;
        if moved && is_packed && one.is_held_open() {
            // What is open gives all of it.
            return;
        }
        one.path.clone_from(&to.path);
        if moved {
            (one.how_far.id, one.how_far.done) = (to.id, false);
            (one.file, one.rest) = (None, None);
            learned.changed.insert(one.number);
        }
        if held == Holds::Beginning {
            // The copy ends before what was read.
            (one.how_far.offset, one.how_far.tail) = (ENDLESS, Print::default());
            (one.how_far.done, one.how_far.written_us) = (true, to.written_us);
            learned.changed.insert(one.number);
        } else if is_packed && !one.how_far.done && one.rest.is_none() && one.file.is_none() {
            self.unpack(one, to, learned);
        }
    }

    fn unpack(&mut self, one: &mut Tracked, from: &Member, learned: &mut Learned) {
        one.how_far.written_us = from.written_us;
        if is_unreadable(from.path.as_os_str().as_encoded_bytes()) {
            one.how_far.done = true;
            return;
        }
        match Rest::open(&from.path, from.id, &one.how_far) {
            Ok(rest) => one.rest = Some(rest),
            Err(error) => self.put_off(&error, learned),
        }
    }

    /// Whether one that was not found is kept: it is still open, or says where it all began.
    fn is_kept(
        &self,
        one: &mut Tracked,
        located: &Located,
        members: &[Member],
        learned: &mut Learned,
    ) -> bool {
        one.is_live = false;
        if !one.how_far.is_known() {
            return true;
        }
        if one.is_held_open() {
            one.dirty = true;
            return true;
        }
        // One that was cut off where it is left nothing unread, or it is lost: nobody can tell.
        let cut = members.iter().any(|it| it.path == self.base && it.id == one.how_far.id);
        let is_unreadable =
            |at: &usize| is_unreadable(members[*at].path.as_os_str().as_encoded_bytes());
        let told = located.unread.iter().any(is_unreadable);
        if !one.how_far.done && !cut && !told {
            learned.miss(&self.base, "what it became is nowhere any more");
        }
        false
    }

    /// A file of which nothing was read yet.
    fn begin_with(
        &mut self,
        known: Option<Tracked>,
        member: &Member,
        learned: &mut Learned,
    ) -> Tracked {
        let fresh = || {
            let (id, path) = (member.id, self.name.clone());
            let written_us = member.written_us;
            let how_far = HowFar { id, path, written_us, ..HowFar::default() };
            Tracked::new(learned.number(), member.path.clone(), how_far)
        };
        let mut one = known.unwrap_or_else(fresh);
        one.path.clone_from(&member.path);
        (one.is_live, one.dirty) = (member.path == self.base, true);
        if is_unreadable(member.path.as_os_str().as_encoded_bytes()) {
            learned.miss(&member.path, "it is packed in a way that is not read here");
            (one.how_far.offset, one.how_far.done) = (ENDLESS, true);
            one.how_far.written_us = member.written_us;
            learned.changed.insert(one.number);
        } else if is_packed_path(&member.path) && one.rest.is_none() {
            self.unpack(&mut one, member, learned);
        }
        one
    }

    /// The oldest go first: what is behind one that is known and is not known itself would be
    /// taken for a file of which nothing was read.
    fn forget(&mut self, keep: usize, learned: &mut Learned) {
        for one in &mut self.generations {
            let was_open = one.file.is_some();
            one.settle();
            // Open without a name, it was what told where it is.
            let has_name = self.seen.iter().any(|member| member.id == one.how_far.id);
            self.stale |= was_open && one.file.is_none() && !has_name;
        }
        // After a crash the ones before it tell that it was not read.
        if self.generations.iter().any(Tracked::is_unread) {
            return;
        }
        if self.generations.iter().any(|one| one.how_far.is_known()) {
            // From now on names say what is behind it: the time at which all began would say the
            // same of files that are forgotten later.
            let gone = self.generations.extract_if(.., |one| one.is_beginning());
            learned.changed.extend(gone.map(|one| one.number));
        }
        while self.generations.len() > keep + 1 && self.forget_oldest(learned) {}
    }

    /// Whether the oldest one could go.
    fn forget_oldest(&mut self, learned: &mut Learned) -> bool {
        let many = self.generations.len() > MAX_GENERATIONS;
        let rotated = self.generations.iter().enumerate().filter(|(_, one)| !one.is_live);
        let oldest = rotated.min_by_key(|(at, one)| (second(one.how_far.written_us), *at));
        let Some((at, _)) = oldest else { return false };
        let one = &mut self.generations[at];
        let settled = one.settle() || many && one.how_far.done;
        // One that was open without a name is to be found first: more may be in what it is.
        let has_name = self.seen.iter().any(|member| member.id == one.how_far.id);
        if settled && has_name {
            learned.changed.insert(self.generations.remove(at).number);
        }
        settled && has_name
    }

    /// The numbers of its generations.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.generations.iter().map(|one| one.number).collect()
    }
}

/// Whether there is something to read.
fn is_longer(one: &Tracked, member: &Member) -> bool {
    match one.is_live {
        true => member.length != one.how_far.offset,
        false => member.length > one.how_far.offset && !is_packed_path(&member.path),
    }
}

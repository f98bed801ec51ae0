//! The system's journal as a source: `journalctl` follows it from where it was read last, one
//! for the units of all sources and one for the kernel, and what it prints becomes lines of the
//! source whose unit it is. Should it end, it is started anew, less often while it fails; nothing
//! is lost meanwhile, since the journal keeps it.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};

use super::export::{Entry, Export};
use crate::agent::clock::unix_us;
use crate::agent::logs::store::{MAX_RAW, Marks, Writer, encode_mark};
use crate::agent::profile::LogSource;

/// Reads the journal.
const PROGRAM: &str = "/usr/bin/journalctl";
/// What stands for the kernel's messages in a list of units.
pub const KERNEL: &str = "kernel";
/// Of a journal that is read for the first time, so many entries.
const FIRST_ENTRIES: &str = "1000";
/// Between two starts, the first and at the most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Taken from the journal in one turn, in bytes, so that files have theirs.
const A_TURN: usize = 1 << 20;

/// What one `journalctl` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Units,
    Kernel,
}

impl Part {
    /// What its marks are about.
    const fn about(self) -> [u8; 2] {
        match self {
            Part::Units => *b"ju",
            Part::Kernel => *b"jk",
        }
    }

    /// Which entries it shows. Units are chosen here: one that starts for the first time while
    /// `journalctl` runs would not be among those that it knows.
    const fn matches(self) -> &'static [&'static str] {
        match self {
            Part::Units => &["_TRANSPORT=syslog", "_TRANSPORT=journal", "_TRANSPORT=stdout"],
            Part::Kernel => &["_TRANSPORT=kernel"],
        }
    }
}

/// A source's share of it.
struct Share {
    source: String,
    /// Its units, with wildcards; of no account for the kernel.
    units: Vec<String>,
    lines: u64,
}

/// See the module.
pub(super) struct JournalSource {
    part: Part,
    root: PathBuf,
    shares: Vec<Share>,
    /// The newest entry that was looked at.
    cursor: Option<Vec<u8>>,
    /// What was there before the journal was read for the first time comes first.
    first: bool,
    /// The entry at the cursor, which comes first, was read before.
    known: bool,
    child: Option<(Child, ChildStdout)>,
    export: Export,
    again: Instant,
    wait: Duration,
    pub(super) trouble: Option<String>,
}

impl JournalSource {
    /// What these sources need of the journal.
    pub(super) fn of(sources: &[LogSource], root: &Path, marks: &Marks) -> Vec<JournalSource> {
        let is_kernel = |unit: &&String| *unit == KERNEL;
        let share = |source: &LogSource, units: Vec<String>| {
            let source = source.name.clone();
            (!units.is_empty()).then_some(Share { source, units, lines: 0 })
        };
        let of_units = sources.iter().filter_map(|source| {
            let units = source.units.iter().filter(|unit| !is_kernel(unit));
            share(source, units.cloned().collect())
        });
        let of_kernel = sources.iter().filter_map(|source| {
            share(source, source.units.iter().filter(is_kernel).cloned().collect())
        });
        let parts = [(Part::Units, of_units.collect()), (Part::Kernel, of_kernel.collect())];
        let wanted =
            parts.into_iter().filter(|(_, shares): &(Part, Vec<Share>)| !shares.is_empty());
        wanted.map(|(part, shares)| JournalSource::new(part, root, shares, marks)).collect()
    }

    fn new(part: Part, root: &Path, shares: Vec<Share>, marks: &Marks) -> JournalSource {
        // Each share's last batch says how far the journal was read then: the newest holds.
        let marks = shares.iter().flat_map(|share| marks.of(&share.source));
        let mine = marks.filter(|(about, _)| *about == part.about());
        let read = mine.filter_map(|(_, how_far)| how_far.split_first_chunk::<8>());
        let newest = read.max_by_key(|(number, _)| u64::from_le_bytes(**number));
        let cursor = newest.map(|(_, cursor)| cursor.to_vec());
        JournalSource {
            part,
            root: root.to_owned(),
            first: cursor.is_none(),
            cursor,
            known: false,
            shares,
            child: None,
            export: Export::new(),
            again: Instant::now(),
            wait: AGAIN.0,
            trouble: None,
        }
    }

    /// Lines of this source read since the start; none where it has no share.
    pub(super) fn lines_of(&self, source: &str) -> Option<u64> {
        self.shares.iter().find(|share| share.source == source).map(|share| share.lines)
    }

    /// What becomes readable when there is something.
    pub(super) fn readable(&self) -> Option<BorrowedFd<'_>> {
        self.child.as_ref().map(|(_, output)| output.as_fd())
    }

    /// Starts what should run.
    pub(super) fn look(&mut self) {
        if self.child.is_some() || Instant::now() < self.again {
            return;
        }
        self.first &= self.cursor.is_none();
        match self.start() {
            Ok(child) => {
                (self.child, self.export) = (Some(child), Export::new());
                self.known = self.cursor.is_some();
            }
            Err(error) => self.put_off(format!("starting {PROGRAM}: {error}")),
        }
    }

    fn start(&self) -> io::Result<(Child, ChildStdout)> {
        let mut command = Command::new(PROGRAM);
        command.args(["--output=export", "--no-pager", "--quiet"]);
        command.arg("--output-fields=_HOSTNAME,SYSLOG_IDENTIFIER,_PID,MESSAGE,_SYSTEMD_UNIT,UNIT");
        if self.root != Path::new("/") {
            command.arg("--directory").arg(self.root.join("var/log/journal"));
        }
        match &self.cursor {
            // `--after-cursor` passes over one entry, whichever it is: where the journal was
            // removed up to there, that is one that was never read.
            Some(cursor) => {
                let cursor = String::from_utf8_lossy(cursor);
                command.arg(format!("--cursor={cursor}")).args(["--lines=all", "--follow"])
            }
            // Following from the end of a journal without such an entry passes over some of
            // those that come at once.
            None if self.first => command.arg(format!("--lines={FIRST_ENTRIES}")),
            None => command.args(["--no-tail", "--follow"]),
        };
        command.args(self.part.matches());
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        fcntl_setfl(&output, OFlags::NONBLOCK)?;
        Ok((child, output))
    }

    fn put_off(&mut self, why: String) {
        self.trouble = Some(why);
        self.again = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(AGAIN.1);
    }

    /// Takes what is there. Whether there may be more.
    pub(super) fn read(&mut self, buffer: &mut [u8], writer: &mut Writer) -> bool {
        let mut taken = 0;
        while let Some((_, output)) = self.child.as_mut().filter(|_| taken < A_TURN) {
            if writer.is_full() {
                return true;
            }
            match output.read(buffer) {
                Ok(0) => {
                    self.go_on();
                    return false;
                }
                Ok(length) => {
                    taken += length;
                    let mut entries = Vec::new();
                    self.export.take(&buffer[..length], &mut entries);
                    self.add(&entries, writer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.end(&error.to_string());
                    return false;
                }
            }
        }
        self.child.is_some()
    }

    /// It ended: as it should once it has shown what was there at first.
    fn go_on(&mut self) {
        let Some((child, _)) = self.child.as_mut().filter(|_| self.first) else {
            return self.end("it ended");
        };
        // It has closed its output, and ends.
        if child.wait().is_ok_and(|status| status.success()) {
            (self.child, self.first) = (None, false);
            return self.look();
        }
        self.end("it failed");
    }

    /// In the order of the journal, so that each batch's mark holds for all before it; as many
    /// entries of one source in a batch as fit.
    fn add(&mut self, entries: &[Entry], writer: &mut Writer) {
        let Some(first) = entries.first() else { return };
        (self.trouble, self.wait) = (None, AGAIN.0);
        let read = std::mem::take(&mut self.known) && self.cursor.as_ref() == Some(&first.cursor);
        let entries = &entries[usize::from(read)..];
        let (mut raw, mut count, mut of) = (Vec::new(), 0, None);
        for entry in entries {
            let Some(share) = self.share_of(entry) else {
                self.cursor = Some(entry.cursor.clone());
                continue;
            };
            if of != Some(share) || raw.len() + entry.lines.len() > MAX_RAW {
                self.add_batch(of, &raw, count, writer);
                raw.clear();
                (count, of) = (0, Some(share));
            }
            raw.extend(&entry.lines);
            count += entry.count;
            self.cursor = Some(entry.cursor.clone());
        }
        self.add_batch(of, &raw, count, writer);
    }

    fn add_batch(&mut self, share: Option<usize>, raw: &[u8], count: u64, writer: &mut Writer) {
        let (Some(share), Some(cursor)) = (share.map(|at| &mut self.shares[at]), &self.cursor)
        else {
            return;
        };
        if count == 0 {
            return;
        }
        let mut mark = Vec::new();
        let how_far = [&writer.next().to_le_bytes()[..], cursor].concat();
        encode_mark(&self.part.about(), &how_far, &mut mark);
        writer.add(&share.source, &mark, (raw, count), unix_us());
        share.lines += count;
    }

    /// Whose it is: the first source with such a unit.
    fn share_of(&self, entry: &Entry) -> Option<usize> {
        let is_of = |share: &Share| match self.part {
            Part::Kernel => true,
            Part::Units => share.units.iter().any(|unit| fits(unit.as_bytes(), &entry.unit)),
        };
        self.shares.iter().position(is_of)
    }

    fn end(&mut self, why: &str) {
        if let Some((mut child, _)) = self.child.take() {
            // It is one of ours and has ended, or ends now.
            let _ = child.kill();
            let ended = child.wait();
            let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            self.put_off(format!("{PROGRAM}: {why} ({how}); it is started again"));
        }
    }
}

impl Drop for JournalSource {
    fn drop(&mut self) {
        self.end("no longer wanted");
    }
}

/// Whether a name is one of those that a pattern with `*` and `?` stands for.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|passed| fits(rest, &name[passed..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => fits(pattern, name),
        ([one, pattern @ ..], [other, name @ ..]) if one == other => fits(pattern, name),
        ([], _) | ([_, ..], _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_chosen_as_journalctl_would() {
        for (pattern, name, wanted) in [
            ("a.service", "a.service", true),
            ("a.service", "ab.service", false),
            ("openvpn@*.service", "openvpn@home.service", true),
            ("openvpn@*.service", "openvpn@.service", true),
            ("openvpn@*.service", "openvpn.service", false),
            ("?.service", "a.service", true),
            ("?.service", "ab.service", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), wanted, "{pattern} {name}");
        }
    }
}

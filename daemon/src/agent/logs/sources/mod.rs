//! Reads this node's logs into its store: a thread of its own that waits for files and for the
//! journal, and reads what came some times a second, so that much comes in few pieces. It alone
//! writes the node's own lines. Nothing here knows of the other node.

mod content;
mod export;
mod family;
mod files;
mod journal;
mod locate;
mod log;
mod patterns;
mod print;
#[cfg(test)]
mod tests;
mod tracked;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use twinwall_netlink::wait::{Wake, readable, wait};

use super::store::{DIRECTORY, Limits, Origin, Writer};
use super::told::Told;
use super::view::SourceView;
use crate::agent::profile::LogSource;
use crate::agent::written::Watch;
use files::FileSource;
use journal::JournalSource;
pub use journal::KERNEL;
pub(in crate::agent) use patterns::sizes_of;

/// Between two readings while lines come: long enough that a reading brings many, short beside
/// the second in which they shall be on the other node.
const PACE: Duration = Duration::from_millis(40);
/// Between two times that lines are made durable, which costs the disk the same for one line
/// as for thousands.
const SYNC: Duration = Duration::from_millis(200);
/// Between two looks at which files there are, should nothing be noticed.
const LOOK: Duration = Duration::from_secs(5);
/// Between two looks while names come and go without an end.
const LOOKS_APART: Duration = Duration::from_millis(100);
/// Wakes by itself at the latest.
const IDLE: Duration = Duration::from_secs(1);
/// Logs come after everything else that this node does.
const NICENESS: i32 = 10;

/// What is read, and how much is kept.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) root: PathBuf,
    pub(super) sources: Vec<LogSource>,
    pub(super) limits: Limits,
}

/// The thread; it ends with this.
pub(super) struct Collector {
    end: Arc<AtomicBool>,
    wake: Arc<Wake>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Opens the store and starts the thread.
    ///
    /// # Errors
    /// When the disk does not allow it, or the machine has no room for a thread.
    pub(super) fn start(plan: &Plan, told: Arc<Told>) -> io::Result<Collector> {
        let directory = plan.root.join(DIRECTORY).join(Origin::Here.directory());
        let writer = Writer::open(&directory, plan.limits, 1)?;
        told.here(&writer, Vec::new(), None);
        let (end, wake) = (Arc::new(AtomicBool::new(false)), Arc::new(Wake::new()?));
        let reading = Reading::new(plan, writer, told)?;
        let thread = {
            let (end, wake) = (Arc::clone(&end), Arc::clone(&wake));
            let run = move || reading.run(&end, &wake);
            thread::Builder::new().name("logs".to_owned()).spawn(run)?
        };
        Ok(Collector { end, wake, thread: Some(thread) })
    }
}

impl Drop for Collector {
    /// Waits for the thread: on a thread that may.
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
        self.wake.wake();
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

/// Everything that the thread has.
struct Reading {
    writer: Writer,
    files: Vec<FileSource>,
    journal: Vec<JournalSource>,
    names: Vec<String>,
    watch: Watch,
    told: Arc<Told>,
    buffer: Vec<u8>,
    looked: Option<Instant>,
    look_soon: bool,
    synced: Instant,
    trouble: Option<String>,
}

impl Reading {
    fn new(plan: &Plan, writer: Writer, told: Arc<Told>) -> io::Result<Reading> {
        let root: &Path = &plan.root;
        let with_files = plan.sources.iter().filter(|source| !source.files.is_empty());
        let files = with_files.map(|source| {
            FileSource::new(&source.name, root, source.files.globs().clone(), writer.marks())
        });
        let journal = JournalSource::of(&plan.sources, root, writer.marks());
        Ok(Reading {
            files: files.collect(),
            journal,
            names: plan.sources.iter().map(|source| source.name.clone()).collect(),
            writer,
            watch: Watch::new()?,
            told,
            buffer: vec![0; tracked::BUFFER],
            looked: None,
            look_soon: true,
            synced: Instant::now(),
            trouble: None,
        })
    }

    fn run(mut self, end: &AtomicBool, wake: &Wake) {
        super::be_nice(NICENESS);
        while !end.load(Ordering::Acquire) {
            let began = Instant::now();
            self.notice();
            self.look();
            let more = self.read();
            self.keep(false);
            if !more {
                self.wait(wake, began);
            }
        }
        // Children end before the last lines are kept.
        self.journal.clear();
        self.keep(true);
    }

    /// What the system tells of files.
    fn notice(&mut self) {
        let happened = self.watch.take();
        self.look_soon |= happened.names;
        for source in &mut self.files {
            if happened.any {
                source.touch(None);
            }
            happened.written.iter().for_each(|path| source.touch(Some(path)));
        }
    }

    fn look(&mut self) {
        let since = self.looked.map(|looked| looked.elapsed());
        let due =
            since.is_none_or(|since| since >= LOOK || (self.look_soon && since >= LOOKS_APART));
        if !due {
            return;
        }
        (self.looked, self.look_soon) = (Some(Instant::now()), false);
        let mut directories = BTreeSet::new();
        for source in &mut self.files {
            source.look(&mut self.writer);
            self.look_soon |= std::mem::take(&mut source.again);
            directories.extend(source.directories.iter().cloned());
        }
        self.watch.set(&directories);
        self.journal.iter_mut().for_each(JournalSource::look);
    }

    /// Whether there is more than was read.
    fn read(&mut self) -> bool {
        let (buffer, writer) = (&mut self.buffer, &mut self.writer);
        let mut more = false;
        for source in &mut self.files {
            more |= source.read(buffer, writer);
            self.look_soon |= source.again;
        }
        for source in &mut self.journal {
            more |= source.read(buffer, writer);
        }
        more && self.trouble.is_none()
    }

    /// Writes what was read, makes it durable when it is time, and says how it stands.
    fn keep(&mut self, at_once: bool) {
        let mut kept = self.writer.write();
        if at_once || self.synced.elapsed() >= SYNC {
            kept = kept.and_then(|()| self.writer.sync()).and_then(|()| self.writer.tidy());
            self.synced = Instant::now();
        }
        let trouble = kept.err().map(|error| super::not_kept(&error));
        if trouble.is_some() && trouble != self.trouble {
            eprintln!("twinwall agent: logs: {}", trouble.as_deref().unwrap_or_default());
        }
        self.trouble = trouble;
        self.tell();
    }

    fn tell(&self) {
        let sources = self.names.iter().map(|name| {
            let files = self.files.iter().filter(|source| source.name == *name);
            let shared =
                || self.journal.iter().filter_map(|part| Some((part, part.lines_of(name)?)));
            let trouble = files.clone().find_map(|source| source.trouble.clone());
            SourceView {
                name: name.clone(),
                lines: files.clone().map(|source| source.lines).sum::<u64>()
                    + shared().map(|(_, lines)| lines).sum::<u64>(),
                missed: files.map(|source| source.missed).sum(),
                trouble: trouble.or_else(|| shared().find_map(|(part, _)| part.trouble.clone())),
            }
        });
        let (sources, trouble) = (sources.collect(), self.trouble.clone());
        self.told.here(&self.writer, sources, trouble);
    }

    fn wait(&mut self, wake: &Wake, began: Instant) {
        let look = self.looked.map_or(Duration::ZERO, |looked| {
            let apart = if self.look_soon { LOOKS_APART } else { LOOK };
            apart.saturating_sub(looked.elapsed())
        });
        let unsynced = self.writer.durable() < self.writer.next();
        let sync = if unsynced { SYNC.saturating_sub(self.synced.elapsed()) } else { IDLE };
        let mut entries = vec![readable(wake.as_fd()), readable(self.watch.as_fd())];
        entries.extend(self.journal.iter().filter_map(JournalSource::readable).map(readable));
        // An error here ends at the next turn, with what it is about.
        let _ = wait(&mut entries, Some(look.min(sync).min(IDLE).max(Duration::from_millis(1))));
        if entries[0].revents != 0 {
            wake.clear();
            return;
        }
        // What comes now is read together.
        thread::sleep(PACE.saturating_sub(began.elapsed()));
    }
}

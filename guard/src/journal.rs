//! The last events, numbered, for the socket's clients. Filled by the beat thread,
//! which never waits for the lock; read by the server's threads.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use twinwall_core::api::{MAX_EVENTS, Numbered};
use twinwall_core::config::Pair;
use twinwall_core::note::Note;

use crate::clock;

/// Notes that wait while a reader holds the lock; beyond it the oldest is lost and counted.
const MAX_BACKLOG: usize = 1024;

/// The ring.
#[derive(Debug, Default)]
pub struct Journal {
    ring: Mutex<Ring>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Entry>,
    last: u64,
    closed: bool,
}

/// A note with all that makes an event of it.
#[derive(Debug)]
struct Entry {
    number: u64,
    unix_ms: u64,
    note: Note,
    /// The settings of its time: they give names to its numbers.
    pair: Arc<Pair>,
}

/// The beat thread's end.
#[derive(Debug)]
pub struct Writer {
    backlog: VecDeque<(u64, Note, Arc<Pair>)>,
    pair: Arc<Pair>,
    /// Notes lost because nobody gave the lock free for very long.
    pub lost: u64,
}

impl Writer {
    /// For notes of these settings.
    pub fn new(pair: Arc<Pair>) -> Writer {
        Writer { backlog: VecDeque::new(), pair, lost: 0 }
    }

    /// The notes from now on are of these settings.
    pub fn set_pair(&mut self, pair: Arc<Pair>) {
        self.pair = pair;
    }

    /// Takes a note; it reaches the ring at this or a later [`flush`](Writer::flush).
    pub fn push(&mut self, note: Note) {
        if self.backlog.len() >= MAX_BACKLOG {
            self.backlog.pop_front();
            self.lost += 1;
        }
        self.backlog.push_back((clock::unix_ms(), note, Arc::clone(&self.pair)));
    }

    /// Moves waiting notes to the ring if its lock is free. `true`: nothing waits any more.
    pub fn flush(&mut self, journal: &Journal) -> bool {
        if self.backlog.is_empty() {
            return true;
        }
        let Ok(mut ring) = journal.ring.try_lock() else { return false };
        for (unix_ms, note, pair) in self.backlog.drain(..) {
            ring.last += 1;
            let number = ring.last;
            if ring.events.len() >= MAX_EVENTS {
                ring.events.pop_front();
            }
            ring.events.push_back(Entry { number, unix_ms, note, pair });
        }
        drop(ring);
        journal.grown.notify_all();
        true
    }
}

impl Journal {
    /// Events with numbers above `after`, in order, in words by `text`, which gets
    /// the settings of the event's time.
    pub fn after(&self, after: u64, text: &dyn Fn(&Note, &Pair) -> String) -> Vec<Numbered> {
        let ring = self.lock();
        let numbered = |entry: &Entry| Numbered {
            number: entry.number,
            unix_ms: entry.unix_ms,
            note: entry.note.clone(),
            text: text(&entry.note, &entry.pair),
        };
        ring.events.iter().filter(|entry| entry.number > after).map(numbered).collect()
    }

    /// Waits until there is an event above `after`, or `limit` is over, or the guard
    /// ends (`false`).
    pub fn wait(&self, after: u64, limit: Duration) -> bool {
        let ring = self.lock();
        let waits = |ring: &mut Ring| ring.last <= after && !ring.closed;
        match self.grown.wait_timeout_while(ring, limit, waits) {
            Ok((ring, _)) => !ring.closed || ring.last > after,
            Err(_) => false,
        }
    }

    /// Number of the newest event.
    pub fn last(&self) -> u64 {
        self.lock().last
    }

    /// Whether the guard has ended.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The guard ends: nobody need wait any longer.
    pub fn close(&self) {
        self.lock().closed = true;
        self.grown.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use twinwall_core::note::What;
    use twinwall_core::time::Moment;

    use super::*;

    fn note(at: u64) -> Note {
        Note { at: Moment::from_millis(at), what: What::DoubtEnded }
    }

    fn pair(name: &str) -> Arc<Pair> {
        let text = format!(
            "pair_id = 1\n[ha_link]\ninterface = \"ha\"\n[[interface]]\nname = \"{name}\"\nwatch = true\n"
        );
        Arc::new(twinwall_core::config::parse_pair("pair.toml", &text).unwrap())
    }

    #[test]
    fn an_event_keeps_the_names_of_its_time() {
        let (journal, mut writer) = (Journal::default(), Writer::new(pair("lan")));
        writer.push(note(1));
        writer.set_pair(pair("wan"));
        writer.push(note(2));
        assert!(writer.flush(&journal));
        let told = journal.after(0, &|_, pair| pair.interfaces[0].name.clone());
        let names: Vec<&str> = told.iter().map(|event| event.text.as_str()).collect();
        assert_eq!(names, ["lan", "wan"]);
    }

    #[test]
    fn the_ring_keeps_the_newest_and_their_numbers() {
        let (journal, mut writer) = (Journal::default(), Writer::new(pair("lan")));
        for at in 0..(MAX_EVENTS as u64 + 10) {
            writer.push(note(at));
            assert!(writer.flush(&journal));
        }
        let kept = journal.after(0, &|_, _| String::new());
        assert_eq!(kept.len(), MAX_EVENTS);
        assert_eq!(kept[0].number, 11);
        assert_eq!(journal.after(MAX_EVENTS as u64 + 9, &|_, _| String::new()).len(), 1);
    }

    #[test]
    fn a_held_lock_only_delays_and_the_backlog_is_bounded() {
        let (journal, mut writer) = (Journal::default(), Writer::new(pair("lan")));
        let held = journal.lock();
        for at in 0..=(MAX_BACKLOG as u64) {
            writer.push(note(at));
            assert!(!writer.flush(&journal));
        }
        drop(held);
        assert!(writer.flush(&journal));
        assert_eq!(writer.lost, 1);
        assert_eq!(journal.after(0, &|_, _| String::new())[0].note, note(25));
    }
}

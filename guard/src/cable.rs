//! Whether the HA link is really one cable: while a frame of a third station is
//! seen there it is not, and the early claim stays off. A thread of its own.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use twinwall_core::config::{Cable, Pair};
use twinwall_core::event::Event;

use crate::beats::Mail;
use crate::frames::ThirdStation;
use crate::mailbox::Sender;
use crate::rtnetlink::{InterfaceName, Mac};
use crate::syscall::{readable, wait};

/// How long nothing strange must be seen before the cable counts as direct.
const QUIET: Duration = Duration::from_secs(3);
/// The same after a third station was seen: switches speak every 30 s.
const QUIET_AGAIN: Duration = Duration::from_secs(120);
/// Pause while the ends are not known.
const PAUSE: Duration = Duration::from_millis(500);

/// The Ethernet addresses at both ends of the HA link, as far as known.
#[derive(Debug, Default)]
pub struct HaEnds {
    own: AtomicU64,
    peer: AtomicU64,
    declared: Mutex<Declared>,
    changed: Condvar,
}

/// What the settings say of the cable, and how often they have said something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Declared {
    direct: bool,
    times: u64,
}

impl HaEnds {
    /// Our own end's address.
    pub fn set_own(&self, mac: Option<Mac>) {
        self.own.store(mac.map_or(0, number), Ordering::Relaxed);
    }

    /// The other end's, by an authentic beat.
    pub fn set_peer(&self, mac: Mac) {
        self.peer.store(number(mac), Ordering::Relaxed);
    }

    /// The settings say so from now on.
    pub fn declare(&self, cable: Cable) {
        let mut declared = self.lock();
        let direct = cable == Cable::Direct;
        if declared.direct != direct {
            *declared = Declared { direct, times: declared.times + 1 };
            self.changed.notify_all();
        }
    }

    fn declared(&self) -> Declared {
        *self.lock()
    }

    /// Waits until the settings say that the cable is direct.
    fn wait_for_direct(&self) -> Declared {
        let waits = |declared: &mut Declared| !declared.direct;
        match self.changed.wait_while(self.lock(), waits) {
            Ok(declared) => *declared,
            Err(poisoned) => *poisoned.into_inner(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Declared> {
        self.declared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn both(&self) -> Option<(Mac, Mac)> {
        let own = mac(self.own.load(Ordering::Relaxed))?;
        Some((own, mac(self.peer.load(Ordering::Relaxed))?))
    }
}

/// 0 is 'unknown', so a known one is marked above its 48 bits.
fn number(mac: Mac) -> u64 {
    mac.0.iter().fold(1, |number, byte| number << 8 | u64::from(*byte))
}

fn mac(number: u64) -> Option<Mac> {
    let [.., mark, a, b, c, d, e, f] = number.to_be_bytes();
    (mark != 0).then_some(Mac([a, b, c, d, e, f]))
}

/// Body of the thread.
pub fn watch(pair: &Pair, ends: &HaEnds, mail: &Sender<Mail>) {
    ends.declare(pair.ha_link.cable);
    let Ok(name) = pair.ha_link.interface.parse::<InterfaceName>() else { return };
    loop {
        // After a change of the settings the core knows nothing of the cable any more.
        let declared = ends.wait_for_direct();
        look(name, declared, ends, mail);
    }
}

/// Looks for third stations as long as the settings stay as `declared`.
fn look(name: InterfaceName, declared: Declared, ends: &HaEnds, mail: &Sender<Mail>) {
    let mut told = None;
    while ends.declared() == declared {
        thread::sleep(PAUSE);
        let Some(both) = ends.both() else { continue };
        let Some(third) =
            name.index().and_then(|index| ThirdStation::open(index, both.0, both.1)).ok()
        else {
            continue;
        };
        let mut quiet = QUIET;
        // Until an end changes (another card, another peer): then with a new filter.
        while ends.both() == Some(both) && ends.declared() == declared {
            let mut fds = [readable(third.as_fd())];
            if wait(&mut fds, Some(quiet)).is_err() {
                break;
            }
            let direct = match third.seen() {
                Ok(seen) => seen.is_none(),
                Err(_) => break,
            };
            quiet = if direct { QUIET } else { QUIET_AGAIN };
            if told != Some(direct) {
                told = Some(direct);
                mail.send(Mail::Event(Event::CableIsDirect { direct }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_known_once_set_even_if_all_its_bytes_are_zero() {
        let ends = HaEnds::default();
        assert_eq!(ends.both(), None);
        ends.set_own(Some(Mac([0; 6])));
        assert_eq!(ends.both(), None);
        ends.set_peer(Mac([0xff, 2, 3, 4, 5, 6]));
        assert_eq!(ends.both(), Some((Mac([0; 6]), Mac([0xff, 2, 3, 4, 5, 6]))));
        ends.set_own(None);
        assert_eq!(ends.both(), None);
    }

    #[test]
    fn a_cable_that_is_declared_again_is_looked_at_again() {
        let ends = HaEnds::default();
        ends.declare(Cable::Direct);
        let first = ends.wait_for_direct();
        ends.declare(Cable::Direct);
        assert_eq!(ends.declared(), first);
        ends.declare(Cable::Switched);
        assert_ne!(ends.declared(), first);
        ends.declare(Cable::Direct);
        assert_ne!(ends.wait_for_direct(), first);
    }
}

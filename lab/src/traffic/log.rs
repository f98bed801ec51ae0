//! What one stream of numbered probes saw: when each was sent, when it was
//! answered, and by whom.
//!
//! The sender appends, the receiver answers, `measure` reads, all at once and
//! without a lock: a slot is written by one sender and one receiver, and every
//! page is touched beforehand. Never grows: a full log stops its sender.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use twinwall_core::time::Moment;

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    fn pack(self) -> u64 {
        // The mark tells 'answered by 00:00:00:00:00:00' from 'not answered'.
        let mut bytes = [0; 8];
        bytes[2..].copy_from_slice(&self.0);
        u64::from_be_bytes(bytes) | PRESENT
    }

    fn unpack(packed: u64) -> Option<Mac> {
        if packed & PRESENT == 0 {
            return None;
        }
        let bytes = packed.to_be_bytes();
        let mut mac = [0; 6];
        mac.copy_from_slice(&bytes[2..]);
        Some(Mac(mac))
    }
}

const PRESENT: u64 = 1 << 63;

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// One probe and its fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Taken just before it was handed to the kernel.
    pub sent: Moment,
    /// The first answer, by the kernel's receive time.
    pub answered: Option<Moment>,
    /// Who gave the first answer, where the probe shows it (ARP, neighbour discovery).
    pub by: Option<Mac>,
    /// The first answer to the same probe from another hardware address.
    pub again: Option<(Moment, Mac)>,
}

struct Slot {
    sent: AtomicU64,
    answered: AtomicU64,
}

struct Makers {
    by: AtomicU64,
    again: AtomicU64,
    again_by: AtomicU64,
}

/// The log of one stream.
pub(super) struct ProbeLog {
    slots: Box<[Slot]>,
    /// Empty for streams whose answers carry no hardware address.
    makers: Box<[Makers]>,
    count: AtomicUsize,
}

impl ProbeLog {
    /// Room for `capacity` probes; `with_macs` where answers name a hardware address.
    pub(super) fn new(capacity: usize, with_macs: bool) -> ProbeLog {
        let slot = || Slot { sent: AtomicU64::new(0), answered: AtomicU64::new(0) };
        let maker = || Makers {
            by: AtomicU64::new(0),
            again: AtomicU64::new(0),
            again_by: AtomicU64::new(0),
        };
        let makers = if with_macs { capacity } else { 0 };
        ProbeLog {
            slots: (0..capacity).map(|_| slot()).collect(),
            makers: (0..makers).map(|_| maker()).collect(),
            count: AtomicUsize::new(0),
        }
    }

    /// Probes sent so far.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether the log has no room left.
    pub(super) fn is_full(&self) -> bool {
        self.count() >= self.slots.len()
    }

    /// Notes a probe about to be sent and gives its number; `None` when full.
    /// Only the one sender of the stream calls this.
    pub(super) fn send(&self, now: Moment) -> Option<u32> {
        let number = self.count();
        let slot = self.slots.get(number)?;
        slot.sent.store(now.as_nanos(), Ordering::Relaxed);
        self.count.store(number + 1, Ordering::Release);
        u32::try_from(number).ok()
    }

    /// Notes an answer; of several from one hardware address only the first counts.
    /// Answers to probes that were never sent are ignored.
    pub(super) fn answer(&self, number: u32, at: Moment, by: Option<Mac>) {
        let number = number as usize;
        if number >= self.count() {
            return;
        }
        let Some(slot) = self.slots.get(number) else { return };
        let nanos = at.as_nanos().max(1);
        if slot.answered.load(Ordering::Relaxed) == 0 {
            if let (Some(maker), Some(mac)) = (self.makers.get(number), by) {
                maker.by.store(mac.pack(), Ordering::Relaxed);
            }
            slot.answered.store(nanos, Ordering::Release);
            return;
        }
        if let (Some(maker), Some(mac)) = (self.makers.get(number), by) {
            let packed = mac.pack();
            let first = maker.by.load(Ordering::Relaxed);
            if packed != first && maker.again_by.load(Ordering::Relaxed) == 0 {
                maker.again.store(nanos, Ordering::Relaxed);
                maker.again_by.store(packed, Ordering::Release);
            }
        }
    }

    /// The probes sent from `from` until before `to`, in the order of sending.
    pub(super) fn between(&self, from: Moment, to: Moment) -> Vec<Probe> {
        let count = self.count();
        let sent = |slot: &Slot| Moment::from_nanos(slot.sent.load(Ordering::Relaxed));
        let first = self.slots[..count].partition_point(|slot| sent(slot) < from);
        let end = self.slots[..count].partition_point(|slot| sent(slot) < to);
        (first..end).map(|number| self.probe(number)).collect()
    }

    fn probe(&self, number: usize) -> Probe {
        let slot = &self.slots[number];
        let moment = |cell: &AtomicU64| match cell.load(Ordering::Acquire) {
            0 => None,
            nanos => Some(Moment::from_nanos(nanos)),
        };
        let answered = moment(&slot.answered);
        let maker = self.makers.get(number);
        let again = maker.and_then(|maker| {
            let mac = Mac::unpack(maker.again_by.load(Ordering::Acquire))?;
            Some((moment(&maker.again)?, mac))
        });
        Probe {
            sent: Moment::from_nanos(slot.sent.load(Ordering::Relaxed)),
            answered,
            by: maker.and_then(|maker| Mac::unpack(maker.by.load(Ordering::Relaxed))),
            again,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn ms(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    #[test]
    fn the_first_answer_counts_and_the_second_sender_is_kept() {
        let log = ProbeLog::new(4, true);
        assert_eq!(log.send(ms(1)), Some(0));
        log.answer(0, ms(2), Some(A));
        log.answer(0, ms(3), Some(A));
        assert_eq!(log.between(ms(0), ms(9))[0].again, None);
        log.answer(0, ms(4), Some(B));
        let probe = log.between(ms(0), ms(9))[0];
        assert_eq!(probe.answered, Some(ms(2)));
        assert_eq!(probe.by, Some(A));
        assert_eq!(probe.again, Some((ms(4), B)));
    }

    #[test]
    fn a_full_log_refuses_and_an_unsent_number_is_ignored() {
        let log = ProbeLog::new(1, false);
        log.answer(0, ms(1), None);
        assert_eq!(log.send(ms(2)), Some(0));
        assert!(log.is_full());
        assert_eq!(log.send(ms(3)), None);
        assert_eq!(log.between(ms(0), ms(9)).len(), 1);
        assert_eq!(log.between(ms(0), ms(9))[0].answered, None);
    }

    #[test]
    fn a_window_takes_its_first_moment_and_not_its_last() {
        let log = ProbeLog::new(8, false);
        for at in 1..=5 {
            log.send(ms(at));
        }
        let sent: Vec<_> = log.between(ms(2), ms(4)).iter().map(|probe| probe.sent).collect();
        assert_eq!(sent, [ms(2), ms(3)]);
    }
}

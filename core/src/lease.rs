//! The confirmed-beat lease: how long this node's gate may be open.
//!
//! The peer promises not to claim before T after the last beat it heard. So this
//! node may answer until `sent(n) + L`, where `n` is its newest beat that the peer
//! confirmed: the peer heard it no earlier than it was sent. Losses, delays and
//! one-way paths only shorten the lease. Without a peer there is nobody to collide
//! with, and the node extends its lease by itself (`alone`).
//!
//! Called by the core; never touches the kernel.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beat::PathHeard;
use crate::ids::{MAX_PATHS, Sequence};
use crate::time::Moment;

/// Beats whose sending is remembered. At 5 ms between probes that is 2.5 s, far
/// more than any confirmation that is still worth something takes.
const REMEMBERED: usize = 512;

/// The lease's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Lease {
    sent: Vec<(Sequence, Moment)>,
    /// When the newest confirmed beat was sent.
    confirmed: Option<Moment>,
    /// The kernel's gate is open until here; `None`: closed.
    pub(crate) until: Option<Moment>,
    /// Renewed without confirmation.
    pub(crate) alone: bool,
}

/// What a confirmation told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// When the confirmed beat was sent.
    pub(crate) sent: Moment,
    /// Time there and back, without the peer's own delay.
    pub(crate) round_trip: Duration,
}

impl Lease {
    pub(crate) fn new() -> Lease {
        Lease {
            sent: vec![(Sequence(0), Moment::ZERO); REMEMBERED],
            confirmed: None,
            until: None,
            alone: false,
        }
    }

    /// Remembers when a beat went out.
    pub(crate) fn sent(&mut self, sequence: Sequence, at: Moment) {
        self.sent[sequence.0 as usize % REMEMBERED] = (sequence, at);
    }

    /// Takes in what the peer says it heard of us.
    pub(crate) fn confirm(
        &mut self,
        now: Moment,
        heard: &[PathHeard; MAX_PATHS],
    ) -> Option<Confirmation> {
        let newest = heard.iter().max_by_key(|path| path.sequence)?;
        let (sequence, sent) = self.sent[newest.sequence.0 as usize % REMEMBERED];
        if newest.sequence == Sequence(0) || sequence != newest.sequence {
            return None;
        }
        if self.confirmed.is_some_and(|before| before >= sent) {
            return None;
        }
        self.confirmed = Some(sent);
        Some(Confirmation { sent, round_trip: now.since(sent).saturating_sub(newest.age) })
    }

    /// Until when a gate may be open by what the peer confirmed.
    pub(crate) fn confirmed_until(&self, lease: Duration) -> Option<Moment> {
        self.confirmed.map(|sent| sent + lease)
    }

    /// How long the newest confirmed beat is ago.
    pub(crate) fn unconfirmed(&self, now: Moment) -> Option<Duration> {
        self.confirmed.map(|sent| now.since(sent))
    }

    /// The peer's run ended: what it confirmed binds its successor no more.
    pub(crate) fn forget(&mut self) {
        self.confirmed = None;
    }

    /// The gate was closed.
    pub(crate) fn close(&mut self) {
        self.until = None;
        self.alone = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    /// What a peer says that heard beat `newest` on one path and `other` on another.
    fn heard(newest: u64, other: u64) -> [PathHeard; MAX_PATHS] {
        let mut heard = [PathHeard::default(); MAX_PATHS];
        heard[0].sequence = Sequence(other);
        heard[1].sequence = Sequence(newest);
        heard
    }

    #[test]
    fn a_lease_runs_from_the_sending_of_the_newest_beat_that_was_heard_on_any_path() {
        let mut lease = Lease::new();
        lease.sent(Sequence(1), at(10));
        lease.sent(Sequence(2), at(20));
        let confirmation = lease.confirm(at(25), &heard(2, 1)).expect("news");
        assert_eq!(
            (confirmation.sent, confirmation.round_trip),
            (at(20), Duration::from_millis(5))
        );
        assert_eq!(lease.confirmed_until(Duration::from_millis(90)), Some(at(110)));
    }

    #[test]
    fn an_older_or_a_repeated_confirmation_changes_nothing() {
        let mut lease = Lease::new();
        lease.sent(Sequence(1), at(10));
        lease.sent(Sequence(2), at(20));
        lease.confirm(at(25), &heard(2, 2)).expect("news");
        assert_eq!(lease.confirm(at(30), &heard(2, 2)), None);
        assert_eq!(lease.confirm(at(30), &heard(1, 0)), None);
        assert_eq!(lease.unconfirmed(at(30)), Some(Duration::from_millis(10)));
    }

    #[test]
    fn a_beat_that_was_never_sent_or_is_forgotten_confirms_nothing() {
        let mut lease = Lease::new();
        lease.sent(Sequence(1), at(10));
        let later = 1 + REMEMBERED as u64;
        assert_eq!(lease.confirm(at(20), &heard(0, 0)), None);
        assert_eq!(lease.confirm(at(20), &heard(later, 1)), None, "in the place of beat 1");
        lease.sent(Sequence(later), at(5_000));
        assert_eq!(lease.confirm(at(5_001), &heard(1, 0)), None, "overwritten by a later one");
    }
}

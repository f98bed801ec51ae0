//! A try that failed, and how long it is left alone.

use std::time::Duration;

use twinwall_core::time::Moment;

use crate::agent::digest::Digest;

/// How long a section that failed is left alone, unless it changes meanwhile or contents get a
/// new line to the other node.
pub(super) const RETRY: Duration = Duration::from_secs(300);

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent::engine) struct Failed {
    pub(super) wanted: Digest,
    pub(in crate::agent::engine) why: String,
    /// Whether this node is the one that tried.
    pub(in crate::agent::engine) here: bool,
    /// Until then it is left alone.
    pub(super) rests_until: Moment,
}

impl Failed {
    pub(super) fn new(wanted: Digest, why: String, here: bool, now: Moment) -> Failed {
        Failed { wanted, why, here, rests_until: now + RETRY }
    }

    /// There is a new line: it may have failed for want of one, which says nothing of the contents.
    pub(super) fn may_be_tried_again(&mut self, now: Moment) {
        self.rests_until = self.rests_until.min(now);
    }
}

//! What a run reached. A simulation that never reaches a case proves nothing
//! about it, so the cases that must be reached are a list.

use std::collections::BTreeMap;

/// Seeds from which on every case of [`REQUIRED`] must have been reached.
pub(crate) const ENOUGH_SEEDS: u64 = 500;

/// Cases that a simulation of enough seeds must reach.
pub(crate) const REQUIRED: [&str; 42] = [
    "CableIsDirect",
    "DoubtEnded",
    "GateRefused",
    "HandoverGivenUp",
    "Held",
    "HoldEnded",
    "KernelLives",
    "Late",
    "MaintenanceOff",
    "MoveWaits",
    "PathSilent",
    "TwoActive",
    "a planned move waited to its limit",
    "active to passive: HigherEpoch",
    "active to passive: Isolated",
    "active to passive: LeaseRanOut",
    "active to passive: Leaving",
    "active to passive: TargetsSilent",
    "active to passive: WokeLate",
    "active to releasing: CheckFailed",
    "active to releasing: Failback",
    "active to releasing: Leaving",
    "active to releasing: Maintenance",
    "active to releasing: NeverSynchronised",
    "active to releasing: PeerHasMoreLinks",
    "active to releasing: PeerReachesMore",
    "active to releasing: Switchover",
    "claiming to active: NobodyServed",
    "claiming to active: PeerHandsOver",
    "claiming to active: PeerLeft",
    "claiming to active: PeerPoweredOff",
    "claiming to active: PeerRestarted",
    "claiming to active: PeerSilent",
    "claiming to passive: ApplyFailed",
    "claiming to passive: HigherEpoch",
    "claiming to passive: PeerServes",
    "refused NobodyElse",
    "refused NotActive",
    "refused PeerNotFit",
    "releasing to claiming: PeerSilent",
    "reload refused: LastPath",
    "reloaded beside another list",
];

/// Cases counted by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage(BTreeMap<String, u64>);

impl Coverage {
    /// Counts one case.
    pub(crate) fn count(&mut self, case: &str) {
        match self.0.get_mut(case) {
            Some(count) => *count += 1,
            None => {
                self.0.insert(case.to_owned(), 1);
            }
        }
    }

    /// Adds another run's counts.
    pub(crate) fn add(&mut self, other: &Coverage) {
        for (case, count) in &other.0 {
            *self.0.entry(case.clone()).or_default() += count;
        }
    }

    /// How often a case was reached.
    pub(crate) fn of(&self, case: &str) -> u64 {
        self.0.get(case).copied().unwrap_or(0)
    }

    /// All cases by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(case, count)| (case.as_str(), *count))
    }
}

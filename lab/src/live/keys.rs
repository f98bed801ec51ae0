//! What each key does: one table for the loop and for the help line.

use crate::fault::{At, Fault, Who};
use crate::ruleset::Lossy;
use crate::topology::Port;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// This fault.
    Fire(Fault),
    /// Change a file of the configuration on the gateway that serves.
    Change,
    /// Make everything whole again.
    Undo,
    /// Leave.
    Quit,
}

/// A key, its action, its word in the help.
pub(super) const KEYS: &[(u8, Action, &str)] = &[
    (b'p', Action::Fire(Fault::PowerLoss(Who::Active)), "power loss"),
    (b'P', Action::Fire(Fault::PowerLoss(Who::Passive)), "power loss of the passive"),
    (b'k', Action::Fire(Fault::GuardKilled), "kill the guard"),
    (b'r', Action::Fire(Fault::GuardRestarted), "kill and restart"),
    (b'h', Action::Fire(Fault::GuardHung), "hang the guard"),
    (b't', Action::Fire(Fault::Shutdown), "stop the service"),
    (b's', Action::Fire(Fault::Switchover), "switchover"),
    (b'm', Action::Fire(Fault::Maintenance), "maintenance"),
    (b'l', Action::Fire(Fault::LinkDown(Port::Lan, At::Switch)), "LAN cable"),
    (b'w', Action::Fire(Fault::LinkDown(Port::Wan, At::Switch)), "WAN cable"),
    (b'c', Action::Fire(Fault::HaCut), "HA cable"),
    (b'o', Action::Fire(Fault::LanAndHaCut), "LAN and HA cut"),
    (b'x', Action::Fire(Fault::Loss(Lossy::Ha)), "30 % loss on HA"),
    (b'X', Action::Fire(Fault::Loss(Lossy::AllPaths)), "on every path"),
    (b'u', Action::Fire(Fault::CpuHogs), "CPU hogs"),
    (b'f', Action::Change, "change a file"),
    (b'z', Action::Undo, "UNDO ALL"),
    (b'q', Action::Quit, "quit"),
];

/// Ctrl-C, which a raw terminal hands over as a byte.
const CTRL_C: u8 = 3;

/// What this key asks for.
pub(super) fn action(key: u8) -> Option<Action> {
    if key == CTRL_C {
        return Some(Action::Quit);
    }
    KEYS.iter().find(|(own, ..)| *own == key).map(|(_, action, _)| *action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_has_two_meanings() {
        let mut keys: Vec<u8> = KEYS.iter().map(|(key, ..)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), KEYS.len());
        assert_eq!(action(b'q'), Some(Action::Quit));
        assert_eq!(action(CTRL_C), Some(Action::Quit));
        assert_eq!(action(b'?'), None);
    }
}

//! The words for what keeps a node from being fit, in one place: `health` tells them, and the
//! alarms find in them again what they are about. Decides nothing.

/// A watched interface is down.
pub(crate) fn down(interface: &str) -> String {
    format!("watched interface {interface} is down")
}

/// A watched interface flaps.
pub(crate) fn held(interface: &str) -> String {
    format!("watched interface {interface} is held back because it flaps")
}

/// A check says no.
pub(crate) fn check(name: &str, reason: &str) -> String {
    format!("check {name}: {reason}")
}

/// The operator took the node out of service.
pub(crate) const MAINTENANCE: &str = "in maintenance";

//! Words, colours and signs for the state of a node: the same on every page and in the
//! picture.

use twinwall_core::ids::Designation;

use crate::agent::dashboard::{Dashboard, NodeView, StatusWord};

/// Who carries the traffic, in a sentence.
pub(super) fn serving(pair: &Dashboard) -> String {
    let all: Vec<&NodeView> = std::iter::once(&pair.here).chain(&pair.there).collect();
    let name = |node: &NodeView| node.name.clone().unwrap_or_else(|| "the other node".to_owned());
    let (active, others): (Vec<&NodeView>, Vec<&NodeView>) =
        all.into_iter().partition(|node| node.status == StatusWord::Active);
    let rest: Vec<String> = others
        .iter()
        .map(|node| match node.status {
            StatusWord::Passive => format!("{} stands by", name(node)),
            StatusWord::Active
            | StatusWord::Fault
            | StatusWord::OutOfSync
            | StatusWord::Starting
            | StatusWord::Maintenance
            | StatusWord::Away
            | StatusWord::Off => format!("{}: {}", name(node), node.status.words()),
        })
        .collect();
    match active.as_slice() {
        [] => format!("Nobody carries the traffic; {}.", rest.join(", ")),
        [one] => format!("{} carries the traffic; {}.", name(one), rest.join(", ")),
        [..] => "Both nodes carry traffic.".to_owned(),
    }
}

/// The word for a fixed part in the pair.
pub(super) fn designation(designation: Option<Designation>) -> &'static str {
    designation.map_or("not paired", Designation::word)
}

/// The colour of a status.
pub(super) fn state_class(status: StatusWord) -> &'static str {
    match status {
        StatusWord::Active => "good",
        StatusWord::Passive => "calm",
        StatusWord::Fault => "bad",
        StatusWord::OutOfSync | StatusWord::Maintenance => "warn",
        StatusWord::Starting | StatusWord::Away | StatusWord::Off => "unknown",
    }
}

/// The sign of a status, so that its colour never stands alone.
pub(super) fn icon(status: StatusWord) -> &'static str {
    match status {
        StatusWord::Active => "active",
        StatusWord::Passive => "passive",
        StatusWord::Fault => "fault",
        StatusWord::OutOfSync => "out-of-sync",
        StatusWord::Starting => "starting",
        StatusWord::Maintenance => "maintenance",
        StatusWord::Away | StatusWord::Off => "off",
    }
}

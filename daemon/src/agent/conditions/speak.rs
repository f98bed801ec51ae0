//! Which of the two nodes speaks for the pair. No clock and no I/O.

use std::time::Duration;

use twinwall_core::beat::RoleWord;

use crate::agent::guard::GuardState;

/// An agent that has not answered for this long says nothing to anybody.
const AWAY: Duration = Duration::from_secs(60);

/// What it depends on.
pub(super) struct Views<'a> {
    /// Paired, and high availability is on.
    pub(super) enabled: bool,
    pub(super) guard: &'a GuardState,
    /// The role that the other node's agent said last that it has, while it answers.
    pub(super) other_role: Option<&'a str>,
    /// For how long it has not answered.
    pub(super) silent_for: Duration,
}

/// Whether this node speaks.
pub(super) fn speaks(views: &Views<'_>) -> bool {
    if !views.enabled {
        return true;
    }
    let Some(status) = views.guard.status() else {
        // A node without a guard serves nobody; who else is there, only the agents know.
        return !views.other_role.is_some_and(serves);
    };
    let (role, peer) = (status.snapshot.role.role, &status.snapshot.peer);
    match role {
        RoleWord::Active => true,
        RoleWord::Starting | RoleWord::Passive | RoleWord::Claiming | RoleWord::Releasing => {
            let other_serves = peer.is_heard() && peer.role.is_some_and(|role| serves(role.word()));
            !other_serves || views.silent_for >= AWAY
        }
    }
}

/// From the claim on: while the role moves one of the two speaks.
fn serves(role: &str) -> bool {
    let roles = [RoleWord::Active, RoleWord::Claiming];
    roles.iter().any(|it| it.word() == role)
}

#[cfg(test)]
mod tests {
    use twinwall_core::api::Status;

    use super::*;

    #[test]
    fn only_the_active_speaks_unless_it_is_dead() {
        use RoleWord::{Active, Claiming, Passive, Releasing};
        let text = include_str!("../../../../core/tests/status/healthy.json");
        let healthy: Status = serde_json::from_str(text).expect("a status");
        let (now, long) = (Duration::ZERO, Duration::from_secs(61));
        for (role, state, peer, silent_for, wanted) in [
            (Active, "alive", Passive, now, true),
            (Active, "silent", Active, now, true),
            (Passive, "alive", Active, now, false),
            (Passive, "doubted", Active, now, false),
            (Passive, "silent", Active, now, true),
            (Passive, "left", Active, now, true),
            (Passive, "never_heard", Active, now, true),
            (Passive, "alive", Active, long, true),
            (Releasing, "alive", Claiming, now, false),
            (Passive, "alive", Releasing, now, true),
        ] {
            let mut status = healthy.clone();
            status.snapshot.role.role = role;
            status.snapshot.peer.state = state.to_owned();
            status.snapshot.peer.role = Some(peer);
            let guard = GuardState::Says(status.into());
            let views = Views { enabled: true, guard: &guard, other_role: None, silent_for };
            assert_eq!(speaks(&views), wanted, "{role:?}, the peer {state} {peer:?}");
        }
    }

    #[test]
    fn without_a_guard_the_other_node_speaks_where_it_serves() {
        let guard = GuardState::Away("ended".to_owned());
        for (enabled, other_role, wanted) in [
            (true, Some("active"), false),
            (true, Some("passive"), true),
            (true, None, true),
            (false, Some("active"), true),
        ] {
            let views = Views { enabled, guard: &guard, other_role, silent_for: Duration::ZERO };
            assert_eq!(speaks(&views), wanted, "{enabled} {other_role:?}");
        }
    }
}

//! The scenarios about flows: only those that a gateway knows pass, connections of every kind go
//! through the pair, and the active is struck. Data only, as in [`super`].

use std::time::Duration;

use super::{BASE, Load, Must, NOTHING, Scenario, ms};
use crate::fault::{At, Fault, Who};
use crate::product::Flows;
use crate::topology::Port;

/// Longest pause of a connection, whatever befalls the active: what the move takes, and what TCP
/// needs to repeat what was lost meanwhile.
const PAUSE: Duration = ms(60);
/// Flows that are there in the scenario that compares with none.
const MANY: u64 = 100_000;

const POWER_LOSS: Fault = Fault::PowerLoss(Who::Active);
const LAN_DOWN: Fault = Fault::LinkDown(Port::Lan, At::Switch);

const fn flows(name: &'static str, shows: &'static str, nat: bool, fault: Fault) -> Scenario {
    Scenario {
        name,
        shows,
        nat,
        flows: Flows::Replicated,
        load: Load::Connections,
        fault,
        observe: ms(4000),
        must: Must { connections: Some(PAUSE), ..NOTHING },
        ..BASE
    }
}

const fn routed(name: &'static str, shows: &'static str, fault: Fault) -> Scenario {
    flows(name, shows, false, fault)
}

/// IPv4 behind NAT, with a published server and FTP; IPv6 as it is.
const fn nat(name: &'static str, shows: &'static str, fault: Fault) -> Scenario {
    flows(name, shows, true, fault)
}

/// All of them.
pub(super) const ALL: &[Scenario] = &[
    nat("flows-quiet", "connections, nothing happens: their floor", Fault::Nothing),
    routed("flows-power-loss", "connections, the active loses power", POWER_LOSS),
    nat("flows-power-loss-nat", "the same behind NAT", POWER_LOSS),
    routed("flows-lan-down", "connections, the active's LAN loses its link", LAN_DOWN),
    nat("flows-lan-down-nat", "the same behind NAT", LAN_DOWN),
    routed("flows-shutdown", "connections, the active is told to stop", Fault::Shutdown),
    nat("flows-shutdown-nat", "the same behind NAT", Fault::Shutdown),
    routed("flows-switchover", "connections, the operator moves the role", Fault::Switchover),
    nat("flows-switchover-nat", "the same behind NAT", Fault::Switchover),
    routed("flows-killed", "connections, guard and agent are killed", Fault::GuardKilled),
    nat("flows-killed-nat", "the same behind NAT", Fault::GuardKilled),
    routed("flows-hung", "connections, guard and agent hang, and are resumed", Fault::GuardHung),
    nat("flows-hung-nat", "the same behind NAT", Fault::GuardHung),
    Scenario {
        present: MANY,
        ..nat("flows-100000", "100,000 flows, the active loses power", POWER_LOSS)
    },
];

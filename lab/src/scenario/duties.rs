//! The scenarios in which the pair does more than serve: gateways are asked for, logs and SNMP are
//! at work. Agents run beside the guards. Data only, as in [`super`].

use super::{BASE, Must, NOTHING, Scenario, ms};
use crate::fault::{Fault, Who};
use crate::product::{Duties, Product};
use crate::upstream::Silent;

/// Three questions in vain, 0.2 s apart, and half a second in which the other node says that it
/// lost the gateway as well.
const SILENT: Must = Must { outage: Some(ms(2500)), ..NOTHING };

const fn asked(name: &'static str, shows: &'static str, silent: Silent, must: Must) -> Scenario {
    Scenario {
        name,
        shows,
        duties: Duties::AskGateway,
        fault: Fault::GatewaySilent(silent),
        observe: ms(6000),
        must,
        only: Some(Product::Twinwall),
        ..BASE
    }
}

/// All of them.
pub(super) const ALL: &[Scenario] = &[
    asked(
        "gateway-silent",
        "the router behind the WAN is silent for the active alone: the role moves",
        Silent::Active,
        SILENT,
    ),
    asked(
        "gateway-silent-both",
        "it is silent for both: nothing moves",
        Silent::Both,
        Must { role_stays: true, ..NOTHING },
    ),
    Scenario {
        name: "logs-snmp",
        shows: "logs and SNMP of both at work, the active loses power",
        duties: Duties::LogsAndSnmp,
        fault: Fault::PowerLoss(Who::Active),
        observe: ms(5000),
        must: Must { outage: Some(ms(25)), snmp_silence: Some(ms(2500)), ..NOTHING },
        only: Some(Product::Twinwall),
        ..BASE
    },
];

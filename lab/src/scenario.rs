//! The named scenarios: what is built, what befalls it, what must hold. Data only;
//! [`crate::run`] plays them. Names and figures are those of the project's promises.

mod duties;
mod flows;

use std::time::Duration;

use crate::fault::{At, Fault, Who};
use crate::lab::HaForm;
use crate::product::{Duties, Flows, Product};
use crate::ruleset::Lossy;
use crate::topology::Port;

/// What is sent through the pair while it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Nothing: the cost of the product alone is wanted.
    Silence,
    /// 1,000 numbered packets a second of each family, pings, questions, connections.
    Usual,
    /// 10,000 numbered packets a second, IPv4 and IPv6 together; else as usual.
    Fast,
    /// As usual, and every VIP is asked for in turn.
    EveryVip,
    /// As usual, with connections of every kind instead of the usual ones.
    Connections,
}

/// What must hold, as seen from the client and over the probes' own floor.
/// What is `None` is reported, not judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Must {
    /// Longest outage of routed packets.
    pub outage: Option<Duration>,
    /// Longest silence of a VIP.
    pub vip_silence: Option<Duration>,
    /// No routed packet is lost.
    pub no_loss: bool,
    /// Never do two nodes answer for a VIP.
    pub one_answers: bool,
    /// The role does not move.
    pub role_stays: bool,
    /// From detection to the last VIP's first answer.
    pub last_vip: Option<Duration>,
    /// Most CPU time a minute of observation: active, passive.
    pub cpu_a_minute: Option<[Duration; 2]>,
    /// Most resident memory in bytes.
    pub resident: Option<u64>,
    /// Beside a console in trouble: no beat of the active is later, and none is missed.
    pub beat_late: Option<Duration>,
    /// Beside a console in trouble: the active's agent answers each question within this.
    pub agent_answers: Option<Duration>,
    /// Every connection goes on, and none pauses for longer.
    pub connections: Option<Duration>,
    /// Managers that ask the VIP by SNMP are never without an answer for longer.
    pub snmp_silence: Option<Duration>,
}

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub shows: &'static str,
    /// Heartbeat or advert interval.
    pub interval: Duration,
    /// What is between the HA ports.
    pub ha: HaForm,
    /// LAN VIPs beyond the first.
    pub further_vips: u16,
    /// Whether the LAN is hidden behind the WAN VIP.
    pub nat: bool,
    /// Whether flows are known, and told; agents run beside the guards where they are.
    pub flows: Flows,
    /// What the pair does beside serving; agents run beside the guards where it does anything.
    pub duties: Duties,
    /// Flows that are there before the fault.
    pub present: u64,
    /// What is sent.
    pub load: Load,
    /// Quiet time before the fault; the floor is measured here.
    pub warm_up: Duration,
    /// What happens.
    pub fault: Fault,
    /// How long its effects are watched.
    pub observe: Duration,
    /// What must hold.
    pub must: Must,
    /// Whether agent and console run beside each guard.
    pub consoles: bool,
    /// Only for this product.
    pub only: Option<Product>,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const NOTHING: Must = Must {
    outage: None,
    vip_silence: None,
    no_loss: false,
    one_answers: true,
    role_stays: false,
    last_vip: None,
    cpu_a_minute: None,
    resident: None,
    beat_late: None,
    agent_answers: None,
    connections: None,
    snmp_silence: None,
};

const UNDISTURBED: Must = Must { no_loss: true, role_stays: true, ..NOTHING };

const BASE: Scenario = Scenario {
    name: "",
    shows: "",
    interval: ms(100),
    ha: HaForm::Direct,
    further_vips: 0,
    nat: false,
    flows: Flows::Ignored,
    duties: Duties::None,
    present: 0,
    load: Load::Usual,
    warm_up: ms(2000),
    fault: Fault::Nothing,
    observe: ms(3000),
    must: NOTHING,
    consoles: false,
    only: None,
};

const fn outage(millis: u64) -> Must {
    Must { outage: Some(ms(millis)), ..NOTHING }
}

const fn power_loss(name: &'static str, ha: HaForm, interval_ms: u64, must_ms: u64) -> Scenario {
    Scenario {
        name,
        shows: "the active loses power",
        ha,
        interval: ms(interval_ms),
        fault: Fault::PowerLoss(Who::Active),
        observe: ms(2000 + 4 * interval_ms),
        must: outage(must_ms),
        ..BASE
    }
}

const fn link_down(name: &'static str, port: Port, at: At) -> Scenario {
    let shows = match at {
        At::Switch => "a watched interface of the active loses its link",
        At::Node => "a watched interface of the active is set down",
    };
    Scenario { name, shows, fault: Fault::LinkDown(port, at), must: outage(10), ..BASE }
}

const fn guard(
    name: &'static str,
    shows: &'static str,
    fault: Fault,
    interval_ms: u64,
) -> Scenario {
    let observe = ms(3000 + 8 * interval_ms);
    Scenario { name, shows, fault, interval: ms(interval_ms), observe, must: outage(25), ..BASE }
}

const fn planned(name: &'static str, shows: &'static str, fault: Fault) -> Scenario {
    let must = Must { no_loss: true, vip_silence: Some(ms(5)), ..NOTHING };
    Scenario { name, shows, fault, load: Load::Fast, must, ..BASE }
}

const fn undisturbed(
    name: &'static str,
    shows: &'static str,
    ha: HaForm,
    fault: Fault,
) -> Scenario {
    Scenario { name, shows, ha, fault, must: UNDISTURBED, ..BASE }
}

const fn stress(name: &'static str, shows: &'static str, fault: Fault) -> Scenario {
    let must = Must { role_stays: true, ..NOTHING };
    Scenario { name, shows, interval: ms(50), fault, observe: ms(60_000), must, ..BASE }
}

/// A peer doubts a beat that comes more than a quarter of the interval after its time.
const fn console(name: &'static str, shows: &'static str, fault: Fault) -> Scenario {
    let must = Must { beat_late: Some(ms(25)), agent_answers: Some(ms(1000)), ..UNDISTURBED };
    Scenario {
        name,
        shows,
        fault,
        observe: ms(10_000),
        must,
        consoles: true,
        only: Some(Product::Twinwall),
        ..BASE
    }
}

/// All but those about flows and duties, in the order in which `--list` shows them.
pub const PLAIN: &[Scenario] = &[
    power_loss("power-loss-direct-1s", HaForm::Direct, 1000, 25),
    power_loss("power-loss-direct-100ms", HaForm::Direct, 100, 25),
    power_loss("power-loss-switch-100ms", HaForm::Switched, 100, 310),
    power_loss("power-loss-switch-50ms", HaForm::Switched, 50, 160),
    power_loss("power-loss-switch-10ms", HaForm::Switched, 10, 40),
    Scenario {
        shows: "the active loses power, with NAT",
        nat: true,
        ..power_loss("power-loss-nat", HaForm::Direct, 100, 25)
    },
    link_down("lan-down", Port::Lan, At::Switch),
    link_down("wan-down", Port::Wan, At::Switch),
    link_down("lan-down-node", Port::Lan, At::Node),
    link_down("wan-down-node", Port::Wan, At::Node),
    planned("shutdown", "the active's service is told to stop", Fault::Shutdown),
    planned("switchover", "the operator orders the move", Fault::Switchover),
    Scenario {
        only: Some(Product::Twinwall),
        ..planned("maintenance", "the active is put into maintenance", Fault::Maintenance)
    },
    guard("guard-killed", "the active's guard is killed and stays dead", Fault::GuardKilled, 100),
    guard("guard-killed-1s", "the same at an interval of 1 s", Fault::GuardKilled, 1000),
    Scenario {
        must: Must { outage: None, vip_silence: Some(ms(25)), ..NOTHING },
        ..guard(
            "guard-restarted",
            "the active's guard is killed and restarted",
            Fault::GuardRestarted,
            100,
        )
    },
    guard("guard-hung", "the active's guard hangs, and is resumed", Fault::GuardHung, 100),
    guard("guard-hung-1s", "the same at an interval of 1 s", Fault::GuardHung, 1000),
    undisturbed(
        "passive-power-loss-direct",
        "the passive loses power",
        HaForm::Direct,
        Fault::PowerLoss(Who::Passive),
    ),
    undisturbed(
        "passive-power-loss-switch",
        "the passive loses power, HA through a switch",
        HaForm::Switched,
        Fault::PowerLoss(Who::Passive),
    ),
    Scenario {
        observe: ms(300_000),
        ..undisturbed(
            "alone",
            "alone for five minutes",
            HaForm::Direct,
            Fault::PowerLoss(Who::Passive),
        )
    },
    undisturbed(
        "ha-interface-down",
        "the HA interface of the active is set down",
        HaForm::Direct,
        Fault::HaInterfaceDown(Who::Active),
    ),
    undisturbed(
        "ha-interface-down-passive",
        "the HA interface of the passive is set down",
        HaForm::Direct,
        Fault::HaInterfaceDown(Who::Passive),
    ),
    undisturbed("ha-cut", "the HA cable is cut", HaForm::DirectToCut, Fault::HaCut),
    Scenario {
        must: NOTHING,
        ..undisturbed(
            "lan-and-ha-cut",
            "the gateways hear each other over WAN only",
            HaForm::DirectToCut,
            Fault::LanAndHaCut,
        )
    },
    Scenario {
        shows: "1,000 VIPs, the active loses power",
        further_vips: 999,
        load: Load::EveryVip,
        must: Must { last_vip: Some(ms(40)), ..NOTHING },
        ..power_loss("vips-1000", HaForm::Direct, 100, 0)
    },
    Scenario {
        observe: ms(5000),
        ..undisturbed(
            "reload",
            "interval, a VIP and a watch are changed live and back",
            HaForm::Direct,
            Fault::Reload,
        )
    },
    console("console-killed", "the active's console is killed", Fault::ConsoleKilled),
    console("console-hung", "the active's console hangs", Fault::ConsoleHung),
    console(
        "console-flooded",
        "a flood of requests, slow heads, endless bodies and half-open connections",
        Fault::ConsoleFlooded,
    ),
    stress("cpu-hogs", "eight CPU hogs for a minute", Fault::CpuHogs),
    stress("loss-ha", "30 % loss on the HA link for a minute", Fault::Loss(Lossy::Ha)),
    stress("loss-all", "30 % loss on every path for a minute", Fault::Loss(Lossy::AllPaths)),
    Scenario {
        name: "idle",
        shows: "CPU time and memory of an idle pair",
        load: Load::Silence,
        observe: ms(60_000),
        must: Must {
            role_stays: true,
            cpu_a_minute: Some([ms(136), ms(58)]),
            resident: Some(12 << 20),
            ..NOTHING
        },
        ..BASE
    },
    Scenario { name: "quiet", shows: "nothing happens: the floor", must: UNDISTURBED, ..BASE },
];

/// All of them, in the order in which `--list` shows them.
pub fn all() -> impl Iterator<Item = &'static Scenario> + Clone {
    PLAIN.iter().chain(flows::ALL).chain(duties::ALL)
}

/// The scenario of this name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    all().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_speak() {
        let mut names: Vec<&str> = all().map(|scenario| scenario.name).collect();
        assert!(names.iter().all(|name| !name.is_empty()));
        assert!(all().all(|scenario| !scenario.shows.is_empty()));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().count());
    }

    #[test]
    fn a_cable_that_is_cut_in_the_middle_can_be() {
        let cuts = |fault| matches!(fault, Fault::HaCut | Fault::LanAndHaCut);
        assert!(
            all()
                .filter(|scenario| cuts(scenario.fault))
                .all(|scenario| scenario.ha != HaForm::Direct)
        );
    }
}

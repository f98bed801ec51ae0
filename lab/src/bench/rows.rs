//! The rows of the benchmark: which scenario, what is read from it and what
//! twinwall must reach. A table, nothing else; called by the runner and by the
//! report. What happens in a scenario stands in [`crate::scenario`] alone.

use std::time::Duration;

use super::figures::Unit;
use crate::product::Product;
use crate::result::Outcome;
use crate::traffic::Measured;

/// What is read from a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Longest silence of routed packets.
    Outage,
    /// Routed packets never answered.
    Lost,
    /// Longest silence of pings to the VIPs, both families.
    VipSilent,
    /// Two nodes answer for one VIP.
    TwoAnswer,
    /// Nodes that became active or ceased to be, by the products' own word.
    RoleChanges,
    /// From the fault to the last VIP's first answer by its new owner.
    LastVip,
    /// The same from when the new owner detected the loss, by its own word.
    LastVipAfterDetection,
    /// CPU seconds a minute of the active and of the passive.
    CpuActive,
    /// The same of the passive.
    CpuPassive,
    /// Resident memory, the larger of both nodes.
    Resident,
}

impl Metric {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Metric::Outage => "outage, ms",
            Metric::Lost => "packets lost",
            Metric::VipSilent => "VIP silent, ms",
            Metric::TwoAnswer => "two nodes answer, ms",
            Metric::RoleChanges => "role changes",
            Metric::LastVip => "last VIP answers after, ms",
            Metric::LastVipAfterDetection => "last VIP, after detection, ms",
            Metric::CpuActive => "CPU s/min, active",
            Metric::CpuPassive => "CPU s/min, passive",
            Metric::Resident => "resident, MiB",
        }
    }

    /// How its figures are written.
    pub const fn unit(self) -> Unit {
        match self {
            Metric::Outage
            | Metric::VipSilent
            | Metric::TwoAnswer
            | Metric::LastVip
            | Metric::LastVipAfterDetection => Unit::Millis,
            Metric::Lost => Unit::Packets,
            Metric::RoleChanges => Unit::Times,
            Metric::CpuActive | Metric::CpuPassive => Unit::CpuSecondsPerMinute,
            Metric::Resident => Unit::Mebibytes,
        }
    }
}

/// What twinwall's median must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At most this, in the metric's unit. Silences are read over the probe's own
    /// floor of the same repetition.
    AtMost(f64),
    /// Not above the other product's.
    NotAboveTheirs,
    /// Shown for comparison only.
    Shown,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The scenario that is played.
    pub scenario: &'static str,
    /// The fault in the words of the table.
    pub title: &'static str,
    /// How often it is played.
    pub play: Play,
    /// What is read.
    pub metrics: &'static [(Metric, Target)],
}

/// How often and how long a row is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// As often as ordered, for the scenario's own time.
    Often,
    /// A steady state: once, for a minute unless the run is quick.
    Once,
}

/// How long a steady state is watched.
pub const STEADY: Duration = Duration::from_secs(60);
/// The same in a quick run.
pub const STEADY_QUICK: Duration = Duration::from_secs(15);

const fn often(
    scenario: &'static str,
    title: &'static str,
    metrics: &'static [(Metric, Target)],
) -> Row {
    Row { scenario, title, play: Play::Often, metrics }
}

const fn once(
    scenario: &'static str,
    title: &'static str,
    metrics: &'static [(Metric, Target)],
) -> Row {
    Row { scenario, title, play: Play::Once, metrics }
}

const OUTAGE_10: &[(Metric, Target)] = &[(Metric::Outage, Target::AtMost(10.0))];
const OUTAGE_25: &[(Metric, Target)] = &[(Metric::Outage, Target::AtMost(25.0))];
const OUTAGE_40: &[(Metric, Target)] = &[(Metric::Outage, Target::AtMost(40.0))];
const OUTAGE_160: &[(Metric, Target)] = &[(Metric::Outage, Target::AtMost(160.0))];
const OUTAGE_310: &[(Metric, Target)] = &[(Metric::Outage, Target::AtMost(310.0))];
const ONE_ANSWERS_25: &[(Metric, Target)] =
    &[(Metric::TwoAnswer, Target::AtMost(0.0)), (Metric::Outage, Target::AtMost(25.0))];
const VIP_25: &[(Metric, Target)] =
    &[(Metric::TwoAnswer, Target::AtMost(0.0)), (Metric::VipSilent, Target::AtMost(25.0))];
const UNDISTURBED: &[(Metric, Target)] =
    &[(Metric::Lost, Target::AtMost(0.0)), (Metric::RoleChanges, Target::AtMost(0.0))];
const PLANNED: &[(Metric, Target)] =
    &[(Metric::Lost, Target::AtMost(0.0)), (Metric::VipSilent, Target::AtMost(5.0))];
const ONE_ANSWERS: &[(Metric, Target)] = &[
    (Metric::TwoAnswer, Target::AtMost(0.0)),
    (Metric::Outage, Target::Shown),
    (Metric::RoleChanges, Target::Shown),
];
const STAYS: &[(Metric, Target)] = &[(Metric::RoleChanges, Target::AtMost(0.0))];
const LAST_VIP: &[(Metric, Target)] =
    &[(Metric::LastVip, Target::Shown), (Metric::LastVipAfterDetection, Target::AtMost(40.0))];
const COST: &[(Metric, Target)] = &[
    (Metric::CpuActive, Target::NotAboveTheirs),
    (Metric::CpuPassive, Target::NotAboveTheirs),
    (Metric::Resident, Target::AtMost(12.0)),
];

/// Everything that is measured, in the order in which it runs and is shown.
pub const ROWS: &[Row] = &[
    often("power-loss-direct-1s", "power loss, HA link a direct cable", OUTAGE_25),
    often("power-loss-direct-100ms", "power loss, HA link a direct cable", OUTAGE_25),
    often("power-loss-switch-100ms", "power loss, HA link through a switch", OUTAGE_310),
    often("power-loss-switch-50ms", "power loss, HA link through a switch", OUTAGE_160),
    often("power-loss-switch-10ms", "power loss, HA link through a switch", OUTAGE_40),
    often("lan-down", "LAN link down at the switch", OUTAGE_10),
    often("wan-down", "WAN link down at the switch", OUTAGE_10),
    often("lan-down-node", "LAN interface set down", OUTAGE_10),
    often("wan-down-node", "WAN interface set down", OUTAGE_10),
    often("shutdown", "shutdown (SIGTERM), 10,000 packets/s", PLANNED),
    often("switchover", "switchover (keepalived: SIGTERM), 10,000 packets/s", PLANNED),
    often("guard-killed", "guard killed, not restarted", ONE_ANSWERS_25),
    often("guard-killed-1s", "guard killed, not restarted", ONE_ANSWERS_25),
    often("guard-restarted", "guard killed, restarted by its supervisor", VIP_25),
    often("guard-hung", "guard hung, then resumed", ONE_ANSWERS_25),
    often("guard-hung-1s", "guard hung, then resumed", ONE_ANSWERS_25),
    often("passive-power-loss-direct", "the passive loses power, direct cable", UNDISTURBED),
    often("passive-power-loss-switch", "the passive loses power, switch", UNDISTURBED),
    often("ha-interface-down", "HA interface of the active set down", UNDISTURBED),
    often("ha-cut", "HA link cut", UNDISTURBED),
    often("reload", "interval, a VIP and a watch changed live, and back", UNDISTURBED),
    often("lan-and-ha-cut", "LAN cut between the nodes and HA link cut", ONE_ANSWERS),
    often("vips-1000", "power loss with 1,000 VIPs", LAST_VIP),
    once("alone", "guard alone", UNDISTURBED),
    once("cpu-hogs", "8 CPU hogs", STAYS),
    once("loss-ha", "30 % loss on the HA link", STAYS),
    once("loss-all", "30 % loss on every path", STAYS),
    once("idle", "idle", COST),
];

impl Metric {
    /// Whether a product tells it. When keepalived detected is known only by when
    /// its log was read, which is too late to count milliseconds from.
    pub fn is_known_of(self, product: Product) -> bool {
        self != Metric::LastVipAfterDetection || product == Product::Twinwall
    }

    /// Its figure in one repetition; `None` where there is none, as when not
    /// every VIP moved.
    pub fn read(self, outcome: &Outcome) -> Option<f64> {
        let traffic = outcome.traffic.as_ref();
        let cost = outcome.cost.as_ref();
        match self {
            Metric::Outage => Some(millis(traffic?.outage)),
            Metric::Lost => Some(f64::from(traffic?.lost)),
            Metric::VipSilent => Some(vip_silence(traffic?)),
            Metric::TwoAnswer => Some(millis(traffic?.two_answer)),
            Metric::RoleChanges => Some(f64::from(outcome.role_changes)),
            Metric::LastVip => Some(millis(traffic?.per_vip_last?)),
            Metric::LastVipAfterDetection => outcome.last_vip_after_detection_ms,
            Metric::CpuActive => Some(cost?[0].cpu_s_per_min),
            Metric::CpuPassive => Some(cost?[1].cpu_s_per_min),
            Metric::Resident => {
                let bytes = cost?.iter().map(|usage| usage.resident_bytes).max()?;
                Some(bytes as f64 / f64::from(1 << 20))
            }
        }
    }

    /// The probe's own floor for this figure in one repetition; 0 for counts.
    pub fn floor(self, outcome: &Outcome) -> f64 {
        let floor = |pick: fn(&Measured) -> Duration| {
            outcome.traffic.as_ref().map_or(0.0, |seen| millis(pick(seen)))
        };
        match self {
            Metric::Outage => floor(|seen| seen.floor),
            Metric::VipSilent => floor(|seen| seen.vip_floor),
            Metric::Lost
            | Metric::TwoAnswer
            | Metric::RoleChanges
            | Metric::LastVip
            | Metric::LastVipAfterDetection
            | Metric::CpuActive
            | Metric::CpuPassive
            | Metric::Resident => 0.0,
        }
    }
}

/// The longer one of both families.
fn vip_silence(seen: &Measured) -> f64 {
    let longest = seen.vip_silence_ipv4.max(seen.vip_silence_ipv6);
    longest.map_or(0.0, millis)
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn every_row_names_a_scenario_and_no_scenario_twice() {
        let mut names: Vec<&str> = ROWS.iter().map(|row| row.scenario).collect();
        assert!(names.iter().all(|name| scenario::find(name).is_some()), "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROWS.len());
    }

    #[test]
    fn a_silent_power_loss_may_take_three_intervals_and_ten_milliseconds() {
        for row in ROWS.iter().filter(|row| row.title.ends_with("through a switch")) {
            let interval = scenario::find(row.scenario).unwrap().interval;
            let limit = interval.as_secs_f64() * 3_000.0 + 10.0;
            assert_eq!(row.metrics, [(Metric::Outage, Target::AtMost(limit))]);
        }
    }
}

//! What differs between two states of the settings, key by key, as people read it: for what a
//! change will come to, what a version brought, and what somebody else changed meanwhile.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::Cable;
use twinwall_core::explain::span;

use super::alerts::AlertSetting;
use super::view::{HaInterface, HaSettings, Policy};

/// One setting that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// The key, as `heartbeat.interval` or `interface.lan.virtual`.
    pub key: String,
    /// The value before, in words; empty where there was none.
    pub before: String,
    /// The value after, in words; empty where there is none.
    pub after: String,
}

/// What differs in `new`, in the order of the page. Only what is shown in other words than
/// before does.
pub fn differences(old: &HaSettings, new: &HaSettings) -> Vec<Setting> {
    let (before, after) = (values(old), values(new));
    let value = |all: &[(String, String)], key: &str| {
        all.iter().find(|(other, _)| other == key).map(|(_, value)| value.clone())
    };
    let fresh = after.iter().filter(|(key, _)| value(&before, key).is_none());
    let keys = before.iter().chain(fresh).map(|(key, _)| key);
    keys.filter_map(|key| {
        let (old, new) = (value(&before, key), value(&after, key));
        let changed = Setting {
            key: key.clone(),
            before: old.unwrap_or_default(),
            after: new.unwrap_or_default(),
        };
        (changed.before != changed.after).then_some(changed)
    })
    .collect()
}

fn values(settings: &HaSettings) -> Vec<(String, String)> {
    let failback = match (settings.failback.policy, settings.failback.hold_s) {
        (Policy::Stay, _) => "the role stays".to_owned(),
        (Policy::Primary, None) => "to the primary".to_owned(),
        (Policy::Primary, Some(hold)) => {
            format!("to the primary, once it has been fit for {}", seconds(hold))
        }
    };
    let cable = match settings.ha_link.cable {
        Cable::Direct => "a direct cable",
        Cable::Switched => "a switch",
    };
    let (sync, flows) = (&settings.sync, &settings.flows);
    let damping = &settings.damping;
    let mut all: Vec<(String, String)> = [
        ("enabled", if settings.enabled { "on" } else { "off" }.to_owned()),
        ("heartbeat.interval", seconds(settings.heartbeat.interval_s)),
        ("heartbeat.threshold", settings.heartbeat.threshold.to_string()),
        ("ha_link.interface", settings.ha_link.interface.clone()),
        ("ha_link.cable", cable.to_owned()),
        ("sync.automatic", yes(sync.automatic)),
        ("sync.debounce", seconds(sync.debounce_s)),
        ("sync.logs", yes(sync.logs)),
        ("sync.snmp", yes(sync.snmp)),
        ("flows.replicate", yes(flows.replicate)),
        (
            "flows.protocols",
            if flows.protocols.is_empty() { "all".to_owned() } else { list(&flows.protocols) },
        ),
        ("flows.ignore_addresses", list(&flows.ignore_addresses)),
        ("flows.ignore_ports", list(&flows.ignore_ports)),
        ("flows.least_age", seconds(flows.least_age_s)),
        ("flows.most", flows.most.to_string()),
        ("failback", failback),
        ("damping.flaps", damping.flaps.to_string()),
        ("damping.window", seconds(damping.window_s)),
        ("damping.hold", seconds(damping.hold_s)),
        ("boot.hold", seconds(settings.boot_hold_s)),
        ("ping.targets", list(&settings.ping_targets)),
        ("preflight.override", list(&settings.preflight_override)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    all.extend(observing(settings));
    all.extend(checks(settings));
    all.extend(settings.interfaces.iter().flat_map(interface));
    all.extend(settings.alerts.iter().flat_map(AlertSetting::values));
    all
}

/// What is kept and measured beside the failover.
fn observing(settings: &HaSettings) -> [(String, String); 10] {
    let (logs, reports, probe) = (&settings.logs, &settings.reports, &settings.probe);
    [
        ("logs.keep_size", format!("{} MiB of each node", logs.keep_size_mib)),
        ("logs.keep_days", format!("{} days", logs.keep_days)),
        ("logs.rate", format!("{} MiB/s", logs.rate_mib)),
        ("snmp.traps", list(&settings.snmp.traps)),
        ("snmp.informs", list(&settings.snmp.informs)),
        ("reports.keep_size", format!("{} MiB", reports.keep_mib)),
        ("reports.keep_days", reports.keep_days.to_string()),
        ("probe.virtual_ips", list(&probe.virtual_ips)),
        ("probe.targets", list(&probe.targets)),
        ("probe.interval", seconds(probe.interval_s)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
}

fn checks(settings: &HaSettings) -> [(String, String); 8] {
    let (reach, limits) = (&settings.reach, &settings.resources);
    [
        ("reach.interval", seconds(reach.interval_s)),
        ("reach.misses", reach.misses.to_string()),
        ("reach.hold", seconds(reach.hold_s)),
        ("reach.ask", reach.ask.word().to_owned()),
        ("resources.memory", format!("{} %", limits.memory)),
        ("resources.disk", format!("{} %", limits.disk)),
        ("resources.connections", format!("{} %", limits.connections)),
        ("resources.temperature", format!("{} °C", limits.temperature)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
}

fn interface(interface: &HaInterface) -> [(String, String); 5] {
    [
        ("primary", list(&interface.primary)),
        ("secondary", list(&interface.secondary)),
        ("virtual", list(&interface.virtual_ips)),
        ("gateways", list(&interface.gateways)),
        ("watch", yes(interface.watch)),
    ]
    .map(|(key, value)| (format!("interface.{}.{key}", interface.name), value))
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

fn list(all: &[String]) -> String {
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// As exact as it was entered where `span` would round it.
fn seconds(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time.as_secs() >= 60 && time.subsec_nanos() == 0 => span(time),
        Ok(_) | Err(_) => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::parse_pair;

    use super::*;

    const TEXT: &str = "pair_id = 7\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\n\
        primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n";

    fn settings(text: &str) -> HaSettings {
        let pair = parse_pair("pair.toml", text);
        HaSettings::from(&pair.unwrap_or_else(|errors| panic!("{errors}\n{text}")))
    }

    fn told(from: &str, to: &str) -> Vec<(String, String, String)> {
        assert!(TEXT.contains(from), "{from}");
        let all = differences(&settings(TEXT), &settings(&TEXT.replacen(from, to, 1)));
        all.into_iter().map(|it| (it.key, it.before, it.after)).collect()
    }

    #[test]
    fn each_setting_that_differs_is_told_once_with_both_values() {
        let row = |key: &str, before: &str, after: &str| {
            (key.to_owned(), before.to_owned(), after.to_owned())
        };
        assert_eq!(told("pair_id", "pair_id"), []);
        for (from, to, wanted) in [
            (
                "pair_id = 7",
                "pair_id = 7\nheartbeat.interval = 0.2",
                row("heartbeat.interval", "1 s", "0.2 s"),
            ),
            (
                "pair_id = 7",
                "pair_id = 7\ndamping.window = 90",
                row("damping.window", "15 min", "1 min 30 s"),
            ),
            ("pair_id = 7", "pair_id = 7\nsync.snmp = true", row("sync.snmp", "no", "yes")),
            (
                "pair_id = 7",
                "pair_id = 7\nfailback.policy = \"primary\"",
                row("failback", "the role stays", "to the primary, once it has been fit for 1 min"),
            ),
            (
                "virtual = \"10.1.0.1/24\"",
                "virtual = [\"10.1.0.1/24\", \"10.1.0.9/24\"]",
                row("interface.lan.virtual", "10.1.0.1/24", "10.1.0.1/24, 10.1.0.9/24"),
            ),
        ] {
            assert_eq!(told(from, to), [wanted], "{to}");
        }
        let gone = told("name = \"lan\"", "name = \"dmz\"");
        assert_eq!(gone.len(), 10);
        assert_eq!(gone[4], row("interface.lan.watch", "no", ""));
        assert_eq!(gone[5], row("interface.dmz.primary", "", "10.1.0.2/24"));
    }
}

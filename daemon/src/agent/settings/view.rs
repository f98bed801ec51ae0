//! The HA settings as one value with a type for each: what `GET` gives, and what the page
//! sends back as a whole. Made from the meaning of pair.toml; going back it becomes a list
//! of changes, so that the file keeps its comments.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::{Cable, Failback, Interface, Pair};

use super::alerts::{self, AlertSetting};
use super::change::{Change, Value};
use super::checks::{ReachSetting, ResourcesSetting};
use super::flows::FlowsSetting;
use super::logs::LogsSetting;
use super::observing::{ProbeSetting, ReportsSetting};
use super::snmp::SnmpSetting;

/// All HA settings. Addresses are texts, so that a wrong one is refused at its field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HaSettings {
    /// Whether high availability is on. Not changed by writing it: that is an operation of
    /// its own, for each direction.
    pub enabled: bool,
    /// Number of the pair; given when the nodes were paired, and not changed here.
    pub pair_id: u16,
    /// How often the nodes say that they are alive.
    pub heartbeat: Heartbeat,
    /// The interface reserved for the pair.
    pub ha_link: Link,
    /// The interfaces with addresses of the pair.
    pub interfaces: Vec<HaInterface>,
    /// Whether the role returns to the primary.
    pub failback: FailbackSetting,
    /// When a flapping interface is held back.
    pub damping: DampingSetting,
    /// Seconds of silence with carrier after a start before a node claims the role alone; never
    /// less than the detection time.
    pub boot_hold_s: f64,
    /// What is synchronised, and when.
    pub sync: SyncSetting,
    /// Which connections the passive is told of.
    #[serde(default)]
    pub flows: FlowsSetting,
    /// How logs of both nodes are kept.
    #[serde(default)]
    pub logs: LogsSetting,
    /// Whom the pair tells when something happens, by name.
    #[serde(default)]
    pub alerts: Vec<AlertSetting>,
    /// How many of the other node's reports are kept.
    #[serde(default)]
    pub reports: ReportsSetting,
    /// What is pinged to measure an outage.
    #[serde(default)]
    pub probe: ProbeSetting,
    /// Who is told of what happens by SNMP.
    #[serde(default)]
    pub snmp: SnmpSetting,
    /// How gateways are asked.
    #[serde(default)]
    pub reach: ReachSetting,
    /// From where on a node counts as short of something.
    #[serde(default)]
    pub resources: ResourcesSetting,
    /// Addresses that answer a ping while a node is not cut off.
    #[serde(default)]
    pub ping_targets: Vec<String>,
    /// Prerequisites that need not be met for turning it on, by name.
    #[serde(default)]
    pub preflight_override: Vec<String>,
}

/// See [`HaSettings::heartbeat`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HeartbeatSettings")]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Seconds between two.
    pub interval_s: f64,
    /// Missed ones until the peer counts as silent.
    pub threshold: u32,
}

/// See [`HaSettings::ha_link`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Its name, the same on both nodes.
    pub interface: String,
    /// What lies between the two ports.
    pub cable: Cable,
}

/// An interface with addresses of the pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HaInterface {
    /// Its name, the same on both nodes.
    pub name: String,
    /// Losing it makes a node unfit.
    pub watch: bool,
    /// The primary's own addresses, as `10.1.0.2/24`.
    #[serde(default)]
    pub primary: Vec<String>,
    /// The secondary's own addresses.
    #[serde(default)]
    pub secondary: Vec<String>,
    /// The addresses that follow the active node.
    #[serde(default, rename = "virtual")]
    pub virtual_ips: Vec<String>,
    /// Gateways on it that both nodes ask.
    #[serde(default)]
    pub gateways: Vec<String>,
}

/// See [`HaSettings::failback`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailbackSetting {
    /// Where the role goes when the primary is back.
    pub policy: Policy,
    /// Seconds for which the primary must have been fit; only with `primary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_s: Option<f64>,
}

/// Where the role goes when the primary is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It stays.
    Stay,
    /// To the primary.
    Primary,
}

/// See [`HaSettings::damping`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DampingSetting {
    /// Losses of carrier within the window that make it flapping.
    pub flaps: u32,
    /// Seconds in which they are counted.
    pub window_s: f64,
    /// Seconds for which it must be up without a break before it counts again.
    pub hold_s: f64,
}

/// See [`HaSettings::sync`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncSetting {
    /// Changes are synchronised as they are made.
    pub automatic: bool,
    /// Seconds for which a section must be quiet before that.
    pub debounce_s: f64,
    /// Synchronise logs and reports.
    pub logs: bool,
    /// SNMP data from both appliances.
    pub snmp: bool,
}

impl From<&Pair> for HaSettings {
    fn from(pair: &Pair) -> HaSettings {
        let (policy, hold_s) = match pair.failback {
            Failback::Stay => (Policy::Stay, None),
            Failback::Primary { hold } => (Policy::Primary, Some(hold.as_secs_f64())),
        };
        HaSettings {
            enabled: pair.enabled,
            pair_id: pair.pair_id,
            heartbeat: Heartbeat {
                interval_s: pair.interval.as_secs_f64(),
                threshold: u32::from(pair.threshold),
            },
            ha_link: Link { interface: pair.ha_link.interface.clone(), cable: pair.ha_link.cable },
            interfaces: pair.interfaces.iter().map(|one| interface(pair, one)).collect(),
            failback: FailbackSetting { policy, hold_s },
            damping: DampingSetting {
                flaps: u32::from(pair.damping.flaps),
                window_s: pair.damping.window.as_secs_f64(),
                hold_s: pair.damping.hold.as_secs_f64(),
            },
            boot_hold_s: pair.boot_hold.as_secs_f64(),
            sync: SyncSetting {
                automatic: pair.sync.automatic,
                debounce_s: pair.sync.debounce.as_secs_f64(),
                logs: pair.sync.logs,
                snmp: pair.sync.snmp,
            },
            flows: FlowsSetting::from(&pair.flows),
            logs: LogsSetting::from(&pair.logs),
            alerts: alerts_of(pair),
            reports: ReportsSetting::from(&pair.reports),
            probe: ProbeSetting::from(&pair.probe),
            snmp: SnmpSetting::from(&pair.snmp),
            reach: ReachSetting::from(&pair.reach),
            resources: ResourcesSetting::from(&pair.resources),
            ping_targets: texts(&pair.ping_targets),
            preflight_override: pair.overridden.iter().map(|one| one.name().to_owned()).collect(),
        }
    }
}

fn interface(pair: &Pair, one: &Interface) -> HaInterface {
    let gateways = pair.gateways.iter().filter(|gateway| gateway.interface == one.name);
    HaInterface {
        name: one.name.clone(),
        watch: one.watch,
        primary: texts(&one.primary),
        secondary: texts(&one.secondary),
        virtual_ips: texts(&one.virtual_ips),
        gateways: gateways.map(|gateway| gateway.address.to_string()).collect(),
    }
}

/// By name, whatever their order in the file.
fn alerts_of(pair: &Pair) -> Vec<AlertSetting> {
    let mut all: Vec<AlertSetting> = pair.alerts.iter().map(AlertSetting::from).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

impl HaSettings {
    /// Time from a peer's last beat until it counts as dead, where nothing says it sooner.
    pub fn detection(&self) -> Duration {
        let seconds = self.heartbeat.interval_s * f64::from(self.heartbeat.threshold);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
    }

    /// The changes that make these settings of `old`.
    pub fn changes_from(&self, old: &HaSettings) -> Vec<Change> {
        let mut all = Vec::new();
        let mut set = |key: &str, differs: bool, value: Value| {
            if differs {
                all.push(Change::Set { key: key.to_owned(), value });
            }
        };
        let number = Value::Number;
        let (new_beat, old_beat) = (&self.heartbeat, &old.heartbeat);
        let interval = new_beat.interval_s;
        set("heartbeat.interval", interval != old_beat.interval_s, number(interval));
        let threshold = new_beat.threshold;
        set("heartbeat.threshold", threshold != old_beat.threshold, number(threshold.into()));
        let link = &self.ha_link;
        let name = Value::Text(link.interface.clone());
        set("ha_link.interface", link.interface != old.ha_link.interface, name);
        let cable = match link.cable {
            Cable::Direct => "direct",
            Cable::Switched => "switched",
        };
        set("ha_link.cable", link.cable != old.ha_link.cable, Value::Text(cable.to_owned()));
        self.failback_from(old, &mut set);
        self.damping_from(old, &mut set);
        self.sync_from(old, &mut set);
        self.flows.changes_from(&old.flows, &mut set);
        self.logs.changes_from(&old.logs, &mut set);
        self.reports.changes_from(&old.reports, &mut set);
        self.probe.changes_from(&old.probe, &mut set);
        self.snmp.changes_from(&old.snmp, &mut set);
        self.reach.changes_from(&old.reach, &mut set);
        self.resources.changes_from(&old.resources, &mut set);
        let targets = Value::List(self.ping_targets.clone());
        set("ping.targets", self.ping_targets != old.ping_targets, targets);
        let overridden = Value::List(self.preflight_override.clone());
        let differs = self.preflight_override != old.preflight_override;
        set("preflight.override", differs, overridden);
        self.interfaces_from(old, &mut all);
        all.extend(alerts::changes_from(&self.alerts, &old.alerts));
        all
    }
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::parse_pair;

    use super::super::checks::AskSetting;
    use super::super::edit::edit;
    use super::*;

    const TEXT: &str = "pair_id = 7 # seven\n[heartbeat]\ninterval = 0.1 # fast\n[ha_link]\ninterface = \"ha0\"\n\
        [[interface]]\nname = \"lan\" # in\nprimary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n\
        [[interface]]\nname = \"wan\"\nvirtual = \"203.0.113.5/29\"\n";

    fn view(text: &str) -> HaSettings {
        let pair = parse_pair("pair.toml", text);
        HaSettings::from(&pair.unwrap_or_else(|errors| panic!("{errors}\n{text}")))
    }

    #[test]
    fn what_is_sent_back_unchanged_changes_nothing() {
        let settings = view(TEXT);
        let json = serde_json::to_string(&settings).expect("JSON");
        let back: HaSettings = serde_json::from_str(&json).expect("reads");
        assert_eq!(back.changes_from(&settings), []);
        assert!(json.contains(r#""virtual":["10.1.0.1/24"]"#), "{json}");
        assert_eq!(settings.detection(), Duration::from_millis(300));
    }

    fn other_flows() -> FlowsSetting {
        FlowsSetting {
            replicate: false,
            protocols: vec!["tcp".to_owned()],
            ignore_addresses: vec!["10.9.0.0/16".to_owned()],
            ignore_ports: vec!["53".to_owned()],
            least_age_s: 1.5,
            most: 5000,
        }
    }

    fn a_target() -> AlertSetting {
        AlertSetting {
            name: "noc".to_owned(),
            kind: "webhook".to_owned(),
            enabled: false,
            url: Some("https://alerts.example.org/".to_owned()),
            severity: "major".to_owned(),
            conditions: vec!["failover".to_owned()],
            per_hour: 9,
            ..AlertSetting::default()
        }
    }

    #[test]
    fn everything_that_is_changed_arrives_and_comments_stay() {
        let old = view(TEXT);
        let mut new = old.clone();
        new.heartbeat = Heartbeat { interval_s: 2.0, threshold: 4 };
        new.ha_link = Link { interface: "ha1".to_owned(), cable: Cable::Direct };
        new.failback = FailbackSetting { policy: Policy::Primary, hold_s: Some(30.0) };
        new.damping = DampingSetting { flaps: 5, window_s: 60.0, hold_s: 1.5 };
        new.boot_hold_s = 20.0;
        new.sync = SyncSetting { automatic: false, debounce_s: 0.0, logs: true, snmp: true };
        new.flows = other_flows();
        new.logs = LogsSetting { keep_size_mib: 64, keep_days: 7, rate_mib: 5 };
        new.alerts = vec![a_target()];
        new.reports = ReportsSetting { keep_mib: 5, keep_days: 7 };
        new.probe = ProbeSetting {
            interval_s: 0.5,
            virtual_ips: vec!["10.1.0.1".to_owned()],
            targets: vec!["10.1.0.77".to_owned()],
        };
        new.snmp = SnmpSetting {
            traps: vec!["192.0.2.9:162".to_owned()],
            informs: vec!["192.0.2.9:1162".to_owned()],
        };
        new.reach =
            ReachSetting { interval_s: 0.5, misses: 3, hold_s: 10.0, ask: AskSetting::Ping };
        new.resources = ResourcesSetting { memory: 80, disk: 81, connections: 82, temperature: 83 };
        new.ping_targets = vec!["203.0.113.1".to_owned()];
        new.preflight_override = vec!["model".to_owned(), "clock".to_owned()];
        new.interfaces.remove(1);
        new.interfaces[0].watch = true;
        new.interfaces[0].virtual_ips.push("10.1.0.9/24".to_owned());
        new.interfaces.push(HaInterface {
            name: "dmz".to_owned(),
            watch: true,
            primary: Vec::new(),
            secondary: Vec::new(),
            virtual_ips: vec!["10.3.0.1/24".to_owned()],
            gateways: vec!["10.3.0.254".to_owned()],
        });
        let text = edit(TEXT, &new.changes_from(&old)).expect("edited");
        assert_eq!(view(&text), new, "{text}");
        for comment in ["# seven", "# fast", "# in"] {
            assert!(text.contains(comment), "{text}");
        }
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused() {
        let mut json = serde_json::to_value(view(TEXT)).expect("JSON");
        json["heartbeat"]["intervall"] = 1.into();
        let error = serde_json::from_value::<HaSettings>(json).expect_err("refused");
        assert!(error.to_string().contains("intervall"), "{error}");
    }
}

//! `[reports]` and `[probe]` of the settings as values with types: what is kept and measured
//! beside the failover itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::{Probe, Reports};

use super::change::Value;

/// How many of the other node's reports are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportsSetting {
    /// Mebibytes at the most.
    pub keep_mib: u32,
    /// Days at the most.
    pub keep_days: u32,
}

impl Default for ReportsSetting {
    fn default() -> ReportsSetting {
        ReportsSetting::from(&Reports::default())
    }
}

impl From<&Reports> for ReportsSetting {
    fn from(reports: &Reports) -> ReportsSetting {
        ReportsSetting { keep_mib: reports.keep_mib, keep_days: reports.keep_days() }
    }
}

impl ReportsSetting {
    /// What makes these settings of `old`: `set` is told each key, whether it differs, and
    /// its value.
    pub(super) fn changes_from(
        &self,
        old: &ReportsSetting,
        set: &mut impl FnMut(&str, bool, Value),
    ) {
        let number = |number: u32| Value::Number(f64::from(number));
        set("reports.keep_size", self.keep_mib != old.keep_mib, number(self.keep_mib));
        set("reports.keep_days", self.keep_days != old.keep_days, number(self.keep_days));
    }
}

/// What is pinged to measure an outage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeSetting {
    /// Seconds between two pings.
    pub interval_s: f64,
    /// Virtual IPs that the passive pings.
    #[serde(default)]
    pub virtual_ips: Vec<String>,
    /// Machines that the active pings.
    #[serde(default)]
    pub targets: Vec<String>,
}

impl Default for ProbeSetting {
    fn default() -> ProbeSetting {
        ProbeSetting::from(&Probe::default())
    }
}

impl From<&Probe> for ProbeSetting {
    fn from(probe: &Probe) -> ProbeSetting {
        let texts = |all: &[std::net::IpAddr]| all.iter().map(ToString::to_string).collect();
        ProbeSetting {
            interval_s: probe.interval.as_secs_f64(),
            virtual_ips: texts(&probe.virtual_ips),
            targets: texts(&probe.targets),
        }
    }
}

impl ProbeSetting {
    /// As [`ReportsSetting::changes_from`].
    pub(super) fn changes_from(&self, old: &ProbeSetting, set: &mut impl FnMut(&str, bool, Value)) {
        let interval = self.interval_s;
        set("probe.interval", interval != old.interval_s, Value::Number(interval));
        for (key, new, old) in [
            ("probe.virtual_ips", &self.virtual_ips, &old.virtual_ips),
            ("probe.targets", &self.targets, &old.targets),
        ] {
            set(key, new != old, Value::List(new.clone()));
        }
    }
}

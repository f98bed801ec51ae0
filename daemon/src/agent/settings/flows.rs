//! `[flows]` of the settings as values with types: which connections are replicated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::{FlowProtocol, Flows};

use super::change::Value;

/// Which connections the passive is told of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowsSetting {
    /// Whether any are.
    pub replicate: bool,
    /// Only those of these protocols; empty: of all.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// None with an end in one of these networks.
    #[serde(default)]
    pub ignore_addresses: Vec<String>,
    /// None to one of these ports.
    #[serde(default)]
    pub ignore_ports: Vec<String>,
    /// Only those that have lived so many seconds.
    pub least_age_s: f64,
    /// No more than so many at a time.
    pub most: u32,
}

impl Default for FlowsSetting {
    fn default() -> FlowsSetting {
        FlowsSetting::from(&Flows::default())
    }
}

impl From<&Flows> for FlowsSetting {
    fn from(flows: &Flows) -> FlowsSetting {
        let protocols = flows.protocols.iter().copied().map(FlowProtocol::name);
        FlowsSetting {
            replicate: flows.replicate,
            protocols: protocols.map(str::to_owned).collect(),
            ignore_addresses: flows.ignore_addresses.iter().map(ToString::to_string).collect(),
            ignore_ports: flows.ignore_ports.iter().map(ToString::to_string).collect(),
            least_age_s: flows.least_age.as_secs_f64(),
            most: flows.most,
        }
    }
}

impl FlowsSetting {
    /// What makes these settings of `old`: `set` is told each key, whether it differs, and
    /// its value.
    pub(super) fn changes_from(&self, old: &FlowsSetting, set: &mut impl FnMut(&str, bool, Value)) {
        set("flows.replicate", self.replicate != old.replicate, Value::Flag(self.replicate));
        for (key, new, old) in [
            ("flows.protocols", &self.protocols, &old.protocols),
            ("flows.ignore_addresses", &self.ignore_addresses, &old.ignore_addresses),
            ("flows.ignore_ports", &self.ignore_ports, &old.ignore_ports),
        ] {
            set(key, new != old, Value::List(new.clone()));
        }
        let (age, most) = (self.least_age_s, f64::from(self.most));
        set("flows.least_age", age != old.least_age_s, Value::Number(age));
        set("flows.most", self.most != old.most, Value::Number(most));
    }
}

//! `[snmp]` of the settings as values with types: who is told of what happens by SNMP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::Snmp;

use super::change::Value;

/// Managers that are told, beside those of the administrator's own snmpd.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnmpSetting {
    /// Those that get traps, as `192.0.2.9:162`.
    #[serde(default)]
    pub traps: Vec<String>,
    /// Those that get informs, which are sent again until they are confirmed.
    #[serde(default)]
    pub informs: Vec<String>,
}

impl From<&Snmp> for SnmpSetting {
    fn from(snmp: &Snmp) -> SnmpSetting {
        SnmpSetting {
            traps: snmp.traps.iter().map(ToString::to_string).collect(),
            informs: snmp.informs.iter().map(ToString::to_string).collect(),
        }
    }
}

impl SnmpSetting {
    /// What makes these settings of `old`: `set` is told each key, whether it differs, and
    /// its value.
    pub(super) fn changes_from(&self, old: &SnmpSetting, set: &mut impl FnMut(&str, bool, Value)) {
        set("snmp.traps", self.traps != old.traps, Value::List(self.traps.clone()));
        set("snmp.informs", self.informs != old.informs, Value::List(self.informs.clone()));
    }
}

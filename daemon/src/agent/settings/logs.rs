//! `[logs]` of the settings as values with types: how logs of both nodes are kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::Logs;

use super::change::Value;

const DAY_S: u64 = 86_400;

/// How logs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsSetting {
    /// Of each node's, so many MiB on each node.
    pub keep_size_mib: u32,
    /// For so many days.
    pub keep_days: u32,
    /// No more than so many MiB a second go to the other node.
    pub rate_mib: u32,
}

impl Default for LogsSetting {
    fn default() -> LogsSetting {
        LogsSetting::from(&Logs::default())
    }
}

impl From<&Logs> for LogsSetting {
    fn from(logs: &Logs) -> LogsSetting {
        let days = logs.keep_age.as_secs() / DAY_S;
        LogsSetting {
            keep_size_mib: logs.keep_size,
            keep_days: u32::try_from(days).unwrap_or(u32::MAX),
            rate_mib: logs.rate,
        }
    }
}

impl LogsSetting {
    /// What makes these settings of `old`: `set` is told each key, whether it differs, and
    /// its value.
    pub(super) fn changes_from(&self, old: &LogsSetting, set: &mut impl FnMut(&str, bool, Value)) {
        for (key, new, old) in [
            ("logs.keep_size", self.keep_size_mib, old.keep_size_mib),
            ("logs.keep_days", self.keep_days, old.keep_days),
            ("logs.rate", self.rate_mib, old.rate_mib),
        ] {
            set(key, new != old, Value::Number(new.into()));
        }
    }
}

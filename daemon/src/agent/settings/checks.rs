//! `[reach]` and `[resources]` of the settings as values with types: how gateways are asked,
//! and from where on a node counts as short of something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::{Ask, Reach, Resources};

use super::change::Value;

/// How gateways are asked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReachSetting {
    /// Seconds between two questions to one.
    pub interval_s: f64,
    /// Unanswered ones in a row after which it counts as unreachable.
    pub misses: u32,
    /// Seconds for which it must answer without a break before it counts again.
    pub hold_s: f64,
    /// What they are asked.
    pub ask: AskSetting,
}

/// What gateways are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskSetting {
    /// Who has the address: ARP, neighbour solicitation.
    Neighbour,
    /// A ping, where both nodes have own addresses.
    Ping,
}

impl AskSetting {
    /// Its word in the file.
    pub fn word(self) -> &'static str {
        match self {
            AskSetting::Neighbour => Ask::Neighbour.word(),
            AskSetting::Ping => Ask::Ping.word(),
        }
    }
}

/// From where on a node counts as short of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcesSetting {
    /// Percent of the memory in use.
    pub memory: u32,
    /// Percent of a file system in use.
    pub disk: u32,
    /// Percent of the table of connections in use.
    pub connections: u32,
    /// Degrees Celsius.
    pub temperature: u32,
}

impl Default for ReachSetting {
    fn default() -> ReachSetting {
        ReachSetting::from(&Reach::default())
    }
}

impl Default for ResourcesSetting {
    fn default() -> ResourcesSetting {
        ResourcesSetting::from(&Resources::default())
    }
}

impl From<&Reach> for ReachSetting {
    fn from(reach: &Reach) -> ReachSetting {
        ReachSetting {
            interval_s: reach.interval.as_secs_f64(),
            misses: reach.misses.into(),
            hold_s: reach.hold.as_secs_f64(),
            ask: match reach.ask {
                Ask::Neighbour => AskSetting::Neighbour,
                Ask::Ping => AskSetting::Ping,
            },
        }
    }
}

impl From<&Resources> for ResourcesSetting {
    fn from(limits: &Resources) -> ResourcesSetting {
        ResourcesSetting {
            memory: limits.memory_percent.into(),
            disk: limits.disk_percent.into(),
            connections: limits.connections_percent.into(),
            temperature: limits.temperature_celsius.into(),
        }
    }
}

impl ReachSetting {
    /// What makes these of `old`.
    pub(super) fn changes_from(&self, old: &ReachSetting, set: &mut impl FnMut(&str, bool, Value)) {
        let number = Value::Number;
        set("reach.interval", self.interval_s != old.interval_s, number(self.interval_s));
        set("reach.misses", self.misses != old.misses, number(self.misses.into()));
        set("reach.hold", self.hold_s != old.hold_s, number(self.hold_s));
        set("reach.ask", self.ask != old.ask, Value::Text(self.ask.word().to_owned()));
    }
}

impl ResourcesSetting {
    /// What makes these of `old`.
    pub(super) fn changes_from(
        &self,
        old: &ResourcesSetting,
        set: &mut impl FnMut(&str, bool, Value),
    ) {
        for (key, new, old) in [
            ("resources.memory", self.memory, old.memory),
            ("resources.disk", self.disk, old.disk),
            ("resources.connections", self.connections, old.connections),
            ("resources.temperature", self.temperature, old.temperature),
        ] {
            set(key, new != old, Value::Number(new.into()));
        }
    }
}

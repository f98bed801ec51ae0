//! `[resources]` of `pair.toml`: from where on a node counts as short of something. The agent
//! looks; no guard heeds it.

use serde::{Deserialize, Serialize};

use super::document::Section;
use super::errors::Report;
use super::keys::{Absent, Key};
use super::kinds::Whole;

/// The limits; each is the same on both nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Percent of the memory in use.
    pub memory_percent: u8,
    /// Percent of a file system in use.
    pub disk_percent: u8,
    /// Percent of the kernel's table of connections in use.
    pub connections_percent: u8,
    /// Degrees Celsius.
    pub temperature_celsius: u8,
}

impl Default for Resources {
    fn default() -> Resources {
        Resources {
            memory_percent: 90,
            disk_percent: 90,
            connections_percent: 85,
            temperature_celsius: 90,
        }
    }
}

const PERCENT: Whole<u8> = Whole { min: 1, max: 100 };

pub(super) static MEMORY: Key<Whole<u8>> = Key {
    section: "resources",
    name: "memory",
    kind: PERCENT,
    absent: Absent::Default("90"),
    about: "Percent of a node's memory in use from which on it counts as low. What the kernel would give back at once does not count as in use.",
};
pub(super) static DISK: Key<Whole<u8>> = Key {
    section: "resources",
    name: "disk",
    kind: PERCENT,
    absent: Absent::Default("90"),
    about: "Percent in use from which on a file system counts as full: that of `/`, and those of twinwall's state and of the logs.",
};
pub(super) static CONNECTIONS: Key<Whole<u8>> = Key {
    section: "resources",
    name: "connections",
    kind: PERCENT,
    absent: Absent::Default("85"),
    about: "Percent of the kernel's table of connections in use from which on it counts as full.",
};
pub(super) static TEMPERATURE: Key<Whole<u8>> = Key {
    section: "resources",
    name: "temperature",
    kind: Whole { min: 30, max: 150 },
    absent: Absent::Default("90"),
    about: "Degrees Celsius from which on a sensor counts as hot, where the machine has one. A sensor that names a lower critical temperature of its own counts from that on.",
};

/// Reads the section.
pub(super) fn read(section: &Section<'_>, report: &mut Report<'_>) -> Option<Resources> {
    let memory = section.get(&MEMORY, report);
    let disk = section.get(&DISK, report);
    let connections = section.get(&CONNECTIONS, report);
    let temperature = section.get(&TEMPERATURE, report);
    Some(Resources {
        memory_percent: memory?.value,
        disk_percent: disk?.value,
        connections_percent: connections?.value,
        temperature_celsius: temperature?.value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_pair;

    const REST: &str = "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n";

    #[test]
    fn limits_are_read_and_concern_no_guard() {
        let plain = parse_pair("pair.toml", REST).expect("right");
        assert_eq!(plain.resources, Resources::default());
        let text = format!(
            "{REST}[resources]\nmemory = 80\ndisk = 70\nconnections = 60\ntemperature = 75\n"
        );
        let pair = parse_pair("pair.toml", &text).expect("right");
        let wanted = Resources {
            memory_percent: 80,
            disk_percent: 70,
            connections_percent: 60,
            temperature_celsius: 75,
        };
        assert_eq!((pair.resources, pair.digest()), (wanted, plain.digest()));
        for wrong in ["memory = 0", "disk = 101", "temperature = 20"] {
            let text = format!("{REST}[resources]\n{wrong}\n");
            let errors = parse_pair("pair.toml", &text).expect_err(wrong).to_string();
            assert!(errors.contains("out of range"), "{wrong}: {errors}");
        }
    }
}

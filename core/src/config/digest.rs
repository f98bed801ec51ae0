//! What two `pair.toml` have in common and where they differ: the digest that
//! every beat carries, and the list of changes that a reload brings.

use std::fmt::Write;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Cable, Failback, Interface, Pair, Prefix};

/// One value that differs between two `pair.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The key, as in the file; an interface is named, `interface "lan".watch`.
    pub key: String,
    /// The value before.
    pub old: String,
    /// The value after.
    pub new: String,
    /// Whether the running guard can take it over; else it must be restarted.
    pub live: bool,
}

/// What a reload would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The values that differ, in the order of the file.
    pub changed: Vec<Changed>,
}

impl Change {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// Whether the running guard can take over everything.
    pub fn is_live(&self) -> bool {
        self.changed.iter().all(|changed| changed.live)
    }
}

/// Keys whose change needs a restart of the guard: the session keys hang on the
/// one, and the path by which a change reaches the peer on the other.
const NOT_LIVE: [&str; 2] = ["pair_id", "ha_link.interface"];

impl Pair {
    /// A number for the meaning of the settings, the same on two nodes with equal
    /// settings: the first eight bytes of the SHA-256 of [`values`](Pair::values),
    /// one to a line. The order of addresses does not count; that of interfaces
    /// does, because it says which of more than fifteen carry heartbeats. `enabled`,
    /// `[sync]`, `[flows]`, `[logs]`, `[alerts]`, `[reports]`, `[probe]` and `[preflight]` do not
    /// count: no running guard heeds them.
    pub fn digest(&self) -> u64 {
        let mut text = String::new();
        for (key, value) in self.values() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key} = {value}");
        }
        let hash = Sha256::digest(text.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        u64::from_be_bytes(first)
    }

    /// What differs in `new`.
    pub fn change(&self, new: &Pair) -> Change {
        let (before, after) = (self.values(), new.values());
        let value_in = |values: &[(String, String)], key: &str| {
            values
                .iter()
                .find(|(other, _)| other == key)
                .map_or("absent".to_owned(), |(_, value)| value.clone())
        };
        let added = after.iter().filter(|(key, _)| !before.iter().any(|(other, _)| other == key));
        let keys = before.iter().chain(added).map(|(key, _)| key);
        let changed = keys.filter_map(|key| {
            let (old, new) = (value_in(&before, key), value_in(&after, key));
            let live = !NOT_LIVE.contains(&key.as_str());
            (old != new).then(|| Changed { key: key.clone(), old, new, live })
        });
        Change { changed: changed.collect() }
    }

    /// Every setting as key and value in one canonical form.
    fn values(&self) -> Vec<(String, String)> {
        let cable = match self.ha_link.cable {
            Cable::Direct => "direct",
            Cable::Switched => "switched",
        };
        let failback = match self.failback {
            Failback::Stay => "stay".to_owned(),
            Failback::Primary { hold } => format!("primary after {} s", hold.as_secs_f64()),
        };
        let seconds = |span: std::time::Duration| format!("{} s", span.as_secs_f64());
        let mut all: Vec<(String, String)> = [
            ("pair_id", self.pair_id.to_string()),
            ("heartbeat.interval", seconds(self.interval)),
            ("heartbeat.threshold", self.threshold.to_string()),
            ("ha_link.interface", self.ha_link.interface.clone()),
            ("ha_link.cable", cable.to_owned()),
            ("failback", failback),
            ("boot.hold", seconds(self.boot_hold)),
            ("damping.flaps", self.damping.flaps.to_string()),
            ("damping.window", seconds(self.damping.window)),
            ("damping.hold", seconds(self.damping.hold)),
            ("readiness.require", sorted(&self.required_checks)),
            ("ping.targets", sorted::<IpAddr>(&self.ping_targets)),
            (
                "interfaces",
                self.interfaces.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", "),
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        all.extend(self.interfaces.iter().flat_map(interface_values));
        all
    }
}

fn interface_values(interface: &Interface) -> [(String, String); 4] {
    [
        ("watch", interface.watch.to_string()),
        ("primary", sorted::<Prefix>(&interface.primary)),
        ("secondary", sorted::<Prefix>(&interface.secondary)),
        ("virtual", sorted::<Prefix>(&interface.virtual_ips)),
    ]
    .map(|(key, value)| (format!("interface \"{}\".{key}", interface.name), value))
}

fn sorted<T: Ord + ToString>(values: &[T]) -> String {
    let mut values: Vec<&T> = values.iter().collect();
    values.sort();
    values.iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}

//! The table of all keys of `node.toml` and `pair.toml`: type, range, default
//! and meaning, each said once. The readers take their defaults and limits from
//! here, and `reference` writes the documentation from it.

use std::time::Duration;

use crate::ids::{Designation, MAX_TARGETS};

use super::gateways::{GATEWAYS, REACH_ASK, REACH_HOLD, REACH_INTERVAL, REACH_MISSES};
use super::kinds::{
    Addresses, CheckNames, Choice, InterfaceName, Kind, Listens, PathBelowRoot, Prefixes, Seconds,
    Text, Toggle, Whole,
};
use super::preflight::Prerequisites;
use super::resources::{CONNECTIONS, DISK, MEMORY, TEMPERATURE};
use super::{Cable, GateMode, alerts::keys as alerts, flows, logs, probe, reports, snmp};

/// Checks that `readiness.require` may name.
pub const MAX_REQUIRED: usize = 16;

/// What holds when a key is absent.
pub enum Absent {
    /// It must be there; the text shows how it may look.
    Required(&'static str),
    /// This TOML value.
    Default(&'static str),
    /// No value; the text says what that means.
    Nothing(&'static str),
}

/// One key.
pub struct Key<K> {
    /// Header of the section in which it stands, without its outer brackets (a section that
    /// may come many times keeps its inner ones); empty for the top of the file.
    pub section: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// What it may hold.
    pub kind: K,
    /// What holds without it.
    pub absent: Absent,
    /// Its meaning in a sentence.
    pub about: &'static str,
}

/// What the reference needs to know of any key.
pub trait Described: Sync {
    /// See [`Key::section`].
    fn section(&self) -> &'static str;
    /// See [`Key::name`].
    fn name(&self) -> &'static str;
    /// What may stand there, in words.
    fn describe(&self) -> String;
    /// What holds without it.
    fn absent(&self) -> &Absent;
    /// Its meaning in a sentence.
    fn about(&self) -> &'static str;
}

impl<K: Kind + Sync> Described for Key<K> {
    fn section(&self) -> &'static str {
        self.section
    }
    fn name(&self) -> &'static str {
        self.name
    }
    fn describe(&self) -> String {
        self.kind.describe()
    }
    fn absent(&self) -> &Absent {
        &self.absent
    }
    fn about(&self) -> &'static str {
        self.about
    }
}

/// What the operator wrote for `failback.policy`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FailbackWord {
    Stay,
    Primary,
}

/// Addresses on which the console listens.
const MAX_LISTENS: usize = 16;
/// Longest name of a node in bytes.
const MAX_NODE_NAME: usize = 64;
const DAY: Duration = Duration::from_secs(86_400);

pub(super) static NODE_NAME: Key<Text> = Key {
    section: "",
    name: "name",
    kind: Text { max_bytes: MAX_NODE_NAME },
    absent: Absent::Required("\"gw-a\""),
    about: "Name of this node for people.",
};
pub(super) static DESIGNATION: Key<Choice<Designation>> = Key {
    section: "",
    name: "designation",
    kind: Choice(&[("primary", Designation::Primary), ("secondary", Designation::Secondary)]),
    absent: Absent::Required("\"primary\""),
    about: "This node's fixed part in the pair. The two nodes must differ.",
};
pub(super) static KEY_FILE: Key<PathBelowRoot> = Key {
    section: "",
    name: "key_file",
    kind: PathBelowRoot,
    absent: Absent::Default("\"etc/twinwall/pair.key\""),
    about: "File with the key of the heartbeats, the same on both nodes; `twinwall keygen` makes one.",
};
pub(super) static GATE: Key<Choice<GateMode>> = Key {
    section: "",
    name: "gate",
    kind: Choice(&[("auto", GateMode::Auto), ("plain", GateMode::Plain), ("off", GateMode::Off)]),
    absent: Absent::Default("\"auto\""),
    about: "How this node's kernel keeps it silent without a lease. `auto`: the best that the kernel can do. `plain`: a table that is watched and restored, as on kernels before 6.9. `off`: addresses are the only gate; a hung node goes on answering.",
};
pub(super) static REALTIME: Key<Toggle> = Key {
    section: "",
    name: "realtime",
    kind: Toggle,
    absent: Absent::Default("true"),
    about: "Ask for realtime scheduling and locked memory, so that a busy machine still beats in time.",
};

pub(super) static WEB_LISTEN: Key<Listens> = Key {
    section: "web",
    name: "listen",
    kind: Listens { max: MAX_LISTENS },
    absent: Absent::Nothing("every own address, port 8443"),
    about: "Where the console listens, as `10.1.0.2:8443` or `[2001:db8::2]:8443`; `[::]:8443` stands for every address. Never on the HA link. With this section `twinwall run` starts the console too; its unit starts it in any case.",
};

pub(super) static PAIR_ID: Key<Whole<u16>> = Key {
    section: "",
    name: "pair_id",
    kind: Whole { min: 1, max: 65_535 },
    absent: Absent::Required("1"),
    about: "Number of the pair, unique among the pairs that share a network segment.",
};
pub(super) static ENABLED: Key<Toggle> = Key {
    section: "",
    name: "enabled",
    kind: Toggle,
    absent: Absent::Default("true"),
    about: "Whether high availability is on: the guard runs only while it is. `twinwall ha enable` and `disable` change it on both nodes, in the order that loses no packet.",
};
pub(super) static INTERVAL: Key<Seconds> = Key {
    section: "heartbeat",
    name: "interval",
    kind: Seconds { min: Duration::from_millis(10), max: Duration::from_secs(60) },
    absent: Absent::Default("1.0"),
    about: "How often each node says that it is alive.",
};
pub(super) static THRESHOLD: Key<Whole<u8>> = Key {
    section: "heartbeat",
    name: "threshold",
    kind: Whole { min: 2, max: 255 },
    absent: Absent::Default("3"),
    about: "Missed heartbeats after which the peer counts as silent. Detection time = threshold x interval; (threshold - 1) x interval must be at least 20 ms.",
};
pub(super) static HA_INTERFACE: Key<InterfaceName> = Key {
    section: "ha_link",
    name: "interface",
    kind: InterfaceName,
    absent: Absent::Required("\"ha0\""),
    about: "The interface reserved for the pair, the same name on both nodes. It is never watched and carries no VIP.",
};
pub(super) static CABLE: Key<Choice<Cable>> = Key {
    section: "ha_link",
    name: "cable",
    kind: Choice(&[("direct", Cable::Direct), ("switched", Cable::Switched)]),
    absent: Absent::Default("\"switched\""),
    about: "What lies between the two HA ports. `direct`: one cable, so that a lost carrier is evidence of a dead peer and failover takes milliseconds. `switched`: anything else; the safe choice when in doubt.",
};
pub(super) static POLICY: Key<Choice<FailbackWord>> = Key {
    section: "failback",
    name: "policy",
    kind: Choice(&[("stay", FailbackWord::Stay), ("primary", FailbackWord::Primary)]),
    absent: Absent::Default("\"stay\""),
    about: "`stay`: the role stays where it is. `primary`: it returns to the primary once that one has been fit for `hold`.",
};
pub(super) static FAILBACK_HOLD: Key<Seconds> = Key {
    section: "failback",
    name: "hold",
    kind: Seconds { min: Duration::ZERO, max: DAY },
    absent: Absent::Default("60"),
    about: "How long the primary must have been fit before the role returns.",
};
pub(super) static BOOT_HOLD: Key<Seconds> = Key {
    section: "boot",
    name: "hold",
    kind: Seconds { min: Duration::ZERO, max: Duration::from_secs(3600) },
    absent: Absent::Default("5"),
    about: "Silence with carrier after a start before a node claims the role alone; never less than the detection time. Raise it where switches hold ports back (spanning tree).",
};
pub(super) static FLAPS: Key<Whole<u8>> = Key {
    section: "damping",
    name: "flaps",
    kind: Whole { min: 1, max: 255 },
    absent: Absent::Default("3"),
    about: "Losses of carrier within `window` after which an interface is held back as unfit.",
};
pub(super) static WINDOW: Key<Seconds> = Key {
    section: "damping",
    name: "window",
    kind: Seconds { min: Duration::from_secs(1), max: DAY },
    absent: Absent::Default("900"),
    about: "The time in which losses are counted.",
};
pub(super) static DAMPING_HOLD: Key<Seconds> = Key {
    section: "damping",
    name: "hold",
    kind: Seconds { min: Duration::ZERO, max: DAY },
    absent: Absent::Default("60"),
    about: "A held interface counts again after it was up this long without a break.",
};
pub(super) static REQUIRE: Key<CheckNames> = Key {
    section: "readiness",
    name: "require",
    kind: CheckNames { max: MAX_REQUIRED },
    absent: Absent::Default("[]"),
    about: "Checks that must have said yes before a node may take over, as `synchronised`.",
};
pub(super) static TARGETS: Key<Addresses> = Key {
    section: "ping",
    name: "targets",
    kind: Addresses { max: MAX_TARGETS },
    absent: Absent::Default("[]"),
    about: "Addresses that answer a ping as long as a node is not cut off, as the gateway of the provider. With the peer silent, only a node that hears one of them serves. Where (threshold - 1) x interval is under 130 ms, a node that is cut off right after an answer may go on for some 100 ms beside its peer.",
};
pub(super) static SYNC_AUTOMATIC: Key<Toggle> = Key {
    section: "sync",
    name: "automatic",
    kind: Toggle,
    absent: Absent::Default("true"),
    about: "Whether changes on the active node are synchronised by themselves, as they are made. Without it the nodes count as out of sync until somebody orders it.",
};
pub(super) static SYNC_DEBOUNCE: Key<Seconds> = Key {
    section: "sync",
    name: "debounce",
    kind: Seconds { min: Duration::ZERO, max: Duration::from_secs(3600) },
    absent: Absent::Default("0.5"),
    about: "How long a section must be quiet before it is synchronised by itself, so that what is changed in several steps travels once.",
};
pub(super) static SYNC_LOGS: Key<Toggle> = Key {
    section: "sync",
    name: "logs",
    kind: Toggle,
    absent: Absent::Default("false"),
    about: "Synchronise logs and reports: each node holds and shows those of both. Which logs those are says the appliance profile.",
};
pub(super) static SYNC_SNMP: Key<Toggle> = Key {
    section: "sync",
    name: "snmp",
    kind: Toggle,
    absent: Absent::Default("false"),
    about: "SNMP data from both appliances: who polls one node, or a virtual IP, gets the data of both. twinwall adds a file of its own to snmpd's configuration, and takes it back when this is turned off.",
};
pub(super) static OVERRIDE: Key<Prerequisites> = Key {
    section: "preflight",
    name: "override",
    kind: Prerequisites,
    absent: Absent::Default("[]"),
    about: "Prerequisites that need not be met for high availability to be turned on. For lab and virtual machines: two nodes that differ may not carry the same traffic. `twinwall preflight` shows all.",
};
pub(super) static INTERFACE_NAME: Key<InterfaceName> = Key {
    section: REPEATED,
    name: "name",
    kind: InterfaceName,
    absent: Absent::Required("\"lan\""),
    about: "Name of the interface, the same on both nodes.",
};
pub(super) static WATCH: Key<Toggle> = Key {
    section: REPEATED,
    name: "watch",
    kind: Toggle,
    absent: Absent::Default("false"),
    about: "Losing this interface makes a node unfit to be active. Heartbeats travel over the first fifteen watched interfaces too.",
};
pub(super) static PRIMARY: Key<Prefixes> = Key {
    section: REPEATED,
    name: "primary",
    kind: Prefixes,
    absent: Absent::Default("[]"),
    about: "The primary node's own address, or several.",
};
pub(super) static SECONDARY: Key<Prefixes> = Key {
    section: REPEATED,
    name: "secondary",
    kind: Prefixes,
    absent: Absent::Default("[]"),
    about: "The secondary node's own address, or several.",
};
pub(super) static VIRTUAL: Key<Prefixes> = Key {
    section: REPEATED,
    name: "virtual",
    kind: Prefixes,
    absent: Absent::Default("[]"),
    about: "The addresses that follow the active node. A length of /32 or /128 is possible inside the subnet of the own addresses.",
};

/// The keys of `node.toml`.
pub(super) static NODE: &[&dyn Described] =
    &[&NODE_NAME, &DESIGNATION, &KEY_FILE, &GATE, &REALTIME, &WEB_LISTEN];

/// The keys of `pair.toml`, section by section.
pub(super) static PAIR: &[&dyn Described] = &[
    &PAIR_ID,
    &ENABLED,
    &INTERVAL,
    &THRESHOLD,
    &HA_INTERFACE,
    &CABLE,
    &POLICY,
    &FAILBACK_HOLD,
    &BOOT_HOLD,
    &FLAPS,
    &WINDOW,
    &DAMPING_HOLD,
    &REQUIRE,
    &TARGETS,
    &SYNC_AUTOMATIC,
    &SYNC_DEBOUNCE,
    &SYNC_LOGS,
    &SYNC_SNMP,
    &flows::REPLICATE,
    &flows::PROTOCOLS,
    &flows::IGNORE_ADDRESSES,
    &flows::IGNORE_PORTS,
    &flows::LEAST_AGE,
    &flows::MOST,
    &logs::KEEP_SIZE,
    &logs::KEEP_DAYS,
    &logs::RATE,
    &reports::KEEP_SIZE,
    &reports::KEEP_DAYS,
    &probe::VIRTUAL_IPS,
    &probe::TARGETS,
    &probe::INTERVAL,
    &snmp::TRAPS,
    &snmp::INFORMS,
    &REACH_INTERVAL,
    &REACH_MISSES,
    &REACH_HOLD,
    &REACH_ASK,
    &MEMORY,
    &DISK,
    &CONNECTIONS,
    &TEMPERATURE,
    &OVERRIDE,
    &alerts::KIND,
    &alerts::ENABLED,
    &alerts::URL,
    &alerts::SERVER,
    &alerts::TRANSPORT,
    &alerts::USER,
    &alerts::FROM,
    &alerts::TO,
    &alerts::FACILITY,
    &alerts::SEVERITY,
    &alerts::CONDITIONS,
    &alerts::PER_HOUR,
    &alerts::CA_FILE,
    &INTERFACE_NAME,
    &WATCH,
    &PRIMARY,
    &SECONDARY,
    &VIRTUAL,
    &GATEWAYS,
];

/// The section that `pair.toml` may hold many times, as it is written in its header.
pub(super) const REPEATED: &str = "[interface]";

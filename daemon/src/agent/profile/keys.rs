//! The table of all keys of a profile: type, limits, default and meaning, each said once.
//! The reader takes them from here, and the reference is made from it.

use std::time::Duration;

use twinwall_core::config::form::{Absent, Choice, Described, Key, Seconds, Text, Whole};

use super::kept;
use super::kinds::{
    AbsolutePath, AbsolutePaths, Expression, Mode, Name, Names, PathPatterns, Words,
};
use super::logs::{FORMATS, Units};
use super::source::DmiField;
use crate::agent::logs::parse::Format;

/// Longest name of a profile in bytes.
const MAX_NAME: usize = 64;
/// How long a command may take: enough for a mail gateway's start, and less than anybody
/// waits for an answer.
const LIMIT: Seconds = Seconds { min: Duration::from_millis(100), max: Duration::from_secs(600) };
/// Headers of the sections, as in the table of keys.
pub(super) const SOURCE: &str = "appliance.model|serial|firmware|registration";
pub(super) const SECTION: &str = "section.NAME";
/// A list of tasks below a section; the same keys for `validate`, `apply` and `health`.
pub(super) const TASK: &str = "[section.NAME.validate|apply|health]";
const OWNER: &str = "[section.NAME.owner]";
const SECRET: &str = "[section.NAME.secret]";
const SERVICE: &str = "[section.NAME.service]";
const LOG_SOURCE: &str = "[logs.source]";

pub(super) static FORMAT: Key<Whole<u8>> = Key {
    section: "",
    name: "format",
    kind: Whole { min: 1, max: 1 },
    absent: Absent::Required("1"),
    about: "Version of this file's format.",
};
pub(super) static NAME: Key<Text> = Key {
    section: "",
    name: "name",
    kind: Text { max_bytes: MAX_NAME },
    absent: Absent::Required("\"Debian gateway\""),
    about: "Name of the profile for people.",
};
pub(super) static NODE_LOCAL_EVERYWHERE: Key<PathPatterns> = Key {
    section: "",
    name: "node_local",
    kind: PathPatterns,
    absent: Absent::Default("[]"),
    about: "What stays on its node in every section.",
};

pub(super) static DMI: Key<Choice<DmiField>> = Key {
    section: SOURCE,
    name: "dmi",
    kind: Choice(&[
        ("product_name", DmiField::ProductName),
        ("product_version", DmiField::ProductVersion),
        ("product_serial", DmiField::ProductSerial),
        ("product_uuid", DmiField::ProductUuid),
        ("product_sku", DmiField::ProductSku),
        ("board_name", DmiField::BoardName),
        ("board_serial", DmiField::BoardSerial),
        ("chassis_serial", DmiField::ChassisSerial),
        ("bios_version", DmiField::BiosVersion),
    ]),
    absent: Absent::Nothing("not asked"),
    about: "What the hardware says of itself.",
};
pub(super) static OS_RELEASE: Key<Name> = Key {
    section: SOURCE,
    name: "os_release",
    kind: Name,
    absent: Absent::Nothing("not asked"),
    about: "A key of os-release, as `VERSION_ID`.",
};
pub(super) static FILE: Key<AbsolutePath> = Key {
    section: SOURCE,
    name: "file",
    kind: AbsolutePath,
    absent: Absent::Nothing("not asked"),
    about: "A file; its first line, unless `match` says otherwise.",
};
pub(super) static MATCH: Key<Expression> = Key {
    section: SOURCE,
    name: "match",
    kind: Expression,
    absent: Absent::Nothing("the first line"),
    about: "What to look for in `file`: the first group of the expression, or all of it.",
};
pub(super) static COMMAND: Key<Words> = Key {
    section: SOURCE,
    name: "command",
    kind: Words,
    absent: Absent::Nothing("not asked"),
    about: "A command; the first line that it prints.",
};
pub(super) static FACT_LIMIT: Key<Seconds> = Key {
    section: SOURCE,
    name: "limit",
    kind: LIMIT,
    absent: Absent::Default("5"),
    about: "How long `command` may take, in seconds.",
};

pub(super) static PATHS: Key<PathPatterns> = Key {
    section: SECTION,
    name: "paths",
    kind: PathPatterns,
    absent: Absent::Default("[]"),
    about: "What belongs to the section. A path may belong to one section only.",
};
pub(super) static EXCLUDE: Key<PathPatterns> = Key {
    section: SECTION,
    name: "exclude",
    kind: PathPatterns,
    absent: Absent::Default("[]"),
    about: "What does not belong to it although `paths` match; another section may have it.",
};
pub(super) static NODE_LOCAL: Key<PathPatterns> = Key {
    section: SECTION,
    name: "node_local",
    kind: PathPatterns,
    absent: Absent::Default("[]"),
    about: "What belongs to it but stays on its node: never sent, overwritten or deleted.",
};
pub(super) static TRANSLATE: Key<PathPatterns> = Key {
    section: SECTION,
    name: "translate",
    kind: PathPatterns,
    absent: Absent::Default("[]"),
    about: "Files in which the sender's own addresses on HA interfaces become the receiver's.",
};
pub(super) static GROUP: Key<Name> = Key {
    section: SECTION,
    name: "group",
    kind: Name,
    absent: Absent::Nothing("alone"),
    about: "Sections with the same word here are validated, switched and applied as one.",
};

pub(super) static OWNER_FILES: Key<PathPatterns> = Key {
    section: OWNER,
    name: "files",
    kind: PathPatterns,
    absent: Absent::Required("[\"/etc/swanctl/private/**\"]"),
    about: "The files and directories; the first entry that matches holds.",
};
pub(super) static USER: Key<Name> = Key {
    section: OWNER,
    name: "user",
    kind: Name,
    absent: Absent::Nothing("the sender's"),
    about: "Their user on both nodes.",
};
pub(super) static USER_GROUP: Key<Name> = Key {
    section: OWNER,
    name: "group",
    kind: Name,
    absent: Absent::Nothing("the sender's"),
    about: "Their group on both nodes.",
};
pub(super) static MODE: Key<Mode> = Key {
    section: OWNER,
    name: "mode",
    kind: Mode,
    absent: Absent::Nothing("the sender's"),
    about: "Permission bits of the files.",
};
pub(super) static DIRECTORY_MODE: Key<Mode> = Key {
    section: OWNER,
    name: "directory_mode",
    kind: Mode,
    absent: Absent::Nothing("the sender's"),
    about: "Permission bits of the directories.",
};

pub(super) static SECRET_FILES: Key<PathPatterns> = Key {
    section: SECRET,
    name: "files",
    kind: PathPatterns,
    absent: Absent::Required("[\"/etc/wireguard/*.conf\"]"),
    about: "Files with secrets in them.",
};
pub(super) static MASK: Key<Expression> = Key {
    section: SECRET,
    name: "mask",
    kind: Expression,
    absent: Absent::Nothing("the whole file"),
    about: "What is hidden when a difference is shown: the first group of the expression, or all of it.",
};

pub(super) static RUN: Key<Words> = Key {
    section: TASK,
    name: "run",
    kind: Words,
    absent: Absent::Required("[\"/usr/sbin/sshd\", \"-t\"]"),
    about: "The command. It must succeed; what it prints is shown when it does not.",
};
pub(super) static TASK_LIMIT: Key<Seconds> = Key {
    section: TASK,
    name: "limit",
    kind: LIMIT,
    absent: Absent::Default("30"),
    about: "How long it may take, in seconds.",
};
pub(super) static TASK_PROGRAM: Key<AbsolutePath> = Key {
    section: TASK,
    name: "program",
    kind: AbsolutePath,
    absent: Absent::Nothing("the first word of `run`"),
    about: "The command is left out on a machine without this program.",
};
pub(super) static NEEDS: Key<AbsolutePaths> = Key {
    section: TASK,
    name: "needs",
    kind: AbsolutePaths,
    absent: Absent::Default("[]"),
    about: "The command is left out while one of these files is not there.",
};

pub(super) static SERVICE_NAME: Key<Name> = Key {
    section: SERVICE,
    name: "name",
    kind: Name,
    absent: Absent::Required("\"dnsmasq\""),
    about: "Its name for people and for `after`, unique in the profile.",
};
pub(super) static UNIT: Key<Name> = Key {
    section: SERVICE,
    name: "unit",
    kind: Name,
    absent: Absent::Required("\"dnsmasq.service\""),
    about: "Its systemd unit.",
};
pub(super) static PROGRAM: Key<AbsolutePath> = Key {
    section: SERVICE,
    name: "program",
    kind: AbsolutePath,
    absent: Absent::Required("\"/usr/sbin/dnsmasq\""),
    about: "Its program; without it on the machine there is nothing to start.",
};
pub(super) static AFTER: Key<Names> = Key {
    section: SERVICE,
    name: "after",
    kind: Names,
    absent: Absent::Default("[]"),
    about: "Services that are started before it and stopped after it.",
};
pub(super) static START: Key<Words> = Key {
    section: SERVICE,
    name: "start",
    kind: Words,
    absent: Absent::Nothing("`systemctl start UNIT`"),
    about: "Starts it when the node becomes active.",
};
pub(super) static START_LIMIT: Key<Seconds> = Key {
    section: SERVICE,
    name: "start_limit",
    kind: LIMIT,
    absent: Absent::Default("30"),
    about: "How long starting may take, in seconds.",
};
pub(super) static STOP: Key<Words> = Key {
    section: SERVICE,
    name: "stop",
    kind: Words,
    absent: Absent::Nothing("`systemctl stop UNIT`"),
    about: "Stops it when the node is no longer active.",
};
pub(super) static STOP_LIMIT: Key<Seconds> = Key {
    section: SERVICE,
    name: "stop_limit",
    kind: LIMIT,
    absent: Absent::Default("30"),
    about: "How long stopping may take, in seconds.",
};
pub(super) static CHECK: Key<Words> = Key {
    section: SERVICE,
    name: "check",
    kind: Words,
    absent: Absent::Nothing("`systemctl is-active --quiet UNIT`"),
    about: "Succeeds while it works.",
};
pub(super) static CHECK_LIMIT: Key<Seconds> = Key {
    section: SERVICE,
    name: "check_limit",
    kind: LIMIT,
    absent: Absent::Default("5"),
    about: "How long the check may take, in seconds.",
};

pub(super) static LOG_NAME: Key<Name> = Key {
    section: LOG_SOURCE,
    name: "name",
    kind: Name,
    absent: Absent::Required("\"dhcp\""),
    about: "Its name, unique in the profile; searches and pages use it.",
};
pub(super) static LOG_FILES: Key<PathPatterns> = Key {
    section: LOG_SOURCE,
    name: "files",
    kind: PathPatterns,
    absent: Absent::Default("[]"),
    about: "Log files, without those that they become by rotation: these are found by themselves, beside the file.",
};
pub(super) static LOG_UNITS: Key<Units> = Key {
    section: LOG_SOURCE,
    name: "units",
    kind: Units,
    absent: Absent::Default("[]"),
    about: "Units whose messages in the system's journal belong to it.",
};
pub(super) static LOG_FORMAT: Key<Choice<Option<Format>>> = Key {
    section: LOG_SOURCE,
    name: "format",
    kind: Choice(&FORMATS),
    absent: Absent::Default("\"lines\""),
    about: "How its lines are read: what is recognised in them is shown and searched by field.",
};

/// All keys, section by section.
pub(super) static PROFILE: &[&dyn Described] = &[
    &FORMAT,
    &NAME,
    &NODE_LOCAL_EVERYWHERE,
    &DMI,
    &OS_RELEASE,
    &FILE,
    &MATCH,
    &COMMAND,
    &FACT_LIMIT,
    &PATHS,
    &EXCLUDE,
    &NODE_LOCAL,
    &TRANSLATE,
    &GROUP,
    &OWNER_FILES,
    &USER,
    &USER_GROUP,
    &MODE,
    &DIRECTORY_MODE,
    &SECRET_FILES,
    &MASK,
    &RUN,
    &TASK_LIMIT,
    &TASK_PROGRAM,
    &NEEDS,
    &SERVICE_NAME,
    &UNIT,
    &PROGRAM,
    &AFTER,
    &START,
    &START_LIMIT,
    &STOP,
    &STOP_LIMIT,
    &CHECK,
    &CHECK_LIMIT,
    &LOG_NAME,
    &LOG_FILES,
    &LOG_UNITS,
    &LOG_FORMAT,
    &kept::REPORTS_NAME,
    &kept::REPORTS_PATHS,
    &kept::LEASES_NAME,
    &kept::LEASES_FORMAT,
    &kept::LEASES_PATH,
    &kept::LEASES_SERVICE,
];

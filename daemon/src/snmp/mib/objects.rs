//! The table of all objects. A number, once given, stays with its object; new objects come at
//! the end of their group.

use super::Syntax::{Address, Condition, Counter, Gauge, Moment, Text, Ticks, Truth, Whole, Words};
use super::{Group, Object, Table};

/// What a node's status can be; the order is that of the numbers.
pub(super) const STATUS: &[&str] = &[
    "unknown",
    "active",
    "passive",
    "fault",
    "outOfSync",
    "starting",
    "maintenance",
    "away",
    "disabled",
];
/// What a node's role can be.
pub(super) const ROLE: &[&str] =
    &["unknown", "starting", "passive", "claiming", "active", "releasing"];
/// How high availability is.
pub(super) const STATE: &[&str] = &["unknown", "notPaired", "disabled", "enabled"];
const DESIGNATION: &[&str] = &["unknown", "primary", "secondary"];
const HEALTH: &[&str] = &["unknown", "good", "bad"];
/// How a section is.
pub(super) const SECTION: &[&str] =
    &["unknown", "inSync", "synchronising", "outOfSync", "neverSynchronised", "failed"];
/// How bad a condition is, numbered as in the catalogue.
pub(super) const SEVERITY: &[&str] = &["critical", "major", "warning", "info"];
/// Whether a condition began, ended, or happened.
pub(super) const KIND: &[&str] = &["raised", "cleared", "happened"];
const CABLE: &[&str] = &["unknown", "direct", "switched"];

/// The pair.
pub(super) const PAIR: Group = Group {
    name: "twPair",
    number: 1,
    about: "The pair, as this node sees it.",
    objects: &[
        Object::new("twRelease", Text, "The release of twinwall on this node."),
        Object::new(
            "twState",
            Words(STATE),
            "Whether high availability is on. While it is disabled, or this node has no peer, \
             roles are unknown and every node's status says so.",
        ),
        Object::new("twThisNode", Text, "The name of the node that answers."),
        Object::new("twThisRole", Words(ROLE), "The role of the node that answers."),
        Object::new(
            "twActiveNode",
            Text,
            "The name of the active node; empty where none is known.",
        ),
        Object::new(
            "twActiveCount",
            Gauge,
            "How many nodes are active as far as this one knows: 1 when all is well, 0 when \
             nobody serves, 2 when both do (split brain). 0 while high availability is off.",
        )
        .in_units("nodes"),
        Object::new("twHaLinkInterface", Text, "The interface reserved for the pair."),
        Object::new(
            "twHaLinkCable",
            Words(CABLE),
            "What lies between the two ports of the HA link.",
        ),
        Object::new(
            "twHaLinkHealth",
            Words(HEALTH),
            "Whether the other node is heard on the HA link.",
        ),
        Object::new("twHeartbeatInterval", Whole, "The time between two heartbeats.")
            .in_units("milliseconds"),
        Object::new(
            "twDetectionTime",
            Whole,
            "The silence after which the other node counts as dead.",
        )
        .in_units("milliseconds"),
        Object::new(
            "twRoundTrip",
            Gauge,
            "The way there and back of the last heartbeat that was confirmed; 0 where none was.",
        )
        .in_units("microseconds"),
        Object::new("twSynchronised", Words(SECTION), "How all sections together stand."),
        Object::new("twReady", Words(HEALTH), "Whether a failover would work right now."),
        Object::new("twReadyVerdict", Text, "The same in a sentence."),
        Object::new(
            "twConnectionsComplete",
            Gauge,
            "How many of 10000 connections of the active node the passive node has; 0 where that \
             is not known.",
        )
        .in_units("1/10000"),
        Object::new(
            "twFailovers",
            Gauge,
            "Moves of the active role of which both nodes keep a report.",
        )
        .in_units("reports"),
        Object::new("twLastFailoverTime", Moment, "When the last move of the active role began."),
        Object::new("twLastFailoverKind", Text, "What kind of move it was."),
        Object::new("twLastFailoverFrom", Text, "The node that was active before it."),
        Object::new("twLastFailoverTo", Text, "The node that was active after it."),
        Object::new("twLastFailoverCause", Text, "Why it was, in a sentence."),
        Object::new(
            "twLastFailoverOutage",
            Gauge,
            "How long nobody served; 0 where that is not known.",
        )
        .in_units("microseconds"),
        Object::new("twConditions", Gauge, "Conditions that are raised now.")
            .in_units("conditions"),
        Object::new(
            "twWorstSeverity",
            Words(&["none", "critical", "major", "warning", "info"]),
            "How bad the worst of them is.",
        ),
    ],
};

/// A node of the pair.
pub(super) const NODE: Table = Table {
    name: "twNode",
    number: 2,
    about: "Both nodes: 1 is the primary, 2 the secondary. A node that was never paired is alone \
            in it.",
    by_node: false,
    index: &[Object::new("twNodeIndex", Whole, "1 for the primary, 2 for the secondary.")],
    columns: &[
        Object::new("twNodeName", Text, "Its name."),
        Object::new("twNodeDesignation", Words(DESIGNATION), "Its fixed part in the pair."),
        Object::new("twNodeAnswers", Truth, "Whether it is the node that answers."),
        Object::new("twNodeStatus", Words(STATUS), "How it is, in one word."),
        Object::new("twNodeRole", Words(ROLE), "Its role, which its status may put otherwise."),
        Object::new("twNodeReason", Text, "Why it is not well; empty when it is."),
        Object::new("twNodeRoleReason", Text, "Why it has its role."),
        Object::new("twNodeRoleSince", Moment, "Since when it has its role."),
        Object::new("twNodeRelease", Text, "Its release of twinwall."),
        Object::new("twNodeFirmware", Text, "Its firmware, as the appliance profile says."),
        Object::new("twNodeModel", Text, "Its model, as the appliance profile says."),
        Object::new("twNodeSerial", Text, "Its serial number, as the appliance profile says."),
        Object::new("twNodeUpTime", Ticks, "For how long its system has run."),
        Object::new("twNodeProcessors", Whole, "Its processors.").in_units("processors"),
        Object::new("twNodeProcessorLoad", Gauge, "How busy they are, all together.")
            .in_units("percent"),
        Object::new("twNodeMemoryTotal", Gauge, "Its memory.").in_units("kibibytes"),
        Object::new("twNodeMemoryAvailable", Gauge, "What programs can still have of it.")
            .in_units("kibibytes"),
        Object::new("twNodeDiskTotal", Gauge, "The file system with its state.")
            .in_units("mebibytes"),
        Object::new("twNodeDiskUsed", Gauge, "How much of it is used.").in_units("mebibytes"),
        Object::new("twNodeSessions", Gauge, "Connections that its kernel tracks.")
            .in_units("connections"),
        Object::new("twNodeSessionsMost", Gauge, "Connections for which its kernel has room.")
            .in_units("connections"),
        Object::new(
            "twNodeLastSeen",
            Moment,
            "When it was last heard by heartbeat; the node that answers hears itself.",
        ),
        Object::new(
            "twNodeDataAge",
            Gauge,
            "How old is what its agent said: model to sessions. 4294967295 where it said nothing \
             yet.",
        )
        .in_units("seconds"),
    ],
};

/// An interface with addresses of the pair, on a node.
pub(super) const INTERFACE: Table = Table {
    name: "twInterface",
    number: 3,
    about: "The interfaces with addresses of the pair, on each node.",
    by_node: true,
    index: &[Object::new("twInterfaceIndex", Whole, "Its place in the settings, from 1.")],
    columns: &[
        Object::new("twInterfaceName", Text, "Its name, the same on both nodes."),
        Object::new("twInterfaceWatched", Truth, "Whether losing it makes a node unfit."),
        Object::new("twInterfaceHealth", Words(HEALTH), "Whether it is well on this node."),
        Object::new("twInterfaceOwnAddresses", Text, "The node's own addresses on it."),
    ],
};

/// A path between the nodes.
pub(super) const PATH: Table = Table {
    name: "twPath",
    number: 4,
    about: "The paths on which heartbeats go between the nodes, the HA link first. Empty while \
            high availability is off.",
    by_node: false,
    index: &[Object::new("twPathIndex", Whole, "1 for the HA link, then the others.")],
    columns: &[
        Object::new("twPathInterface", Text, "Its interface, the same on both nodes."),
        Object::new(
            "twPathCarrier",
            Truth,
            "Whether the port of the node that answers has carrier.",
        ),
        Object::new("twPathPeerCarrier", Truth, "The same of the other node, as it last said."),
        Object::new("twPathHealth", Words(HEALTH), "Whether the other node is heard on it."),
        Object::new("twPathHeard", Counter, "Heartbeats heard on it in this session.")
            .in_units("heartbeats"),
    ],
};

/// A virtual IP.
pub(super) const VIRTUAL_IP: Table = Table {
    name: "twVirtualIp",
    number: 5,
    about: "The addresses that follow the active node.",
    by_node: false,
    index: &[
        Object::new("twVirtualIpInterface", Whole, "The place of its interface in the settings."),
        Object::new("twVirtualIpIndex", Whole, "Its place there, from 1."),
    ],
    columns: &[
        Object::new("twVirtualIpAddress", Address, "The address: 4 bytes, or 16 of IPv6."),
        Object::new("twVirtualIpLength", Whole, "The length of its prefix.").in_units("bits"),
        Object::new("twVirtualIpInterfaceName", Text, "Its interface."),
        Object::new(
            "twVirtualIpOwner",
            Whole,
            "The node that answers for it: 1 the primary, 2 the secondary, 0 nobody, 3 both.",
        ),
        Object::new("twVirtualIpOwnerName", Text, "The same by name; empty where nobody does."),
    ],
};

/// A section of the configuration.
pub(super) const SECTIONS: Table = Table {
    name: "twSection",
    number: 6,
    about: "The sections of the configuration, which the nodes synchronise.",
    by_node: false,
    index: &[Object::new("twSectionIndex", Whole, "Its place among the sections, from 1.")],
    columns: &[
        Object::new("twSectionName", Text, "Its name."),
        Object::new("twSectionState", Words(SECTION), "How it stands."),
        Object::new("twSectionReason", Text, "The same in a sentence."),
        Object::new("twSectionChanged", Moment, "Since when it is as it is on this node."),
    ],
};

/// A condition that is raised.
pub(super) const CONDITION: Table = Table {
    name: "twCondition",
    number: 7,
    about: "What is the matter now, the worst first.",
    by_node: false,
    index: &[Object::new("twConditionIndex", Whole, "Its place in the list, from 1.")],
    columns: &[
        Object::new("twConditionId", Condition, "Which condition."),
        Object::new("twConditionSeverity", Words(SEVERITY), "How bad it is."),
        Object::new("twConditionNode", Text, "Which node it is about; pair where it is both."),
        Object::new(
            "twConditionSubject",
            Text,
            "Of which interface, service or gateway; empty where there is one only.",
        ),
        Object::new("twConditionSince", Moment, "Since when."),
        Object::new("twConditionText", Text, "What is the matter, in a sentence."),
        Object::new("twConditionWhatNow", Text, "What to do about it."),
    ],
};

/// What goes along with a notification; not readable.
pub(super) const NOTICE: Group = Group {
    name: "twNotice",
    number: 8,
    about: "What goes along with each notification.",
    objects: &[
        Object::new(
            "twNoticeNumber",
            Whole,
            "Its number on the node that sends it; it only grows.",
        ),
        Object::new("twNoticeTime", Moment, "When it happened."),
        Object::new("twNoticeSender", Text, "The node that sends it."),
        Object::new("twNoticeNode", Text, "Which node it is about; pair where it is both."),
        Object::new("twNoticeCondition", Condition, "Which condition."),
        Object::new("twNoticeSeverity", Words(SEVERITY), "How bad it is."),
        Object::new("twNoticeKind", Words(KIND), "Whether it began, ended, or happened."),
        Object::new(
            "twNoticeSubject",
            Text,
            "Of which interface, service or gateway; empty where there is one only.",
        ),
        Object::new("twNoticeText", Text, "What is the matter, in a sentence."),
        Object::new("twNoticeWhatNow", Text, "What to do about it."),
    ],
};

/// All tables.
pub(super) const TABLES: [&Table; 6] =
    [&NODE, &INTERFACE, &PATH, &VIRTUAL_IP, &SECTIONS, &CONDITION];

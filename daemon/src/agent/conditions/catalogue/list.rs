//! The table itself. A new condition is a new row with a number that no row ever had; a row
//! that goes leaves its number unused.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{About, Condition, Course, Severity};

/// Raised after the first number of seconds, cleared after the second.
const fn lasts(raise: u64, clear: u64) -> Course {
    Course::Lasts { raise: Duration::from_secs(raise), clear: Duration::from_secs(clear) }
}

const HAPPENS: Course = Course::Happens;

/// Makes the enum and its rows from one list.
macro_rules! conditions {
    ($(
        $number:literal $id:ident $name:literal $severity:ident $about:ident $course:expr,
        $meaning:literal, $what_now:literal;
    )*) => {
        /// Which condition. The names are part of the interface.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            JsonSchema,
        )]
        pub enum ConditionId {
            $(#[doc = $meaning] #[serde(rename = $name)] $id,)*
        }

        impl ConditionId {
            /// All of them, in the order of their numbers.
            pub const ALL: &[ConditionId] = &[$(ConditionId::$id),*];

            /// Its row.
            pub const fn row(self) -> Condition {
                match self {
                    $(ConditionId::$id => Condition {
                        id: ConditionId::$id,
                        name: $name,
                        number: $number,
                        severity: Severity::$severity,
                        about: About::$about,
                        course: $course,
                        meaning: $meaning,
                        what_now: $what_now,
                    },)*
                }
            }
        }
    };
}

conditions! {
    // What happens.
    1 Failover "failover" Major Pair HAPPENS,
        "The active role moved unplanned.",
        "'twinwall failovers' says why and how long nobody served; mend the node that lost the role";
    2 Failback "failback" Info Pair HAPPENS,
        "The active role returned to the primary, as the settings say.",
        "nothing";
    3 Switchover "switchover" Info Pair HAPPENS,
        "The active role was moved as planned: by order, for maintenance, or as a test.",
        "nothing";
    4 Interruption "interruption" Major Pair HAPPENS,
        "The active node lost the role and took it again.",
        "'twinwall failovers' says why and how long nobody served";
    5 Handover "handover" Warning Pair HAPPENS,
        "The active role was handed over, and why is not known.",
        "'twinwall events' on both nodes shows what they saw";
    6 WokeLate "woke-late" Warning Node HAPPENS,
        "The node was kept from running for longer than half a heartbeat interval.",
        "look for what starves or stops it: load, the hypervisor, a suspend";
    7 KernelRestored "kernel-restored" Warning Node HAPPENS,
        "Somebody changed what twinwall keeps in the kernel; it was put back.",
        "find who changes it: 'twinwall events' says what it was";

    // The nodes and the role.
    20 PeerSilent "peer-silent" Critical Peer lasts(0, 5),
        "The other node is silent on every path: nobody could take over.",
        "look at the other node's power, its cables, and whether twinwall runs there";
    21 PeerAway "peer-away" Warning Peer lasts(10, 5),
        "The other node was shut down, is not heard yet, or twinwall was stopped there.",
        "start it, unless somebody works on it; until then nobody could take over";
    22 PeerUnfit "peer-unfit" Major Peer lasts(2, 5),
        "The other node is heard and is not fit to serve: nobody could take over.",
        "mend what it names; 'twinwall status' on that node shows more";
    23 Unfit "unfit" Major Node lasts(2, 5),
        "The node is not fit to serve.",
        "mend what it names; 'twinwall status' on that node shows more";
    24 TwoActive "two-active" Critical Pair lasts(0, 5),
        "Both nodes are active.",
        "they settle it within one interval once they hear each other; else mend the paths";
    25 NobodyServes "nobody-serves" Critical Pair lasts(8, 2),
        "Nobody should serve.",
        "'twinwall explain' on both nodes says why";
    26 GuardAway "guard-away" Critical Node lasts(3, 3),
        "The node's guard cannot be asked: nobody holds the role there.",
        "start it, or read its log";
    27 Maintenance "maintenance" Info Node lasts(0, 0),
        "The node is in maintenance and does not serve.",
        "it ends by itself; 'twinwall maintenance off' ends it now";
    28 CheckSaysNo "check-says-no" Major Node lasts(0, 5),
        "A check says that the node must not serve.",
        "mend what it names; 'twinwall status' on that node shows more";
    29 RoleOnTheMove "role-on-the-move" Warning Node lasts(60, 0),
        "The role has been on the move, or the guard starting, for a minute.",
        "wait some seconds and ask again; 'twinwall explain' says what it waits for";

    // Links and protection.
    30 HaLinkLost "ha-link-lost" Major Pair lasts(1, 5),
        "Heartbeats are lost on the HA link while another path delivers them.",
        "mend the cable; the other paths carry the heartbeats until then";
    31 PathSilent "path-silent" Warning Pair lasts(3, 5),
        "Heartbeats are lost on a watched interface while another path delivers them.",
        "look at this interface and its switch on both nodes";
    32 InterfaceDown "interface-down" Major Node lasts(0, 3),
        "A watched interface is down.",
        "look at its cable and the port of its switch";
    33 InterfaceHeld "interface-held" Warning Node lasts(0, 0),
        "A watched interface comes and goes; it is held back as unfit until it stays up.",
        "look at its cable and the port of its switch; 'twinwall clear-damping' counts it at once";
    34 OwnAddress "own-address" Major Node lasts(0, 5),
        "An own address of the node cannot be used.",
        "a planned move to the node is refused until this is mended";
    35 AddressesMissing "addresses-missing" Critical Node lasts(3, 3),
        "Virtual IPs lack on the active node.",
        "see 'twinwall events' for what the kernel refused";
    36 NotApplied "not-applied" Major Node lasts(5, 3),
        "The kernel does not look as wanted.",
        "see 'twinwall events' for what the kernel refused";
    37 CableNotDirect "cable-not-direct" Warning Pair lasts(0, 5),
        "The HA cable is declared direct and does not look so.",
        "until then a power loss is noticed after the detection time, not at once";
    38 FramesRefused "frames-refused" Warning Node lasts(0, 10),
        "Heartbeats keep being refused.",
        "'twinwall status' counts them; mend what it names";
    39 ProtectionMissing "protection-missing" Warning Node lasts(0, 5),
        "A protection is missing on the node, as the gate, realtime or locked memory.",
        "docs/guide.md says what brings it";

    // The pair and its settings.
    40 NotPaired "not-paired" Info Node lasts(5, 0),
        "The node is not paired.",
        "'twinwall pair invite' on the one that serves today, 'twinwall pair join' on the other";
    41 Off "off" Info Pair lasts(5, 0),
        "High availability is off.",
        "turn it on with 'twinwall ha enable'";
    42 SettingsWrong "settings-wrong" Major Node lasts(2, 0),
        "The settings of the node have mistakes.",
        "'twinwall check' and 'twinwall profile check' name them";
    43 SettingsDiffer "settings-differ" Major Pair lasts(10, 5),
        "The two guards work with different settings.",
        "'twinwall check' on both nodes; then 'twinwall reload' where it was changed";
    44 Prerequisites "prerequisites" Warning Pair lasts(30, 10),
        "The two nodes are not alike as they should be.",
        "'twinwall preflight' says what to change";
    45 ClocksApart "clocks-apart" Warning Pair lasts(30, 30),
        "The clocks of the two nodes differ.",
        "let both follow one time server: histories and logs mislead otherwise";
    46 ReleasesDiffer "releases-differ" Info Pair lasts(600, 0),
        "The nodes run different releases of twinwall.",
        "finish the upgrade on both nodes";
    47 KeyFileNotInUse "key-file-not-in-use" Major Node lasts(10, 5),
        "The guard uses other keys than those in pair.key.",
        "put the former file back, or 'twinwall reload', which says what is wrong with this one";
    48 KeysHalfChanged "keys-half-changed" Warning Pair lasts(0, 5),
        "A change of the pair's keys is not finished.",
        "it goes on by itself when the other node's agent is connected; 'twinwall pair rotate' tries at once and says why it cannot";

    // Synchronisation.
    60 NeverSynchronised "never-synchronised" Major Pair lasts(30, 5),
        "A section was never the same on both nodes.",
        "'twinwall sync' says what differs; 'twinwall sync push' on the active mends it";
    61 OutOfSync "out-of-sync" Major Pair lasts(30, 5),
        "The passive node's configuration is not the active node's.",
        "'twinwall sync' says what differs; 'twinwall sync push' on the active mends it";
    62 AgentsApart "agents-apart" Warning Pair lasts(15, 5),
        "The two agents are not connected.",
        "changes of the configuration do not reach the other node until they are";
    63 Connections "connections" Warning Pair lasts(5, 10),
        "Connections are not replicated as they should: they would not survive a failover.",
        "'twinwall flows' on both nodes shows more";

    // Services and health.
    80 ServiceFailed "service-failed" Major Node lasts(5, 5),
        "A service that is bound to the active role does not start or stop as it should.",
        "'twinwall services' shows its last words";
    81 CheckFailed "check-failed" Major Node lasts(0, 0),
        "A health check of the profile fails.",
        "'twinwall services' shows its last words";
    82 GatewayUnreachable "gateway-unreachable" Major Node lasts(0, 0),
        "A gateway does not answer the node.",
        "look at the line and the router behind it; 'twinwall reach' shows what both nodes see";

    // Resources.
    100 MemoryLow "memory-low" Major Node lasts(30, 60),
        "Little memory is left.",
        "see which process takes it; [resources] sets the limit";
    101 DiskFull "disk-full" Major Node lasts(10, 60),
        "A file system is nearly full.",
        "make room, or let logs and reports be kept for less long; [resources] sets the limit";
    102 ConnectionTableFull "connection-table-full" Major Node lasts(10, 60),
        "The kernel's table of connections is nearly full; beyond it new ones are refused.",
        "raise net.netfilter.nf_conntrack_max on both nodes; [resources] sets the limit";
    103 Hot "hot" Major Node lasts(30, 120),
        "A temperature is above its limit.",
        "look at the fans and the air; [resources] sets the limit";

    // Logs, reports, SNMP.
    120 LogsGap "logs-gap" Warning Node lasts(0, 600),
        "Lines of the log were dropped before the other node had them.",
        "'twinwall logs' marks the gap; give [logs] more room, or mend the link";
    121 LogsBehind "logs-behind" Warning Node lasts(60, 10),
        "The other node does not get the node's log lines in time.",
        "'twinwall logs --sources' on both nodes says where they wait, within [logs]' limits";
    122 ReportsBehind "reports-behind" Warning Node lasts(60, 10),
        "The node does not get the other node's reports.",
        "see the link between the agents, and the limits of [reports]";
    123 LeasesBehind "leases-behind" Warning Pair lasts(30, 10),
        "The passive node does not have the active node's DHCP leases.",
        "see the log of twinwall's agent on both nodes for the file and what is wrong with it";
    124 LogsNotKept "logs-not-kept" Warning Node lasts(5, 10),
        "The node cannot keep logs, its own or the other node's.",
        "free space on the file system of /var/lib/twinwall/logs, or mend it; lines wait in their \
         files meanwhile";
    130 AlertFailing "alert-failing" Warning Node lasts(30, 10),
        "A target of alerts does not take them.",
        "test it with 'twinwall alerts test'; what is wrong is told there";
    131 SnmpAway "snmp-away" Warning Node lasts(30, 10),
        "SNMP is on, and snmpd does not answer for twinwall.",
        "'twinwall snmp status' on that node says what is missing";

    // The console.
    140 CertificateEnds "certificate-ends" Warning Node lasts(0, 0),
        "The console's certificate ends within 30 days.",
        "put a new one and its key into /etc/twinwall-web; the console takes it without a restart";
    141 CertificateEnded "certificate-ended" Major Node lasts(0, 0),
        "The console's certificate is not valid any more, or not yet: browsers refuse it.",
        "put a new one and its key into /etc/twinwall-web, or mend the node's clock";
}

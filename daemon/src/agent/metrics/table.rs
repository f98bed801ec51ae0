//! The table of metrics: name, kind, meaning and labels, each said once. The text for Prometheus
//! and the reference are made from it. A name that was published keeps its meaning.

/// How a value moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Up and down.
    Gauge,
    /// Only up, until the agent starts anew.
    Counter,
}

impl Kind {
    /// As Prometheus writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        }
    }
}

/// A row.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// What it says, in a sentence.
    pub help: &'static str,
    /// Its labels, in their order.
    pub labels: &'static [&'static str],
}

/// Makes a static for each row, and the list of all.
macro_rules! metrics {
    ($($id:ident $kind:ident $name:literal [$($label:literal)*] $help:literal;)*) => {
        $(
            pub(super) static $id: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                help: $help,
                labels: &[$($label),*],
            };
        )*

        /// All of them, in the order in which they are told.
        pub static ALL: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    BUILD Gauge "twinwall_build_info" ["version"]
        "Always 1; the release of this node's agent.";
    PAIRED Gauge "twinwall_paired" []
        "1 while this node has a peer.";
    ENABLED Gauge "twinwall_ha_enabled" []
        "1 while high availability is on.";
    NODE Gauge "twinwall_node_info" ["node" "designation" "release" "firmware"]
        "Always 1; what is known of each node.";
    STATUS Gauge "twinwall_node_status" ["node" "status"]
        "1 for the status that the node has, 0 for the others.";
    NODE_ACTIVE Gauge "twinwall_node_active" ["node"]
        "1 for the node that is active, 0 for the other.";
    ACTIVE Gauge "twinwall_active_nodes" []
        "Nodes that are active: 1 is right, 0 is an outage, 2 is both at once.";
    ROLE_SINCE Gauge "twinwall_node_role_since_seconds" ["node"]
        "Since when the node has its role, in seconds since 1970.";
    HEARD Gauge "twinwall_node_heard" ["node"]
        "1 while the node is heard; of this node always.";
    AGE Gauge "twinwall_node_data_age_seconds" ["node"]
        "How old the data of the node are; 0 while it is heard.";
    READY Gauge "twinwall_ready" []
        "1 while a failover would work.";
    AGAINST Gauge "twinwall_ready_reasons" ["severity"]
        "Reasons that speak against a failover: those that block it, and those that warn.";
    HA_LINK Gauge "twinwall_ha_link_up" ["interface"]
        "1 while the other node is heard on the HA link.";
    INTERVAL Gauge "twinwall_heartbeat_interval_seconds" []
        "Time between two heartbeats, as set.";
    DETECTION Gauge "twinwall_detection_seconds" []
        "Silence after which a node counts as dead, as set.";
    ROUND_TRIP Gauge "twinwall_heartbeat_round_trip_seconds" []
        "Time there and back of the last heartbeat that was confirmed.";
    PATH_ALIVE Gauge "twinwall_path_alive" ["interface"]
        "1 while the other node is heard on this path.";
    PATH_HEARD Counter "twinwall_path_heartbeats_total" ["interface"]
        "Heartbeats heard on this path in the present session of the two guards.";
    INTERFACE Gauge "twinwall_interface_up" ["node" "interface"]
        "1 while the interface is well on the node.";
    IN_SYNC Gauge "twinwall_in_sync" []
        "1 while all sections are the same on both nodes.";
    SECTION Gauge "twinwall_section_in_sync" ["section"]
        "1 while the section is the same on both nodes.";
    LAST_MOVE Gauge "twinwall_last_move_seconds" ["kind"]
        "When the active role moved last, in seconds since 1970.";
    LAST_OUTAGE Gauge "twinwall_last_move_outage_seconds" ["kind"]
        "How long nobody served at that move.";
    FLOWS Gauge "twinwall_flows" ["node"]
        "Connections that the node holds for the pair.";
    FLOWS_COMPLETE Gauge "twinwall_flows_complete_ratio" []
        "Share of the active's connections that the passive's kernel has; 1 is all.";
    FLOWS_LAG Gauge "twinwall_flows_lag_seconds" ["quantile"]
        "How late changes of connections are on the passive.";
    FLOWS_BACKLOG Gauge "twinwall_flows_backlog" []
        "Changes of connections that are not confirmed yet.";
    FLOWS_DROPPED Counter "twinwall_flows_dropped_total" []
        "Connections that were left out, since there are more than the settings allow.";
    FLOWS_OVERRUNS Counter "twinwall_flows_overruns_total" []
        "Times that the kernel could not keep its events of connections.";
    FLOWS_RESYNCS Counter "twinwall_flows_resyncs_total" []
        "Times that connections were told as a whole or in ranges.";
    CONDITIONS Gauge "twinwall_conditions" ["node" "condition" "severity"]
        "How many of this condition stand on the node: 0 is well. `pair` is for both nodes.";
    HAPPENED Counter "twinwall_happened_total" ["condition"]
        "How often it happened since this node's agent started.";
    SERVICE Gauge "twinwall_service_running" ["service"]
        "1 while the service runs on this node; those that run only on the active node.";
    SERVICE_FAILED Gauge "twinwall_service_failed" ["service"]
        "1 while starting or stopping the service failed on this node.";
    MEMORY Gauge "twinwall_memory_bytes" ["node"]
        "Memory of the node.";
    MEMORY_AVAILABLE Gauge "twinwall_memory_available_bytes" ["node"]
        "What programs can have of it without swapping.";
    DISK Gauge "twinwall_disk_bytes" ["node" "mounted_for"]
        "Size of a file system without what is kept for root; `mounted_for` is a directory on it.";
    DISK_FREE Gauge "twinwall_disk_free_bytes" ["node" "mounted_for"]
        "What is free of it.";
    TABLE Gauge "twinwall_connection_table_entries" ["node"]
        "Connections in the kernel's table.";
    TABLE_LIMIT Gauge "twinwall_connection_table_limit" ["node"]
        "How many connections the kernel's table takes.";
    TEMPERATURE Gauge "twinwall_temperature_celsius" ["node" "sensor"]
        "What a sensor of the node measures.";
    TEMPERATURE_CRITICAL Gauge "twinwall_temperature_critical_celsius" ["node" "sensor"]
        "What the sensor itself calls critical, where it does.";
    LOGS_ON Gauge "twinwall_logs_on" []
        "1 while logs are kept and exchanged.";
    LOGS_CONNECTED Gauge "twinwall_logs_connected" []
        "1 while the other node is connected for logs.";
    LOG_LINES Counter "twinwall_log_lines_total" ["origin"]
        "Number of the newest line of the node's logs that is on this node.";
    LOG_BYTES Gauge "twinwall_log_bytes" ["origin"]
        "What the node's logs take on this node's disk.";
    LOG_LAG Gauge "twinwall_log_lag_seconds" ["origin"]
        "How long ago the oldest line of the node's logs was read that the other copy lacks; 0 for none.";
    LOG_BEHIND Gauge "twinwall_log_behind_lines" ["origin"]
        "Lines of the node's logs that the other copy does not have yet.";
    LOG_MISSING Counter "twinwall_log_missing_lines_total" ["origin"]
        "Lines of the node's logs that were dropped before the other node had them.";
    LOG_DROPPED Counter "twinwall_log_dropped_lines_total" ["origin"]
        "Lines of the node's logs that the limits of [logs] removed on this node.";
    LOG_SOURCE_LINES Counter "twinwall_log_source_lines_total" ["source"]
        "Lines that this node read from the source.";
    LOG_SOURCE_FAILING Gauge "twinwall_log_source_failing" ["source"]
        "1 while this node cannot read the source as it should.";
    SNMP_ON Gauge "twinwall_snmp_on" ["node"]
        "1 while SNMP data of both appliances are on.";
    SNMP_CONNECTED Gauge "twinwall_snmp_connected" ["node"]
        "1 while snmpd of the node asks twinwall.";
    SNMP_ANSWERED Counter "twinwall_snmp_questions_total" ["node"]
        "Questions of snmpd that were answered on the node.";
    SNMP_REFUSED Counter "twinwall_snmp_refused_total" ["node"]
        "Questions of snmpd that were refused on the node, since too many were open.";
    SNMP_NOTIFIED Counter "twinwall_snmp_notifications_total" ["node"]
        "Notifications that the node handed to its snmpd.";
    SNMP_UNSENT Counter "twinwall_snmp_unsent_total" ["node"]
        "Notifications that the node did not hand over: the other one speaks, or snmpd was away.";
    SPEAKS Gauge "twinwall_alerts_speaks" []
        "1 while this node tells the alert targets.";
    ALERT_FAILING Gauge "twinwall_alert_target_failing" ["target"]
        "1 while the target cannot be told.";
    ALERTS_TOLD Counter "twinwall_alerts_told_total" ["target"]
        "Messages that the target took from this node.";
    ALERTS_LEFT_OUT Counter "twinwall_alerts_left_out_total" ["target"]
        "Messages that were left out by the target's limit.";
    ALERTS_LOST Counter "twinwall_alerts_lost_total" ["target"]
        "Messages that were given up.";
}

/// The page `docs/reference/metrics.md`.
pub fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\nGenerated from the program's own table. How they are scraped, and the \
         dashboard and alert rules that go with them: [metrics](../metrics.md).\n\n\
         Each node tells what it knows of both. `node` is the node's name; a value that is not \
         known is left out. A counter begins anew with the agent.\n\n\
         | metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n",
    );
    for metric in ALL {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        page += &format!(
            "| `{}` | {} | {} | {} |\n",
            metric.name,
            metric.kind.word(),
            labels.join(", "),
            metric.help
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_as_prometheus_wants_them() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(metric.name.bytes().all(plain), "{}", metric.name);
            assert!(metric.name.starts_with("twinwall_"), "{}", metric.name);
            let is_total = metric.name.ends_with("_total");
            assert_eq!(is_total, metric.kind == Kind::Counter, "{}", metric.name);
            assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{}", metric.name);
        }
    }
}

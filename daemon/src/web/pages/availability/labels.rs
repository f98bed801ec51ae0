//! What the page calls each setting: its key in words, for fields, differences and mistakes.

/// The label of a key, or the key itself where it has none.
pub(super) fn label(key: &str) -> String {
    let known = match key {
        "enabled" => "High availability",
        "heartbeat.interval" => "Heartbeat interval",
        "heartbeat.threshold" => "Missed heartbeats",
        "ha_link.interface" => "HA link",
        "ha_link.cable" => "HA link: what lies between",
        "sync.automatic" => "Synchronise changes as they are made",
        "sync.debounce" => "Quiet time before a section is synchronised",
        "sync.logs" => "Synchronise logs and reports",
        "sync.snmp" => "SNMP data from both appliances",
        "flows.replicate" => "Replicate connections",
        "flows.protocols" => "Connections: protocols",
        "flows.ignore_addresses" => "Connections: networks left out",
        "flows.ignore_ports" => "Connections: ports left out",
        "flows.least_age" => "Connections: least age",
        "flows.most" => "Connections: most",
        "logs.keep_size" => "Logs: kept on each node",
        "logs.keep_days" => "Logs: kept for",
        "logs.rate" => "Logs: fastest transfer",
        "reports.keep_size" => "Reports: size kept of the other node's",
        "reports.keep_days" => "Reports: days kept of the other node's",
        "probe.virtual_ips" => "Probe: virtual IPs",
        "probe.targets" => "Probe: targets",
        "probe.interval" => "Probe: interval",
        "failback" | "failback.policy" => "Failback",
        "failback.hold" => "Failback: hold time",
        "damping.flaps" => "Damping: losses of carrier",
        "damping.window" => "Damping: within",
        "damping.hold" => "Damping: hold time",
        "boot.hold" => "Wait after a start",
        "ping.targets" => "Ping targets",
        "preflight.override" => "Overridden prerequisites",
        _ => return interface(key).or_else(|| alert(key)).unwrap_or_else(|| key.to_owned()),
    };
    known.to_owned()
}

fn interface(key: &str) -> Option<String> {
    let (name, field) = split(key)?;
    let word = match field {
        "primary" => "primary IP",
        "secondary" => "secondary IP",
        "virtual" => "virtual IPs",
        "watch" => "watch",
        "name" => return Some(name.to_owned()),
        _ => return None,
    };
    Some(format!("{name}: {word}"))
}

/// A setting of an alert target.
fn alert(key: &str) -> Option<String> {
    let (name, field) = key.strip_prefix("alerts.")?.split_once('.')?;
    Some(format!("Alerts, {name}: {}", field.replace('_', " ")))
}

/// The interface and the field of a key `interface.NAME.FIELD`; a name may have dots.
pub(super) fn split(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix("interface.")?.rsplit_once('.')
}

/// The field of a place in a refusal: `interface.lan.virtual[2]` and `interface.lan.name` lie
/// in fields of the page. With the number of the entry, where one is named.
pub(super) fn field(place: &str) -> (String, Option<usize>) {
    let indexed = place.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
    match indexed.and_then(|(key, number)| Some((key, number.parse().ok()?))) {
        Some((key, number)) => (key.to_owned(), Some(number)),
        None => (place.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_refusal_lie_in_fields_with_a_name() {
        assert_eq!(
            field("interface.eth0.10.virtual[2]"),
            ("interface.eth0.10.virtual".to_owned(), Some(2))
        );
        assert_eq!(field("heartbeat.interval"), ("heartbeat.interval".to_owned(), None));
        assert_eq!(label("interface.eth0.10.virtual"), "eth0.10: virtual IPs");
        assert_eq!(label("interface.lan.name"), "lan");
        assert_eq!(label("readiness.require"), "readiness.require");
    }
}

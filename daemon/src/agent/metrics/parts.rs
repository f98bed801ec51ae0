//! Values of what stands beside the pair itself: each node's machine and SNMP, the logs of both.
//! Pure.

use super::measures::{Measures, SnmpMeasures};
use super::table as t;
use super::text::Values;
use crate::agent::logs::view::{LogsView, OriginView};
use crate::agent::resources::view::Resources;

/// What a node has left, and how its SNMP goes.
pub(super) fn machine(values: &mut Values, name: &str, measures: &Measures) {
    if let Some(found) = &measures.resources {
        resources(values, name, found);
    }
    values.flag(&t::SNMP_ON, &[name], measures.snmp.is_some());
    if let Some(SnmpMeasures { connected, done }) = &measures.snmp {
        values.flag(&t::SNMP_CONNECTED, &[name], *connected);
        values.add(&t::SNMP_ANSWERED, &[name], done.answered as f64);
        values.add(&t::SNMP_REFUSED, &[name], done.refused as f64);
        values.add(&t::SNMP_NOTIFIED, &[name], done.notified as f64);
        values.add(&t::SNMP_UNSENT, &[name], done.unsent as f64);
    }
}

fn resources(values: &mut Values, name: &str, found: &Resources) {
    if let Some(memory) = &found.memory {
        values.add(&t::MEMORY, &[name], memory.total_bytes as f64);
        values.add(&t::MEMORY_AVAILABLE, &[name], memory.available_bytes as f64);
    }
    for disk in &found.disks {
        let labels = [name, &disk.mounted_for];
        values.add(&t::DISK, &labels, disk.total_bytes as f64);
        values.add(&t::DISK_FREE, &labels, disk.free_bytes as f64);
    }
    if let Some(table) = &found.connections {
        values.add(&t::TABLE, &[name], table.count as f64);
        values.add(&t::TABLE_LIMIT, &[name], table.most as f64);
    }
    for sensor in &found.temperatures {
        let labels = [name, &sensor.name];
        values.add(&t::TEMPERATURE, &labels, sensor.celsius);
        values.known(&t::TEMPERATURE_CRITICAL, &labels, sensor.critical_celsius);
    }
}

/// The logs of both nodes on this node, and how far the other copies are.
pub(super) fn logs(values: &mut Values, names: [Option<&str>; 2], view: &LogsView) {
    values.flag(&t::LOGS_ON, &[], view.on);
    if !view.on {
        return;
    }
    values.flag(&t::LOGS_CONNECTED, &[], view.connected);
    for (name, origin) in names.into_iter().zip([&view.here, &view.there]) {
        if let Some(name) = name {
            of_origin(values, name, origin);
        }
    }
    for source in &view.here.sources {
        values.add(&t::LOG_SOURCE_LINES, &[&source.name], source.lines as f64);
        values.flag(&t::LOG_SOURCE_FAILING, &[&source.name], source.trouble.is_some());
    }
}

fn of_origin(values: &mut Values, name: &str, origin: &OriginView) {
    values.add(&t::LOG_LINES, &[name], origin.last as f64);
    values.add(&t::LOG_BYTES, &[name], origin.bytes as f64);
    values.known(&t::LOG_LAG, &[name], origin.lag_ms.map(|ms| ms as f64 / 1000.0));
    values.known(&t::LOG_BEHIND, &[name], origin.behind.map(|lines| lines as f64));
    values.add(&t::LOG_MISSING, &[name], origin.missing as f64);
    values.add(&t::LOG_DROPPED, &[name], origin.dropped as f64);
}

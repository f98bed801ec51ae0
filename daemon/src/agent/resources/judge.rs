//! Which limits are passed: pure. A limit that was passed is kept until there is some room
//! below it again, so that one that is just reached does not come and go.

use std::collections::BTreeMap;

use super::view::{Limits, Resources};
use crate::agent::conditions::ConditionId;

/// A limit of which thing.
pub(super) type Limit = (ConditionId, Option<String>);

/// Percentage points, and degrees, by which it must be below its limit again.
const ROOM: f64 = 2.0;

/// Every limit that is looked at, with what is the matter where it is passed; `passed` are
/// those that were.
pub(super) fn judge(
    now: &Resources,
    limits: &Limits,
    passed: &dyn Fn(&Limit) -> bool,
) -> BTreeMap<Limit, Option<String>> {
    let mut all = BTreeMap::new();
    let mut look = |id, subject: Option<String>, value: f64, limit: f64, text: String| {
        let key = (id, subject);
        let limit = if passed(&key) { limit - ROOM } else { limit };
        all.insert(key, (value >= limit).then_some(text));
    };
    if let Some(memory) = &now.memory {
        let (used, limit) = (memory.used_percent(), limits.memory_percent);
        let text = format!("{} of the memory is in use, the limit is {limit} %.", about(used));
        look(ConditionId::MemoryLow, None, used, limit.into(), text);
    }
    for disk in &now.disks {
        let (used, limit) = (disk.used_percent(), limits.disk_percent);
        let place = &disk.mounted_for;
        let text = format!(
            "{} of the file system of {place} is in use, the limit is {limit} %.",
            about(used)
        );
        look(ConditionId::DiskFull, Some(place.clone()), used, limit.into(), text);
    }
    if let Some(table) = &now.connections {
        let (used, limit) = (table.used_percent(), limits.connections_percent);
        let text = format!(
            "{} of the {} connections that the kernel takes are in use, the limit is {limit} %.",
            about(used),
            table.most
        );
        look(ConditionId::ConnectionTableFull, None, used, limit.into(), text);
    }
    for sensor in &now.temperatures {
        let limit = f64::from(limits.temperature_celsius);
        let limit = sensor.critical_celsius.map_or(limit, |critical| critical.min(limit));
        let text =
            format!("{} is at {:.0} °C, the limit is {limit:.0} °C.", sensor.name, sensor.celsius);
        look(ConditionId::Hot, Some(sensor.name.clone()), sensor.celsius, limit, text);
    }
    all
}

/// Never 100 % while something is left.
fn about(percent: f64) -> String {
    format!("{:.0} %", percent.floor())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::resources::view::{Disk, Memory, Sensor, Table};

    const LIMITS: Limits = Limits {
        memory_percent: 90,
        disk_percent: 90,
        connections_percent: 80,
        temperature_celsius: 85,
    };

    fn resources(used: u64, celsius: f64, critical: Option<f64>) -> Resources {
        let sensor = Sensor { name: "cpu".to_owned(), celsius, critical_celsius: critical };
        let disk = Disk { mounted_for: "/".to_owned(), total_bytes: 100, free_bytes: 100 - used };
        Resources {
            memory: Some(Memory { total_bytes: 100, available_bytes: 100 - used }),
            disks: vec![disk],
            connections: Some(Table { count: used, most: 100 }),
            temperatures: vec![sensor],
        }
    }

    fn over(now: &Resources, was: bool) -> Vec<ConditionId> {
        let all = judge(now, &LIMITS, &|_| was);
        assert_eq!(all.len(), 4, "each is looked at");
        all.into_iter().filter(|(_, text)| text.is_some()).map(|((id, _), _)| id).collect()
    }

    #[test]
    fn a_limit_is_passed_at_its_value_and_left_with_some_room() {
        use ConditionId::{ConnectionTableFull, DiskFull, Hot, MemoryLow};
        assert_eq!(over(&resources(79, 84.0, None), false), []);
        assert_eq!(over(&resources(80, 84.0, None), false), [ConnectionTableFull]);
        let all = [MemoryLow, DiskFull, ConnectionTableFull, Hot];
        assert_eq!(over(&resources(90, 85.0, None), false), all);
        assert_eq!(over(&resources(88, 83.0, None), true), all, "they have not left it yet");
        assert_eq!(over(&resources(77, 82.9, None), true), []);
        assert_eq!(over(&resources(0, 70.0, Some(70.0)), false), [Hot], "its own limit");
    }

    #[test]
    fn what_a_machine_does_not_have_is_no_trouble() {
        assert!(judge(&Resources::default(), &LIMITS, &|_| false).is_empty());
    }
}

//! Reads what a node has left: memory, file systems, the kernel's table of connections,
//! temperatures. What a machine does not have is left out.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::view::{Disk, Memory, Resources, Sensor, Table};

/// Sensors that are looked at; a large machine has dozens.
const MAX_SENSORS: usize = 64;

/// Where things lie.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// procfs.
    pub(super) proc: PathBuf,
    /// sysfs.
    pub(super) sys: PathBuf,
    /// Directories whose file systems count.
    pub(super) folders: Vec<PathBuf>,
    /// Whether the table of connections is this node's.
    pub(super) network: bool,
}

/// Reads all of it; waits for the disk.
pub(super) fn read(places: &Places) -> Resources {
    Resources {
        memory: memory(&places.proc),
        disks: disks(&places.folders),
        connections: places.network.then(|| table(&places.proc)).flatten(),
        temperatures: temperatures(&places.sys),
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn memory(proc: &Path) -> Option<Memory> {
    let text = fs::read_to_string(proc.join("meminfo")).ok()?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim_end_matches("kB").trim().parse().ok()?;
        Some(kib * 1024)
    };
    let (total_bytes, available_bytes) = (field("MemTotal:")?, field("MemAvailable:")?);
    Some(Memory { total_bytes, available_bytes })
}

/// Each file system once, under the first directory that is on it.
fn disks(folders: &[PathBuf]) -> Vec<Disk> {
    let mut seen = BTreeSet::new();
    let disk = |folder: &PathBuf| -> io::Result<Option<Disk>> {
        if !seen.insert(fs::metadata(folder)?.dev()) {
            return Ok(None);
        }
        let stat = rustix::fs::statvfs(folder.as_path())?;
        let size = stat.f_frsize.max(1);
        // What is kept for root counts as used, as `df` has it.
        let (used, free) = (stat.f_blocks.saturating_sub(stat.f_bfree), stat.f_bavail);
        Ok(Some(Disk {
            mounted_for: folder.display().to_string(),
            total_bytes: (used + free).saturating_mul(size),
            free_bytes: free.saturating_mul(size),
        }))
    };
    // One that is not there is on none.
    folders.iter().map(disk).filter_map(|disk| disk.ok().flatten()).collect()
}

fn table(proc: &Path) -> Option<Table> {
    let folder = proc.join("sys/net/netfilter");
    let (count, most) =
        (number(&folder.join("nf_conntrack_count"))?, number(&folder.join("nf_conntrack_max"))?);
    (most > 0).then_some(Table { count, most })
}

/// Sensors of the hardware monitor, and thermal zones where it has none.
fn temperatures(sys: &Path) -> Vec<Sensor> {
    let mut all = hardware(sys);
    if all.is_empty() {
        all = zones(sys);
    }
    all.truncate(MAX_SENSORS);
    all
}

/// Names in a directory, in their order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn word(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Thousandths of a degree, as the kernel has them. What no machine can have says that a
/// sensor is not connected.
fn celsius(path: &Path) -> Option<f64> {
    let milli: i64 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let celsius = milli as f64 / 1000.0;
    (-100.0..=250.0).contains(&celsius).then_some(celsius)
}

fn hardware(sys: &Path) -> Vec<Sensor> {
    let folder = sys.join("class/hwmon");
    let mut all = Vec::new();
    for chip in names(&folder) {
        let chip_folder = folder.join(&chip);
        let name = word(&chip_folder.join("name")).unwrap_or(chip);
        for file in names(&chip_folder) {
            let Some(input) = file.strip_suffix("_input").filter(|it| it.starts_with("temp"))
            else {
                continue;
            };
            let Some(celsius_now) = celsius(&chip_folder.join(&file)) else { continue };
            let label = word(&chip_folder.join(format!("{input}_label")));
            let critical = celsius(&chip_folder.join(format!("{input}_crit")));
            all.push(Sensor {
                name: format!("{name} {}", label.as_deref().unwrap_or(input)),
                celsius: celsius_now,
                critical_celsius: critical.filter(|critical| *critical > 0.0),
            });
        }
    }
    all
}

fn zones(sys: &Path) -> Vec<Sensor> {
    let folder = sys.join("class/thermal");
    let zones = names(&folder).into_iter().filter(|name| name.starts_with("thermal_zone"));
    zones
        .filter_map(|zone| {
            let celsius = celsius(&folder.join(&zone).join("temp"))?;
            let name = word(&folder.join(&zone).join("type")).unwrap_or(zone);
            Some(Sensor { name, celsius, critical_celsius: None })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("made");
        fs::write(path, text).expect("written");
    }

    #[test]
    fn everything_is_read_that_is_there_and_nothing_that_is_not() {
        let root = std::env::temp_dir().join(format!("twinwall-resources-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).expect("made");
        let (proc, sys) = (root.join("proc"), root.join("sys"));
        let folders = vec![root.clone(), root.join("gone"), root.clone()];
        let places = Places { proc, sys, folders, network: true };
        let nothing = read(&places);
        assert_eq!((nothing.memory, nothing.connections), (None, None));
        assert!(nothing.temperatures.is_empty());
        assert_eq!(nothing.disks.len(), 1, "one file system once");
        assert!(nothing.disks[0].total_bytes >= nothing.disks[0].free_bytes);
        put(&root, "proc/meminfo", "MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:  250 kB\n");
        put(&root, "proc/sys/net/netfilter/nf_conntrack_count", "90\n");
        put(&root, "proc/sys/net/netfilter/nf_conntrack_max", "100\n");
        put(&root, "sys/class/thermal/thermal_zone0/temp", "48000\n");
        put(&root, "sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
        let read_now = read(&places);
        let memory = read_now.memory.expect("there");
        assert_eq!((memory.total_bytes, memory.used_percent()), (1_024_000, 75.0));
        assert_eq!(read_now.connections.expect("there").used_percent(), 90.0);
        assert_eq!(read_now.temperatures[0].name, "x86_pkg_temp");
        put(&root, "sys/class/hwmon/hwmon0/name", "coretemp\n");
        put(&root, "sys/class/hwmon/hwmon0/temp1_input", "51500\n");
        put(&root, "sys/class/hwmon/hwmon0/temp1_label", "Package id 0\n");
        put(&root, "sys/class/hwmon/hwmon0/temp1_crit", "84000\n");
        put(&root, "sys/class/hwmon/hwmon0/temp2_input", "-127000\n");
        let sensors = read(&places).temperatures;
        let wanted = Sensor {
            name: "coretemp Package id 0".to_owned(),
            celsius: 51.5,
            critical_celsius: Some(84.0),
        };
        assert_eq!(sensors, [wanted], "a sensor that is not connected is none");
        fs::remove_dir_all(root).expect("removed");
    }
}

//! The parts that lie in files and in the kernel: settings, versions, twinwall's own table and
//! addresses, the last lines of its units.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{MAX_PART, Part};
use crate::agent::guard::Control;
use crate::agent::identity::private;
use crate::agent::node::Node;
use crate::agent::profile;
use crate::agent::step::{Leftovers, Step};
use crate::files::{NODE, PAIR};

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Interfaces that are looked at.
const MAX_INTERFACES: usize = 32;
pub(super) const UNITS: [&str; 5] =
    ["twinwall-guard", "twinwall-agent", "twinwall-web", "twinwall-snmp", "twinwall-recover"];

pub(super) fn gather(node: &Node, until: Instant) -> Vec<Part> {
    let mut parts = vec![Part::new("versions.txt", versions(node))];
    for file in [NODE, PAIR, profile::FILE] {
        let name = file.rsplit('/').next().unwrap_or(file);
        match private::read(&node.root().join(file), MAX_PART as u64) {
            Ok(found) => parts.push(Part::new(&format!("settings/{name}"), found.bytes)),
            Err(error) => {
                parts.push(Part::new(&format!("settings/{name}"), format!("not read: {error}\n")));
            }
        }
    }
    for (name, argv) in commands(node) {
        if Instant::now() >= until {
            parts.push(Part::new(&name, "not asked: the time for the bundle was over\n"));
            continue;
        }
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let ran = Step::new(&argv, LIMIT).run(Path::new("/"), Leftovers::Killed);
        let text = ran.map_or_else(|failure| failure.to_string().into_bytes(), |ran| ran.stdout);
        parts.push(Part::new(&name, text));
    }
    parts
}

fn versions(node: &Node) -> String {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| format!("{error}\n"));
    let kernel = read(&node.machine().proc.join("version"));
    let uptime = read(&node.machine().proc.join("uptime"));
    let system = read(&node.root().join("etc/os-release"));
    format!(
        "twinwall {}\nkernel: {kernel}uptime in seconds: {uptime}{system}",
        env!("CARGO_PKG_VERSION")
    )
}

/// What is asked of the machine: only about what is twinwall's own.
fn commands(node: &Node) -> Vec<(String, Vec<String>)> {
    let list = |argv: &[&str]| argv.iter().map(|part| (*part).to_owned()).collect();
    let mut all = vec![
        ("kernel/nft.txt".to_owned(), list(&["nft", "list", "table", "netdev", "twinwall"])),
        ("kernel/rules.txt".to_owned(), list(&["ip", "rule"])),
    ];
    let settings = node.settings();
    let pair = settings.pair.as_ref();
    let ha_link = pair.map(|pair| pair.ha_link.interface.as_str());
    let others = pair.iter().flat_map(|pair| &pair.interfaces).map(|it| it.name.as_str());
    for interface in ha_link.into_iter().chain(others).take(MAX_INTERFACES) {
        let addresses = list(&["ip", "-d", "addr", "show", "dev", interface]);
        let link = list(&["ip", "-s", "-s", "link", "show", "dev", interface]);
        let neighbours = list(&["ip", "neigh", "show", "dev", interface]);
        all.push((format!("kernel/{interface}.addresses.txt"), addresses));
        all.push((format!("kernel/{interface}.link.txt"), link));
        all.push((format!("kernel/{interface}.neighbours.txt"), neighbours));
    }
    if node.machine().control == Control::Systemd {
        for unit in UNITS {
            let lines = ["journalctl", "--no-pager", "-o", "short-iso-precise", "-n", "500", "-u"];
            all.push((format!("journal/{unit}.txt"), list(&[&lines[..], &[unit]].concat())));
        }
    }
    all
}

//! Reads what this node is: by the profile's sources below the root, and from the kernel as
//! it shows itself. A source may be a command that takes its time, so that what it said is
//! good for a while.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use twinwall_core::config::Pair;

use super::facts::{Identity, Known, MAX_PORTS, Port};
use crate::agent::machine::Machine;
use crate::agent::profile::{Profile, Source};
use crate::agent::step::Leftovers;

/// How long what was read stays good: pages ask every few seconds.
const GOOD: Duration = Duration::from_secs(10);

/// What was read last.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Option<(Instant, Identity)>>);

impl Kept {
    /// What this node is, as it was at most some seconds ago. May wait for commands.
    pub(super) fn identity(&self, read: impl FnOnce() -> Identity) -> Identity {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((at, identity)) if at.elapsed() < GOOD => identity.clone(),
            Some(_) | None => {
                let identity = read();
                *kept = Some((Instant::now(), identity.clone()));
                identity
            }
        }
    }
}

/// What the node on this root and machine is.
pub(super) fn identity(root: &Path, machine: &Machine, profile: &Profile) -> Identity {
    let appliance = &profile.appliance;
    let registered = |source: &Source| match fact(root, source) {
        // What proves it is nobody else's business.
        Known::Is(_) => Known::Is("registered".to_owned()),
        not @ Known::Not(_) => not,
    };
    Identity {
        model: fact(root, &appliance.model),
        firmware: fact(root, &appliance.firmware),
        registration: appliance.registration.as_ref().map(registered),
        cpu: match fs::read_to_string(machine.proc.join("cpuinfo")) {
            Ok(text) => processor(&text),
            Err(error) => Known::Not(format!("cpuinfo cannot be read: {error}")),
        },
        memory_kib: fs::read_to_string(machine.proc.join("meminfo"))
            .ok()
            .and_then(|text| memory(&text)),
    }
}

/// What a source of the profile says. May wait for a command.
pub(in crate::agent) fn fact(root: &Path, source: &Source) -> Known {
    let read = source.read(root, |step| {
        let ran = step.run(root, Leftovers::Killed);
        ran.map(|ran| ran.stdout).map_err(|failed| io::Error::other(failed.to_string()))
    });
    read.map_or_else(|error| Known::Not(format!("{source} {error}")), Known::Is)
}

/// The processor and how many, from /proc/cpuinfo of any architecture that names them.
fn processor(text: &str) -> Known {
    let value = |key: &str| {
        let line =
            text.lines().find(|line| line.split(':').next().is_some_and(|it| it.trim() == key));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    };
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    let model = ["model name", "cpu model", "cpu", "CPU part"].into_iter().find_map(value);
    match (model.filter(|model| !model.is_empty()), count) {
        (Some(model), 1..) => Known::Is(format!("{count} x {model}")),
        (_, _) => Known::Not("the kernel does not name it".to_owned()),
    }
}

fn memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The interfaces with hardware behind them, and those that the pair names; by name.
pub(super) fn ports(sys: &Path, pair: Option<&Pair>) -> Vec<Port> {
    let net = sys.join("class/net");
    let mut names: Vec<String> = fs::read_dir(&net)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| net.join(name).join("device").exists())
        .take(MAX_PORTS)
        .collect();
    if let Some(pair) = pair {
        names.extend(pair.interfaces.iter().map(|one| one.name.clone()));
        names.push(pair.ha_link.interface.clone());
    }
    names.sort();
    names.dedup();
    let number = |name: &str, file: &str| {
        fs::read_to_string(net.join(name).join(file)).ok()?.trim().parse::<u32>().ok()
    };
    let port = |name: String| {
        let (speed, mtu) = (number(&name, "speed"), number(&name, "mtu"));
        Port { speed: speed.filter(|speed| *speed > 0), mtu, name }
    };
    names.into_iter().map(port).collect()
}

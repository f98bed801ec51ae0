//! conntrackd beside keepalived, as an expert would set it up for this pair: the reliable
//! protocol over the HA link, filters in the kernel, large buffers, and the script of its own
//! documentation at each change of the role. It is here to be compared with, nothing of twinwall
//! depends on it.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::{Doing, LabError, Result};
use crate::plan;
use crate::process::Running;
use crate::product::{Flows, Settings};
use crate::wait;
use crate::worker::Worker;

/// A started conntrackd can be asked within this.
const START_WITHIN: Duration = Duration::from_secs(5);
/// Realtime, below keepalived.
const PRIORITY: u32 = 40;
/// Its port on the HA link.
pub const PORT: u16 = 3780;

fn config_file(tree: &Path) -> PathBuf {
    tree.join("etc/conntrackd.conf")
}

/// The script that keepalived calls with the role.
pub fn script_file(tree: &Path) -> PathBuf {
    tree.join("etc/primary-backup.sh")
}

/// The text of conntrackd.conf.
fn config(node: usize, tree: &Path, settings: &Settings) -> String {
    let [own, other] = [node, 1 - node].map(|node| format!("10.255.0.{}", node + 1));
    let injects = if settings.flows == Flows::Injected { "yes" } else { "no" };
    let file = |name: &str| tree.join(name).display().to_string();
    let mut ignored = String::from("      IPv4_address 127.0.0.1\n      IPv6_address ::1\n");
    for (_, addresses) in
        (0..2).flat_map(|node| plan::own_addresses(node, plan::lan_prefix(settings.further_vips)))
    {
        for address in addresses {
            let family = if address.contains(':') { "IPv6" } else { "IPv4" };
            let host = address.split_once('/').map_or(&*address, |(host, _)| host);
            // Writing to a String cannot fail.
            let _ = writeln!(ignored, "      {family}_address {host}");
        }
    }
    format!(
        "Sync {{\n  Mode FTFW {{\n    ResendQueueSize 131072\n    PurgeTimeout 60\n    ACKWindowSize 300\n\
         \x20   DisableExternalCache {injects}\n    StartupResync yes\n  }}\n\
         \x20 UDP {{\n    IPv4_address {own}\n    IPv4_Destination_Address {other}\n    Port {PORT}\n\
         \x20   Interface {}\n    SndSocketBuffer 16777216\n    RcvSocketBuffer 16777216\n    Checksum on\n  }}\n\
         \x20 Options {{\n    TCPWindowTracking off\n    ExpectationSync {{\n      ftp\n      sip\n    }}\n  }}\n}}\n\
         General {{\n  HashSize 262144\n  HashLimit 4194304\n  LogFile {}\n  LockFile {}\n\
         \x20 UNIX {{\n    Path {}\n  }}\n\
         \x20 NetlinkBufferSize 8388608\n  NetlinkBufferSizeMaxGrowth 67108864\n  NetlinkOverrunResync yes\n\
         \x20 EventIterationLimit 200\n  Scheduler {{\n    Type RR\n    Priority {PRIORITY}\n  }}\n\
         \x20 Filter From Kernelspace {{\n    Protocol Accept {{\n      TCP\n      UDP\n      ICMP\n      IPv6-ICMP\n    }}\n\
         \x20   Address Ignore {{\n{ignored}    }}\n\
         \x20   State Accept {{\n      ESTABLISHED CLOSED TIME_WAIT CLOSE_WAIT for TCP\n    }}\n  }}\n}}\n",
        plan::HA,
        file("log/conntrackd.log"),
        file("run/conntrackd.lock"),
        file("run/conntrackd.ctl"),
    )
}

/// primary-backup.sh of conntrackd's documentation, with the paths of this node. Where flows go
/// straight into the kernel, a passive must not have its timers shortened: that would take away
/// what was injected.
fn script(tree: &Path, settings: &Settings) -> String {
    let own = format!("conntrackd -C {}", config_file(tree).display());
    let purge =
        if settings.flows == Flows::Injected { String::new() } else { format!("{own} -t\n") };
    format!(
        "#!/bin/sh\ncase \"$1\" in\nprimary)\n{own} -c\n{own} -f\n{own} -R\n{own} -B\n;;\n\
         backup)\n{purge}{own} -n\n;;\nfault)\n{purge}:\n;;\nesac\n"
    )
}

/// Writes its files.
///
/// # Errors
/// When they cannot be written.
pub fn furnish(node: usize, tree: &Path, settings: &Settings) -> Result<()> {
    for dir in ["etc", "run", "log"] {
        fs::create_dir_all(tree.join(dir)).doing("make a directory for conntrackd")?;
    }
    fs::write(config_file(tree), config(node, tree, settings)).doing("write conntrackd.conf")?;
    let path = script_file(tree);
    fs::write(&path, script(tree, settings)).doing("write the script of the roles")?;
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).doing("let the script be run")
}

/// Starts it on a machine whose addresses are set; returns when it can be asked.
///
/// # Errors
/// When it is not installed, or does not start.
pub fn start(worker: &Worker, tree: &Path) -> Result<Running> {
    match fs::remove_file(tree.join("run/conntrackd.lock")) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => {
            return Err(cause).doing("remove the lock of a conntrackd that was killed");
        }
        Ok(()) | Err(_) => {}
    }
    let mut command = Command::new("conntrackd");
    command.arg("-C").arg(config_file(tree));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = worker.run(move || command.spawn())?;
    let running = Running::new(started.map_err(|cause| LabError::Command {
        line: "conntrackd".to_owned(),
        output: format!("{cause}; install it: apt install conntrackd"),
    })?);
    wait::until("the start of conntrackd", START_WITHIN, || {
        cached(worker, tree).map(drop).map_err(|cause| cause.to_string())
    })?;
    Ok(running)
}

/// Flows in its caches: its own, and the other node's.
///
/// # Errors
/// When it does not answer.
pub fn cached(worker: &Worker, tree: &Path) -> Result<[u64; 2]> {
    let config = config_file(tree).display().to_string();
    let said = worker.command("conntrackd", &["-C", &config, "-s"], String::new())?;
    counts(&said).ok_or_else(|| LabError::Command {
        line: "conntrackd -s".to_owned(),
        output: format!("it said '{said}'"),
    })
}

/// Flows of the other node that it was told of so far, those that have ended included.
///
/// # Errors
/// When it does not answer.
pub fn told(worker: &Worker, tree: &Path) -> Result<u64> {
    let config = config_file(tree).display().to_string();
    let said = worker.command("conntrackd", &["-C", &config, "-s"], String::new())?;
    created(&said).ok_or_else(|| LabError::Command {
        line: "conntrackd -s".to_owned(),
        output: format!("it said '{said}'"),
    })
}

/// The second line `connections created` of `conntrackd -s`: that of the external cache.
fn created(said: &str) -> Option<u64> {
    let mut lines = said.lines().filter_map(|line| line.strip_prefix("connections created:"));
    lines.nth(1)?.split_whitespace().next()?.parse().ok()
}

/// Lines `current active connections` of `conntrackd -s`; where there is no external cache there
/// is one of them.
fn counts(said: &str) -> Option<[u64; 2]> {
    let mut counts = said
        .lines()
        .filter_map(|line| line.strip_prefix("current active connections:"))
        .map(|count| count.trim().parse::<u64>());
    Some([counts.next()?.ok()?, counts.next().and_then(|count| count.ok()).unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_caches_are_counted() {
        let said = "cache internal:\ncurrent active connections:\t           7\nconnections created:\t 9\tfailed: 0\n\n\
                    cache external:\ncurrent active connections:\t           2\n\
                    connections created:\t 5\tfailed: 0\n";
        assert_eq!(counts(said), Some([7, 2]));
        assert_eq!(created(said), Some(5));
        assert_eq!(counts("cache internal:\ncurrent active connections:\t 7\n"), Some([7, 0]));
        assert_eq!(counts(""), None);
    }
}

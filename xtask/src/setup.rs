//! `cargo xtask setup`: brings the Debian packages that the tests and the lab
//! use. Called by `test`, `lab` and `bench` first. It installs nothing when all
//! programs are there, and never starts or enables a service.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Outcome, fail};
use crate::shell;

/// A program that must be there, and the Debian package that brings it.
const NEEDED: [(&str, &str); 10] = [
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("ping", "iputils-ping"),
    ("conntrack", "conntrack"),
    ("tcpdump", "tcpdump"),
    ("ps", "procps"),
    ("unshare", "util-linux"),
    ("keepalived", "keepalived"),
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
];

/// Debian asks this program before it starts a service; 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing.
pub(crate) fn setup() -> Outcome {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, _)| shell::find(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if shell::find("apt-get").is_none() {
        return fail!(
            "setup: programs of these Debian packages are missing: {list}. This machine has no \
             apt-get; install them by its own package tool and run this again"
        );
    }
    if !shell::is_root() {
        return fail!(
            "setup: these packages are missing: {list}. Run this as root, or `apt-get install {list}` \
             yourself"
        );
    }
    eprintln!("setup: installing {list}");
    let quiet = ServicesStayOff::begin()?;
    let fresh_keepalived = missing.contains(&"keepalived");
    shell::run(apt(&["update", "-q"]))?;
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(&missing);
    shell::run(apt(&arguments))?;
    drop(quiet);
    if fresh_keepalived {
        leave_keepalived_off();
    }
    Ok(())
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments);
    command
}

/// The benchmark starts keepalived itself, in its own namespaces; at the next
/// boot of this machine it must not start by itself.
fn leave_keepalived_off() {
    if shell::find("systemctl").is_some() {
        let mut command = Command::new("systemctl");
        command.args(["disable", "--quiet", "keepalived.service"]);
        if let Err(failure) = shell::run(command) {
            eprintln!("setup: keepalived could not be disabled, see to it yourself: {failure}");
        }
    }
}

/// While this value lives, package installation starts no service.
struct ServicesStayOff {
    ours: bool,
}

impl ServicesStayOff {
    fn begin() -> Result<ServicesStayOff, Failure> {
        if Path::new(POLICY).exists() {
            return Ok(ServicesStayOff { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n")
            .and_then(|()| fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)))
            .map_err(|e| {
                Failure(format!(
                    "setup: {POLICY} could not be written ({e}); is the disk read-only?"
                ))
            })?;
        Ok(ServicesStayOff { ours: true })
    }
}

impl Drop for ServicesStayOff {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            eprintln!("setup: remove {POLICY} yourself, services would stay off: {error}");
        }
    }
}

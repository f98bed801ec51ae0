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
const NEEDED: [(&str, &str); 45] = [
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("ping", "iputils-ping"),
    ("conntrack", "conntrack"),
    ("tcpdump", "tcpdump"),
    ("ps", "procps"),
    ("unshare", "util-linux"),
    ("keepalived", "keepalived"),
    ("conntrackd", "conntrackd"),
    ("rsync", "rsync"),
    ("csync2", "csync2"),
    ("lsyncd", "lsyncd"),
    ("rsyslogd", "rsyslog-relp"),
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
    // What the reference profile is about: its tests ask the programs themselves.
    ("dnsmasq", "dnsmasq"),
    ("kea-dhcp4", "kea-dhcp4-server"),
    ("kea-dhcp6", "kea-dhcp6-server"),
    ("radvd", "radvd"),
    ("squid", "squid"),
    ("chronyd", "chrony"),
    ("snmpd", "snmpd"),
    ("snmpwalk", "snmp"),
    ("snmptrapd", "snmptrapd"),
    ("smilint", "smitools"),
    ("logrotate", "logrotate"),
    // And journald, which a test runs beside the machine's own.
    ("journalctl", "systemd"),
    ("freeradius", "freeradius"),
    ("postfix", "postfix"),
    ("rspamadm", "rspamd"),
    ("swanctl", "strongswan-swanctl"),
    ("charon-systemd", "charon-systemd"),
    ("wg", "wireguard-tools"),
    ("openvpn", "openvpn"),
    ("clamd", "clamav-daemon"),
    ("sshd", "openssh-server"),
    ("ifquery", "ifupdown"),
    ("suricata", "suricata"),
    // What alerts and metrics are read by.
    ("rsyslogd", "rsyslog"),
    ("promtool", "prometheus"),
    // A person's browser for the console, what drives it, and another visitor.
    ("chromium", "chromium"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("curl", "curl"),
    // A client of DHCP.
    ("udhcpc", "udhcpc"),
];

/// What is there only to be compared with.
const COMPARED: [&str; 6] = ["keepalived", "conntrackd", "rsync", "csync2", "lsyncd", "rsyslogd"];

/// Where Debian 12 has Suricata: not in its main archive, only in its backports. Asked in
/// these two calls of apt-get, and never written into the machine's own lists.
const BACKPORTS: &str = "\
deb http://deb.debian.org/debian bookworm main\n\
deb http://deb.debian.org/debian bookworm-backports main\n";

/// Debian asks this program before it starts a service; 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing.
pub(crate) fn setup(root: &Path) -> Outcome {
    packages()?;
    browser(root)
}

/// What drives the browser, at the versions of the lock file. Nothing of it is shipped.
fn browser(root: &Path) -> Outcome {
    let folder = root.join("lab/browser");
    let (wanted, there) = (folder.join("package-lock.json"), folder.join("node_modules"));
    let stamp = |path: &Path| fs::metadata(path).and_then(|it| it.modified()).ok();
    if stamp(&there.join(".package-lock.json")) >= stamp(&wanted) {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
    shell::run(command)
}

/// Installs the Debian packages that are missing.
fn packages() -> Outcome {
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
    let fresh: Vec<&str> =
        COMPARED.into_iter().filter(|package| missing.contains(package)).collect();
    shell::run(apt(&["update", "-q"]))?;
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(missing.iter().filter(|package| **package != "suricata"));
    shell::run(apt(&arguments))?;
    if missing.contains(&"suricata") {
        install_suricata()?;
    }
    drop(quiet);
    fresh.into_iter().for_each(leave_off);
    Ok(())
}

/// From the machine's own lists where they have it, else from the backports.
fn install_suricata() -> Outcome {
    let install = ["install", "-q", "-y", "--no-install-recommends", "suricata"];
    if shell::run(apt(&install)).is_ok() {
        return Ok(());
    }
    let list = std::env::temp_dir().join(format!("twinwall-backports-{}.list", std::process::id()));
    fs::write(&list, BACKPORTS)
        .map_err(|e| Failure(format!("setup: {} could not be written: {e}", list.display())))?;
    let source = format!("Dir::Etc::sourcelist={}", list.display());
    let from = ["-o", source.as_str()];
    let updated = shell::run(apt(&[&from[..], &["update", "-q"]].concat()));
    let backports = [&from[..], &["-t", "bookworm-backports"], &install[..]].concat();
    let done = updated.and_then(|()| shell::run(apt(&backports)));
    if let Err(error) = fs::remove_file(&list) {
        eprintln!("setup: {} is left over: {error}", list.display());
    }
    done
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments);
    command
}

/// A benchmark starts it itself, in its own namespaces; at the next boot of this machine it
/// must not start by itself.
fn leave_off(package: &str) {
    if shell::find("systemctl").is_some() {
        let mut command = Command::new("systemctl");
        command.args(["disable", "--quiet", &format!("{package}.service")]);
        if let Err(failure) = shell::run(command) {
            eprintln!("setup: {package} could not be disabled, see to it yourself: {failure}");
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

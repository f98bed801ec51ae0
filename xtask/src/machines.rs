//! `cargo xtask machines`: the package on two machines with Debian's own systemd. Makes
//! the image that they boot from and the package, then runs the lab's tests of them.
//! Also called by `test`, which runs those tests with all others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Outcome, fail};
use crate::leftovers::Before;
use crate::package::{self, Build};
use crate::{setup, shell};

/// The feature of the lab that brings its tests of machines.
pub(crate) const FEATURE: &str = "twinwall-lab/machines";
/// Debian's name of the release that the machines run.
const RELEASE: &str = "bookworm";
/// What they have beside Debian's smallest system: what a gateway's configuration is
/// made of, and what the tests look with.
const PACKAGES: [&str; 10] = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "nftables",
    "iproute2",
    "procps",
    "dnsmasq",
    "chrony",
    "openssh-server",
    "snmpd",
];
/// Services that wait for their configuration, as nobody has written any yet.
const DISABLED: &str = "dnsmasq.service chrony.service ssh.service snmpd.service";
const ENABLED: &str = "systemd-networkd.service nftables.service";

/// What the tests are given in their environment.
pub(crate) struct Machines {
    image: PathBuf,
    package: PathBuf,
}

impl Machines {
    /// Makes what is missing: the image once, the package anew.
    pub(crate) fn prepare(root: &Path) -> Result<Machines, Failure> {
        Ok(Machines { image: image(root)?, package: package::build(root, Build::ForTests)? })
    }

    /// Names image and package for a command that runs the tests.
    pub(crate) fn name(&self, command: &mut Command) {
        command.env("TWINWALL_IMAGE", &self.image).env("TWINWALL_PACKAGE", &self.package);
    }
}

/// Runs the tests of machines whose names contain one of the arguments; else all.
pub(crate) fn machines(root: &Path, arguments: &[String]) -> Outcome {
    if !shell::is_root() {
        return fail!("machines: systems boot in namespaces there; run this as root");
    }
    setup::setup(root)?;
    let machines = Machines::prepare(root)?;
    let before = Before::look();
    let tests = ["test", "--locked", "-p", "twinwall-lab", "--features", FEATURE, "--test"];
    let mut command = shell::cargo(root, &tests);
    command.args(["machines", "--", "--test-threads=1", "--nocapture"]).args(arguments);
    machines.name(&mut command);
    before.mark(&mut command);
    let result = shell::run(command);
    let clean = before.compare();
    result.and(clean)
}

/// A Debian system that boots, made once and kept below cargo's target folder.
fn image(root: &Path) -> Result<PathBuf, Failure> {
    let folder = shell::target_folder(root)?.join("machines");
    let (image, made_of) = (folder.join(RELEASE), folder.join(format!("{RELEASE}.made-of")));
    let recipe = format!("{} / {ENABLED} / {DISABLED}\n", PACKAGES.join(" "));
    if image.is_dir() && fs::read_to_string(&made_of).is_ok_and(|text| text == recipe) {
        return Ok(image);
    }
    eprintln!("machines: making a Debian system in {}; once, a minute or two", image.display());
    let broken = |e: std::io::Error| Failure(format!("machines: {}: {e}", folder.display()));
    fs::create_dir_all(&folder).map_err(broken)?;
    if image.exists() {
        fs::remove_dir_all(&image).map_err(broken)?;
    }
    shell::run(bootstrap(&image))?;
    fs::write(&made_of, recipe).map_err(broken)?;
    Ok(image)
}

fn bootstrap(image: &Path) -> Command {
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=minbase", "--mode=root"]);
    command.arg(format!("--include={}", PACKAGES.join(",")));
    command.arg("--aptopt=APT::Install-Recommends \"false\"");
    for folder in ["doc", "locale", "man"] {
        command.arg(format!("--dpkgopt=path-exclude=/usr/share/{folder}/*"));
    }
    command.arg("--dpkgopt=path-include=/usr/share/man/man1");
    command.arg("--dpkgopt=force-unsafe-io");
    command.arg(format!("--customize-hook=chroot \"$1\" systemctl --quiet disable {DISABLED}"));
    command.arg(format!("--customize-hook=chroot \"$1\" systemctl --quiet enable {ENABLED}"));
    // Each machine finds an identity of its own at its first boot.
    command.arg("--customize-hook=: > \"$1/etc/machine-id\"");
    // The machines install packages with the defaults of dpkg.
    command.arg("--customize-hook=rm -f \"$1\"/etc/dpkg/dpkg.cfg.d/99mmdebstrap");
    command.arg(RELEASE).arg(image);
    command
}

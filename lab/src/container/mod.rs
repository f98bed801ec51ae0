//! A gateway with Debian's own systemd: units, boot order, `systemctl`, dpkg, a real
//! shutdown. `systemd-nspawn` boots it in a network namespace of the topology, from a
//! read-only image under a disk of its own. Used by the tests of the package.
//!
//! It must be made inside the lab's namespaces (see [`crate::isolate`]): processes, mounts
//! and disks then end with the lab, however it ends; cgroups are swept after it.

pub mod cgroup;
mod disk;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::error::{Doing, LabError, Result};
use crate::isolate::TREES;
use crate::netns::NAMES;
use crate::process::{self, Running};
use crate::wait;
use cgroup::Cgroups;
use disk::Disk;

/// From power on to the end of the boot; a second on an idle machine.
const BOOT_WITHIN: Duration = Duration::from_secs(60);
/// From the order to shut down to its end; systemd kills what lingers after 90 s.
const END_WITHIN: Duration = Duration::from_secs(120);
/// A command of an administrator is done within this.
const COMMAND_WITHIN: Duration = Duration::from_secs(60);
/// What the guard needs beyond what `systemd-nspawn` grants.
const CAPABILITIES: &str = "CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_NICE,CAP_IPC_LOCK";
/// How `systemd-nspawn --keep-unit` says that the system inside wants to boot again.
const WANTS_REBOOT: i32 = 133;
/// The environment of a command, as a root shell has it.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("LANG", "C.UTF-8"),
    ("DEBIAN_FRONTEND", "noninteractive"),
];

/// Why a system went down by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was shut down.
    Off,
    /// It wants to boot again.
    Reboot,
}

/// One machine with its disk; on or off.
pub struct Container {
    name: String,
    disk: Disk,
    cgroups: Cgroups,
    running: Option<Running>,
}

impl Container {
    /// Makes a machine whose disk is `image` as it is. It has no power yet. A network
    /// namespace of that name must be published.
    pub fn new(name: &str, image: &Path) -> Result<Container> {
        let disk = Disk::over(image, &Path::new(TREES).join(name))?;
        let cgroups = Cgroups::make(name)?;
        let container = Container { name: name.to_owned(), disk, cgroups, running: None };
        // A journal on the disk can be read whether the machine runs or not.
        container.make_folder("var/log/journal")?;
        Ok(container)
    }

    /// Puts another unit in its place, which is off: the disk is as `image` again.
    pub fn replace(&mut self, image: &Path) -> Result<()> {
        let folders = (2..).map(|unit| Path::new(TREES).join(format!("{}-{unit}", self.name)));
        let folder = folders.into_iter().find(|folder| !folder.exists()).expect("one of them");
        self.disk = Disk::over(image, &folder)?;
        self.make_folder("var/log/journal")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A file of its disk, as seen from here.
    pub fn path(&self, file: &str) -> PathBuf {
        self.disk.root().join(file.trim_start_matches('/'))
    }

    /// Writes a file onto its disk, with the folders above it.
    pub fn write(&self, file: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.path(file);
        if let Some((folder, _)) = file.rsplit_once('/') {
            self.make_folder(folder)?;
        }
        let written = fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
        written.doing(format!("write {}", path.display()))
    }

    fn make_folder(&self, folder: &str) -> Result<()> {
        let path = self.path(folder);
        fs::create_dir_all(&path).doing(format!("make {}", path.display()))
    }

    /// Switches it on; returns when the boot is over, whether or not every unit started.
    pub fn power_on(&mut self) -> Result<()> {
        let console = self.console();
        let log = File::create(&console).doing(format!("write {}", console.display()))?;
        let mut command = self.nspawn();
        let errors = log.try_clone().doing("share the console's file")?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let enter = self.cgroups.enter()?;
        // SAFETY: between fork and exec the closure only writes to descriptors that are open.
        unsafe { command.pre_exec(enter) };
        let child = command.spawn().map_err(|cause| LabError::Command {
            line: "systemd-nspawn".to_owned(),
            output: format!("{cause}; install systemd-container (`cargo xtask setup`)"),
        })?;
        self.running = Some(Running::new(child));
        let booted = wait::until(&format!("the boot of {}", self.name), BOOT_WITHIN, || {
            self.why_not_booted().map_or(Ok(()), Err)
        });
        booted.map_err(|cause| self.with_console(&cause))
    }

    fn nspawn(&self) -> Command {
        let mut command = Command::new("systemd-nspawn");
        command.args(["--quiet", "--boot", "--register=no", "--keep-unit", "--settings=no"]);
        command.args(["--console=read-only", "--link-journal=no", "--resolv-conf=off"]);
        command.arg("--timezone=off").arg(format!("--capability={CAPABILITIES}"));
        command.arg(format!("--machine={}", self.name));
        command.arg(format!("--network-namespace-path={NAMES}/{}", self.name));
        command.arg("--directory").arg(self.disk.root());
        command
    }

    fn why_not_booted(&mut self) -> Option<String> {
        let running = self.running.as_mut()?;
        if !running.runs() {
            return Some("it ended".to_owned());
        }
        let asked = self.execute("systemctl is-system-running", COMMAND_WITHIN);
        let said = match asked {
            Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            Err(cause) => cause.to_string(),
        };
        let over = ["running", "degraded"].contains(&said.as_str());
        (!over).then(|| format!("the state '{said}'"))
    }

    /// Its first process, as seen from the lab.
    fn leader(&self) -> Option<i32> {
        self.running.as_ref()?.pids().get(1).copied()
    }

    /// Runs a line of shell there as root; its output when it succeeds.
    pub fn run(&self, line: &str) -> Result<String> {
        let output = self.execute(line, COMMAND_WITHIN)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let output = format!(
            "{}\n{}\n{}",
            output.status,
            text(&output.stdout).trim(),
            text(&output.stderr).trim()
        );
        Err(LabError::Command { line: format!("{}: {line}", self.name), output })
    }

    fn execute(&self, line: &str, bound: Duration) -> Result<Output> {
        let Some(leader) = self.leader() else {
            return Err(LabError::Usage(format!("{} has no power", self.name)));
        };
        let mut command = Command::new("nsenter");
        command.args(["--all", "--target", &leader.to_string()]);
        command.args(["timeout", "--kill-after=5", &bound.as_secs().to_string()]);
        // The folder that this was called in is none of the machine.
        let line = format!("cd /; {line}");
        command.args(["sh", "-c", &line]).env_clear().envs(ENVIRONMENT).stdin(Stdio::null());
        command.output().doing(format!("run a command on {}", self.name))
    }

    /// Waits until it has gone down by itself, after an order to reboot or to shut down.
    pub fn await_end(&mut self) -> Result<Ended> {
        let Some(mut running) = self.running.take() else {
            return Err(LabError::Usage(format!("{} has no power", self.name)));
        };
        match running.wait_end(END_WITHIN)?.code() {
            Some(0) => Ok(Ended::Off),
            Some(WANTS_REBOOT) => Ok(Ended::Reboot),
            code => {
                let cause = LabError::Usage(format!("{} ended with {code:?}", self.name));
                Err(self.with_console(&cause))
            }
        }
    }

    /// Takes its power away: every process of it ends at once.
    pub fn cut_power(&mut self) -> Result<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let pids = running.pids();
        // The kernel kills the rest of a PID namespace with its first process.
        process::signal_all(pids.get(1..2).unwrap_or_default(), libc::SIGKILL);
        running.wait_end(END_WITHIN).map(|_| ())
    }

    /// The journal since the first boot, or of one unit; the machine may be off.
    pub fn journal(&self, unit: Option<&str>) -> String {
        let mut command = Command::new("journalctl");
        command.args(["--quiet", "--no-pager", "--output=short-precise", "--directory"]);
        command.arg(self.path("var/log/journal"));
        command.args(unit.iter().flat_map(|unit| ["--unit", unit]));
        match command.output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(cause) => format!("journalctl: {cause}"),
        }
    }

    fn console(&self) -> PathBuf {
        Path::new(TREES).join(format!("{}.console", self.name))
    }

    fn with_console(&self, cause: &LabError) -> LabError {
        const LINES: usize = 30;
        let text: io::Result<Vec<u8>> = fs::read(self.console());
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
        LabError::Usage(format!("{cause}; its console:\n{}", last.join("\n")))
    }
}

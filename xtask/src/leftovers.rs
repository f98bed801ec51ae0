//! Notices what a test run leaves behind: processes, network namespaces,
//! interfaces, cgroups. Called by `test` and `machines` around everything that it runs. It never touches
//! what was there before, nor a process without this run's mark.

use std::collections::BTreeSet;
use std::fs;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::failure::{Outcome, fail};

/// Environment variable that every child of a run carries.
const MARK: &str = "TWINWALL_TEST_RUN";
/// Closing namespaces is the kernel's work in the background; it takes a moment.
const GRACE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How the machine looked before a run.
pub(crate) struct Before {
    mark: String,
    namespaces: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    cgroups: BTreeSet<String>,
}

impl Before {
    /// Looks at the machine and chooses this run's mark.
    pub(crate) fn look() -> Before {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |span| span.as_nanos());
        Before {
            mark: format!("{}-{nanos}", process::id()),
            namespaces: names("/run/netns"),
            interfaces: names("/sys/class/net"),
            cgroups: cgroups(),
        }
    }

    /// Marks a command, so that its children can be told from others.
    pub(crate) fn mark(&self, command: &mut Command) {
        command.env(MARK, &self.mark);
    }

    /// Fails when something of the run is still there after a grace time. Ends
    /// the run's own processes in that case.
    pub(crate) fn compare(&self) -> Outcome {
        let start = Instant::now();
        let mut left = self.left();
        while !left.is_empty() && start.elapsed() < GRACE {
            thread::sleep(LOOK_AGAIN);
            left = self.left();
        }
        if left.is_empty() {
            return Ok(());
        }
        for id in self.processes() {
            let _gone_by_itself = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        }
        fail!(
            "the run left something behind; the test that made it must clean up:\n  {}",
            left.join("\n  ")
        )
    }

    fn left(&self) -> Vec<String> {
        let processes =
            self.processes().into_iter().map(|id| format!("process {id}: {}", command_line(id)));
        let namespaces = names("/run/netns");
        let namespaces =
            namespaces.difference(&self.namespaces).map(|name| format!("network namespace {name}"));
        let interfaces = names("/sys/class/net");
        let interfaces =
            interfaces.difference(&self.interfaces).map(|name| format!("interface {name}"));
        let cgroups = cgroups();
        let cgroups = cgroups.difference(&self.cgroups).map(|name| format!("cgroup {name}"));
        processes.chain(namespaces).chain(interfaces).chain(cgroups).collect()
    }

    fn processes(&self) -> Vec<u32> {
        let wanted = format!("{MARK}={}", self.mark).into_bytes();
        names("/proc")
            .iter()
            .filter_map(|name| name.parse().ok())
            .filter(|id| {
                let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
                environment.split(|byte| *byte == 0).any(|entry| entry == wanted)
            })
            .collect()
    }
}

fn command_line(id: u32) -> String {
    let raw = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&raw).replace('\0', " ")
}

/// The lab's cgroups, in whichever hierarchy.
fn cgroups() -> BTreeSet<String> {
    let folders = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];
    let found = folders
        .into_iter()
        .flat_map(|folder| names(folder).into_iter().map(move |name| format!("{folder}/{name}")));
    found.filter(|path| path.contains("/twinwall-lab-")).collect()
}

fn names(folder: &str) -> BTreeSet<String> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_process_that_outlives_its_run_is_found_and_ended() {
        let before = Before::look();
        let mut command = Command::new("sleep");
        command.arg("20").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        before.mark(&mut command);
        let mut child = command.spawn().unwrap();
        // The kernel shows a program's environment a moment after it was started.
        let start = Instant::now();
        while before.processes().is_empty() && start.elapsed() < GRACE {
            thread::sleep(LOOK_AGAIN);
        }
        let mut shown = before.left();
        // Tests beside this one may make namespaces meanwhile.
        shown.retain(|line| line.starts_with("process "));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(shown, [format!("process {}: sleep 20 ", child.id())]);
        assert_eq!(before.processes(), Vec::<u32>::new());
    }
}

//! Cgroups of the containers: the one thing of a lab that the kernel does not remove by
//! itself. They stand below one group named after the lab's process, so that the outer
//! side, and any later lab, knows whose they are and whether it still lives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Doing, LabError, Result};
use crate::isolate;

/// Where the kernel shows them.
pub const MOUNT: &str = "/sys/fs/cgroup";
/// Followed by the lab's process id as seen from outside.
const PREFIX: &str = "twinwall-lab-";
/// A killed process leaves its group within this.
const EMPTY_WITHIN: Duration = Duration::from_secs(3);

/// The groups of one container, one in each hierarchy that systemd uses.
pub(super) struct Cgroups(Vec<PathBuf>);

impl Cgroups {
    /// Makes them.
    pub(super) fn make(name: &str) -> Result<Cgroups> {
        let Some(lab) = isolate::outer_pid() else {
            let text = "a container is made inside the lab's namespaces only";
            return Err(LabError::Usage(text.to_owned()));
        };
        let hierarchies = hierarchies();
        if hierarchies.is_empty() {
            let text = format!("{MOUNT}: no cgroups for systemd here; mount cgroup2 there");
            return Err(LabError::Usage(text));
        }
        let group = |root: PathBuf| root.join(format!("{PREFIX}{lab}")).join(name);
        let groups: Vec<PathBuf> = hierarchies.into_iter().map(group).collect();
        for group in &groups {
            fs::create_dir_all(group).doing(format!("make the cgroup {}", group.display()))?;
        }
        Ok(Cgroups(groups))
    }

    /// What moves the calling process into them; to be called in a child before it
    /// becomes another program.
    pub(super) fn enter(&self) -> Result<impl FnMut() -> io::Result<()> + Send + Sync + 'static> {
        let open = |group: &PathBuf| {
            let file = group.join("cgroup.procs");
            OpenOptions::new().write(true).open(&file).doing(format!("open {}", file.display()))
        };
        let mut files: Vec<File> = self.0.iter().map(open).collect::<Result<_>>()?;
        Ok(move || files.iter_mut().try_for_each(|file| file.write_all(b"0")))
    }
}

/// Reads which lab it is, waits for the end of what it reads, and removes the lab's groups in
/// the hierarchies that it is given.
const SWEEP: &str = r#"
read -r lab || exit 0
while read -r _; do :; done
for root; do
  group=$root/PREFIX$lab tries=0
  while [ -e "$group" ] && [ $tries -lt 50 ]; do
    find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
    tries=$((tries + 1))
    [ ! -e "$group" ] || sleep 0.1
  done
done
"#;

/// What sweeps when the outer side cannot any more: a process of another group, so that what
/// kills the outer side passes it by.
pub struct Sweeper(Child);

impl Sweeper {
    /// Starts it. To be called while children still get the namespaces of the outer side.
    pub fn start() -> Result<Sweeper> {
        let mut command = Command::new("sh");
        command.args(["-c", &SWEEP.replace("PREFIX", PREFIX), "sh"]).args(hierarchies());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0).spawn().map(Sweeper).doing("start what sweeps after the lab")
    }

    /// Tells it the lab's process id as seen from outside.
    pub fn watch(&mut self, lab: u32) -> Result<()> {
        let Some(input) = &mut self.0.stdin else { return Ok(()) };
        writeln!(input, "{lab}").doing("tell what sweeps after the lab")
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It has bounds of its own.
        let _ = self.0.wait();
    }
}

/// Removes the groups of every lab that is gone, should any be left. Called by the outer side
/// before a lab; never touches those of a lab that lives.
pub fn sweep() {
    for root in hierarchies() {
        for entry in fs::read_dir(&root).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let lab = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<i32>().ok());
            if lab.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                remove(&entry.path());
            }
        }
    }
}

/// Groups have no files of their own: only folders are removed, the innermost first.
fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let begun = Instant::now();
    // A group that never empties stays, and the next lab tries again.
    while fs::remove_dir(group).is_err() && group.exists() && begun.elapsed() < EMPTY_WITHIN {
        thread::sleep(Duration::from_millis(20));
    }
}

/// The roots of the hierarchies that systemd uses: one where all is cgroup2, else the two
/// that it has beside those of the controllers.
fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new(MOUNT);
    let below = ["systemd", "unified"].map(|name| root.join(name));
    let candidates = [root.to_owned()].into_iter().chain(below);
    candidates.filter(|folder| folder.join("cgroup.procs").exists()).collect()
}

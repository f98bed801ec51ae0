//! Nothing outlives the lab, however it dies. Needs root and keepalived
//! (`cargo xtask setup`); keepalived because it starts children of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const BOUND: Duration = Duration::from_secs(20);

/// A lab in the middle of a long scenario.
struct Started {
    outer: Child,
    inner_pid: u32,
    /// The PID namespace of everything that it started.
    pids: PathBuf,
}

fn start() -> Started {
    let mut outer = Command::new(env!("CARGO_BIN_EXE_twinwall-lab"))
        .args(["--product", "keepalived", "--scenario", "quiet", "--observe", "600", "--reps", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the lab starts");
    let mut lines = BufReader::new(outer.stderr.take().expect("piped")).lines();
    let line = lines.next().expect("a line on stderr").expect("readable");
    let inner_pid = line
        .split_whitespace()
        .skip_while(|word| *word != "-t")
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("no process id in: {line}"));
    // Later lines must not meet a closed pipe.
    thread::spawn(move || lines.for_each(drop));
    let pids = namespace(inner_pid, "pid").expect("the inner process runs");
    let started = Started { outer, inner_pid, pids };
    // Two gateways: keepalived and its child each, beside the lab itself.
    wait(|| members(&started.pids).len() >= 5, "both gateways run");
    started
}

/// Which namespace a process is in, as the kernel names it.
fn namespace(pid: u32, kind: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()
}

fn all_pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn members(pids: &Path) -> Vec<u32> {
    all_pids().filter(|pid| namespace(*pid, "pid").as_deref() == Some(pids)).collect()
}

fn wait(mut done: impl FnMut() -> bool, what: &str) {
    let end = Instant::now() + BOUND;
    while !done() {
        assert!(Instant::now() < end, "not within {BOUND:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What the machine has that a lab could have left: links, named namespaces, trees.
fn traces() -> BTreeSet<String> {
    let names = |dir: &str| -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().display().to_string()).collect()
    };
    ["/sys/class/net", "/run/netns", "/run/twinwall-lab"].into_iter().flat_map(names).collect()
}

/// Every network namespace that the lab's processes are in.
fn networks(pids: &Path) -> BTreeSet<PathBuf> {
    members(pids).into_iter().filter_map(|pid| namespace(pid, "net")).collect()
}

/// A group as a container has it, in each hierarchy; the kernel leaves these where they are.
fn make_groups(lab: u32) -> Vec<PathBuf> {
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];
    let roots = roots.map(PathBuf::from).into_iter();
    let hierarchies = roots.filter(|root| root.join("cgroup.procs").exists());
    let groups: Vec<PathBuf> =
        hierarchies.map(|root| root.join(format!("twinwall-lab-{lab}"))).collect();
    groups.iter().for_each(|group| fs::create_dir_all(group.join("gw-a")).expect("made"));
    groups
}

fn dies_without_trace(kill: impl FnOnce(&mut Started)) {
    let before = traces();
    let mut started = start();
    let networks = networks(&started.pids);
    assert!(networks.len() >= 3, "the lab's own and one a gateway: {networks:?}");
    let groups = make_groups(started.inner_pid);
    kill(&mut started);
    started.outer.wait().expect("it ends");
    wait(|| members(&started.pids).is_empty(), "every process of the lab is gone");
    let still =
        all_pids().filter(|pid| namespace(*pid, "net").is_some_and(|net| networks.contains(&net)));
    assert_eq!(still.count(), 0, "nobody is left in the lab's networks");
    assert_eq!(traces(), before);
    wait(|| groups.iter().all(|group| !group.exists()), "its cgroups are gone");
}

#[test]
fn a_killed_lab_leaves_nothing() {
    dies_without_trace(|started| started.outer.kill().expect("kill -9"));
}

#[test]
fn a_lab_whose_inner_process_is_killed_leaves_nothing() {
    dies_without_trace(|started| {
        // SAFETY: the process id is of the lab that this test started.
        assert_eq!(unsafe { libc::kill(started.inner_pid.cast_signed(), libc::SIGKILL) }, 0);
    });
}

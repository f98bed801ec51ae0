//! `twinwall run` and `twinwall guard` with a small script in the guard's place:
//! what is under test is the supervisor, which knows nothing of what it starts.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::Root;

const PAIR: &str = "pair_id = 1\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\nvirtual = \"10.1.0.1/24\"\n";

/// Says its arguments, then waits; ends well when told to.
const WAITS: &str = "#!/bin/sh\ntrap 'echo leaving >&2; exit 0' TERM INT\necho \"up $$ $*\" >&2\nwhile :; do sleep 0.05; done\n";

/// A root with right settings and a copy of the program beside a script.
fn installed(script: &str) -> (Root, Command) {
    let root = Root::new();
    root.write("etc/twinwall/node.toml", "name = \"gw-a\"\ndesignation = \"primary\"\n");
    root.write("etc/twinwall/pair.toml", PAIR);
    assert_eq!(root.run(&["keygen"]).code, Some(0));
    let program = root.path("twinwall");
    root.write("script", script);
    install(Path::new(env!("CARGO_BIN_EXE_twinwall")), &program);
    install(&root.path("script"), &root.path("twinwall-guard"));
    let mut command = Command::new(program);
    command.arg("--root").arg(root.path("")).stderr(Stdio::piped()).stdout(Stdio::null());
    (root, command)
}

/// Copies a program in a process of its own: a descriptor that this one had open
/// for writing could pass to another test's child and make the copy 'busy'.
fn install(from: &Path, to: &Path) {
    let status =
        Command::new("install").args(["-m", "755"]).args([from, to]).status().expect("install");
    assert!(status.success(), "install {}", to.display());
}

/// A supervisor that is stopped whatever happens to the test.
struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        // A test failed. Told so, it takes what it started with it.
        kill("-TERM", &self.child.id().to_string());
        let began = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if began.elapsed() > Duration::from_secs(20) {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Running {
    fn start(command: &mut Command) -> Running {
        let mut child = command.arg("run").spawn().expect("the program starts");
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        Running { child, log }
    }

    /// Reads on to the line that starts so.
    fn line(&mut self, start: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.log.read_line(&mut line).expect("the log"),
                0,
                "the log ended before '{start}'"
            );
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// The process of the script that just came up.
    fn up(&mut self) -> String {
        self.line("up ").split(' ').nth(1).expect("a process").to_owned()
    }

    /// The process of the agent, whose socket is there.
    fn agent(&mut self, root: &Root) -> String {
        let started = self.line("twinwall: agent started, process ");
        wait_for(&root.path("run/twinwall/agent.sock"));
        started.trim_end().rsplit(' ').next().expect("a process").to_owned()
    }

    fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("an end");
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).expect("the log");
        (status.code(), rest)
    }
}

fn kill(signal: &str, process: &str) {
    let status = Command::new("kill").args([signal, process]).status().expect("kill");
    assert!(status.success(), "kill {signal} {process}");
}

#[test]
fn a_killed_guard_is_back_at_once_and_an_order_to_stop_is_passed_on() {
    let (_root, mut command) = installed(WAITS);
    let mut running = Running::start(&mut command);
    let first = running.up();
    let killed = Instant::now();
    kill("-KILL", &first);
    let ended = running.line("twinwall: guard ended");
    assert!(
        ended.contains("signal: 9") && ended.ends_with("starting it again in 0 ms\n"),
        "{ended}"
    );
    assert_ne!(running.up(), first);
    assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());

    let supervisor = running.child.id().to_string();
    kill("-TERM", &supervisor);
    let (code, rest) = running.end();
    assert_eq!(code, Some(0));
    assert!(rest.contains("leaving\n"), "{rest}");
}

#[test]
fn ctrl_c_stops_the_guard_through_its_supervisor() {
    let (_root, mut command) = installed(WAITS);
    let mut running = Running::start(&mut command);
    running.up();
    kill("-INT", &running.child.id().to_string());
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn a_guard_that_ends_well_by_itself_is_not_started_again_and_the_agent_runs_on() {
    let (root, mut command) = installed("#!/bin/sh\nexit 0\n");
    let mut running = Running::start(&mut command);
    running.line("twinwall: guard ended by itself");
    wait_for(&root.path("run/twinwall/agent.sock"));
    kill("-TERM", &running.child.id().to_string());
    let (code, log) = running.end();
    assert_eq!((code, log.matches("guard started").count()), (Some(0), 0), "{log}");
}

#[test]
fn an_agent_that_somebody_told_to_end_is_started_again() {
    let (root, mut command) = installed(WAITS);
    let mut running = Running::start(&mut command);
    let agent = running.agent(&root);
    let began = Instant::now();
    while root.run(&["jobs"]).code != Some(0) {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", root.run(&["jobs"]));
    }
    kill("-TERM", &agent);
    let ended = running.line("twinwall: agent ended");
    assert!(ended.contains("exit status: 0") && ended.contains("starting it again"), "{ended}");
    running.line("twinwall: agent started, process ");
    kill("-TERM", &running.child.id().to_string());
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn without_settings_only_the_agent_runs_and_the_guard_follows_when_they_come() {
    let (root, mut command) = installed(WAITS);
    let pair = fs::read_to_string(root.path("etc/twinwall/pair.toml")).expect("settings");
    fs::remove_file(root.path("etc/twinwall/pair.toml")).expect("removed");
    let mut running = Running::start(&mut command);
    running.line("twinwall: high availability is off here");
    wait_for(&root.path("run/twinwall/agent.sock"));
    // Until everything was read once it says that.
    let began = Instant::now();
    loop {
        let status = root.run(&["sync"]);
        if status.out.starts_with("There is nothing to compare with") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{status:?}");
    }

    root.write("etc/twinwall/pair.toml", &pair);
    let supervisor = running.child.id().to_string();
    kill("-USR1", &supervisor);
    running.up();
    fs::remove_file(root.path("etc/twinwall/pair.toml")).expect("removed");
    kill("-USR1", &supervisor);
    running.line("leaving");
    kill("-TERM", &supervisor);
    assert_eq!(running.end().0, Some(0));
    assert!(!root.path("run/twinwall/agent.sock").exists());
}

#[test]
fn a_killed_agent_is_back_and_the_guard_does_not_notice() {
    let (root, mut command) = installed(WAITS);
    let mut running = Running::start(&mut command);
    let agent = running.agent(&root);
    kill("-KILL", &agent);
    let ended = running.line("twinwall: agent ended");
    assert!(ended.contains("signal: 9"), "{ended}");
    running.line("twinwall: agent started");
    kill("-TERM", &running.child.id().to_string());
    let (code, log) = running.end();
    assert_eq!(code, Some(0));
    assert_eq!(log.matches("guard started").count(), 0, "{log}");
}

/// Waits until something is there.
fn wait_for(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "{} does not come", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_guard_that_cannot_live_is_tried_with_pauses() {
    let (_root, mut command) = installed("#!/bin/sh\nexit 7\n");
    let mut running = Running::start(&mut command);
    for millis in [0, 100, 200] {
        let line = running.line("twinwall: guard ended");
        assert!(
            line.contains("exit status: 7") && line.ends_with(&format!("again in {millis} ms\n")),
            "{line}"
        );
    }
    kill("-TERM", &running.child.id().to_string());
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn wrong_settings_start_nothing() {
    let (root, mut command) = installed(WAITS);
    root.write("etc/twinwall/pair.toml", &PAIR.replace("pair_id = 1", "pair_id = 0"));
    let (code, log) = Running::start(&mut command).end();
    assert_eq!(code, Some(1));
    assert!(
        log.starts_with("twinwall: not started:\n")
            && log.contains("pair.toml:1: pair_id = 0: out of range"),
        "{log}"
    );
}

#[test]
fn beside_a_guard_that_runs_nothing_is_started() {
    let (root, mut command) = installed(WAITS);
    let _guard = UnixListener::bind(root.path("run/twinwall/guard.sock")).expect("a socket");
    let (code, log) = Running::start(&mut command).end();
    assert_eq!(code, Some(1));
    assert!(log.starts_with("twinwall: not started: a guard runs here already"), "{log}");
}

#[test]
fn guard_becomes_the_program_beside_it_and_names_the_root() {
    let (root, mut command) = installed("#!/bin/sh\necho \"$*\" >&2\nexit 5\n");
    let output = command.arg("guard").output().expect("the program starts");
    assert_eq!(output.status.code(), Some(5));
    let expected = format!("--root {}\n", root.path("").display());
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);

    fs::remove_file(root.path("twinwall-guard")).expect("a script");
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("twinwall-guard is not in "));
}

#[test]
fn a_node_without_a_pair_is_not_ready_and_says_why() {
    let (root, mut command) = installed(WAITS);
    let running = Running::start(&mut command);
    wait_for(&root.path("run/twinwall/agent.sock"));
    let ready = root.run(&["ready"]);
    let why = "AGAINST  This node is not paired.\n";
    assert!(ready.code == Some(1) && ready.out.contains(why) && ready.err.is_empty(), "{ready:?}");
    let json = root.run(&["ready", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((json.code, &answer["against"][0]["id"]), (Some(1), &"not_paired".into()));
    kill("-TERM", &running.child.id().to_string());
    assert_eq!(running.end().0, Some(0));
}

//! The system's journal as a source of logs, with a real journald and a real journalctl: whatever
//! ends, turns over or is cleaned up meanwhile, both nodes have each line once.
//!
//! This program is process 1 of its namespaces, so that journald believes it of what unit it
//! speaks, as it does the system's manager. Some faults with all tests; `TWINWALL_JOURNAL_FAULTS`
//! asks for more. Needs the guard's binary beside the command (`cargo build`).

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use twinwall::agent::logs::store::Origin;

use crate::logs::wrong;
use crate::random::Random;
use crate::support::{Node, Two, profile, wait, wait_telling};

/// Faults unless the environment says otherwise.
const FAULTS: u32 = 8;
/// Between two lines.
const BETWEEN_LINES: Duration = Duration::from_millis(1);
/// Where journald listens, and where journalctl and whoever says something find it: its program
/// has that place and no other.
const SOCKETS: &str = "/run/systemd/journal";
/// All tests of this program share the place, so that there is one journald at a time. A second
/// one would take it from the first, and get its lines and its orders.
static PLACE: Mutex<()> = Mutex::new(());

const PROFILE: &str = profile!(
    "journal",
    "[section.definitions]\npaths = [\"/etc/ethers\"]\n\
    [[logs.source]]\nname = \"app\"\nunits = [\"app.service\"]\n"
);

const PAIR: &str = "pair_id = 7\nsync.logs = true\n[heartbeat]\ninterval = 0.2\n\
    [ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\nwatch = true\n\
    primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n";

/// Nothing is held back, files are small, and the kernel's log is left to others.
const SETTINGS: &str = "[Journal]\nStorage=persistent\nReadKMsg=no\nAudit=no\n\
    RateLimitIntervalSec=0\nRateLimitBurst=0\nSystemMaxFileSize=1M\n";

/// journald with its files on a node's disk and settings of its own, in a view of its own.
const START: &str = "mount --bind $0/journald.conf /etc/systemd/journald.conf && \
    mount --bind $0/var/log/journal /var/log/journal && exec /lib/systemd/systemd-journald";

/// A journald.
struct Journald {
    root: PathBuf,
    daemon: Child,
}

impl Journald {
    fn start(root: &Path) -> Journald {
        for directory in [SOCKETS, "/var/log/journal"] {
            fs::create_dir_all(directory).expect("made");
        }
        // Nothing waits for a disk to be mounted.
        fs::write(Path::new(SOCKETS).join("flushed"), "").expect("written");
        fs::write(root.join("journald.conf"), SETTINGS).expect("written");
        Journald { root: root.to_owned(), daemon: spawn(root) }
    }

    /// As the machine's administrator, with the tools that Debian has.
    fn order(&self, arguments: &[&str]) {
        let output = Command::new("journalctl").args(arguments).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    /// Begins a new file.
    fn rotate(&self) {
        self.order(&["--rotate"]);
    }

    /// Removes all files but the one that is written.
    fn vacuum(&self) {
        let directory = self.root.join("var/log/journal");
        self.order(&["--directory", &directory.display().to_string(), "--vacuum-files=1"]);
    }

    /// Ends it as a crash would, once it has what was said, and starts another one.
    fn crash(&mut self) {
        self.order(&["--sync"]);
        self.end();
        self.daemon = spawn(&self.root);
    }

    fn end(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        let _ = fs::remove_file(socket());
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        self.end();
    }
}

/// It listens when this returns.
fn spawn(root: &Path) -> Child {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", START]).arg(root);
    let daemon = command.stdin(Stdio::null()).spawn().expect("journald starts");
    let listens = || UnixDatagram::unbound().and_then(|it| it.connect(socket())).is_ok();
    wait("journald listens", listens);
    daemon
}

fn socket() -> PathBuf {
    Path::new(SOCKETS).join("socket")
}

/// Says lines of a unit as long as this lives.
struct Service {
    said: Arc<AtomicU64>,
    /// Nothing is said while this is held.
    turn: Arc<Mutex<()>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Goes on behind so many.
    fn start(said: u64) -> Service {
        let (said, end) = (Arc::new(AtomicU64::new(said)), Arc::new(AtomicBool::new(false)));
        let turn = Arc::new(Mutex::new(()));
        let thread = {
            let (said, end, turn) = (Arc::clone(&said), Arc::clone(&end), Arc::clone(&turn));
            std::thread::spawn(move || {
                while !end.load(Ordering::Acquire) {
                    {
                        let _turn = turn.lock().expect("no panic");
                        say(said.fetch_add(1, Ordering::AcqRel) + 1);
                    }
                    std::thread::sleep(BETWEEN_LINES);
                }
            })
        };
        Service { said, turn, end, thread: Some(thread) }
    }

    fn end(&mut self) -> u64 {
        self.end.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
        self.said.load(Ordering::Acquire)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
    }
}

fn say(number: u64) {
    let text =
        format!("MESSAGE=line {number} of a unit\nUNIT=app.service\nSYSLOG_IDENTIFIER=app\n");
    let socket_of_ours = UnixDatagram::unbound().expect("a socket");
    let sent = socket_of_ours.send_to(text.as_bytes(), socket());
    sent.expect("journald takes it");
}

/// Two nodes, the first with a journal.
struct Journalling {
    two: Two,
    journald: Journald,
    /// Let go last, when journald has ended.
    _place: MutexGuard<'static, ()>,
}

impl Journalling {
    fn start() -> Journalling {
        assert_eq!(std::process::id(), 1, "journald believes process 1 only");
        let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut two = Two::cabled();
        for node in [&mut two.a, &mut two.b] {
            node.with_guard(PROFILE, PAIR);
            fs::create_dir_all(node.path("var/log/journal")).expect("made");
        }
        let journald = Journald::start(&two.a.root);
        two.pair_by_files(true);
        Journalling { two, journald, _place: place }
    }

    /// Both nodes have each line that was said once, within a bound.
    fn assert_all_once(&self, said: u64, told: &str) {
        let (a, b) = (&self.two.a, &self.two.b);
        let missing = || {
            [(a, Origin::Here), (b, Origin::There)]
                .map(|(node, origin)| wrong(&node.root, origin, said, number_of))
        };
        let logs = || a.text("agent.log") + &b.text("agent.log");
        wait_telling(
            "each line on both, once",
            || missing().iter().all(Vec::is_empty),
            || format!("{told}\n{said} lines\n{:?}\n{}", missing(), logs()),
        );
    }
}

/// Which line this is: `… app[1]: line 5 of a unit`.
fn number_of(text: &str) -> Option<u64> {
    let (_, line) = text.split_once(": line ")?;
    line.split(' ').next()?.parse().ok()
}

/// Ends the journalctl of this node's agent, as a crash of it would.
fn kill_journalctl(node: &Node) {
    let directory = node.path("var/log/journal").display().to_string();
    for entry in fs::read_dir("/proc").expect("there").flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let is_one = words.next().is_some_and(|word| word.ends_with(b"journalctl"))
            && words.any(|word| word == directory.as_bytes());
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(id) = id.and_then(rustix::process::Pid::from_raw).filter(|_| is_one) {
            // One that has ended meanwhile is as good.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    }
}

#[test]
fn whatever_ends_or_turns_over_each_line_of_the_journal_is_on_both_nodes_once() {
    let wanted = std::env::var("TWINWALL_JOURNAL_FAULTS").ok().and_then(|text| text.parse().ok());
    let mut random = Random::from_the_clock();
    let mut journalling = Journalling::start();
    // Of what is there before the first look only the newest entries are read.
    say(1);
    journalling.assert_all_once(1, "at first");
    let mut service = Service::start(1);
    let mut course = Vec::new();
    for _ in 0..wanted.unwrap_or(FAULTS) {
        let (what, pause) = (random.below(6), Duration::from_millis(random.below(400)));
        course.push((what, pause));
        match what {
            0 | 1 => {
                let node = if what == 0 { &mut journalling.two.a } else { &mut journalling.two.b };
                node.kill();
                if random.below(2) == 0 {
                    journalling.journald.rotate();
                }
                std::thread::sleep(pause);
                let node = if what == 0 { &mut journalling.two.a } else { &mut journalling.two.b };
                node.start();
            }
            2 => kill_journalctl(&journalling.two.a),
            3 => {
                journalling.two.a.cable("down");
                std::thread::sleep(pause);
                journalling.two.a.cable("up");
            }
            4 => {
                let _turn = service.turn.lock().expect("no panic");
                journalling.journald.crash();
            }
            _rotation => journalling.journald.rotate(),
        }
        std::thread::sleep(pause / 4);
    }
    let said = service.end();
    journalling.assert_all_once(said, &format!("{random:?}: {course:?}"));
}

#[test]
fn a_journal_that_was_cleaned_up_behind_what_was_read_is_read_on_from_its_first_line() {
    let mut journalling = Journalling::start();
    (1..=20).for_each(say);
    journalling.assert_all_once(20, "before");
    journalling.two.a.kill();
    // The file with the last line that was read goes.
    journalling.journald.rotate();
    (21..=40).for_each(say);
    journalling.journald.order(&["--sync"]);
    journalling.journald.vacuum();
    journalling.two.a.start();
    journalling.assert_all_once(40, "cleaned up while the agent was off");
    journalling.journald.rotate();
    journalling.journald.vacuum();
    (41..=60).for_each(say);
    journalling.assert_all_once(60, "cleaned up while it was on");
}

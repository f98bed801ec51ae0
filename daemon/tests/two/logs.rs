//! Logs of both nodes on both nodes, whatever happens meanwhile: programs on both write numbered
//! lines without a pause, logs are rotated in every way, agents and guards are killed, the
//! cable is cut, the active role moves. In the end each node has each line of both, once.
//!
//! Some faults with all tests; `TWINWALL_TORMENTS=300` asks for more. Needs the guard's binary
//! beside the command (`cargo build`).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use twinwall::agent::logs::store::{Origin, Reader};

use crate::random::Random;
use crate::support::{Node, Two, profile, wait_telling};

/// Faults unless the environment says otherwise.
const FAULTS: u32 = 10;
/// Names how many are wanted.
const WANTED: &str = "TWINWALL_TORMENTS";
/// Between two lines of a program.
const BETWEEN_LINES: Duration = Duration::from_millis(1);

const PROFILE: &str = profile!(
    "logs",
    "[section.definitions]\npaths = [\"/etc/ethers\"]\n\
    [[logs.source]]\nname = \"app\"\nfiles = [\"/var/log/app.log\"]\n"
);

const PAIR: &str = "pair_id = 7\nsync.logs = true\n[heartbeat]\ninterval = 0.2\n\
    [ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\nwatch = true\n\
    primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n";

/// A program that writes to its log as long as this lives.
struct Program {
    log: PathBuf,
    /// Whether its rotated logs are packed. logrotate counts packed and plain ones apart, so that
    /// with both one of them would be overwritten.
    packed: bool,
    file: Arc<Mutex<File>>,
    said: Arc<AtomicU64>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Program {
    fn start(node: &Node, packed: bool) -> Program {
        let log = node.path("var/log/app.log");
        fs::create_dir_all(log.parent().expect("a directory")).expect("made");
        let file = Arc::new(Mutex::new(append(&log)));
        let (said, end) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (file, said, end) = (Arc::clone(&file), Arc::clone(&said), Arc::clone(&end));
            std::thread::spawn(move || {
                while !end.load(Ordering::Acquire) {
                    let number = said.load(Ordering::Relaxed) + 1;
                    let line = format!("line {number} of a program that says it once\n");
                    file.lock().expect("no panic").write_all(line.as_bytes()).expect("written");
                    said.store(number, Ordering::Release);
                    std::thread::sleep(BETWEEN_LINES);
                }
            })
        };
        Program { log, packed, file, said, end, thread: Some(thread) }
    }

    fn log(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}{ending}", self.log.display()))
    }

    /// Rotates by logrotate, by copying or by renaming, packed or not. What is copied is cut off
    /// while the program waits: else the rotation itself loses lines.
    fn rotate(&self, copying: bool) {
        let mut file = self.file.lock().expect("no panic");
        let way = if copying { "copytruncate" } else { "create" };
        let pack = if self.packed { "compress" } else { "nocompress" };
        let text = format!("\"{}\" {{\n  rotate 50\n  {way}\n  {pack}\n}}\n", self.log.display());
        let (rules, state) = (self.log(".rules"), self.log(".state"));
        fs::write(&rules, text).expect("written");
        let mut logrotate = Command::new("logrotate");
        logrotate.arg("--force").arg("--state").args([&state, &rules]);
        let ran = logrotate.output().expect("logrotate starts");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        if !copying {
            *file = append(&self.log);
        }
    }

    /// It ends; how many lines it said.
    fn end(&mut self) -> u64 {
        self.end.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
        self.said.load(Ordering::Acquire)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
    }
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).expect("opened")
}

/// How often each line that was said is kept there; the wrong ones.
pub(crate) fn wrong(
    root: &Path,
    origin: Origin,
    said: u64,
    number_of: impl Fn(&str) -> Option<u64>,
) -> Vec<(u64, u32)> {
    let lines = Reader::open(root).forward(origin, 0, usize::MAX, &[]).expect("readable");
    let mut times: BTreeMap<u64, u32> = (1..=said).map(|number| (number, 0)).collect();
    for line in lines {
        let text = String::from_utf8_lossy(&line.text).into_owned();
        let number = number_of(&text).unwrap_or_else(|| panic!("a line of nobody: {text}"));
        *times.entry(number).or_default() += 1;
    }
    times.into_iter().filter(|(_, count)| *count != 1).collect()
}

/// Which line of the program this is.
fn number_of(text: &str) -> Option<u64> {
    text.split(' ').nth(1).and_then(|word| word.parse().ok())
}

/// Both nodes with logs, and whoever writes them.
struct Writing {
    two: Two,
    programs: [Program; 2],
}

impl Writing {
    fn start() -> Writing {
        let mut two = Two::cabled();
        for node in [&mut two.a, &mut two.b] {
            node.with_guard(PROFILE, PAIR);
        }
        let programs = [Program::start(&two.a, false), Program::start(&two.b, true)];
        two.pair_by_files(true);
        for node in [&two.a, &two.b] {
            // What was rotated before a log was read for the first time nobody asked for.
            let begun = || Reader::open(&node.root).last(Origin::Here).is_some();
            wait_telling("lines are kept", begun, || node.text("agent.log"));
        }
        Writing { two, programs }
    }

    fn node(&mut self, second: bool) -> &mut Node {
        if second { &mut self.two.b } else { &mut self.two.a }
    }

    /// Each node has each line of both once, within a bound.
    fn assert_all_once(&mut self, told: &str) {
        let said = [self.programs[0].end(), self.programs[1].end()];
        let roots = [self.two.a.root.clone(), self.two.b.root.clone()];
        let missing = || {
            let mut all = Vec::new();
            for (node, origin, who) in [
                (0, Origin::Here, 0),
                (1, Origin::There, 0),
                (1, Origin::Here, 1),
                (0, Origin::There, 1),
            ] {
                let wrong = wrong(&roots[node], origin, said[who], number_of);
                if !wrong.is_empty() {
                    all.push((node, origin, wrong.len(), wrong[..wrong.len().min(12)].to_vec()));
                }
            }
            all
        };
        let logs = || self.two.a.text("agent.log") + &self.two.b.text("agent.log");
        wait_telling(
            "each line of both on both, once",
            || missing().is_empty(),
            || format!("{told}\n{said:?} lines\n{:?}\n{}", missing(), logs()),
        );
    }
}

#[test]
fn whatever_fails_each_node_has_each_line_of_both_once() {
    let wanted = std::env::var(WANTED).ok().and_then(|text| text.parse().ok());
    let mut random = Random::from_the_clock();
    let mut writing = Writing::start();
    let mut course = Vec::new();
    for _ in 0..wanted.unwrap_or(FAULTS) {
        let (what, second) = (random.below(8), random.below(2) == 1);
        let pause = Duration::from_millis(random.below(400));
        let said = writing.programs[usize::from(second)].said.load(Ordering::Acquire);
        course.push((what, second, pause, said));
        match what {
            // Agent and guard: the active role moves where it was the active node.
            0 | 1 => {
                writing.node(second).kill();
                if random.below(2) == 0 {
                    let program = &writing.programs[usize::from(second)];
                    program.rotate(random.below(2) == 0);
                }
                std::thread::sleep(pause);
                writing.node(second).start();
            }
            2 => {
                writing.node(second).cable("down");
                std::thread::sleep(pause);
                writing.node(second).cable("up");
            }
            3 => {
                // Planned; refused while the other node is not ready, which is as good here.
                let _ = writing.node(second).run(&["switchover"]);
            }
            rotation => {
                let program = &writing.programs[usize::from(second)];
                program.rotate(rotation % 2 == 0);
            }
        }
        std::thread::sleep(pause / 4);
    }
    writing.assert_all_once(&format!("seed {}: {course:?}", random.seed()));
}

#[test]
fn what_was_said_while_the_link_was_away_and_the_agent_was_off_arrives_later() {
    let mut writing = Writing::start();
    writing.two.a.cable("down");
    std::thread::sleep(Duration::from_millis(500));
    writing.two.a.kill();
    writing.programs[0].rotate(false);
    writing.programs[0].rotate(true);
    std::thread::sleep(Duration::from_millis(300));
    writing.two.a.start();
    writing.two.b.kill();
    writing.two.a.cable("up");
    writing.two.b.start();
    writing.assert_all_once("away and off");
}

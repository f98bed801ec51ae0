//! Agents killed and the cable cut at random instants of a synchronisation. Two sections
//! that change together are wholly old or wholly new on the other node, whenever it was; what
//! was broken off is done at the next try; the giving node keeps what it has.
//!
//! Some instants run with all tests; `TWINWALL_TORMENTS=500` asks for more.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::random::Random;
use crate::support::{Node, SOON, Two, profile, wait};

/// Instants unless the environment says otherwise.
const INSTANTS: u32 = 9;
/// Names how many instants are wanted.
const WANTED: &str = "TWINWALL_TORMENTS";
/// Files in each of the two sections.
const FILES: u32 = 80;
/// The sections' directories; they change together.
const SECTIONS: [&str; 2] = ["etc/defs", "etc/fw.d"];

const PROFILE: &str = profile!(
    "torment",
    "[section.definitions]\npaths = [\"/etc/defs\"]\ngroup = \"filter\"\n\
    [section.firewall]\npaths = [\"/etc/fw.d\"]\ngroup = \"filter\"\n\
    [[section.firewall.validate]]\n\
    run = [\"/bin/sh\", \"-c\", \"cmp $0/etc/defs/stamp $0/etc/fw.d/stamp\", \"{root}\"]\n\
    [[section.firewall.apply]]\n\
    run = [\"/bin/sh\", \"-c\", \"sleep 0.05; cmp $0/etc/defs/stamp $0/etc/fw.d/stamp\", \"{root}\"]\n"
);

/// What lies in both directories: path to content, `->` target, or nothing for a directory.
type Tree = BTreeMap<String, String>;

/// Version `number` of both sections: files come, change and go, a file and a directory take
/// each other's place, a link points elsewhere.
fn version(number: u32) -> Tree {
    let mut tree = Tree::new();
    if number == 0 {
        return tree;
    }
    for section in SECTIONS {
        tree.insert(section.to_owned(), String::new());
        for file in (0..FILES).filter(|file| !(file + number).is_multiple_of(7)) {
            let long = "x".repeat((file * 37 % 4096) as usize);
            let changes = if file % 3 == 0 { number } else { 1 };
            tree.insert(format!("{section}/f{file:03}"), format!("{file} of {changes} {long}"));
        }
        if number.is_multiple_of(2) {
            tree.insert(format!("{section}/turns"), format!("a file in {number}"));
        } else {
            tree.insert(format!("{section}/turns"), String::new());
            tree.insert(format!("{section}/turns/inside"), format!("in {number}"));
        }
        tree.insert(format!("{section}/link"), format!("-> to {number}"));
        tree.insert(format!("{section}/stamp"), number.to_string());
    }
    tree
}

fn write(node: &Node, tree: &Tree) {
    for section in SECTIONS {
        let _ = fs::remove_dir_all(node.path(section));
    }
    for (path, content) in tree {
        let at = node.path(path);
        if let Some(target) = content.strip_prefix("-> ") {
            symlink(target, at).expect("linked");
        } else if content.is_empty() {
            fs::create_dir_all(at).expect("made");
        } else {
            fs::write(at, content).expect("written");
        }
    }
}

fn read(node: &Node) -> Tree {
    let mut tree = Tree::new();
    let mut open: Vec<PathBuf> =
        SECTIONS.iter().map(|section| node.path(section)).filter(|path| path.exists()).collect();
    while let Some(path) = open.pop() {
        let kind = fs::symlink_metadata(&path).expect("seen").file_type();
        let content = if kind.is_dir() {
            open.extend(fs::read_dir(&path).expect("listed").map(|it| it.expect("seen").path()));
            String::new()
        } else if kind.is_symlink() {
            format!("-> {}", fs::read_link(&path).expect("read").display())
        } else {
            fs::read_to_string(&path).expect("read")
        };
        let below = path.strip_prefix(&node.root).expect("below").display().to_string();
        tree.insert(below, content);
    }
    tree
}

fn sync(node: &Node) -> Option<Value> {
    serde_json::from_str(&node.run(&["sync", "--json"]).out).ok()
}

/// Waits until a node has read what lies on its disk, and does nothing.
fn at_rest(node: &Node) {
    let mut last = None;
    wait("a node at rest", || {
        std::thread::sleep(Duration::from_millis(120));
        let Some(sync) = sync(node) else { return false };
        let here: Vec<Value> = sync["sections"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|section| section["here"].clone())
            .collect();
        let still = sync["job"].is_null() && last.as_ref() == Some(&here);
        last = Some(here);
        still
    });
}

/// What differs between two trees, in a few lines.
fn difference(one: &Tree, other: &Tree) -> String {
    let mut text = String::new();
    for path in one.keys().chain(other.keys()) {
        if one.get(path) != other.get(path) && text.len() < 2000 {
            let short =
                |tree: &Tree| tree.get(path).map(|it| it.chars().take(30).collect::<String>());
            let _ = writeln!(text, "{path}: {:?} / {:?}", short(one), short(other));
        }
    }
    text
}

#[derive(Clone, Copy, Debug)]
enum Blow {
    KillTaking,
    KillGiving,
    Cut,
}

#[test]
fn at_any_instant_the_other_node_has_the_old_or_the_new_and_gets_the_new_in_the_end() {
    let wanted = std::env::var(WANTED).ok().and_then(|text| text.parse().ok());
    let mut two = Two::paired_by(PROFILE);
    write(&two.a, &version(1));
    at_rest(&two.a);
    converge(&two, 1);
    let mut longest = Duration::from_millis(100);
    let mut random = Random::from_the_clock();
    let (mut old, mut new) = (0, 0);
    for number in 2..2 + wanted.unwrap_or(INSTANTS) {
        write(&two.a, &version(number));
        at_rest(&two.a);
        let log = two.a.path("push.log");
        let began = Instant::now();
        let pushing = two.a.begin(&["sync", "push", "--yes"], &log);
        let after = Duration::from_micros(random.below(longest.as_micros() as u64 * 5 / 4));
        std::thread::sleep(after);
        let blow = [Blow::KillTaking, Blow::KillGiving, Blow::Cut][random.below(3) as usize];
        strike(&mut two, blow);
        drop(pushing);
        let there = read(&two.b);
        let told = format!("{blow:?} after {after:?} of version {number}");
        match () {
            () if there == version(number) => new += 1,
            () if there == version(number - 1) => old += 1,
            () => panic!(
                "{told}: a mixture\n{}\n{}",
                difference(&there, &version(number)),
                two.b.text("agent.log")
            ),
        }
        mend(&mut two, blow);
        assert_eq!(read(&two.a), version(number), "{told}: the giving node keeps what it has");
        converge(&two, number);
        longest = longest.max(began.elapsed().min(Duration::from_secs(1)) / 2);
    }
    println!("{old} times the old configuration was there, {new} times the new one");
}

/// Afterwards nothing is under way on the node that takes.
fn strike(two: &mut Two, blow: Blow) {
    match blow {
        Blow::KillTaking => {
            two.b.kill();
            // As at the next boot, before any service reads its files.
            two.b.good(&["agent", "recover"]);
        }
        Blow::KillGiving => {
            two.a.kill();
            at_rest(&two.b);
        }
        Blow::Cut => {
            two.b.cable("down");
            at_rest(&two.b);
        }
    }
}

fn mend(two: &mut Two, blow: Blow) {
    match blow {
        Blow::KillTaking => two.b.start(),
        Blow::KillGiving => two.a.start(),
        Blow::Cut => two.b.cable("up"),
    }
}

/// Orders it until the other node has it.
fn converge(two: &Two, number: u32) {
    let began = Instant::now();
    loop {
        let ran = two.a.run(&["sync", "push", "--yes"]);
        if read(&two.b) == version(number) {
            return;
        }
        assert!(
            began.elapsed() < SOON,
            "version {number} does not get there: {ran:?}\n{}\n{}",
            difference(&read(&two.b), &version(number)),
            two.b.text("agent.log")
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// So that a mixture would be found out.
#[test]
fn versions_differ_in_both_sections() {
    for number in 1..6 {
        for section in SECTIONS {
            let of = |number| -> Tree {
                let all = version(number).into_iter();
                all.filter(|(path, _)| Path::new(path).starts_with(section)).collect()
            };
            assert_ne!(of(number), of(number + 1), "{section}");
        }
    }
}

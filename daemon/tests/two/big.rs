//! Sections as large and as odd as they come: many files, a large one, names that no program
//! should choose, and a file system mounted in the middle. What takes long says how long.
//!
//! `TWINWALL_FILES=50000` asks for as many small files as the largest section may have here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufReader, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Node, Two, profile, wait};

/// Small files unless the environment says otherwise: what a build for debugging does in some
/// seconds.
const FILES: u32 = 10_000;
/// Names how many are wanted.
const WANTED: &str = "TWINWALL_FILES";
/// Files in one directory.
const IN_A_DIRECTORY: u32 = 500;
/// Bytes of the large file.
const LARGE: usize = 100 << 20;
/// For the first look at the many; the full number takes a build for debugging long.
const LONG: Duration = Duration::from_secs(300);

const SECTION: &str = "etc/vpn";

const PROFILE: &str = profile!(
    "big",
    "[section.vpn]\npaths = [\"/etc/vpn\"]\n[section.support]\npaths = [\"/etc/motd\"]\n"
);

/// The same without what is mounted.
const EXCLUDING: &str = profile!(
    "big",
    "[section.vpn]\npaths = [\"/etc/vpn\"]\nexclude = [\"/etc/vpn/mnt\"]\n\
    [section.support]\npaths = [\"/etc/motd\"]\n"
);

/// What lies in the section: kind and mode, and what is in it.
type Tree = BTreeMap<PathBuf, (char, u32, Vec<u8>)>;

fn read(node: &Node) -> Tree {
    let mut tree = Tree::new();
    let mut open = vec![node.path(SECTION)];
    while let Some(path) = open.pop() {
        let seen = fs::symlink_metadata(&path).expect("seen");
        let (kind, content) = if seen.is_dir() {
            open.extend(fs::read_dir(&path).expect("listed").map(|it| it.expect("seen").path()));
            ('d', Vec::new())
        } else if seen.is_symlink() {
            ('l', fs::read_link(&path).expect("read").into_os_string().into_vec())
        } else {
            ('f', fs::read(&path).expect("read"))
        };
        let below = path.strip_prefix(&node.root).expect("below").to_owned();
        tree.insert(below, (kind, seen.permissions().mode() & 0o7777, content));
    }
    tree
}

/// Two nodes whose disks are memory: what is measured is not the machine's disk, and tens of
/// thousands of files are gone at once.
struct InMemory {
    // Dropped in this order: the agents end first.
    two: Two,
    _disks: [Mounted; 2],
}

/// Two nodes of which the first has this on its disk before its agent starts.
fn two_with(fill: impl Fn(&Node)) -> InMemory {
    let mut two = Two::cabled();
    (two.a.profile, two.b.profile) = (PROFILE, PROFILE);
    let disks = [&two.a, &two.b].map(|node| {
        let disk = Mounted::on(node.root.clone());
        for below in ["etc/twinwall", "run/twinwall", "var/lib/twinwall"] {
            fs::create_dir_all(node.path(below)).expect("made");
        }
        disk
    });
    fs::create_dir_all(two.a.path(SECTION)).expect("made");
    fill(&two.a);
    two.pair_by_files(true);
    InMemory { two, _disks: disks }
}

/// Waits until both agents have read everything.
fn settled(two: &Two) {
    let began = Instant::now();
    let known = |node: &Node| {
        let out = node.run(&["sync"]).out;
        out.contains("gw-a") && out.contains("gw-b") && !out.contains("unknown")
    };
    while ![&two.a, &two.b].iter().all(|node| known(node)) {
        assert!(began.elapsed() < LONG, "{}", two.a.run(&["sync"]).out);
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn line(node: &Node) -> String {
    let out = node.run(&["sync"]).out;
    out.lines().find(|line| line.starts_with("vpn")).unwrap_or_default().to_owned()
}

/// Pushes, and says how long it took.
fn push(two: &Two, what: &str) {
    let began = Instant::now();
    two.a.good(&["sync", "push", "--yes"]);
    println!("{what}: taken over in {:.1} s", began.elapsed().as_secs_f64());
}

#[test]
fn many_small_files_are_taken_over_and_one_that_changes_is_soon_there() {
    let files = std::env::var(WANTED).ok().and_then(|text| text.parse().ok()).unwrap_or(FILES);
    let path = |number: u32| format!("{SECTION}/d{:03}/f{number:05}", number / IN_A_DIRECTORY);
    let memory = two_with(|node| {
        for number in 0..files {
            if number % IN_A_DIRECTORY == 0 {
                let directory = node.path(&path(number));
                fs::create_dir_all(directory.parent().expect("a directory")).expect("made");
            }
            fs::write(node.path(&path(number)), format!("file {number} of many")).expect("written");
        }
    });
    let two = &memory.two;
    let began = Instant::now();
    settled(two);
    println!("{files} files: read in {:.1} s", began.elapsed().as_secs_f64());
    push(two, &format!("{files} files"));
    assert!(read(&two.a) == read(&two.b), "not the same after {files} files");

    let one = path(files / 2);
    two.a.write(&one, "another one");
    push(two, "one of them");
    assert_eq!(two.b.text(&one), "another one");
    fs::remove_dir_all(two.a.path(&format!("{SECTION}/d000"))).expect("removed");
    push(two, "without a directory of them");
    assert!(!two.b.path(&format!("{SECTION}/d000")).exists());
}

/// Bytes that no compression makes smaller (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).take(length / 8).flatten().collect()
}

fn same(one: &Path, other: &Path) -> bool {
    let open = |path: &Path| BufReader::new(fs::File::open(path).expect("opened"));
    let (mut one, mut other) = (open(one), open(other));
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let length = one.read(&mut left).expect("read");
        if other.read_exact(&mut right[..length]).is_err() || left[..length] != right[..length] {
            return false;
        }
        if length == 0 {
            return other.read(&mut right).expect("read") == 0;
        }
    }
}

#[test]
fn a_file_of_100_mib_is_taken_over_and_so_is_a_change_in_it() {
    let large = format!("{SECTION}/large");
    let memory = two_with(|node| fs::write(node.path(&large), noise(LARGE)).expect("written"));
    let two = &memory.two;
    let began = Instant::now();
    settled(two);
    println!("100 MiB: read in {:.1} s", began.elapsed().as_secs_f64());
    push(two, "100 MiB");
    assert!(same(&two.a.path(&large), &two.b.path(&large)));

    let mut file = fs::OpenOptions::new().append(true).open(two.a.path(&large)).expect("opened");
    file.write_all(b"more").expect("written");
    drop(file);
    push(two, "four bytes more");
    assert!(same(&two.a.path(&large), &two.b.path(&large)));
}

/// Names that no program should choose.
fn odd_names() -> Vec<Vec<u8>> {
    let names: [&[u8]; 11] = [
        b"with some spaces",
        b" at both ends ",
        "M\u{fc}ller \u{2013} \u{9632}\u{706b}\u{58c1} \u{1f525}".as_bytes(),
        b"two\nlines",
        b"tab\there",
        b"-rf",
        b"quotes ' and \" and `",
        b"back\\slash",
        b"{root}$(touch x)*?[a]",
        b"not \xff\xfe utf-8",
        b"..hidden",
    ];
    let longest = vec![b'x'; 255];
    names.into_iter().map(<[u8]>::to_vec).chain([longest]).collect()
}

/// Directories, files and links of these names, and what is empty or leads nowhere.
fn oddities(section: &Path) {
    for name in odd_names() {
        let name = OsStr::from_bytes(&name);
        let directory = section.join("d").join(name);
        fs::create_dir_all(&directory).expect("made");
        fs::write(directory.join(name), name.as_bytes()).expect("written");
        symlink(name, section.join(name)).expect("linked");
    }
    for empty in ["empty", "nested/empty/directories"] {
        fs::create_dir_all(section.join(empty)).expect("made");
    }
    fs::write(section.join("nothing in it"), "").expect("written");
    for (path, bits) in [("nothing in it", 0o400), ("empty", 0o2750)] {
        fs::set_permissions(section.join(path), fs::Permissions::from_mode(bits)).expect("set");
    }
    for (target, path) in
        [("/nowhere/at all", "dangling"), ("../..", "d/up"), ("nested", "to a directory")]
    {
        symlink(target, section.join(path)).expect("linked");
    }
}

#[test]
fn odd_names_empty_directories_and_symlinks_are_the_same_on_both_nodes() {
    let memory = two_with(|node| oddities(&node.path(SECTION)));
    let two = &memory.two;
    settled(two);
    let diff = two.a.good(&["sync", "diff", "vpn"]);
    assert!(!diff.contains("two\nlines") && diff.contains("two\\nlines"), "{diff}");
    push(two, "odd names");
    let (a, b) = (read(&two.a), read(&two.b));
    let odd = a.iter().find(|(path, is)| b.get(*path) != Some(is)).map(|(path, _)| path);
    assert!(a == b, "{odd:?} or one that is too many");
    assert!(a.len() > odd_names().len() * 3, "{}", a.len());

    // A link takes the place of a directory, a directory that of a link.
    fs::remove_dir(two.a.path("etc/vpn/empty")).expect("removed");
    symlink("d", two.a.path("etc/vpn/empty")).expect("linked");
    fs::remove_file(two.a.path("etc/vpn/dangling")).expect("removed");
    fs::create_dir(two.a.path("etc/vpn/dangling")).expect("made");
    push(two, "turned around");
    assert!(read(&two.a) == read(&two.b));
}

/// A file system of its own; it goes with this value.
struct Mounted(PathBuf);

impl Mounted {
    fn on(path: PathBuf) -> Mounted {
        fs::create_dir_all(&path).expect("made");
        let status = Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&path).status();
        assert!(status.expect("mount starts").success(), "mount {}", path.display());
        Mounted(path)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The agents, which may have it open, are other processes and only read it.
        let _ = Command::new("umount").args(["--lazy"]).arg(&self.0).status();
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_mounted_file_system_is_never_crossed_and_named_until_it_is_excluded() {
    for giving in [true, false] {
        let mut two = Two::cabled();
        (two.a.profile, two.b.profile) = (PROFILE, PROFILE);
        two.a.write("etc/vpn/mnt/inside", "of the giving node");
        two.a.write("etc/vpn/file", "new");
        two.a.write("etc/motd", "hello");
        let there = if giving { two.a.path("etc/vpn/mnt") } else { two.b.path("etc/vpn/mnt") };
        let mounted = Mounted::on(there.clone());
        fs::write(there.join("foreign"), "not of the section").expect("written");
        two.pair_by_files(true);
        settled(&two);
        let node = if giving { &two.a } else { &two.b };
        let why = "/etc/vpn/mnt: is a mount point, and what is mounted there is not synchronised";
        wait("it is named", || line(node).contains("failed") && line(node).contains(why));
        // An order for all leaves no section out silently; one that names its sections goes.
        let ran = two.a.run(&["sync", "push", "--yes"]);
        assert!(ran.code == Some(1) && ran.err.contains("section vpn is not known"), "{ran:?}");
        two.a.good(&["sync", "push", "support", "--yes"]);
        assert!(!two.b.path("etc/vpn/file").exists(), "nothing of the section changed");
        assert_eq!(two.b.text("etc/motd"), "hello", "another section");
        assert_eq!(fs::read_to_string(there.join("foreign")).expect("read"), "not of the section");

        for node in [&mut two.a, &mut two.b] {
            node.kill();
            node.profile = EXCLUDING;
            node.start();
        }
        settled(&two);
        // The node that has taken a section belongs to the pair: the others follow by themselves.
        wait("it goes on beside it", || two.b.text("etc/vpn/file") == "new");
        wait("both are at rest", || line(&two.a).contains("in sync"));
        assert!(two.b.path("etc/vpn/mnt/inside").symlink_metadata().is_err(), "not crossed");
        assert_eq!(fs::read_to_string(there.join("foreign")).expect("read"), "not of the section");
        for node in [&mut two.a, &mut two.b] {
            node.kill();
        }
        drop(mounted);
    }
}

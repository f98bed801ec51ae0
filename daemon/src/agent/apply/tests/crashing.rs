//! Killed at every point that can be named, killed at random, and the power cut: after a
//! recovery the section is the old one or the new one, never a mixture, and what was
//! claimed to be applied is still there.
//!
//! The victim goes from state to state, each with a number that stands in every file; it
//! says each number when its apply has succeeded.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Lines, Read};
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::support::sh;
use crate::agent::apply::{Journal, Outcome, Part, Plan, Services, apply, recover};
use crate::agent::digest::Digest;
use crate::agent::manifest::{Entry, Kind, Manifest, Owner};
use crate::agent::section::Section;
use crate::agent::step::Step;
use crate::agent::translate::Translator;
use crate::agent::tree::tests::support::rel;
use crate::agent::tree::{Cache, Ground, Lists, Root, Scope, scan};

const FILES: u64 = 12;
/// Enough for several threads to write them.
const MANY: u64 = 70;
const VICTIM: &str = "agent::apply::tests::crashing::victim";

/// The contents of a state's files.
fn files(state: u64) -> Vec<(String, Vec<u8>)> {
    let content = |file: u64| format!("state {state}, file {file}\n").repeat(100).into_bytes();
    let mut files: Vec<_> =
        (0..FILES).map(|it| (format!("etc/app/f{it:02}"), content(it))).collect();
    files.push((format!("etc/app/only{}/deep/x", state % 3), content(FILES)));
    // A directory that comes as a whole, and goes with the next state.
    files.extend((0..MANY).map(|it| (format!("etc/app/many{}/{it}", state % 2), content(it))));
    // A directory in one state, a file in the next.
    let turns = if state.is_multiple_of(2) { "etc/app/turns" } else { "etc/app/turns/x" };
    files.push((turns.to_owned(), content(FILES + 1)));
    files
}

fn manifest(state: u64) -> Manifest {
    let mut manifest = Manifest::default();
    let entry = |kind, mode| Entry { kind, mode, user: Owner::Number(0), group: Owner::Number(0) };
    let target = format!("f{state}").into_bytes();
    manifest.insert(rel("etc/app/link"), entry(Kind::Symlink { target }, 0));
    for (path, bytes) in files(state) {
        let path = rel(&path);
        let mut above = path.parent();
        while let Some(directory) = above.filter(|it| it.is_within(&rel("etc/app"))) {
            above = directory.parent();
            manifest.insert(directory, entry(Kind::Directory, 0o755));
        }
        let kind = Kind::File { size: bytes.len() as u64, content: Digest::of(&bytes) };
        manifest.insert(path, entry(kind, if state.is_multiple_of(2) { 0o600 } else { 0o644 }));
    }
    manifest
}

/// The contents of these states, as the store would have them.
fn contents(states: &[u64]) -> impl Fn(&Digest) -> io::Result<Box<dyn Read + Send>> + use<> {
    let all: HashMap<Digest, Vec<u8>> = states
        .iter()
        .flat_map(|state| files(*state))
        .map(|(_, bytes)| (Digest::of(&bytes), bytes))
        .collect();
    move |digest| match all.get(digest) {
        Some(bytes) => Ok(Box::new(Cursor::new(bytes.clone()))),
        None => Err(io::Error::from(io::ErrorKind::NotFound)),
    }
}

fn scope() -> Scope {
    Scope::new(Lists { include: vec!["/etc/app".to_owned()], ..Lists::default() }).unwrap()
}

fn look(root: &Root) -> Manifest {
    let (scope, translator) = (scope(), Translator::default());
    let ground = Ground { root, scope: &scope, translator: &translator };
    scan(ground, &mut Cache::default()).unwrap().manifest
}

/// One apply, from a state to another; the watcher is asked to go on each time.
fn go(folder: &Path, (from, to): (&Manifest, u64), steps: &[Step], go_on: &dyn Fn()) -> Outcome {
    let (root, scope) = (Root::open(folder).unwrap(), scope());
    let journal = Journal::open(&folder.join("var/apply")).unwrap();
    let (translator, mut cache) = (Translator::default(), Cache::default());
    let to_manifest = manifest(to);
    let part = Part {
        section: Section::Mail,
        scope: &scope,
        cache: &mut cache,
        from,
        to: &to_manifest,
        validate: &[],
        apply: steps,
    };
    let title = format!("state {to}");
    let mut plan = Plan { root: &root, translator: &translator, parts: vec![part], title };
    let watch = |_| {
        go_on();
        ControlFlow::Continue(())
    };
    apply(&mut plan, &journal, &contents(&[to.wrapping_sub(1), to]), &watch)
}

/// What the victim's service runs with.
fn steps() -> Vec<Step> {
    vec![sh("head -n 1 $1/etc/app/f00 > $1/var/running")]
}

/// In a process of its own: from state to state until somebody ends it, or until it has
/// been told so many things that it ends itself.
#[test]
#[ignore = "started by another test"]
fn victim() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let folder = PathBuf::from(variable("VICTIM_FOLDER"));
    let first: u64 = variable("VICTIM_STATE").parse().unwrap();
    let left = AtomicU32::new(variable("VICTIM_ABORTS_AFTER").parse().unwrap_or(u32::MAX));
    let steps = if variable("VICTIM_STEPS").is_empty() { Vec::new() } else { steps() };
    let go_on = || {
        if left.fetch_sub(1, Ordering::Relaxed) == 0 {
            std::process::abort();
        }
    };
    for state in first.. {
        let outcome = go(&folder, (&manifest(state), state + 1), &steps, &go_on);
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome}");
        println!("applied {}", state + 1);
        if !variable("VICTIM_ONCE").is_empty() {
            return;
        }
    }
}

fn start(folder: &Path, state: u64, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", VICTIM, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("VICTIM_FOLDER", folder).env("VICTIM_STATE", state.to_string());
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// A victim's words.
struct Claims {
    lines: Lines<BufReader<ChildStdout>>,
    last: u64,
}

impl Claims {
    fn of(child: &mut Child, before: u64) -> Claims {
        Claims { lines: BufReader::new(child.stdout.take().unwrap()).lines(), last: before }
    }

    /// Waits for the next state that it claims; false when it has ended.
    fn next(&mut self) -> bool {
        for line in self.lines.by_ref().map_while(Result::ok) {
            // The test runner begins the first line.
            if let Some((_, number)) = line.split_once("applied ") {
                self.last = number.parse().unwrap();
                return true;
            }
        }
        false
    }

    /// The last state that it claimed before it ended.
    fn last(mut self) -> u64 {
        while self.next() {}
        self.last
    }
}

/// Recovers and checks: the state that was claimed or the one after it. Gives which.
fn recovered(folder: &Path, claimed: u64, services: Services) -> u64 {
    let root = Root::open(folder).unwrap();
    let journal = Journal::open(&folder.join("var/apply")).unwrap();
    let source = contents(&[claimed, claimed + 1]);
    let told = recover(&root, &journal, &source, services).unwrap();
    let found = look(&root);
    let state = (claimed..=claimed + 1).find(|state| found == manifest(*state));
    let state = state.unwrap_or_else(|| panic!("a mixture after {claimed}: {found:?}"));
    if let Some(told) = told {
        assert_eq!((state, told.trouble.len()), (claimed, 0), "an interrupted change is undone");
    }
    assert!(!journal.is_pending());
    assert_eq!(recover(&root, &journal, &source, services), Ok(None), "once is enough");
    state
}

/// A root in state 0; removed when it goes.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("twinwall-crash-{}-{number}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        folder.fill(&folder.0);
        folder
    }

    fn fill(&self, root: &Path) {
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::create_dir_all(root.join("var")).unwrap();
        let outcome = go(root, (&Manifest::default(), 0), &[], &|| ());
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome}");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _already_gone = fs::remove_dir_all(&self.0);
    }
}

fn random(below: u64) -> u64 {
    static SEED: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    let mixed = u64::from(now ^ SEED.fetch_add(77_777, Ordering::Relaxed));
    (mixed.wrapping_mul(6_364_136_223_846_793_005) >> 33) % below
}

#[test]
fn aborted_at_any_point_that_it_tells_the_old_or_the_new_is_there() {
    let folder = Folder::new();
    let (mut state, mut undone) = (0, 0);
    // One by one at first, then every third: most are one file of many each.
    for point in (0_u32..40).chain((40..).step_by(3)) {
        let variables = [
            ("VICTIM_STEPS", "yes"),
            ("VICTIM_ONCE", "yes"),
            ("VICTIM_ABORTS_AFTER", &point.to_string()),
        ];
        let mut child = start(&folder.0, state, &variables);
        let last = Claims::of(&mut child, state).last();
        let ended_well = child.wait().unwrap().success();
        let pending = folder.0.join("var/apply/journal").exists();
        undone += u32::from(pending);
        state = recovered(&folder.0, last, Services::Running);
        if pending {
            let first = fs::read_to_string(folder.0.join("etc/app/f00")).unwrap();
            let running = fs::read_to_string(folder.0.join("var/running")).unwrap();
            assert_eq!(first.lines().next(), running.lines().next(), "point {point}");
        }
        if ended_well {
            assert_eq!(state, 1, "it never went further before");
            assert!(undone > 20, "{undone} of {point} points lay behind the journal");
            return;
        }
        assert_eq!(state, 0, "point {point}");
    }
}

#[test]
fn killed_at_random_the_old_or_the_new_is_there() {
    let folder = Folder::new();
    let (mut state, mut undone) = (0, 0);
    for _ in 0..60 {
        let mut child = start(&folder.0, state, &[("VICTIM_STEPS", "yes")]);
        let mut claims = Claims::of(&mut child, state);
        assert!(claims.next(), "it is on its way");
        thread::sleep(Duration::from_micros(random(150_000)));
        child.kill().unwrap();
        let last = claims.last();
        child.wait().unwrap();
        undone += u32::from(folder.0.join("var/apply/journal").exists());
        state = recovered(&folder.0, last, Services::Running);
    }
    assert!(state > 0 && undone > 0, "reached {state}, undone {undone}");
}

/// A recovery that is killed as well is done again.
#[test]
fn killed_in_the_recovery_the_old_is_there_all_the_same() {
    let folder = Folder::new();
    let variables = [("VICTIM_ONCE", "yes"), ("VICTIM_ABORTS_AFTER", "110")];
    assert!(!start(&folder.0, 0, &variables).wait().unwrap().success());
    assert!(folder.0.join("var/apply/journal").exists());
    for round in (0..120).step_by(6) {
        // Its contents end in the middle: as far as it gets, and no further.
        let left = AtomicU32::new(round);
        let source = contents(&[0, 1]);
        let failing = |digest: &Digest| match left.fetch_sub(1, Ordering::Relaxed) {
            0 => Err(io::Error::other("the end")),
            _ => source(digest),
        };
        let root = Root::open(&folder.0).unwrap();
        let journal = Journal::open(&folder.0.join("var/apply")).unwrap();
        match recover(&root, &journal, &failing, Services::NotStarted) {
            Err(error) => assert!(journal.is_pending() && error.contains("the end"), "{error}"),
            Ok(told) => {
                assert!(told.is_some() && round > 0);
                break;
            }
        }
    }
    assert_eq!(recovered(&folder.0, 0, Services::NotStarted), 0);
}

/// The file system stops between two of its own writes, as when the power goes: what was
/// not synced is lost, what was synced is not.
#[test]
fn after_a_power_cut_the_old_or_the_new_is_there() {
    let folder = Folder::new();
    let (image, disk) = (folder.0.join("image"), folder.0.join("disk"));
    fs::create_dir(&disk).unwrap();
    File::create(&image).unwrap().set_len(64 << 20).unwrap();
    shell("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()]);
    // In a mount namespace of this thread's own, so that nothing is left behind.
    // SAFETY: descriptors stay shared; only mounts become this thread's own.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.unwrap();
    shell("mount", &["--make-rprivate", "/"]);
    let mount = || shell("mount", &["-o", "loop", image.to_str().unwrap(), disk.to_str().unwrap()]);
    mount();
    folder.fill(&disk);
    let (mut state, mut undone) = (0, 0);
    for round in 0..30 {
        // With apply steps the files are made durable while these run.
        let steps = if round % 2 == 0 { "yes" } else { "" };
        let mut child = start(&disk, state, &[("VICTIM_STEPS", steps)]);
        let mut claims = Claims::of(&mut child, state);
        assert!(claims.next(), "it is on its way");
        thread::sleep(Duration::from_micros(random(150_000)));
        cut_power(&disk);
        child.kill().unwrap();
        let last = claims.last();
        child.wait().unwrap();
        shell("umount", &[disk.to_str().unwrap()]);
        mount();
        undone += u32::from(disk.join("var/apply/journal").exists());
        state = recovered(&disk, last, Services::NotStarted);
    }
    shell("umount", &[disk.to_str().unwrap()]);
    assert!(state > 0 && undone > 0, "reached {state}, undone {undone}");
}

/// Shuts the file system down without writing its journal (`EXT4_IOC_SHUTDOWN`).
fn cut_power(disk: &Path) {
    const SHUTDOWN: libc::Ioctl = 0x8004_587d;
    let without_log: u32 = 2;
    let open = File::open(disk).unwrap();
    // SAFETY: the kernel reads a number, which outlives the call.
    let done = unsafe { libc::ioctl(open.as_raw_fd(), SHUTDOWN, &raw const without_log) };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
}

fn shell(program: &str, arguments: &[&str]) {
    let out = Command::new(program).args(arguments).output().unwrap();
    assert!(
        out.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

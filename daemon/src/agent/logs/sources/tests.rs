//! A program that writes numbered lines, rotations of every kind, readers that are cut off: in
//! the end every line is kept exactly once. The files' times are set by the test, so that
//! nothing waits for a clock.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::files::FileSource;
use super::tracked::{BUFFER, Standing};
use crate::agent::logs::store::{DIRECTORY, Limits, Origin, Reader, Writer};
use crate::agent::profile::{LogSource, parse_profile};

const PROFILE: &str = "format = 1\nname = \"x\"\n[appliance]\nmodel = { file = \"/m\" }\n\
    serial = { file = \"/m\" }\nfirmware = { file = \"/m\" }\n[[logs.source]]\nname = \"app\"\n";

/// Random numbers, the same for the same seed (Knuth's multiplicative congruential generator).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}

/// How a file is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Rename,
    RenameAndPack,
    Copy,
    CopyAndPack,
}

const WAYS: [Way; 4] = [Way::Rename, Way::RenameAndPack, Way::Copy, Way::CopyAndPack];

/// A source with a program that writes to it, and the reader.
struct Scene {
    root: PathBuf,
    pattern: LogSource,
    writer: Writer,
    source: FileSource,
    buffer: Vec<u8>,
    program: File,
    said: u64,
    /// The clock of the files.
    now: SystemTime,
}

impl Scene {
    fn new(name: &str, files: &str) -> Scene {
        let root =
            std::env::temp_dir().join(format!("twinwall-sources-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("var/log")).expect("made");
        let text = format!("{PROFILE}files = [{files}]\n");
        let pattern = parse_profile("profile.toml", &text).expect("right").logs.remove(0);
        let (writer, source) = open(&root, &pattern);
        let now = SystemTime::now() - Duration::from_secs(1_000_000);
        let program = append(&root.join("var/log/app.log"));
        program.set_modified(now).expect("set");
        let buffer = vec![0; BUFFER];
        Scene { root, pattern, writer, source, buffer, program, said: 0, now }
    }

    fn log(&self, ending: &str) -> PathBuf {
        self.root.join(format!("var/log/app.log{ending}"))
    }

    fn tick(&mut self) -> SystemTime {
        self.now += Duration::from_secs(1);
        self.now
    }

    /// The program says so many lines.
    fn say(&mut self, count: u64) {
        for _ in 0..count {
            self.said += 1;
            let line = format!("line {} of the program, which says it once\n", self.said);
            self.program.write_all(line.as_bytes()).expect("written");
        }
        let now = self.tick();
        self.program.set_modified(now).expect("set");
    }

    fn reopen(&mut self) {
        self.program = append(&self.log(""));
    }

    /// One turn of the reader.
    fn turn(&mut self) {
        self.source.look(&mut self.writer);
        self.source.touch(None);
        while self.source.read(&mut self.buffer, &mut self.writer) {}
        self.writer.write().expect("written");
    }

    /// The reader is cut off: what it had not written is gone.
    fn crash(&mut self, unwritten: bool) {
        if unwritten {
            self.source.look(&mut self.writer);
            self.source.read(&mut self.buffer, &mut self.writer);
        }
        (self.writer, self.source) = open(&self.root, &self.pattern);
    }

    /// As logrotate does it; `late` lines are said before the program opens the new file.
    fn rotate(&mut self, way: Way, late: u64) {
        for number in (1..9).rev() {
            for ending in ["", ".gz"] {
                let from = self.log(&format!(".{number}{ending}"));
                if from.exists() {
                    fs::rename(from, self.log(&format!(".{}{ending}", number + 1))).expect("moved");
                }
            }
        }
        let (live, old) = (self.log(""), self.log(".1"));
        if matches!(way, Way::Rename | Way::RenameAndPack) {
            fs::rename(&live, &old).expect("moved");
            let fresh = append(&live);
            let now = self.tick();
            fresh.set_modified(now).expect("set");
            self.say(late);
            self.reopen();
        } else {
            fs::copy(&live, &old).expect("copied");
            let now = self.tick();
            append(&old).set_modified(now).expect("set");
            self.program.set_len(0).expect("cut off");
            let now = self.tick();
            self.program.set_modified(now).expect("set");
        }
        if matches!(way, Way::RenameAndPack | Way::CopyAndPack) {
            pack(&old, &self.log(".1.gz"));
        }
    }

    fn kept(&self) -> Vec<String> {
        let lines = Reader::open(&self.root).forward(Origin::Here, 0, usize::MAX, &[]);
        let text = |line: crate::agent::logs::store::Line| {
            String::from_utf8_lossy(&line.text).into_owned()
        };
        lines.expect("readable").into_iter().map(text).collect()
    }

    fn assert_all_once(&mut self, told: &str) {
        for _ in 0..3 {
            self.turn();
        }
        let mut times: BTreeMap<u64, u32> = (1..=self.said).map(|number| (number, 0)).collect();
        for line in self.kept() {
            let number = line.split(' ').nth(1).and_then(|word| word.parse().ok());
            let number: u64 = number.unwrap_or_else(|| panic!("{told}: a line of nobody: {line}"));
            *times.entry(number).or_default() += 1;
        }
        let wrong: Vec<(u64, u32)> = times.into_iter().filter(|(_, count)| *count != 1).collect();
        assert!(wrong.is_empty(), "{told}: not once: {:?}", &wrong[..wrong.len().min(20)]);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn open(root: &Path, source: &LogSource) -> (Writer, FileSource) {
    let directory = root.join(DIRECTORY).join("here");
    let limits = Limits { size: 64 << 20, age: Duration::from_secs(86_400) };
    let writer = Writer::open(&directory, limits, 1).expect("it opens");
    let files = source.files.globs().clone();
    let source = FileSource::new(&source.name, root, files, writer.marks());
    (writer, source)
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).expect("opened")
}

/// As gzip does it: the packed file has the time of the plain one, which goes.
fn pack(plain: &Path, packed: &Path) {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&fs::read(plain).expect("read")).expect("packed");
    fs::write(packed, gz.finish().expect("packed")).expect("written");
    let time = fs::metadata(plain).and_then(|seen| seen.modified()).expect("a time");
    append(packed).set_modified(time).expect("set");
    fs::remove_file(plain).expect("removed");
}

#[test]
fn each_way_of_rotation_loses_and_doubles_nothing_while_it_is_watched() {
    for way in WAYS {
        let mut scene = Scene::new(&format!("each-{way:?}"), "\"/var/log/app.log\"");
        for round in 0..6 {
            scene.say(20);
            if round % 2 == 0 {
                scene.turn();
            }
            scene.say(3);
            scene.rotate(way, u64::from(way == Way::Rename) * 2);
            scene.say(5);
            scene.turn();
        }
        scene.assert_all_once(&format!("{way:?}"));
    }
}

#[test]
fn several_rotations_of_any_kind_while_nobody_looks_lose_nothing() {
    for first in WAYS {
        for second in WAYS {
            let told = format!("{first:?}, then {second:?}");
            let mut scene =
                Scene::new(&format!("down-{first:?}-{second:?}"), "\"/var/log/app.log\"");
            scene.say(30);
            scene.turn();
            scene.say(7);
            for way in [first, second, first] {
                scene.rotate(way, 0);
                scene.say(9);
            }
            scene.crash(false);
            scene.assert_all_once(&told);
        }
    }
}

#[test]
fn a_reader_that_is_killed_while_it_reads_a_packed_rest_goes_on_in_it() {
    let mut scene = Scene::new("packed", "\"/var/log/app.log\"");
    scene.say(10);
    scene.turn();
    // More than is read in one turn, and more than one batch.
    scene.say(30_000);
    scene.rotate(Way::RenameAndPack, 0);
    scene.say(10);
    scene.crash(false);
    scene.source.look(&mut scene.writer);
    let buffer = &mut scene.buffer;
    // One reading of each file is written, the next is lost.
    scene.source.touch(None);
    scene.source.read(buffer, &mut scene.writer);
    scene.writer.write().expect("written");
    scene.crash(true);
    scene.assert_all_once("cut off within");
}

#[test]
fn a_number_that_is_given_again_to_another_file_is_not_taken_for_the_first() {
    let mut scene = Scene::new("inode", "\"/var/log/*.log\"");
    scene.say(10);
    scene.turn();
    scene.say(4);
    scene.rotate(Way::RenameAndPack, 0);
    scene.crash(false);
    // The live file goes; with luck the next one gets its number. The test holds either way.
    let lost = scene.log("");
    fs::remove_file(&lost).expect("removed");
    scene.program = append(&scene.root.join("var/log/other.log"));
    scene.say(100);
    scene.assert_all_once("another file");
}

#[test]
fn rotated_files_that_a_pattern_matches_too_are_read_once() {
    for way in WAYS {
        let mut scene = Scene::new(&format!("wide-{way:?}"), "\"/var/log/app*\"");
        scene.turn();
        for round in 0..6 {
            scene.say(20);
            if round % 3 != 0 {
                scene.turn();
            }
            scene.say(3);
            scene.rotate(way, 0);
            scene.say(5);
            if round % 2 == 0 {
                scene.crash(round % 4 == 0);
            }
            scene.turn();
        }
        scene.assert_all_once(&format!("{way:?}"));
    }
}

#[test]
fn a_line_is_kept_when_its_end_comes_and_a_hole_is_none() {
    let mut scene = Scene::new("parts", "\"/var/log/app.log\"");
    scene.program.write_all(b"line 1 of").expect("written");
    scene.turn();
    assert_eq!(scene.kept(), [""; 0]);
    scene.crash(false);
    scene.program.write_all(b" one\nline 2").expect("written");
    scene.turn();
    assert_eq!(scene.kept(), ["line 1 of one"]);
    // A program that does not append goes on where it was in a file that was cut off.
    scene.program.write_all(b"\n").expect("written");
    scene.turn();
    scene.program.set_len(0).expect("cut off");
    scene.program.set_len(5000).expect("a hole");
    scene.program.write_all(b"line 3\n").expect("written");
    scene.turn();
    assert_eq!(scene.kept(), ["line 1 of one", "line 2", "line 3"]);
}

#[test]
fn a_line_without_an_end_is_kept_in_pieces() {
    let mut scene = Scene::new("long", "\"/var/log/app.log\"");
    let long = vec![b'x'; 3 * BUFFER];
    scene.program.write_all(&long).expect("written");
    scene.program.write_all(b"\nline 2\n").expect("written");
    scene.turn();
    let kept = scene.kept();
    let (last, pieces) = kept.split_last().expect("lines");
    assert_eq!(last, "line 2");
    assert_eq!(pieces.iter().map(String::len).sum::<usize>(), long.len());
}

#[test]
fn of_a_log_that_is_there_at_first_only_the_end_is_read_and_later_ones_whole() {
    let mut scene = Scene::new("first", "\"/var/log/*.log\"");
    scene.say(60_000);
    scene.turn();
    let kept = scene.kept();
    assert!((10_000..50_000).contains(&kept.len()), "{}", kept.len());
    assert!(kept.last().is_some_and(|line| line.starts_with("line 60000 ")));
    let mut other = append(&scene.root.join("var/log/new.log"));
    for number in 0..60_000 {
        writeln!(other, "other {number} of the program, which says it once").expect("written");
    }
    scene.crash(false);
    (0..3).for_each(|_| scene.turn());
    assert_eq!(scene.kept().len() - kept.len(), 60_000);
}

/// `TWINWALL_TORMENTS` asks for more than the usual number of courses.
#[test]
fn whatever_happens_in_whatever_order_each_line_is_kept_once() {
    let wanted = std::env::var("TWINWALL_TORMENTS").ok().and_then(|text| text.parse().ok());
    for seed in 0..wanted.unwrap_or(60_u64) {
        let mut random = Random(seed.wrapping_mul(7919) + 1);
        let mut scene = Scene::new(&format!("any-{seed}"), "\"/var/log/app.log\"");
        // A log of which something was read.
        scene.say(1);
        scene.turn();
        let mut course = Vec::new();
        let mut unread = 0;
        for _ in 0..60 {
            let what = random.below(8);
            let way = WAYS[random.below(4) as usize];
            match what {
                0..=2 => scene.say(1 + random.below(40)),
                3 if unread < 3 => {
                    unread += 1;
                    let late = if way == Way::Rename { random.below(3) } else { 0 };
                    scene.rotate(way, late);
                }
                4 => scene.crash(random.below(2) == 0),
                5 => {
                    for file in scene.source.files.values_mut() {
                        // Long ago: it is given back to the system.
                        file.grew = Instant::now()
                            .checked_sub(Duration::from_secs(60))
                            .unwrap_or(file.grew);
                    }
                }
                _turn => {
                    unread = 0;
                    scene.turn();
                }
            }
            course.push((what, way));
        }
        scene.assert_all_once(&format!("seed {seed}: {course:?}"));
        let rotated = |file: &&super::tracked::Tracked| file.standing == Standing::Rotated;
        assert!(scene.source.files.values().filter(rotated).count() < 60);
    }
}

//! A source with a program that writes numbered lines to its log, rotations of it as logrotate
//! does them, and the reader, for the tests. The files' times are set here, so that nothing waits
//! for a clock.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::agent::logs::sources::files::FileSource;
use crate::agent::logs::sources::tracked::BUFFER;
use crate::agent::logs::store::{DIRECTORY, Limits, Line, Origin, Reader, Writer};
use crate::agent::profile::{LogSource, parse_profile};

const PROFILE: &str = "format = 1\nname = \"x\"\n[appliance]\nmodel = { file = \"/m\" }\n\
    serial = { file = \"/m\" }\nfirmware = { file = \"/m\" }\n[[logs.source]]\nname = \"app\"\n";

/// How a file is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Rename,
    RenameAndPack,
    Copy,
    CopyAndPack,
}

pub(super) const WAYS: [Way; 4] = [Way::Rename, Way::RenameAndPack, Way::Copy, Way::CopyAndPack];

/// A source with a program that writes to it, and the reader.
pub(super) struct Scene {
    pub(super) root: PathBuf,
    pattern: LogSource,
    pub(super) writer: Writer,
    pub(super) source: FileSource,
    pub(super) buffer: Vec<u8>,
    pub(super) program: File,
    pub(super) said: u64,
    /// The last line that was said when everything had been read, and the first in the log.
    pub(super) read: u64,
    pub(super) first: u64,
    /// Lines that were cut off with the log before anybody could read them.
    pub(super) lost: Vec<u64>,
    /// The clock of the files.
    now: SystemTime,
}

impl Scene {
    pub(super) fn new(name: &str, files: &str) -> Scene {
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
        let (said, read, first, lost) = (0, 0, 1, Vec::new());
        Scene { root, pattern, writer, source, buffer, program, said, read, first, lost, now }
    }

    pub(super) fn log(&self, ending: &str) -> PathBuf {
        self.root.join(format!("var/log/app.log{ending}"))
    }

    pub(super) fn tick(&mut self) -> SystemTime {
        self.now += Duration::from_secs(1);
        self.now
    }

    /// The program says so many lines.
    pub(super) fn say(&mut self, count: u64) {
        for _ in 0..count {
            self.said += 1;
            let line = format!("line {} of the program, which says it once\n", self.said);
            self.program.write_all(line.as_bytes()).expect("written");
        }
        let now = self.tick();
        self.program.set_modified(now).expect("set");
    }

    pub(super) fn reopen(&mut self) {
        self.program = append(&self.log(""));
    }

    /// One turn of the reader.
    pub(super) fn turn(&mut self) {
        self.source.look(&mut self.writer);
        self.source.touch(None);
        while self.source.read(&mut self.buffer, &mut self.writer) {}
        self.writer.write().expect("written");
        self.read = self.said;
    }

    /// So long without a change that files are given back to the system.
    pub(super) fn rest(&mut self) {
        for one in self.source.logs.values_mut().flat_map(|log| &mut log.generations) {
            one.grew = Instant::now().checked_sub(Duration::from_secs(60)).unwrap_or(one.grew);
        }
    }

    /// The reader is cut off: what it had not written is gone.
    pub(super) fn crash(&mut self, unwritten: bool) {
        if unwritten {
            self.source.look(&mut self.writer);
            self.source.read(&mut self.buffer, &mut self.writer);
        }
        (self.writer, self.source) = open(&self.root, &self.pattern);
    }

    /// As logrotate does it; `late` lines are said before the program opens the new file.
    pub(super) fn rotate(&mut self, way: Way, late: u64) {
        match way {
            Way::Rename | Way::RenameAndPack => self.rename(late),
            Way::Copy | Way::CopyAndPack => {
                self.copy();
                self.cut();
            }
        }
        if matches!(way, Way::RenameAndPack | Way::CopyAndPack) {
            pack(&self.log(".1"), &self.log(".1.gz"));
        }
    }

    /// Makes room for the next one.
    pub(super) fn count_up(&self) {
        self.count_up_those(&["", ".gz"]);
    }

    fn count_up_those(&self, endings: &[&str]) {
        for number in (1..30).rev() {
            for ending in endings {
                let from = self.log(&format!(".{number}{ending}"));
                if from.exists() {
                    fs::rename(from, self.log(&format!(".{}{ending}", number + 1))).expect("moved");
                }
            }
        }
    }

    pub(super) fn rename(&mut self, late: u64) {
        self.count_up();
        fs::rename(self.log(""), self.log(".1")).expect("moved");
        let fresh = append(&self.log(""));
        let now = self.tick();
        fresh.set_modified(now).expect("set");
        self.say(late);
        self.reopen();
        self.first = self.said + 1;
    }

    /// As logrotate does it where packing is turned on or off now and then: packed and plain
    /// files are counted each for themselves.
    pub(super) fn rotate_apart(&mut self, packed: bool) {
        self.count_up_those(&[if packed { ".gz" } else { "" }]);
        fs::rename(self.log(""), self.log(".1")).expect("moved");
        self.reopen();
        if packed {
            pack(&self.log(".1"), &self.log(".1.gz"));
        }
    }

    pub(super) fn copy(&mut self) {
        self.count_up();
        let old = self.log(".1");
        fs::copy(self.log(""), &old).expect("copied");
        let now = self.tick();
        append(&old).set_modified(now).expect("set");
    }

    pub(super) fn cut(&mut self) {
        self.program.set_len(0).expect("cut off");
        let now = self.tick();
        self.program.set_modified(now).expect("set");
        self.first = self.said + 1;
    }

    /// Cut off without a copy: nobody can know what was not read of it.
    pub(super) fn cut_unseen(&mut self) {
        self.lost.extend(self.first.max(self.read + 1)..=self.said);
        self.cut();
    }

    /// All files are others with the same content and times, as from a backup.
    pub(super) fn restore(&mut self) {
        for entry in fs::read_dir(self.root.join("var/log")).expect("there").flatten() {
            let (path, copy) = (entry.path(), self.root.join("copy"));
            let time = fs::metadata(&path).and_then(|seen| seen.modified()).expect("a time");
            fs::copy(&path, &copy).expect("copied");
            append(&copy).set_modified(time).expect("set");
            fs::rename(&copy, &path).expect("moved");
        }
        self.reopen();
    }

    pub(super) fn kept(&self) -> Vec<String> {
        let lines = Reader::open(&self.root).forward(Origin::Here, 0, usize::MAX, &[]);
        let text = |line: Line| String::from_utf8_lossy(&line.text).into_owned();
        lines.expect("readable").into_iter().map(text).collect()
    }

    pub(super) fn assert_all_once(&mut self, told: &str) {
        for _ in 0..2 {
            self.turn();
            self.rest();
        }
        self.turn();
        let mut times: BTreeMap<u64, u32> = (1..=self.said).map(|number| (number, 0)).collect();
        for line in self.kept() {
            let number = line.split(' ').nth(1).and_then(|word| word.parse().ok());
            let number: u64 = number.unwrap_or_else(|| panic!("{told}: a line of nobody: {line}"));
            *times.entry(number).or_default() += 1;
        }
        let may_be_lost = |number: &u64, count| count == 0 && self.lost.contains(number);
        let wrong: Vec<(u64, u32)> = times
            .into_iter()
            .filter(|(number, count)| *count != 1 && !may_be_lost(number, *count))
            .collect();
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

pub(super) fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).expect("opened")
}

/// As gzip does it: the packed file has the time of the plain one, which goes.
pub(super) fn pack(plain: &Path, packed: &Path) {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&fs::read(plain).expect("read")).expect("packed");
    fs::write(packed, gz.finish().expect("packed")).expect("written");
    let time = fs::metadata(plain).and_then(|seen| seen.modified()).expect("a time");
    append(packed).set_modified(time).expect("set");
    fs::remove_file(plain).expect("removed");
}

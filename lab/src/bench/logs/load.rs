//! Writes lines at a rate as a program would, and looks from outside how many have come to the
//! other node: for rsyslog the lines of its file, for twinwall the headers of the batches that
//! lie on the disk there. Called by the site.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Contender, Load};

/// Lines are written this often, those that are due at once, as a busy program's buffer does.
const EVERY: Duration = Duration::from_millis(2);
/// Between two looks at the copy: exact beside lags of tenths of a second.
const LOOK: Duration = Duration::from_millis(5);
/// What has not come after so long is lost.
const LAST_CALL: Duration = Duration::from_secs(60);

/// How many lines there were at which moment.
pub(super) type Course = Vec<(Instant, u64)>;

/// Writes; when each line was there.
pub(super) fn write(log: &Path, load: Load) -> io::Result<Course> {
    let mut file = OpenOptions::new().append(true).create(true).open(log)?;
    let mut course = Course::new();
    let (begun, mut said, mut text) = (Instant::now(), 0_u64, Vec::new());
    let all = f64::from(load.rate) * load.span.as_secs_f64();
    while (said as f64) < all {
        let due = (begun.elapsed().as_secs_f64() * f64::from(load.rate)).min(all) as u64;
        text.clear();
        for number in said..due {
            line(number, &mut text);
        }
        if due > said {
            file.write_all(&text)?;
            said = due;
            course.push((Instant::now(), said));
        }
        thread::sleep(EVERY);
    }
    Ok(course)
}

/// Between two rotations of a log that grows without an end.
const ROTATE: Duration = Duration::from_secs(10);

/// Writes at this rate until it is ended; what the log became is kept once.
pub(super) fn keep_writing(log: &Path, old: &Path, rate: u32, end: &AtomicBool) -> io::Result<()> {
    let open = || OpenOptions::new().append(true).create(true).open(log);
    let (mut file, mut text) = (open()?, Vec::new());
    let (begun, mut said, mut rotated) = (Instant::now(), 0_u64, Instant::now());
    while !end.load(Ordering::Acquire) {
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as u64;
        text.clear();
        for number in said..due {
            line(number, &mut text);
        }
        file.write_all(&text)?;
        said = due;
        if rotated.elapsed() >= ROTATE {
            fs::rename(log, old)?;
            (file, rotated) = (open()?, Instant::now());
        }
        thread::sleep(EVERY);
    }
    Ok(())
}

/// As dnsmasq says that an address was given, some 110 bytes: digits that differ from line to
/// line and words that do not.
fn line(number: u64, text: &mut Vec<u8>) {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let [a, b, c, d, e, f, ..] = mixed.to_be_bytes();
    let second = number / 1000 % 60;
    // Writing to a vector cannot fail.
    let _ = writeln!(
        text,
        "Nov 30 12:{:02}:{second:02} gw-a dnsmasq-dhcp[1234]: {number} DHCPACK(lan) 10.{}.{a}.{b} 52:54:{c:02x}:{d:02x}:{e:02x}:{f:02x} host-{}",
        number / 60_000 % 60,
        number % 200,
        mixed % 5000,
    );
}

/// What of the copy was counted.
pub(super) struct Copy {
    one: Contender,
    place: PathBuf,
    file: Option<(PathBuf, u64)>,
    lines: u64,
    buffer: Vec<u8>,
}

/// A header of a batch in twinwall's files, see daemon/src/agent/logs/store/batch.rs.
const HEADER: usize = 48;

impl Copy {
    /// `place` is rsyslog's file, or the directory of twinwall's.
    pub(super) fn new(one: Contender, place: PathBuf) -> Copy {
        Copy { one, place, file: None, lines: 0, buffer: vec![0; 1 << 20] }
    }

    /// How many lines there are now. What is not there yet has none.
    pub(super) fn count(&mut self) -> u64 {
        let counted = match self.one {
            Contender::Rsyslog => self.count_lines(),
            Contender::Twinwall => self.count_batches(),
        };
        counted.unwrap_or(self.lines)
    }

    fn count_lines(&mut self) -> io::Result<u64> {
        let mut file = File::open(&self.place)?;
        let (_, mut at) = self.file.take().unwrap_or((self.place.clone(), 0));
        file.seek(SeekFrom::Start(at))?;
        loop {
            let length = file.read(&mut self.buffer)?;
            if length == 0 {
                break;
            }
            at += length as u64;
            let ends = self.buffer[..length].iter().filter(|byte| **byte == b'\n').count();
            self.lines += ends as u64;
        }
        self.file = Some((self.place.clone(), at));
        Ok(self.lines)
    }

    fn count_batches(&mut self) -> io::Result<u64> {
        loop {
            let files = self.files()?;
            let (path, at) = match self.file.take() {
                Some(known) => known,
                None => match files.first() {
                    Some(first) => (first.clone(), 0),
                    None => return Ok(self.lines),
                },
            };
            let at = self.walk(&path, at)?;
            let next = files.into_iter().find(|other| *other > path);
            match next {
                Some(next) => self.file = Some((next, 0)),
                None => {
                    self.file = Some((path, at));
                    return Ok(self.lines);
                }
            }
        }
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let all = fs::read_dir(&self.place)?.flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            all.filter(|path| path.extension().is_some_and(|it| it == "lines")).collect();
        files.sort();
        Ok(files)
    }

    /// Over all whole batches; where the next one begins.
    fn walk(&mut self, path: &Path, mut at: u64) -> io::Result<u64> {
        use std::os::unix::fs::FileExt;
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut header = [0; HEADER];
        while at + HEADER as u64 <= length {
            file.read_exact_at(&mut header, at)?;
            let number = |from: usize, bytes: usize| {
                let all = header[from..from + bytes].iter().rev();
                all.fold(0, |value, byte| value << 8 | u64::from(*byte))
            };
            let whole = HEADER as u64 + number(13, 1) + number(14, 2) + number(40, 4);
            if at + whole > length {
                break;
            }
            let is_lines = number(12, 1) & !1 == 0;
            if is_lines {
                self.lines += number(24, 8) - number(16, 8);
            }
            at += whole;
        }
        Ok(at)
    }
}

/// Looks until `end` is set and all lines are there, or none comes any more.
pub(super) fn observe(mut copy: Copy, before: u64, all: u64, end: &Arc<AtomicBool>) -> Course {
    let mut course = Course::new();
    let mut last = Instant::now();
    loop {
        let count = copy.count().saturating_sub(before);
        if course.last().is_none_or(|(_, known)| count > *known) {
            last = Instant::now();
            course.push((last, count));
        }
        let ended = end.load(Ordering::Acquire);
        if ended && (count >= all || last.elapsed() > LAST_CALL) {
            return course;
        }
        thread::sleep(LOOK);
    }
}

/// From the writing of each piece until it was there, in milliseconds: half of the time, 99 times
/// in 100, at most.
pub(super) fn lag(written: &Course, there: &Course) -> [f64; 3] {
    let mut lags: Vec<f64> = Vec::new();
    let mut at = 0;
    for (moment, count) in written {
        while there.get(at).is_some_and(|(_, known)| known < count) {
            at += 1;
        }
        let Some((came, _)) = there.get(at) else { break };
        lags.push(came.saturating_duration_since(*moment).as_secs_f64() * 1e3);
    }
    lags.sort_by(f64::total_cmp);
    let last = lags.len().saturating_sub(1) as f64;
    [0.5, 0.99, 1.0]
        .map(|share| lags.get((share * last).ceil() as usize).copied().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_from_each_writing_to_the_look_that_saw_it() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let written = vec![(at(0), 10), (at(100), 20), (at(200), 30)];
        let there = vec![(at(50), 5), (at(150), 20), (at(900), 30)];
        assert_eq!(lag(&written, &there), [150.0, 700.0, 700.0]);
        assert!(lag(&written, &Course::new())[0].is_nan());
    }
}

//! Writers that are cut off at any byte, files that come and go, and readers beside them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::batch::batch;
use super::*;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let root =
            std::env::temp_dir().join(format!("twinwall-lines-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        Place(root)
    }

    fn here(&self) -> PathBuf {
        self.0.join(DIRECTORY).join("here")
    }

    fn writer(&self, size: u64) -> Writer {
        let limits = Limits { size, age: Duration::from_secs(3600) };
        Writer::open(&self.here(), limits, 1).expect("it opens")
    }

    fn texts(&self) -> Vec<(u64, String)> {
        let lines = Reader::open(&self.0).forward(Origin::Here, 0, usize::MAX, &[]);
        numbered(&lines.expect("readable"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn numbered(lines: &[Line]) -> Vec<(u64, String)> {
    let text = |line: &Line| String::from_utf8_lossy(&line.text).into_owned();
    lines.iter().map(|line| (line.number, text(line))).collect()
}

/// Lines of a source whose mark says how many of them there are.
fn say(writer: &mut Writer, source: &str, count: u64) {
    let from = writer.next();
    // Nothing that packs well.
    let line = |number: u64| {
        let digest = blake3::hash(&number.to_le_bytes()).to_hex();
        format!("{number} {digest}\n")
    };
    let raw: String = (from..from + count).map(line).collect();
    let mut mark = Vec::new();
    encode_mark(b"file", &writer.next().to_le_bytes(), &mut mark);
    writer.add(source, &mark, (raw.as_bytes(), count), 7);
    writer.write().expect("written");
}

fn mark_of(writer: &Writer, source: &str) -> Option<u64> {
    let how_far = writer.marks().of(source).next()?.1.try_into().ok()?;
    Some(u64::from_le_bytes(how_far))
}

#[test]
fn a_writer_that_is_cut_off_at_any_byte_goes_on_with_lines_and_mark_of_one_batch() {
    let place = Place::new("torn");
    let mut writer = place.writer(1 << 20);
    say(&mut writer, "a", 3);
    say(&mut writer, "a", 30);
    drop(writer);
    let path = list(&place.here()).expect("listed").remove(0).path;
    let whole = fs::read(&path).expect("read");
    let mut ends = vec![0];
    while let Ok(one) = batch(&whole[ends[ends.len() - 1]..]) {
        ends.push(ends[ends.len() - 1] + one.head.length());
    }
    assert_eq!(ends.len(), 3, "two batches");
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).expect("written");
        let mut writer = place.writer(1 << 20);
        let (next, mark) = match ends.iter().rposition(|end| *end <= cut) {
            Some(2) => (34, Some(4)),
            Some(1) => (4, Some(1)),
            _fewer => (1, None),
        };
        assert_eq!((writer.next(), mark_of(&writer, "a")), (next, mark), "cut at {cut}");
        assert_eq!(writer.durable(), next);
        if cut % 37 == 0 {
            say(&mut writer, "a", 1);
            let texts = place.texts();
            let numbers: Vec<u64> = texts.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, (1..=next).collect::<Vec<u64>>(), "cut at {cut}");
        }
    }
}

#[test]
fn bytes_that_went_bad_end_what_is_read_and_never_make_a_line() {
    let place = Place::new("bad");
    let mut writer = place.writer(1 << 20);
    (0..4).for_each(|_| say(&mut writer, "a", 5));
    drop(writer);
    let good = place.texts();
    let path = list(&place.here()).expect("listed").remove(0).path;
    let whole = fs::read(&path).expect("read");
    for at in (0..whole.len()).step_by(11) {
        let mut bad = whole.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).expect("written");
        let read = place.texts();
        assert!(good.starts_with(&read) && read.len() < good.len(), "byte {at}");
        fs::write(&path, &whole).expect("written");
    }
}

#[test]
fn what_is_too_much_goes_file_by_file_from_the_oldest_and_is_counted() {
    let place = Place::new("limits");
    let mut writer = place.writer(1 << 20);
    for _ in 0..200 {
        say(&mut writer, "a", 500);
        writer.tidy().expect("tidied");
    }
    assert!(writer.bytes() <= (1 << 20) + (64 << 10), "{} bytes", writer.bytes());
    let lines = place.texts();
    assert_eq!(writer.dropped(), writer.first() - 1);
    assert!(writer.dropped() > 0);
    assert_eq!(lines.first().map(|line| line.0), Some(writer.first()));
    assert_eq!(lines.last().map(|line| line.0), Some(100_000));
    // The marks outlive the files in which they were written.
    say(&mut writer, "b", 1);
    let marks = (mark_of(&writer, "a"), mark_of(&writer, "b"));
    drop(writer);
    let writer = place.writer(1 << 20);
    assert_eq!((mark_of(&writer, "a"), mark_of(&writer, "b")), marks);
    assert_eq!(writer.next(), 100_002);
}

#[test]
fn what_is_old_goes_and_the_numbers_go_on() {
    let place = Place::new("age");
    let mut writer = place.writer(1 << 20);
    for _ in 0..10 {
        say(&mut writer, "a", 500);
    }
    let segments = list(&place.here()).expect("listed");
    assert!(segments.len() > 2);
    for segment in &segments {
        let file = fs::File::options().append(true).open(&segment.path).expect("opened");
        let old = std::time::SystemTime::now() - Duration::from_secs(7200);
        file.set_modified(old).expect("made old");
    }
    writer.tidy().expect("tidied");
    let left = list(&place.here()).expect("listed");
    assert_eq!(left, segments[segments.len() - 1..]);
    assert_eq!((writer.first(), writer.next()), (left[0].first, 5001));
}

#[test]
fn lines_are_found_by_number_both_ways_and_by_source() {
    let place = Place::new("read");
    let reader = Reader::open(&place.0);
    assert_eq!(reader.last(Origin::Here), None);
    let mut writer = place.writer(1 << 20);
    for round in 0..100_u64 {
        say(&mut writer, if round % 10 == 3 { "b" } else { "a" }, 50);
    }
    writer.add_gap(1000, 9);
    say(&mut writer, "a", 10);
    assert!(list(&place.here()).expect("listed").len() > 1, "several files");
    assert_eq!(reader.last(Origin::Here), Some(6010));
    assert_eq!(reader.last(Origin::There), None);
    assert_eq!(reader.gaps(Origin::Here).expect("read"), [Gap { first: 5001, next: 6001 }]);
    let all: Vec<u64> = (1..=5000).chain(6001..=6010).collect();
    let numbers = |lines: Vec<Line>| lines.iter().map(|line| line.number).collect::<Vec<u64>>();
    for from in [0, 1, 49, 50, 51, 2500, 4999, 5000, 5500, 6001, 6010, 6011] {
        for limit in [1, 7, 10_000] {
            let forward = reader.forward(Origin::Here, from, limit, &[]).expect("read");
            let wanted: Vec<u64> =
                all.iter().copied().filter(|it| *it >= from).take(limit).collect();
            assert_eq!(numbers(forward), wanted, "from {from}");
            let back = reader.back(Origin::Here, from, limit, &[]).expect("read");
            let before = all.iter().rev().copied().filter(|it| *it < from);
            assert_eq!(numbers(back), before.take(limit).collect::<Vec<u64>>(), "before {from}");
        }
    }
    let only = ["b".to_owned()];
    let lines = reader.forward(Origin::Here, 0, 10_000, &only).expect("read");
    assert!(lines.len() == 500 && lines.iter().all(|line| line.source == "b" && line.read_us == 7));
    let mut back = reader.back(Origin::Here, u64::MAX, 10_000, &only).expect("read");
    back.reverse();
    assert_eq!(back, lines);
    // What is written later is seen by a reader that looked before.
    say(&mut writer, "c", 1);
    assert_eq!(numbers(reader.back(Origin::Here, u64::MAX, 1, &[]).expect("read")), [6011]);
}

#[test]
fn only_what_was_written_and_is_there_counts_as_kept() {
    let place = Place::new("kept");
    let mut writer = place.writer(1 << 20);
    // What waits for a disk that is full is not kept.
    writer.add("app", b"", (b"a\nb\n", 2), 7);
    assert_eq!((writer.first(), writer.written(), writer.kept()), (1, 1, 0));
    writer.write().expect("written");
    assert_eq!((writer.first(), writer.written(), writer.kept()), (1, 3, 2));
    writer.add_gap(500, 7);
    say(&mut writer, "app", 3);
    assert_eq!((writer.next(), writer.kept()), (506, 5), "the missing ones are not");
    let mut again = place.writer(1 << 20);
    again.set_gaps(&Reader::open(&place.0).gaps(Origin::Here).expect("read"));
    assert_eq!(again.kept(), 5);
}

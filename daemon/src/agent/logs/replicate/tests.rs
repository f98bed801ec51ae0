//! One node's lines carried to the other by hand: cut at any message, killed at either end,
//! dropped by limits, from a store that is a new one. What is there in the end is compared line
//! by line.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::message::{Message, MessageError, decode_message};
use super::receiving::{NotTaken, Receiving};
use super::sending::Sending;
use crate::agent::logs::store::{DIRECTORY, Gap, Limits, Line, Origin, Reader, Writer};

const LIMITS: Limits = Limits { size: 64 << 20, age: Duration::from_secs(86_400) };

/// Both nodes' disks, and what runs on them.
struct Pair {
    from: PathBuf,
    to: PathBuf,
    writer: Writer,
    sending: Sending,
    receiving: Receiving,
    store: String,
    first: u64,
}

impl Pair {
    fn new(name: &str, limits: Limits) -> Pair {
        let base =
            std::env::temp_dir().join(format!("twinwall-carry-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let (from, to) = (base.join("a"), base.join("b"));
        Pair {
            writer: writer(&from, limits),
            sending: Sending::new(&from, 1 << 40),
            receiving: Receiving::open(&to, LIMITS).expect("it opens"),
            from,
            to,
            store: "ab".repeat(16),
            first: 1,
        }
    }

    fn say(&mut self, count: u64) {
        for _ in 0..count {
            let number = self.writer.next();
            let text = format!("{number} {:x}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            self.writer.add("app", b"", (text.as_bytes(), 1), number);
        }
        self.writer.write().expect("written");
    }

    fn connect(&mut self) {
        let want = self.receiving.hello(&self.store, self.first).expect("kept");
        self.sending.want(want);
    }

    /// Carries at most so many messages.
    fn carry(&mut self, messages: usize) -> usize {
        self.writer.sync().expect("durable");
        for sent in 0..messages {
            let message = self.sending.poll(self.writer.durable(), Instant::now()).expect("read");
            let Some(message) = message else { return sent };
            match decode_message(&message).expect("a message") {
                Message::Batches(batches) => self.receiving.take(batches).expect("taken"),
                Message::Word(word) => panic!("{word:?}"),
            }
            let next = self.receiving.next().expect("begun");
            self.sending.confirm(next, self.writer.durable());
        }
        messages
    }

    fn lines(&self, root: &Path, origin: Origin) -> Vec<(u64, u64, Vec<u8>)> {
        let lines = Reader::open(root).forward(origin, 0, usize::MAX, &[]).expect("read");
        lines.into_iter().map(|line: Line| (line.number, line.read_us, line.text)).collect()
    }

    fn assert_same(&self, told: &str) {
        let (here, there) =
            (self.lines(&self.from, Origin::Here), self.lines(&self.to, Origin::There));
        assert!(!here.is_empty() && here == there, "{told}: {} and {}", here.len(), there.len());
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.from.parent().expect("a directory"));
    }
}

fn writer(root: &Path, limits: Limits) -> Writer {
    Writer::open(&root.join(DIRECTORY).join("here"), limits, 1).expect("it opens")
}

#[test]
fn lines_arrive_once_and_in_order_wherever_either_end_is_cut_off() {
    let mut pair = Pair::new("cuts", LIMITS);
    let mut random = 1_u64;
    for round in 0..200_u64 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let chosen = random >> 40;
        pair.say(chosen % 500);
        pair.connect();
        pair.carry((chosen % 3) as usize);
        match chosen % 5 {
            // The taking node is killed: what it had not made durable is there, or torn.
            0 => {
                pair.receiving = Receiving::open(&pair.to, LIMITS).expect("it opens");
            }
            1 => {
                let there = pair.to.join(DIRECTORY).join("there");
                let last = fs::read_dir(there).expect("listed").flatten().map(|it| it.path());
                let last =
                    last.filter(|path| path.extension().is_some_and(|it| it == "lines")).max();
                if let Some(path) = last {
                    let file = fs::File::options().write(true).open(path).expect("opened");
                    let length = file.metadata().expect("seen").len();
                    file.set_len(length - length.min(chosen % 300)).expect("torn");
                    pair.receiving = Receiving::open(&pair.to, LIMITS).expect("it opens");
                }
            }
            2 => pair.writer = writer(&pair.from, LIMITS),
            _nothing => {}
        }
        if round % 50 == 49 {
            pair.connect();
            pair.carry(usize::MAX);
            pair.assert_same(&format!("round {round}"));
        }
    }
}

#[test]
fn what_was_dropped_before_it_was_sent_is_one_gap_that_says_how_much() {
    let small = Limits { size: 1 << 20, ..LIMITS };
    let mut pair = Pair::new("gap", small);
    pair.say(100);
    pair.connect();
    pair.carry(usize::MAX);
    // The link is away for days.
    for _ in 0..60 {
        pair.say(1000);
        pair.writer.tidy().expect("tidied");
    }
    let oldest = pair.writer.first();
    assert!(oldest > 101, "something was dropped");
    pair.connect();
    pair.carry(usize::MAX);
    let gaps = Reader::open(&pair.to).gaps(Origin::There).expect("read");
    assert_eq!(gaps, [Gap { first: 101, next: oldest }]);
    assert_eq!((pair.receiving.gaps, pair.receiving.missing), (1, oldest - 101));
    assert_eq!((pair.sending.gaps, pair.sending.missing), (1, oldest - 101));
    let numbers: Vec<u64> = pair.lines(&pair.to, Origin::There).iter().map(|line| line.0).collect();
    assert_eq!(numbers, (1..=100).chain(oldest..pair.writer.next()).collect::<Vec<u64>>());
    let kept = numbers.len() as u64;
    assert_eq!(pair.receiving.writer.kept(), kept, "the missing ones are not kept");
    // The counts outlive a restart.
    let again = Receiving::open(&pair.to, LIMITS).expect("it opens");
    assert_eq!((again.gaps, again.missing), (1, oldest - 101));
    assert_eq!(again.writer.kept(), kept);
}

#[test]
fn lines_of_a_node_that_was_replaced_go_on_behind_those_of_the_one_before() {
    let mut pair = Pair::new("new", LIMITS);
    pair.say(50);
    pair.connect();
    pair.carry(usize::MAX);
    fs::remove_dir_all(&pair.from).expect("replaced");
    pair.writer = writer(&pair.from, LIMITS);
    pair.sending = Sending::new(&pair.from, 1 << 40);
    pair.store = "cd".repeat(16);
    pair.say(30);
    pair.connect();
    pair.carry(usize::MAX);
    let there = pair.lines(&pair.to, Origin::There);
    let numbers: Vec<u64> = there.iter().map(|line| line.0).collect();
    assert_eq!(numbers, (1..=80).collect::<Vec<u64>>());
    assert!(there[50].2.starts_with(b"1 "), "the first of the new one");
    // And after a restart of the taking node it still knows where they are.
    pair.receiving = Receiving::open(&pair.to, LIMITS).expect("it opens");
    pair.say(1);
    pair.connect();
    pair.carry(usize::MAX);
    assert!(pair.lines(&pair.to, Origin::There)[80].2.starts_with(b"31 "));
    // A store that begins later than with one keeps its numbers on a blank disk.
    let other = pair.to.with_file_name("c");
    let mut blank = Receiving::open(&other, LIMITS).expect("it opens");
    assert_eq!(blank.hello("0", 700).expect("kept"), 700);
}

#[test]
fn only_what_is_durable_is_sent_and_no_more_than_the_window() {
    let mut pair = Pair::new("window", LIMITS);
    pair.say(10);
    pair.connect();
    assert!(pair.sending.poll(pair.writer.durable(), Instant::now()).expect("read").is_none());
    for _ in 0..400 {
        pair.say(1000);
    }
    pair.writer.sync().expect("durable");
    let durable = pair.writer.durable();
    let mut bytes = 0;
    while let Some(message) = pair.sending.poll(durable, Instant::now()).expect("read") {
        bytes += message.len();
        assert!(message.len() < crate::agent::channel::MAX_FRAME);
    }
    assert!(((4 << 20)..(5 << 20)).contains(&bytes), "{bytes} bytes without a confirmation");
    assert!(pair.sending.behind(durable).is_some_and(|behind| behind > 0));
}

#[test]
fn the_copy_is_behind_while_lines_wait_and_not_once_all_are_there() {
    let mut pair = Pair::new("lag", LIMITS);
    // They were read long ago, as after days without a link.
    pair.say(10);
    pair.connect();
    pair.writer.sync().expect("durable");
    let durable = pair.writer.durable();
    let message = pair.sending.poll(durable, Instant::now()).expect("read").expect("a message");
    assert!(pair.sending.lag(durable) > Duration::from_secs(86_400), "they are on their way");
    let Message::Batches(batches) = decode_message(&message).expect("a message") else {
        panic!("no batches")
    };
    pair.receiving.take(batches).expect("taken");
    pair.sending.confirm(pair.receiving.next().expect("begun"), durable);
    assert_eq!(pair.sending.behind(durable), Some(0));
    assert_eq!(pair.sending.lag(durable), Duration::ZERO, "all are there");
    // A line that comes now is not as late as those before it were.
    pair.say(1);
    pair.writer.sync().expect("durable");
    assert_eq!(pair.sending.lag(pair.writer.durable()), Duration::ZERO, "it is to be sent now");
}

#[test]
fn lines_that_the_disk_does_not_take_wait_and_are_confirmed_once_it_does() {
    let mut pair = Pair::new("full", LIMITS);
    pair.say(10);
    pair.connect();
    // No file can be begun there, as on a full disk.
    let there = pair.to.join(DIRECTORY).join("there");
    let aside = there.with_file_name("aside");
    fs::rename(&there, &aside).expect("taken away");
    pair.writer.sync().expect("durable");
    let message = pair.sending.poll(pair.writer.durable(), Instant::now()).expect("read");
    let message = message.expect("a message");
    let Message::Batches(batches) = decode_message(&message).expect("a message") else {
        panic!("no batches")
    };
    pair.receiving.take(batches).expect("the connection has nothing to do with it");
    let later = |seconds| Instant::now() + Duration::from_secs(seconds);
    assert_eq!(pair.receiving.sync(later(10)).expect("it waits"), None, "nothing to confirm");
    let told = pair.receiving.trouble.clone().expect("it is told");
    assert!(told.starts_with("logs cannot be kept on this disk: No such file"), "{told}");
    assert_eq!(pair.receiving.writer.kept(), 0);
    // A new connection asks for none of them again.
    assert_eq!(pair.receiving.hello(&pair.store, pair.first).expect("it waits"), 11);
    fs::rename(&aside, &there).expect("put back");
    assert_eq!(pair.receiving.hello(&pair.store, pair.first).expect("kept"), 11);
    assert_eq!(pair.receiving.sync(later(10)).expect("durable"), None, "the word says it");
    assert_eq!((pair.receiving.trouble.clone(), pair.receiving.writer.kept()), (None, 10));
    pair.assert_same("after the disk was full");
}

#[test]
fn lines_that_do_not_follow_the_last_ones_are_refused() {
    let mut pair = Pair::new("order", LIMITS);
    pair.say(10);
    pair.connect();
    pair.writer.sync().expect("durable");
    let message = pair.sending.poll(pair.writer.durable(), Instant::now()).expect("read");
    let message = message.expect("a message");
    let Message::Batches(batches) = decode_message(&message).expect("a message") else {
        panic!("no batches")
    };
    pair.receiving.take(batches).expect("the first time");
    let order =
        |taken: Result<(), NotTaken>| matches!(taken, Err(NotTaken::Peer(MessageError::Order)));
    assert!(order(pair.receiving.take(batches)), "the second time");
    pair.receiving.disconnected();
    assert!(order(pair.receiving.take(batches)), "before a word");
    let torn = pair.receiving.take(&batches[..batches.len() - 1]);
    assert!(matches!(torn, Err(NotTaken::Peer(_))));
}

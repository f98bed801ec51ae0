//! Carrier of real cables whose ends have equal interface indexes, as a network
//! card's notices come only so (and late, when they follow another change).

mod namespace;

use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use namespace::{Other, alone, cable_to, sh, thread_cpu};
use twinwall_guard::links::{CheckLinks, FAST_FOR, LinkReport, LinkState, LinkWatch};

struct Watching {
    check: CheckLinks,
    told: Receiver<(Instant, LinkReport)>,
    thread: Option<JoinHandle<Duration>>,
}

impl Watching {
    fn start(names: &[&str]) -> Watching {
        let names: Vec<_> = names.iter().map(|name| name.parse().expect("name")).collect();
        let (check, watch) = LinkWatch::open(&names).expect("opens");
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            watch
                .run(&mut |report| tell.send((Instant::now(), report)).expect("the test waits"))
                .expect("runs");
            thread_cpu()
        });
        Watching { check, told, thread: Some(thread) }
    }

    /// The next change; panics after three seconds.
    fn change(&self) -> (Instant, LinkState) {
        loop {
            match self.told.recv_timeout(Duration::from_secs(3)).expect("a change is told") {
                (at, LinkReport::Changed(state)) => return (at, state),
                (_, LinkReport::Checked | LinkReport::ReadFirst(_)) => {}
            }
        }
    }

    fn quiet(&self) -> bool {
        self.told.recv_timeout(Duration::from_millis(50)).is_err()
    }

    /// Whether the change that was told last is the last one. That it was read before the kernel
    /// told it, as it may be while notices wait, is said behind it and is no other change.
    fn was_the_last(&self) -> bool {
        match self.told.recv_timeout(Duration::from_millis(50)) {
            Ok((_, LinkReport::ReadFirst(_))) => self.quiet(),
            Ok((_, LinkReport::Changed(_) | LinkReport::Checked)) => false,
            Err(_) => true,
        }
    }

    /// Ends the thread; returns the CPU time it used.
    fn end(mut self) -> Duration {
        self.check.stop();
        self.thread.take().expect("once").join().expect("ends well")
    }
}

#[test]
fn a_loss_of_carrier_is_told_at_once_also_soon_after_another_change() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "lan0", 41);
        let watching = Watching::start(&["lan0"]);
        let (_, state) = watching.change();
        assert!(state.up && state.index == Some(41) && state.mac.is_some(), "{state:?}");
        for gap_ms in [1500, 1500, 30, 30, 100, 100, 400, 400, 900, 900, 2500] {
            std::thread::sleep(Duration::from_millis(gap_ms));
            for word in ["down", "up"] {
                let (start, done) = other.run(move || {
                    let start = Instant::now();
                    sh(&format!("ip link set lan0 {word}"));
                    (start, Instant::now())
                });
                let (at, state) = watching.change();
                assert_eq!(state.up, word == "up");
                let took = at.saturating_duration_since(done);
                println!(
                    "after {gap_ms} ms {word}: {:?} from the command's start, {took:?} from its end",
                    at - start
                );
                // Another namespace may have used up the prompt notice; ours of just before keeps the look-out fast.
                let limit = if gap_ms < 1000 || word == "up" { 50 } else { 600 };
                assert!(
                    took < Duration::from_millis(limit),
                    "{word} {gap_ms} ms after another change: {took:?}"
                );
                std::thread::sleep(Duration::from_millis(gap_ms.min(100)));
            }
        }
        watching.end();
    });
}

#[test]
fn a_carrier_that_is_read_before_the_kernel_tells_it_is_told_as_such() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "lan0", 43);
        let watching = Watching::start(&["lan0"]);
        // Told at the start: no change.
        std::thread::sleep(FAST_FOR);
        let first = watching.told.recv().expect("told").1;
        assert!(matches!(first, LinkReport::Changed(LinkState { up: true, .. })), "{first:?}");
        assert!(watching.quiet());
        // Changes use up the kernel's prompt notice, and keep the look-out fast.
        let mut changes = 0;
        let read = (0..40).find_map(|round| {
            other.sh(&format!("ip link set lan0 {}", ["down", "up"][round % 2]));
            std::thread::sleep(Duration::from_millis(100));
            watching.told.try_iter().find_map(|(_, report)| match report {
                LinkReport::ReadFirst(name) => Some(name),
                LinkReport::Changed(_) => {
                    changes += 1;
                    None
                }
                LinkReport::Checked => None,
            })
        });
        println!("{changes} changes until one was read first");
        assert!(read.is_some_and(|name| name.as_str() == "lan0") && changes > 0);
        watching.end();
    });
}

#[test]
fn an_interface_that_vanishes_and_returns_is_told_with_its_new_index() {
    alone(|| {
        sh("ip link add lan0 type veth peer name far0; ip link set far0 up");
        let watching = Watching::start(&["lan0", "wan0"]);
        let (first, second) = (watching.change().1, watching.change().1);
        assert!(!first.up && first.index.is_some(), "not yet set up: {first:?}");
        assert_eq!((second.up, second.index, second.mac), (false, None, None), "there is no wan0");
        sh("ip link set lan0 up");
        assert!(watching.change().1.up);
        sh("ip link del lan0");
        let mut state = watching.change().1;
        while state.index.is_some() {
            state = watching.change().1;
        }
        sh("ip link add lan0 index 77 address 02:00:00:00:00:07 type veth peer name far0");
        sh("ip link set far0 up; ip link set lan0 up");
        while !state.up {
            state = watching.change().1;
        }
        assert_eq!(state.index, Some(77));
        assert_eq!(state.mac.expect("an Ethernet").to_string(), "02:00:00:00:00:07");
        sh("ip link set lan0 address 02:00:00:00:00:08");
        assert_eq!(watching.change().1.mac.expect("an Ethernet").to_string(), "02:00:00:00:00:08");
        watching.end();
    });
}

#[test]
fn a_device_upon_another_follows_it_at_once() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "port0", 51);
        sh("ip link add lan0 link port0 type macvlan mode private; ip link set lan0 up");
        let watching = Watching::start(&["lan0"]);
        while !watching.change().1.up {}
        // Changes just before use up the kernel's prompt notice; the upper device waits for it.
        other.sh("ip link set port0 down; ip link set port0 up");
        std::thread::sleep(Duration::from_millis(300));
        while !watching.quiet() {}
        let done = other.run(|| {
            sh("ip link set port0 down");
            Instant::now()
        });
        let (at, state) = watching.change();
        let took = at.saturating_duration_since(done);
        println!("{} down after {took:?}", state.name);
        assert!(!state.up && took < Duration::from_millis(50), "{} {took:?}", state.name);
        watching.end();
    });
}

#[test]
fn an_ordered_check_is_answered_at_once_and_after_what_it_found() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "lan0", 61);
        let watching = Watching::start(&["lan0"]);
        assert!(watching.change().1.up);
        std::thread::sleep(Duration::from_millis(1500));
        let mut worst = Duration::ZERO;
        for _ in 0..200 {
            let start = Instant::now();
            watching.check.check();
            let (at, report) =
                watching.told.recv_timeout(Duration::from_secs(1)).expect("answered");
            assert_eq!(report, LinkReport::Checked);
            worst = worst.max(at - start);
        }
        println!("worst of 200 checks: {worst:?}");
        assert!(worst < Duration::from_millis(50), "{worst:?}");
        other.sh("ip link set lan0 down");
        watching.check.check();
        let first = watching.told.recv().expect("told").1;
        assert!(matches!(first, LinkReport::Changed(LinkState { up: false, .. })), "{first:?}");
        let second = loop {
            match watching.told.recv().expect("told").1 {
                LinkReport::ReadFirst(_) => {}
                other => break other,
            }
        };
        assert_eq!(second, LinkReport::Checked);
        watching.end();
    });
}

#[test]
fn idle_it_costs_next_to_nothing_and_says_nothing() {
    alone(|| {
        let other = Other::start();
        for (name, index) in [("ha0", 31), ("lan0", 32), ("wan0", 33)] {
            cable_to(&other, name, index);
        }
        let watching = Watching::start(&["ha0", "lan0", "wan0"]);
        for _ in 0..3 {
            assert!(watching.change().1.up);
        }
        std::thread::sleep(Duration::from_secs(4));
        assert!(watching.told.try_recv().is_err(), "no change, no report");
        let cpu = watching.end();
        println!("CPU of 4 s from the start, 1.2 s of them fast: {cpu:?}");
        assert!(cpu < Duration::from_millis(60), "{cpu:?}");
    });
}

#[test]
fn a_storm_of_notices_loses_nothing() {
    alone(|| {
        sh("ip link add lan0 type veth peer name far0; ip link set far0 up; ip link set lan0 up");
        let watching = Watching::start(&["lan0"]);
        assert!(watching.change().1.up);
        sh("ip link add a0 type veth peer name b0");
        sh("for i in $(seq 1 300); do echo link set a0 mtu $((1000+i)); done | ip -batch -");
        sh("ip link set far0 down");
        assert!(!watching.change().1.up);
        assert!(watching.was_the_last());
        watching.end();
    });
}

#[test]
fn a_new_list_is_told_in_full_and_watched_at_once() {
    alone(|| {
        let other = Other::start();
        for (name, index) in [("lan0", 31), ("dmz0", 32)] {
            cable_to(&other, name, index);
        }
        let watching = Watching::start(&["lan0"]);
        assert!(watching.change().1.up);
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        watching.check.watch(names(&["dmz0", "lan0", "none0"]));
        let told: Vec<_> = (0..3).map(|_| watching.change().1).collect();
        let seen: Vec<_> = told.iter().map(|state| (state.name.as_str(), state.up)).collect();
        assert_eq!(seen, [("dmz0", true), ("lan0", true), ("none0", false)]);
        other.sh("ip link set dmz0 down");
        let lost = watching.change().1;
        assert_eq!((lost.name.as_str(), lost.up), ("dmz0", false));
        watching.check.watch(names(&["lan0"]));
        assert_eq!(watching.change().1.name.as_str(), "lan0");
        other.sh("ip link set dmz0 up");
        assert!(watching.quiet(), "nobody asks for it any more");
        watching.end();
    });
}

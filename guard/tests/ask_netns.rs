//! Questions to a real kernel at the far end of a cable, and pings.

mod namespace;

use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use namespace::{Other, alone, cable_to, sh};
use twinwall_core::config::Prefix;
use twinwall_guard::ask::Asker;
use twinwall_guard::ping::Pinger;
use twinwall_guard::rtnetlink::Mac;

const MAC: Mac = Mac([2, 0, 0, 0, 0, 0x11]);

fn prefixes(texts: &[&str]) -> Vec<Prefix> {
    let one = |text: &&str| {
        let (address, length) = text.split_once('/').expect("address/length");
        Prefix {
            address: address.parse().expect("address"),
            length: length.parse().expect("length"),
        }
    };
    texts.iter().map(one).collect()
}

fn pair() -> Other {
    let other = Other::start();
    cable_to(&other, "lan0", 71);
    sh(&format!("ip link set lan0 address {MAC}"));
    sh("ip addr add 10.0.0.2/24 dev lan0; ip addr add fd00::2/64 dev lan0 nodad");
    other.sh("ip addr add 10.0.0.3/24 dev lan0; ip addr add fd00::3/64 dev lan0 nodad");
    other
}

fn asker(own: &[&str], peer: &[&str]) -> Asker {
    Asker::open(71, MAC, &prefixes(own), &prefixes(peer)).expect("opens")
}

/// The first answer within `span`, and when it came.
fn answer(asker: &Asker, span: Duration) -> Option<(IpAddr, Duration)> {
    let start = Instant::now();
    while start.elapsed() < span {
        if let Some(address) = asker.recv().expect("works") {
            return Some((address, start.elapsed()));
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    None
}

#[test]
fn a_living_kernel_answers_for_each_family_and_a_dead_one_does_not() {
    alone(|| {
        let other = pair();
        for (own, peer) in [("10.0.0.2/24", "10.0.0.3/24"), ("fd00::2/64", "fd00::3/64")] {
            let asker = asker(&[own], &[peer]);
            assert!(asker.can_ask());
            asker.ask().expect("sent");
            let (address, took) = answer(&asker, Duration::from_secs(1)).expect("it lives");
            println!("{address} answered within {took:?}");
            assert_eq!(address, prefixes(&[peer])[0].address);
            other.sh("ip link set lan0 down");
            std::thread::sleep(Duration::from_millis(20));
            while asker.recv().expect("works").is_some() {}
            let _ = asker.ask();
            assert_eq!(answer(&asker, Duration::from_millis(100)), None);
            other.sh("ip link set lan0 up; ip addr add fd00::3/64 dev lan0 nodad");
        }
    });
}

#[test]
fn without_an_own_address_it_asks_all_the_same() {
    alone(|| {
        let _other = pair();
        for peer in ["10.0.0.3/24", "fd00::3/64"] {
            let asker = asker(&[], &[peer]);
            asker.ask().expect("sent");
            assert!(answer(&asker, Duration::from_secs(1)).is_some(), "{peer}");
        }
    });
}

#[test]
fn answers_for_other_addresses_do_not_even_wake() {
    alone(|| {
        let other = pair();
        other.sh("ip addr add 10.0.0.4/24 dev lan0; ip addr add fd00::4/64 dev lan0 nodad");
        let asker = asker(&["10.0.0.2/24", "fd00::2/64"], &["10.0.0.9/24", "fd00::9/64"]);
        asker.ask().expect("sent");
        sh("ping -c1 -W1 10.0.0.4; ping -c1 -W1 fd00::4");
        for fd in asker.descriptors() {
            let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one entry, which outlives the call.
            assert_eq!(
                unsafe { libc::poll(&raw mut poll, 1, 50) },
                0,
                "the filter keeps others out"
            );
        }
        assert_eq!(asker.recv().expect("works"), None);
    });
}

#[test]
fn with_nothing_to_ask_for_it_says_so() {
    alone(|| {
        let _other = pair();
        let asker = asker(&["10.0.0.2/24"], &[]);
        assert!(!asker.can_ask());
        assert!(asker.ask().is_err());
        assert_eq!(asker.recv().expect("works"), None);
    });
}

#[test]
fn ping_targets_answer_by_their_index_and_the_dead_are_silent() {
    alone(|| {
        let _other = pair();
        let targets = ["10.0.0.3", "10.0.0.99", "fd00::3", "192.0.2.1"]
            .map(|text| text.parse().expect("address"));
        let pinger = Pinger::open(&targets, *b"randomly").expect("opens");
        let stranger = Pinger::open(&targets, *b"random2y").expect("opens");
        assert_eq!(pinger.descriptors().count(), 2);
        assert_eq!(pinger.send_all(), 3, "one has no route");
        let mut answered = Vec::new();
        let start = Instant::now();
        while answered.len() < 2 && start.elapsed() < Duration::from_secs(1) {
            answered.extend(pinger.recv().expect("works"));
        }
        answered.sort_unstable();
        assert_eq!(answered, [0, 2]);
        assert_eq!(stranger.recv().expect("works"), None, "answers to another are not taken");
        assert_eq!(pinger.recv().expect("works"), None);
    });
}

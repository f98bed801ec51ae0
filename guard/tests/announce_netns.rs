//! Announcements on a real cable: read from the far end, and believed by a real
//! neighbour's cache.

mod namespace;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use namespace::{Other, alone, cable_to, sh, until};
use twinwall_core::config::Prefix;
use twinwall_guard::addresses::Vip;
use twinwall_guard::announce::{Announce, Burst, ROUNDS, Round, Sent, announcer};

fn vip(interface: &str, address: IpAddr) -> Vip {
    let length = if address.is_ipv4() { 16 } else { 64 };
    let interface = interface.parse().expect("name");
    Vip { interface, prefix: Prefix { address, length }, carries_subnet: false }
}

fn many(count: u32) -> Arc<[Vip]> {
    (0..count).map(|number| vip("lan0", Ipv4Addr::from(0x0a01_0001 + number).into())).collect()
}

struct Announcing {
    announce: Announce,
    rounds: Receiver<(Instant, Round)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Announcing {
    fn start(vips: Arc<[Vip]>) -> Announcing {
        let (announce, announcer) = announcer(vips).expect("opens");
        let (tell, rounds) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            announcer
                .run(&mut |round| tell.send((Instant::now(), round)).expect("the test waits"))
                .expect("runs");
        });
        Announcing { announce, rounds, thread: Some(thread) }
    }

    fn round(&self) -> (Instant, Round) {
        self.rounds.recv_timeout(Duration::from_secs(10)).expect("a round")
    }
}

impl Drop for Announcing {
    fn drop(&mut self) {
        self.announce.end();
        self.thread.take().expect("once").join().expect("ends well");
    }
}

/// Frames that came in on the far end.
fn arrived(other: &Other) -> u64 {
    let text = other.sh("ip -s -j link show dev lan0");
    let all: serde_json::Value = serde_json::from_str(&text).expect("json");
    all[0]["stats64"]["rx"]["packets"].as_u64().expect("a count")
}

#[test]
fn a_neighbour_believes_the_announcement() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "lan0", 11);
        sh("ip link set lan0 address 02:00:00:00:00:11");
        other.sh("ip addr add 10.0.0.7/24 dev lan0; ip addr add fd00::7/64 dev lan0 nodad");
        let old = "lladdr 02:00:00:00:00:99 nud stale dev lan0";
        other.sh(&format!("ip neigh add 10.0.0.1 {old}; ip neigh add fd00::1 {old}"));
        let vips = ["10.0.0.1", "fd00::1"].map(|text| vip("lan0", text.parse().expect("address")));
        let sent = Burst::open().expect("opens").send(&vips, &|| false);
        assert_eq!(sent, Sent { frames: 3, refused: 0 }, "request, reply, advertisement");
        for address in ["10.0.0.1", "fd00::1"] {
            until(Duration::from_secs(2), || {
                other.sh(&format!("ip neigh show {address} dev lan0")).contains("02:00:00:00:00:11")
            });
        }
        let router = |other: &Other| other.sh("ip neigh show fd00::1 dev lan0").contains("router");
        assert!(!router(&other), "this node does not forward");
        sh("echo 1 > /proc/sys/net/ipv6/conf/lan0/forwarding");
        Burst::open().expect("opens").send(&vips, &|| false);
        until(Duration::from_secs(2), || router(&other));
    });
}

#[test]
fn the_train_runs_its_rounds_in_time_and_reads_the_card_anew() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "lan0", 12);
        other.sh("ip addr add 10.1.255.7/16 dev lan0; ip neigh add 10.1.0.1 lladdr 02:00:00:00:00:99 nud stale dev lan0");
        let announcing = Announcing::start(many(20));
        let start = Instant::now();
        announcing.announce.start();
        for (number, after) in ROUNDS.into_iter().enumerate() {
            let (at, round) = announcing.round();
            assert_eq!((round.number, round.sent), (number, Sent { frames: 40, refused: 0 }));
            let late = (at - start).saturating_sub(after);
            assert!(
                at - start >= after && late < Duration::from_millis(300),
                "round {number} {late:?} late"
            );
        }
        sh("ip link set lan0 address 02:00:00:00:00:12");
        announcing.announce.start();
        assert_eq!(announcing.round().1.number, 0, "a new train");
        let shown = other.sh("ip neigh show 10.1.0.1 dev lan0");
        assert!(shown.contains("02:00:00:00:00:12"), "{shown}");
    });
}

#[test]
fn a_thousand_go_out_in_one_burst_and_repeats_are_paced() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "lan0", 13);
        let announcing = Announcing::start(many(1000));
        let before = arrived(&other);
        let start = Instant::now();
        announcing.announce.start();
        let (at, round) = announcing.round();
        println!("burst of 1000: {:?}", at - start);
        assert_eq!(round.sent, Sent { frames: 2000, refused: 0 });
        assert!(at - start < Duration::from_millis(100), "{:?}", at - start);
        assert!(arrived(&other) - before >= 2000);
        let (at, round) = announcing.round();
        assert_eq!((round.number, round.sent.frames), (1, 2000));
        assert!(at - start >= Duration::from_millis(1000), "paced: {:?}", at - start);
    });
}

#[test]
fn a_stop_ends_the_train_at_once() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "lan0", 14);
        let announcing = Announcing::start(many(1000));
        announcing.announce.start();
        announcing.round();
        std::thread::sleep(Duration::from_millis(300));
        announcing.announce.stop();
        std::thread::sleep(Duration::from_millis(20));
        let after = arrived(&other);
        std::thread::sleep(Duration::from_millis(500));
        assert!(arrived(&other) - after < 5, "silent after the stop");
        assert!(announcing.rounds.try_recv().is_err(), "the broken round is not told as sent");
        announcing.announce.start();
        assert_eq!(announcing.round().1.number, 0);
    });
}

#[test]
fn an_interface_that_is_down_missing_or_no_ethernet_is_counted_and_passed_over() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "lan0", 15);
        cable_to(&other, "wan0", 16);
        sh("ip link set wan0 down");
        let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let vips =
            [vip("wan0", v6), vip("gone0", v6), vip("lo", v6), vip("lan0", v6), vip("wan0", v6)];
        let sent = Burst::open().expect("opens").send(&vips, &|| false);
        assert_eq!(sent, Sent { frames: 1, refused: 2 });
    });
}

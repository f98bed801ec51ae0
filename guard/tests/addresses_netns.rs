//! VIPs in a real kernel, seen by `ip`.

mod namespace;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use namespace::{alone, sh, until};
use serde_json::Value;
use twinwall_core::config::Prefix;
use twinwall_core::event::{Applied, Desired};
use twinwall_core::ids::Generation;
use twinwall_guard::addresses::{Addresses, Lists, Outcome, Report, Vip, worker};

fn vip(text: &str, carries_subnet: bool) -> Vip {
    let (address, length) = text.split_once('/').expect("address/length");
    let prefix = Prefix {
        address: address.parse().expect("address"),
        length: length.parse().expect("length"),
    };
    Vip { interface: "lan0".parse().expect("name"), prefix, carries_subnet }
}

fn many(count: u32, v6: bool) -> Vec<Vip> {
    let name = "lan0".parse().expect("name");
    let address = |number: u32| match v6 {
        false => (IpAddr::V4(Ipv4Addr::from(0x0a01_0001 + number)), 16),
        true => (IpAddr::V6(Ipv6Addr::from((0xfd01_u128 << 112) + 1 + u128::from(number))), 64),
    };
    let one = |number| {
        let (address, length) = address(number);
        Vip { interface: name, prefix: Prefix { address, length }, carries_subnet: false }
    };
    (0..count).map(one).collect()
}

fn lan0() {
    sh("ip link add lan0 type veth peer name far0 && ip link set lan0 up && ip link set far0 up");
}

/// (address, length) in the kernel's order, without the link-local one.
fn held() -> Vec<(String, u64)> {
    entries()
        .iter()
        .map(|one| (text(one, "local"), one["prefixlen"].as_u64().expect("length")))
        .collect()
}

fn entries() -> Vec<Value> {
    let all: Value = serde_json::from_str(&sh("ip -j addr show dev lan0")).expect("json");
    let all = all[0]["addr_info"].as_array().expect("list").clone();
    all.into_iter().filter(|one| !text(one, "local").starts_with("fe80")).collect()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn apply(addresses: &mut Addresses, wanted: &[Vip], present: bool) -> Outcome {
    addresses.apply(wanted, present, &mut |_| {}).expect("the kernel answers")
}

/// Without own addresses to look after, and without an end of life.
fn lists(vips: &[Vip]) -> Lists {
    Lists { vips: vips.into(), own: [].into(), backstop: None }
}

fn open() -> Addresses {
    Addresses::open(16, None).expect("opens")
}

#[test]
fn vips_come_behind_the_own_address_and_go_without_it() {
    alone(|| {
        lan0();
        sh("ip addr add 10.0.0.2/24 dev lan0; ip addr add fd00::2/64 dev lan0 nodad");
        let wanted = [vip("10.0.0.1/24", false), vip("fd00::1/64", false)];
        let mut addresses = open();
        let outcome = apply(&mut addresses, &wanted, true);
        assert_eq!((outcome.done, outcome.added, outcome.failed), (2, 2, 0));
        let own = [("10.0.0.2".to_owned(), 24), ("fd00::2".to_owned(), 64)];
        let with = held();
        assert_eq!(with[0], own[0], "the own address stays in front");
        assert!(
            with.contains(&("10.0.0.1".to_owned(), 32))
                && with.contains(&("fd00::1".to_owned(), 128))
        );
        let v6 = entries().into_iter().find(|one| text(one, "local") == "fd00::1").expect("there");
        assert_eq!(v6["deprecated"], Value::Bool(true), "{v6}");
        assert_eq!(v6["tentative"], Value::Null, "{v6}");
        assert!(sh("ip route get 10.0.0.77").contains("src 10.0.0.2"));
        assert!(sh("ip route get fd00::77").contains("src fd00::2"));
        assert_eq!(apply(&mut addresses, &wanted, true).added, 0, "twice is once");
        assert_eq!(apply(&mut addresses, &wanted, false).removed, 2);
        assert_eq!(held(), own);
        assert!(sh("ip route").contains("10.0.0.0/24 dev lan0"));
    });
}

#[test]
fn an_interface_with_vips_only_gets_its_subnet_from_the_first() {
    alone(|| {
        lan0();
        let wanted =
            [vip("192.0.2.1/24", true), vip("192.0.2.3/24", false), vip("fd00::1/64", true)];
        let mut addresses = open();
        assert_eq!(apply(&mut addresses, &wanted, true).done, 3);
        assert!(sh("ip route").contains("192.0.2.0/24 dev lan0"));
        assert!(sh("ip route get 192.0.2.77").contains("src 192.0.2.1"));
        assert!(sh("ip -6 route").contains("fd00::/64 dev lan0"));
        apply(&mut addresses, &wanted, false);
        assert_eq!(held(), []);
        assert!(!sh("ip route; ip -6 route").contains("192.0.2"));
    });
}

#[test]
fn the_administrators_address_outlives_a_vip_that_came_before_it() {
    alone(|| {
        lan0();
        sh("echo 0 > /proc/sys/net/ipv4/conf/all/promote_secondaries");
        sh("echo 0 > /proc/sys/net/ipv4/conf/lan0/promote_secondaries");
        let wanted = [vip("192.0.2.1/24", true)];
        let mut addresses = open();
        apply(&mut addresses, &wanted, true);
        sh("ip addr add 192.0.2.9/24 dev lan0");
        apply(&mut addresses, &wanted, false);
        assert_eq!(held(), [("192.0.2.9".to_owned(), 24)]);
        assert!(sh("ip route").contains("192.0.2.0/24"));
        assert_eq!(
            sh("cat /proc/sys/net/ipv4/conf/lan0/promote_secondaries").trim(),
            "0",
            "put back"
        );
    });
}

#[test]
fn leftovers_of_a_dead_guard_go_and_others_stay() {
    alone(|| {
        lan0();
        sh("ip link add wan0 type veth peer name far1; ip addr add 10.9.0.1/24 dev wan0");
        let elsewhere =
            Vip { interface: "wan0".parse().expect("name"), ..vip("10.8.0.1/24", false) };
        let before = [vip("10.0.0.5/24", false), vip("fd00::5/64", true), elsewhere];
        assert_eq!(apply(&mut open(), &before, true).added, 3);
        let wanted = [vip("10.0.0.1/24", false)];
        let outcome = apply(&mut open(), &wanted, true);
        assert_eq!((outcome.added, outcome.removed, outcome.failed), (1, 3, 0));
        assert_eq!(held(), [("10.0.0.1".to_owned(), 32)]);
        assert_eq!(apply(&mut open(), &[], false).removed, 1, "the tag alone is enough");
        assert!(sh("ip addr show dev wan0").contains("10.9.0.1"));
    });
}

#[test]
fn an_address_of_another_length_or_owner_is_made_right() {
    alone(|| {
        lan0();
        sh(
            "ip addr add 10.0.0.1/24 dev lan0; ip addr add 10.0.1.1/32 dev lan0; ip addr add fd00::1/64 dev lan0",
        );
        let wanted =
            [vip("10.0.0.1/24", false), vip("10.0.1.1/24", false), vip("fd00::1/64", false)];
        let mut addresses = open();
        let outcome = apply(&mut addresses, &wanted, true);
        assert_eq!((outcome.done, outcome.failed), (3, 0), "{outcome:?}");
        assert_eq!(entries().len(), 3);
        let audit = addresses.audit(&wanted, true).expect("answers");
        assert_eq!((audit.missing, audit.extra), (0, 0));
        assert_eq!(apply(&mut addresses, &wanted, true).applied(), Applied::Unchanged);
        assert_eq!(apply(&mut addresses, &[], false).removed, 3, "all are ours now");
        assert_eq!(apply(&mut addresses, &wanted, false).applied(), Applied::Unchanged);
    });
}

#[test]
fn a_missing_interface_fails_alone_and_says_so() {
    alone(|| {
        lan0();
        let lost = Vip { interface: "wan9".parse().expect("name"), ..vip("10.7.0.1/24", false) };
        let outcome = apply(&mut open(), &[lost, vip("10.0.0.1/24", false)], true);
        assert_eq!(outcome.applied(), Applied::Partly { failed: 1 });
        let message = outcome.first_failure.expect("told").to_string();
        assert!(message.starts_with("cannot add 10.7.0.1 on wan9: No such device"), "{message}");
        assert_eq!(apply(&mut open(), &[lost], true).applied(), Applied::Failed);
    });
}

#[test]
fn an_interface_without_ipv6_fails_its_ipv6_vip_only() {
    alone(|| {
        lan0();
        sh("echo 1 > /proc/sys/net/ipv6/conf/lan0/disable_ipv6");
        let outcome =
            apply(&mut open(), &[vip("fd00::1/64", false), vip("10.0.0.1/24", false)], true);
        assert_eq!(outcome.applied(), Applied::Partly { failed: 1 });
        let message = outcome.first_failure.expect("told").to_string();
        assert!(
            message.contains("fd00::1 on lan0") && message.contains("IPv6 must not be disabled"),
            "{message}"
        );
    });
}

#[test]
fn with_a_backstop_addresses_end_by_themselves_unless_renewed() {
    alone(|| {
        lan0();
        let wanted = [vip("10.0.0.1/24", false), vip("fd00::1/64", false)];
        let mut addresses = Addresses::open(2, Some(Duration::from_secs(2))).expect("opens");
        apply(&mut addresses, &wanted, true);
        for _ in 0..6 {
            std::thread::sleep(Duration::from_millis(700));
            assert_eq!(addresses.refresh(&wanted).expect("answers").added, 0, "it never went away");
        }
        assert_eq!(held().len(), 2);
        until(Duration::from_secs(5), || held().is_empty());
    });
}

#[test]
fn settings_that_are_read_again_and_again_do_not_keep_addresses_from_being_renewed() {
    alone(|| {
        lan0();
        let with_end = || Lists {
            backstop: Some(Duration::from_secs(2)),
            ..lists(&[vip("10.0.0.1/24", false), vip("fd00::1/64", false)])
        };
        let (wanted, worker) = worker(with_end()).expect("opens");
        let (tell, told) = mpsc::channel();
        let thread = namespace_thread(move || {
            let mut report = |report: Report<'_>| {
                if let Report::Restored { found, .. } = report {
                    tell.send(found.missing).expect("the test waits");
                }
            };
            worker.run(&mut report).expect("runs");
        });
        // A third of the life is 0.7 s: longer than between two readings.
        for generation in 1..14 {
            wanted.alive();
            wanted.replace(with_end(), None);
            wanted.want(Desired { generation: Generation(generation), addresses: true });
            std::thread::sleep(Duration::from_millis(400));
            assert_eq!(held().len(), 2, "after reading {generation}");
        }
        assert_eq!(told.try_iter().count(), 0, "they never went away");
        wanted.stop();
        thread.join().expect("ends");
    });
}

#[test]
fn own_addresses_are_all_but_the_vips() {
    alone(|| {
        lan0();
        sh("ip addr add 10.0.0.2/24 dev lan0; ip addr add 10.0.0.1/32 dev lan0");
        apply(&mut open(), &[vip("10.0.0.9/24", false)], true);
        let mut addresses = open();
        addresses.audit(&[vip("10.0.0.1/24", false)], true).expect("answers");
        let mut own = Vec::new();
        addresses.own_addresses(&mut own);
        let own: Vec<_> =
            own.iter().map(IpAddr::to_string).filter(|one| !one.starts_with("fe80")).collect();
        assert_eq!(own, ["10.0.0.2", "127.0.0.1", "::1"]);
    });
}

#[test]
fn the_thread_applies_restores_and_tells_own_addresses() {
    alone(|| {
        lan0();
        let vips: Vec<_> = [vip("10.0.0.1/24", false), vip("10.0.0.3/24", false)].into();
        let (wanted, worker) = worker(lists(&vips)).expect("opens");
        let (tell, told) = mpsc::channel();
        let thread = namespace_thread(move || {
            let mut report = |report: Report<'_>| {
                let line = match report {
                    Report::Chunk(vips) => format!("chunk {}", vips.len()),
                    Report::Applied { generation, outcome } => {
                        format!("applied {generation} {:?}", outcome.applied())
                    }
                    Report::Restored { found, outcome } => {
                        format!("restored {} {} {}", found.missing, found.extra, outcome.added)
                    }
                    Report::Own(own) => {
                        format!("own {}", own.iter().any(|one| one.to_string() == "10.0.0.2"))
                    }
                    Report::Usable(troubles) => format!("troubles {}", troubles.len()),
                    Report::Trouble(error) => format!("trouble {error}"),
                };
                tell.send(line).expect("the test waits");
            };
            worker.run(&mut report).expect("runs");
        });
        let wait_for = |line: &str| {
            while told
                .recv_timeout(Duration::from_secs(3))
                .unwrap_or_else(|_| panic!("no '{line}'"))
                != line
            {}
        };
        wanted.want(Desired { generation: Generation(3), addresses: true });
        wait_for("chunk 2");
        wait_for("applied 3 Done");
        sh("ip addr del 10.0.0.1/32 dev lan0");
        wait_for("restored 1 0 1");
        assert_eq!(held().len(), 2);
        sh("ip addr add 10.0.0.2/24 dev lan0");
        wait_for("own true");
        sh("ip addr flush dev lan0 scope global");
        wait_for("restored 2 0 2");
        wanted.want(Desired { generation: Generation(4), addresses: false });
        wait_for("applied 4 Done");
        sh("ip addr add 10.0.0.3/32 dev lan0");
        until(Duration::from_secs(2), || held().is_empty());
        sh("ip link del lan0");
        wanted.want(Desired { generation: Generation(5), addresses: true });
        wait_for("applied 5 Failed");
        lan0();
        wanted.look();
        until(Duration::from_secs(2), || held().len() == 2);
        let (done, applied) = mpsc::sync_channel(1);
        wanted.replace(lists(&[vip("10.0.0.3/24", false)]), Some(done));
        applied.recv_timeout(Duration::from_secs(2)).expect("it says when it is done");
        assert_eq!(held().len(), 1);
        assert!(
            !told.try_iter().any(|line| line.starts_with("restored 0 1")),
            "nobody else's doing"
        );
        wanted.stop();
        thread.join().expect("ends");
    });
}

#[test]
fn vips_survive_the_interface_being_set_down_and_up() {
    alone(|| {
        lan0();
        sh("ip addr add 10.0.0.2/24 dev lan0; ip addr add fd00::2/64 dev lan0 nodad");
        let vips = [vip("10.0.0.1/24", false), vip("fd00::1/64", false), vip("fd07::1/64", true)];
        let (wanted, worker) = worker(lists(&vips)).expect("opens");
        let thread = namespace_thread(move || worker.run(&mut |_| {}).expect("runs"));
        wanted.want(Desired { generation: Generation(1), addresses: true });
        let usable = |one: &Value| one["tentative"].is_null() && one["dadfailed"].is_null();
        let there = |address: &str| {
            entries().iter().any(|one| text(one, "local") == address && usable(one))
        };
        let all = || vips.iter().all(|vip| there(&vip.prefix.address.to_string()));
        until(Duration::from_secs(2), all);
        // The kernel throws IPv6 addresses away when an interface goes down.
        sh("ip link set lan0 down");
        until(Duration::from_secs(2), all);
        sh("ip link set lan0 up");
        std::thread::sleep(Duration::from_millis(100));
        until(Duration::from_secs(2), all);
        assert!(sh("ip -6 route show dev lan0").contains("fd07::/64"));
        wanted.stop();
        thread.join().expect("ends");
    });
}

/// A thread of the caller's namespace: threads inherit it.
fn namespace_thread(body: impl FnOnce() + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::spawn(body)
}

#[test]
fn many_addresses_come_fast_and_in_chunks() {
    alone(|| {
        lan0();
        sh("ip addr add 10.1.255.2/16 dev lan0");
        for (count, v6, limit) in [(1000, false, 100), (200, true, 500)] {
            let wanted = many(count, v6);
            let mut addresses = Addresses::open(wanted.len(), None).expect("opens");
            for round in 0..3 {
                let start = Instant::now();
                let (mut chunks, mut first, mut told) = (0, None, 0);
                let outcome = addresses.apply(&wanted, true, &mut |chunk| {
                    first.get_or_insert_with(|| start.elapsed());
                    told += chunk.len();
                    chunks += 1;
                });
                let (took, outcome) = (start.elapsed(), outcome.expect("answers"));
                assert_eq!((outcome.added, outcome.failed, told), (wanted.len(), 0, wanted.len()));
                assert!(chunks > 1 && took < Duration::from_millis(limit), "{took:?}");
                let start = Instant::now();
                assert_eq!(apply(&mut addresses, &wanted, false).removed, wanted.len());
                let (removed, first) = (start.elapsed(), first.expect("a chunk"));
                println!(
                    "v6={v6} {count} round {round}: added in {took:?}, first {first:?}, removed in {removed:?}"
                );
            }
        }
    });
}

//! This node's own addresses in a real kernel, as its duplicate address detection
//! goes through them.

mod namespace;

use std::net::IpAddr;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use namespace::{alone, sh};
use twinwall_core::event::{AddressTrouble, OwnTrouble};
use twinwall_core::ids::InterfaceId;
use twinwall_guard::addresses::{Expected, Lists, Report, worker};

/// The kernel asks for a second, after up to a second.
const BOUND: Duration = Duration::from_secs(5);

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// `lan0`, which must have two own addresses, and no VIPs.
fn lists() -> Lists {
    let own = Expected {
        id: InterfaceId(3),
        name: "lan0".parse().expect("name"),
        addresses: vec![ip("10.0.0.2"), ip("fd00::2")],
        needs_link_local: true,
    };
    Lists { vips: [].into(), own: [own].into(), backstop: None }
}

/// Reads what is told until it is as wanted.
fn wait_for(
    told: &Receiver<Vec<OwnTrouble>>,
    what: &str,
    wanted: impl Fn(&[AddressTrouble]) -> bool,
) {
    let mut seen = Vec::new();
    loop {
        let Ok(troubles) = told.recv_timeout(BOUND) else { panic!("not {what} but {seen:?}") };
        assert!(troubles.iter().all(|trouble| trouble.interface == InterfaceId(3)));
        let all: Vec<_> = troubles.into_iter().map(|trouble| trouble.what).collect();
        if wanted(&all) {
            return;
        }
        seen.push(all);
    }
}

/// Whether the link-local address is being checked for duplicates.
fn checks_link_local(all: &[AddressTrouble]) -> bool {
    all.iter().any(|trouble| {
        let checking = matches!(trouble, AddressTrouble::Checking { .. });
        checking && trouble.address().is_some_and(|address| address.to_string().starts_with("fe80"))
    })
}

#[test]
fn what_keeps_own_addresses_from_being_used_is_told_with_the_reason() {
    alone(|| {
        sh("ip link add lan0 type veth peer name far0; ip link set lan0 up; ip link set far0 up");
        sh("ip addr add 10.0.0.2/24 dev lan0; ip addr add fd00::2/64 dev far0 nodad");
        let (wanted, worker) = worker(lists()).expect("opens");
        let (tell, told) = channel();
        let thread = std::thread::spawn(move || {
            let mut report = |report: Report<'_>| {
                if let Report::Usable(troubles) = report {
                    tell.send(troubles.to_vec()).expect("the test waits");
                }
            };
            worker.run(&mut report).expect("runs");
        });
        let missing = AddressTrouble::Missing { address: ip("fd00::2") };
        let duplicate = AddressTrouble::Duplicate { address: ip("fd00::2") };
        let checked = "a link-local address being checked";
        wait_for(&told, checked, |all| all[0] == missing && checks_link_local(all));
        wait_for(&told, "one missing, no other trouble", |all| all == [missing.clone()]);
        sh("ip addr add fd00::2/64 dev lan0");
        wait_for(&told, "a duplicate", |all| all == [duplicate.clone()]);
        sh("ip addr del fd00::2/64 dev far0; ip addr del fd00::2/64 dev lan0");
        sh("ip addr add fd00::2/64 dev lan0");
        wait_for(&told, "no trouble", <[AddressTrouble]>::is_empty);
        wanted.stop();
        thread.join().expect("ends");
    });
}

//! The announcements by which the nodes find each other.

use std::time::Duration;

use twinwall::agent::digest::Digest;
use twinwall::agent::finder::{Announcement, MAX_ANNOUNCEMENT, VERSION};

use super::stranger::{during, noise, send_from};
use super::{A, B, Before, identity, paired};
use crate::pairing::in_talks;
use crate::support::Two;

/// UDP port of the announcements.
const PORT: u16 = 8856;
/// More than the finder keeps.
const CROWD: u8 = 100;
/// A crowd that calls out more often than nodes do.
const PAUSE: Duration = Duration::from_millis(100);

fn says(certificate: Digest, run: u64) -> Vec<u8> {
    let said = Announcement {
        version: VERSION,
        run,
        certificate,
        interface: "ha0".to_owned(),
        node: "gw-x".to_owned(),
        pair_id: Some(7),
        inviting: None,
    };
    said.encode()
}

/// All of the crowd call out once, each from an address of its own where nobody answers.
fn crowd_calls(certificate: impl Fn(u8) -> Digest) {
    for host in 100..100 + CROWD {
        send_from([192, 0, 2, host], A, PORT, &says(certificate(host), u64::from(host)));
    }
    std::thread::sleep(PAUSE);
}

/// The crowd is there before the peer, and `a`, which dials, has heard nothing else.
fn the_peer_comes_after(certificate: impl Fn(u8, &Two) -> Digest + Sync) {
    let mut two = paired(true);
    two.b.kill();
    two.a.kill();
    let namespace = two.b.namespace().to_owned();
    let given: Vec<Digest> = (0..=u8::MAX).map(|host| certificate(host, &two)).collect();
    two.a.start();
    during(
        &namespace,
        || crowd_calls(|host| given[usize::from(host)]),
        || {
            crate::support::wait("the crowd is heard", || {
                two.a.run(&["pair", "status", "--json"]).out.contains("gw-x")
            });
            let before = Before::of(&two.a);
            two.b.start();
            in_talks(&two);
            before.is_well(&two.a);
        },
    );
}

#[test]
fn a_crowd_of_strangers_that_was_there_first_does_not_hide_the_peer() {
    the_peer_comes_after(|host, _| Digest::of(&[host]));
}

#[test]
fn a_crowd_that_says_it_is_the_peer_does_not_hide_the_peer() {
    the_peer_comes_after(|_, two| identity(&two.b).certificate().digest());
}

#[test]
fn a_stranger_that_speaks_from_the_peers_address_does_not_hide_the_peer() {
    the_peer_comes_after_a_liar();
}

fn the_peer_comes_after_a_liar() {
    let mut two = paired(true);
    two.b.kill();
    let namespace = two.b.namespace().to_owned();
    let lie = says(Digest::of(b"stranger"), 1);
    let lies = || {
        send_from(B, A, PORT, &lie);
        std::thread::sleep(Duration::from_millis(1));
    };
    during(&namespace, lies, || {
        two.b.start();
        in_talks(&two);
    });
}

#[test]
fn a_flood_of_garbage_leaves_the_agent_well_and_the_channel_up() {
    let mut two = paired(true);
    in_talks(&two);
    let before = Before::of(&two.a);
    let namespace = two.b.namespace().to_owned();
    let good = says(Digest::of(b"stranger"), 1);
    let long = [good.clone(), vec![b' '; MAX_ANNOUNCEMENT + 1]].concat();
    let deep = [b"{\"version\":".to_vec(), vec![b'['; MAX_ANNOUNCEMENT - 20]].concat();
    let datagrams =
        [noise(1400), noise(60_000), Vec::new(), good[..40].to_vec(), long, deep, b"{}".to_vec()];
    let flood = || {
        for host in 100..200 {
            for datagram in &datagrams {
                send_from([192, 0, 2, host], A, PORT, datagram);
            }
        }
    };
    during(&namespace, flood, || {
        before.is_well(&two.a);
        two.b.kill();
        two.b.start();
        in_talks(&two);
        before.is_well(&two.a);
    });
}

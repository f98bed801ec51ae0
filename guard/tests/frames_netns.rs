//! Raw frames over a real cable.

mod namespace;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use namespace::{Other, alone, cable_to, sh, thread_cpu, until};
use twinwall_guard::frames::{ETHER_TYPE, FrameSocket, ThirdStation, is_gone};
use twinwall_guard::rtnetlink::Mac;

const GROUP: Mac = Mac([0x03, 0, 0, 0x77, 0, 1]);

fn open(name: &str, index: u32) -> FrameSocket {
    FrameSocket::open(name.parse().expect("name"), index, ETHER_TYPE, GROUP).expect("opens")
}

fn frame(to: Mac, from: Mac, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&to.0[..], &from.0, &ether_type.to_be_bytes(), payload].concat()
}

fn wait_readable(socket: &impl AsFd) -> bool {
    use std::os::fd::AsRawFd;
    let mut fd = libc::pollfd { fd: socket.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, which outlives the call.
    unsafe { libc::poll(&raw mut fd, 1, 1000) == 1 }
}

fn ip_mac(name: &str) -> Mac {
    // sysfs shows the namespace that mounted it; `ip` shows this thread's.
    let text = sh(&format!("ip -br link show dev {name}"));
    let word = text.split_whitespace().find(|word| word.matches(':').count() == 5).expect("a mac");
    let mut mac = Mac::default();
    for (to, part) in mac.0.iter_mut().zip(word.split(':')) {
        *to = u8::from_str_radix(part, 16).expect("hex");
    }
    mac
}

#[test]
fn frames_to_us_and_to_the_group_arrive_and_no_others() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "ha0", 21);
        let (own, far) = (ip_mac("ha0"), other.run(|| ip_mac("ha0")));
        let socket = open("ha0", 21);
        other.run(move || {
            let sender = open("ha0", 21);
            sender.send(&frame(GROUP, far, 0x88b6, b"another type")).expect("sent");
            sender
                .send(&frame(GROUP, far, ETHER_TYPE, b"too long for the reader's buffer"))
                .expect("sent");
            sender.send(&frame(GROUP, far, ETHER_TYPE, b"group")).expect("sent");
            sender.send(&frame(own, far, ETHER_TYPE, b"us")).expect("sent");
        });
        socket.send(&frame(GROUP, own, ETHER_TYPE, b"our own")).expect("sent");
        assert!(wait_readable(&socket));
        let mut buffer = [0; 40];
        for expected in [&b"group"[..], b"us"] {
            let (length, from) = socket.recv(&mut buffer).expect("works").expect("a frame");
            assert_eq!((&buffer[14..length], from), (expected, far));
        }
        assert_eq!(socket.recv(&mut buffer).expect("works"), None, "not our own, not the others");
    });
}

#[test]
fn an_interface_that_goes_down_or_away_is_told_and_does_not_block() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "ha0", 22);
        let socket = open("ha0", 22);
        let beat = frame(GROUP, ip_mac("ha0"), ETHER_TYPE, b"beat");
        sh("ip link set ha0 down");
        let error = socket.send(&beat).expect_err("it is down");
        assert!(!is_gone(&error), "{error}");
        let _ = socket.recv(&mut [0; 64]);
        sh("ip link set ha0 up");
        until(Duration::from_secs(2), || socket.send(&beat).is_ok());
        other.sh("ip link set ha0 up");
        let far = other.run(|| ip_mac("ha0"));
        other.run(move || {
            open("ha0", 22).send(&frame(GROUP, far, ETHER_TYPE, b"back")).expect("sent")
        });
        assert!(wait_readable(&socket), "the same socket works again");
        sh("ip link del ha0");
        let _ = socket.recv(&mut [0; 64]);
        until(Duration::from_secs(2), || socket.send(&beat).is_err_and(|error| is_gone(&error)));
        cable_to(&other, "ha0", 23);
        open("ha0", 23).send(&beat).expect("a new socket works");
    });
}

#[test]
fn a_third_station_is_seen_and_the_two_are_not() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "ha0", 24);
        let (own, far) = (ip_mac("ha0"), other.run(|| ip_mac("ha0")));
        let third = ThirdStation::open(24, own, far).expect("opens");
        assert!(
            sh("ip -d link show dev ha0").contains("allmulti 1"),
            "a switch's own frames must pass the card"
        );
        let socket = open("ha0", 24);
        socket.send(&frame(GROUP, own, ETHER_TYPE, b"beat")).expect("sent");
        other.run(move || {
            open("ha0", 24).send(&frame(GROUP, far, ETHER_TYPE, b"beat")).expect("sent")
        });
        assert!(wait_readable(&socket));
        assert_eq!(third.seen().expect("works"), None);
        // Differ in the first and in the last byte only: the filter must compare all six.
        for at in [0, 5] {
            let mut stranger = far;
            stranger.0[at] ^= 4;
            other.run(move || {
                open("ha0", 24)
                    .send(&frame(Mac::BROADCAST, stranger, 0x0800, &[0; 46]))
                    .expect("sent")
            });
            assert!(wait_readable(&third));
            assert_eq!(third.seen().expect("works"), Some(stranger));
        }
        assert_eq!(third.seen().expect("works"), None);
    });
}

#[test]
fn sending_and_receiving_a_beat_is_cheap() {
    alone(|| {
        sh("ip link add ha0 type veth peer name ha1; ip link set ha0 up; ip link set ha1 up");
        let index = |name: &str| {
            sh(&format!("ip -o link show dev {name} | cut -d: -f1")).trim().parse().expect("index")
        };
        let (a, b) = (open("ha0", index("ha0")), open("ha1", index("ha1")));
        let beat = frame(GROUP, ip_mac("ha0"), ETHER_TYPE, &[7; 200]);
        let mut buffer = [0; 512];
        let (rounds, start, cpu) = (5000u32, Instant::now(), thread_cpu());
        for _ in 0..rounds {
            a.send(&beat).expect("sent");
            while b.recv(&mut buffer).expect("works").is_none() {}
        }
        let (took, cpu) = (start.elapsed() / rounds, (thread_cpu() - cpu) / rounds);
        println!("one beat sent and received: {took:?}, CPU {cpu:?}");
        let (at, start) = (index("ha0"), Instant::now());
        let third = open("ha0", at);
        let opened = start.elapsed();
        let dropped = Instant::now();
        drop(third);
        let dropped = dropped.elapsed();
        println!("a socket opened in {opened:?}, dropped in {dropped:?}");
        assert!(
            dropped < Duration::from_millis(4),
            "closing waits for the kernel, dropping must not: {dropped:?}"
        );
    });
}

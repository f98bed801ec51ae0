//! The present address of a gateway becomes a VIP while it is in use: connections to it,
//! pings and the routes that name it must not notice.

mod namespace;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use namespace::{Other, alone, cable_to, sh};
use twinwall_core::config::Prefix;
use twinwall_guard::addresses::{Addresses, Vip};

/// Echoes that the client asks for, one after another.
const ECHOES: u32 = 400;
/// A lost segment would wait for TCP's own timer of 200 ms.
const LONGEST_GAP: Duration = Duration::from_millis(100);

/// The longest silence, or the sum of the pings.
type Work = fn() -> Result<Duration, String>;

fn vip(text: &str) -> Vip {
    let prefix: Prefix = text.parse().expect("address/length");
    Vip { interface: "lan0".parse().expect("name"), prefix, carries_subnet: false }
}

fn echo_on(address: &str) {
    let listener = TcpListener::bind(address).expect("binds");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
            });
        }
    });
}

/// Talks to the echo and returns its longest silence.
fn talk(address: &'static str) -> Duration {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_nodelay(true).expect("set");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
    let mut longest = Duration::ZERO;
    for _ in 0..ECHOES {
        let begun = Instant::now();
        stream.write_all(b"x").expect("sends");
        stream.read_exact(&mut [0]).expect("the connection lives");
        longest = longest.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    longest
}

/// Pings, every 2 ms, and returns the line that counts the lost ones.
fn ping(address: &str) -> String {
    let all = sh(&format!("ping -i 0.002 -c 250 -W 1 -q {address}"));
    all.lines().find(|line| line.contains("packet loss")).expect("a sum").to_owned()
}

#[test]
fn an_address_in_use_becomes_a_vip_without_a_lost_packet() {
    alone(|| {
        let other = Other::start();
        cable_to(&other, "lan0", 7);
        sh("ip addr add 10.0.0.1/24 dev lan0; ip addr add fd00::1/64 dev lan0 nodad");
        sh("echo 0 > /proc/sys/net/ipv4/conf/lan0/promote_secondaries");
        sh("ip route add 10.9.0.0/16 via 10.0.0.254 src 10.0.0.1");
        other.sh("ip addr add 10.0.0.9/24 dev lan0; ip addr add fd00::9/64 dev lan0 nodad");
        echo_on("10.0.0.1:7000");
        echo_on("[fd00::1]:7000");
        let watched = std::thread::scope(|scope| {
            let other = &other;
            let seen = scope.spawn(move || {
                other.run(|| {
                    let work: [(_, Work); 4] = [
                        ("tcp 4", || Ok(talk("10.0.0.1:7000"))),
                        ("tcp 6", || Ok(talk("[fd00::1]:7000"))),
                        ("ping 4", || Err(ping("10.0.0.1"))),
                        ("ping 6", || Err(ping("fd00::1"))),
                    ];
                    let threads = work.map(|(name, work)| (name, std::thread::spawn(work)));
                    threads.map(|(name, thread)| (name, thread.join().expect("ends well")))
                })
            });
            std::thread::sleep(Duration::from_millis(200));
            sh("ip addr add 10.0.0.2/24 dev lan0; ip addr add fd00::2/64 dev lan0 nodad");
            let wanted = [vip("10.0.0.1/24"), vip("fd00::1/64")];
            let mut addresses = Addresses::open(2, None).expect("opens");
            let outcome = addresses.apply(&wanted, true, &mut |_| {}).expect("the kernel answers");
            assert_eq!((outcome.done, outcome.failed), (2, 0), "{outcome:?}");
            let audit = addresses.audit(&wanted, true).expect("the kernel answers");
            assert_eq!((audit.missing, audit.extra), (0, 0), "{audit:?}");
            seen.join().expect("ends well")
        });
        for (name, seen) in watched {
            match seen {
                Ok(gap) => assert!(gap < LONGEST_GAP, "{name}: silent for {gap:?}"),
                Err(line) => assert!(line.contains(" 0% packet loss"), "{name}: {line}"),
            }
        }
        let shown = sh("ip -4 addr show dev lan0");
        assert!(shown.contains("10.0.0.1/32") && shown.contains("10.0.0.2/24"), "{shown}");
        assert!(!shown.contains("10.0.0.1/24"), "{shown}");
        assert!(sh("ip route").contains("10.9.0.0/16 via 10.0.0.254 dev lan0 src 10.0.0.1"));
        assert!(sh("ip route get 10.0.0.9").contains("src 10.0.0.2"), "the own one speaks now");
        assert!(sh("ip -6 route get fd00::9").contains("src fd00::2"), "the own one speaks now");
    });
}

//! Network namespaces for one test each: the node, and what it is connected to.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

use twinwall_guard::gate::{GateSpec, GateSwitch, GateTable};

/// Opens the gate. A busy machine may let an arming run out; then once more.
pub fn open(switch: &mut GateSwitch, left: Duration) {
    assert!((0..20).any(|_| switch.arm() && switch.open_gate(left)), "the gate does not open");
}

/// A network namespace. It lives as long as this value and what runs in it.
pub struct Space(File);

impl Space {
    /// Moves the calling thread into a new namespace with `lo` up.
    pub fn enter_new() -> Space {
        // SAFETY: no pointers; concerns this thread only.
        assert_eq!(
            unsafe { libc::unshare(libc::CLONE_NEWNET) },
            0,
            "unshare: run the tests as root"
        );
        run("ip link set lo up");
        Space(File::open("/proc/thread-self/ns/net").unwrap())
    }

    /// Does something inside, then returns the thread to where it was.
    pub fn inside<T>(&self, what: impl FnOnce() -> T) -> T {
        let back = File::open("/proc/thread-self/ns/net").unwrap();
        enter(&self.0);
        let done = what();
        enter(&back);
        done
    }

    /// Makes a new namespace and stays outside.
    pub fn beside() -> Space {
        let back = File::open("/proc/thread-self/ns/net").unwrap();
        let space = Space::enter_new();
        enter(&back);
        space
    }

    /// A path by which `ip` finds it.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

fn enter(space: &File) {
    // SAFETY: no pointers; the descriptor is open.
    assert_eq!(unsafe { libc::setns(space.as_raw_fd(), libc::CLONE_NEWNET) }, 0);
}

/// Runs a command in the thread's namespace; its output.
pub fn run(line: &str) -> String {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Milliseconds.
pub const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A spec with this lease and nothing else.
pub fn spec(lease: Duration) -> GateSpec {
    GateSpec { lease, old_lease: None, interfaces: vec![], virtual_ips: vec![], own: vec![] }
}

/// A table for `spec` and a switch, in the thread's namespace.
pub fn gate(spec: &GateSpec) -> (GateTable, GateSwitch) {
    let mut table = GateTable::new(twinwall_core::config::GateMode::Auto).unwrap();
    let ensured = table.ensure(spec).unwrap();
    assert!(ensured.loopback_up && ensured.created, "{ensured:?}");
    (table, GateSwitch::open(spec.lease).unwrap())
}

/// A node between a client and a server, as in docs: the node's own addresses end
/// in 2, its VIPs in 1, the others' in 9.
pub struct Lab {
    /// lan0 10.1.0.2 fd01::2, wan0 10.2.0.2; VIPs 10.1.0.1 fd01::1 fe80::1 and 10.2.0.1. The thread is here.
    pub node: Space,
    /// cli0 10.1.0.9 fd01::9, default route to the VIPs.
    pub client: Space,
    /// srv0 10.2.0.9 fd02::9.
    pub server: Space,
}

impl Lab {
    /// Builds it. Neighbours are known beforehand, so that ARP and IP can be tested apart.
    pub fn new() -> Lab {
        let node = Space::enter_new();
        let lab = Lab { node, client: Space::beside(), server: Space::beside() };
        for space in [&lab.node, &lab.client, &lab.server] {
            space.inside(|| {
                std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap()
            });
        }
        for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            std::fs::write(format!("/proc/sys/net/{switch}"), "1").unwrap();
        }
        lab.cable(1, "lan0", "cli0", &lab.client);
        lab.cable(2, "wan0", "srv0", &lab.server);
        run("ip addr add fe80::1/64 dev lan0 nodad");
        lab
    }

    /// Connects `ours` with `theirs` in `space`, with all addresses of segment `n`.
    pub fn cable(&self, n: u8, ours: &str, theirs: &str, space: &Space) {
        let (near, far) = (format!("02:00:00:00:0{n}:02"), format!("02:00:00:00:0{n}:09"));
        run(&format!(
            "ip link add {ours} address {near} type veth peer name {theirs} address {far} netns {}",
            space.path()
        ));
        let lines = |interface: &str, last: &[u8], other: &[u8], mac: &str| {
            run(&format!("ip link set {interface} up"));
            for host in last {
                run(&format!("ip addr add 10.{n}.0.{host}/24 dev {interface}"));
                run(&format!("ip addr add fd0{n}::{host}/64 dev {interface} nodad"));
            }
            for host in other {
                run(&format!(
                    "ip neigh replace 10.{n}.0.{host} lladdr {mac} dev {interface} nud permanent"
                ));
                run(&format!(
                    "ip neigh replace fd0{n}::{host} lladdr {mac} dev {interface} nud permanent"
                ));
            }
        };
        lines(ours, &[2, 1], &[9], &far);
        space.inside(|| {
            lines(theirs, &[9], &[1, 2], &near);
            run(&format!("ip route add default via 10.{n}.0.1"));
            run(&format!("ip -6 route add default via fd0{n}::1"));
        });
    }

    /// The gate's spec for this node.
    pub fn spec(&self, lease: Duration) -> GateSpec {
        let addresses = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        GateSpec {
            interfaces: vec!["lan0".to_owned(), "wan0".to_owned()],
            virtual_ips: addresses(&["10.1.0.1", "fd01::1", "fe80::1", "10.2.0.1", "fd02::1"]),
            own: addresses(&["10.1.0.2", "fd01::2", "10.2.0.2", "fd02::2", "127.0.0.1", "::1"]),
            ..spec(lease)
        }
    }
}

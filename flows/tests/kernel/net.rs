//! Network namespaces for one test each: a gateway, a client and a server, and a second
//! gateway without cables.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The tests run one after another: they share the kernel's one table of flows.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for this test's turn.
pub fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A network namespace. It lives as long as this value and what runs in it.
pub struct Space(File);

impl Space {
    /// Makes one with `lo` up, and stays outside.
    pub fn new() -> Space {
        let back = here();
        // SAFETY: no pointers; concerns this thread only.
        let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(result, 0, "unshare: run the tests as root");
        run("ip link set lo up");
        std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
        let space = Space(here());
        enter(&back);
        space
    }

    /// Does something inside, then returns the thread to where it was.
    pub fn inside<T>(&self, what: impl FnOnce() -> T) -> T {
        let back = here();
        enter(&self.0);
        let done = what();
        enter(&back);
        done
    }

    /// Runs commands inside, one per line; the last one's output.
    pub fn run(&self, lines: &str) -> String {
        self.inside(|| {
            let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.fold(String::new(), |_, line| run(line))
        })
    }

    /// Loads rules inside.
    pub fn nft(&self, rules: &str) {
        let file = std::env::temp_dir().join(format!("twinwall-flows-{}.nft", std::process::id()));
        std::fs::write(&file, rules).unwrap();
        self.run(&format!("nft -f {}", file.display()));
        std::fs::remove_file(&file).unwrap();
    }

    /// A path by which `ip` finds it.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

fn here() -> File {
    File::open("/proc/thread-self/ns/net").unwrap()
}

fn enter(space: &File) {
    // SAFETY: no pointers; the descriptor is open.
    assert_eq!(unsafe { libc::setns(space.as_raw_fd(), libc::CLONE_NEWNET) }, 0);
}

/// Runs a command line in the thread's namespace; its output.
pub fn run(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// What both gateways do to traffic: the client's goes out under the WAN's VIP, and port
/// 8080 of the LAN's VIP is the server's port 80.
const NAT: &str = "
table ip nat {
  chain pre { type nat hook prerouting priority -100; ip daddr 10.1.0.1 tcp dport 8080 dnat to 10.2.0.9:80; }
  chain post { type nat hook postrouting priority 100; oifname wan0 ip saddr 10.1.0.9 snat to 10.2.0.1; }
}
table inet rules {
  chain forward { type filter hook forward priority 0; ct state established,related accept; }
}";

/// Client 10.1.0.9 fd01::9, gateway with the VIPs .1 on lan0 and wan0, server 10.2.0.9
/// fd02::9, and `passive`, a gateway with the same rules and nothing connected.
pub struct Lab {
    /// Sends.
    pub client: Space,
    /// Answers.
    pub server: Space,
    /// The gateway in between.
    pub active: Space,
    /// The other one.
    pub passive: Space,
}

impl Lab {
    /// Builds it.
    pub fn new() -> Lab {
        let lab = Lab {
            client: Space::new(),
            server: Space::new(),
            active: Space::new(),
            passive: Space::new(),
        };
        for gateway in [&lab.active, &lab.passive] {
            gateway.run(
                "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.netfilter.nf_conntrack_tcp_loose=0",
            );
            gateway.nft(NAT);
        }
        for (near, far, space) in [("lan0", "cli0", &lab.client), ("wan0", "srv0", &lab.server)] {
            lab.active.run(&format!(
                "ip link add {near} type veth peer name {far} netns {}",
                space.path()
            ));
        }
        lab.connect(&lab.active);
        for (space, name, n) in [(&lab.client, "cli0", 1), (&lab.server, "srv0", 2)] {
            space.run(&format!(
                "ip link set {name} up
                 ip addr add 10.{n}.0.9/24 dev {name}
                 ip addr add fd0{n}::9/64 dev {name} nodad
                 ip route add default via 10.{n}.0.1
                 ip -6 route add default via fd0{n}::1"
            ));
        }
        lab
    }

    /// The cables go to the passive gateway, which takes over the VIPs.
    pub fn move_cables(&self) {
        for name in ["lan0", "wan0"] {
            self.active.run(&format!("ip link set {name} netns {}", self.passive.path()));
        }
        self.connect(&self.passive);
    }

    fn connect(&self, gateway: &Space) {
        for (name, n) in [("lan0", 1), ("wan0", 2)] {
            gateway.run(&format!(
                "ip link set {name} up
                 ip addr add 10.{n}.0.1/24 dev {name}
                 ip addr add fd0{n}::1/64 dev {name} nodad"
            ));
        }
    }
}

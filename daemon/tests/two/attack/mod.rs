//! A stranger on the HA cable: he holds connections, says garbage, floods, lies about who he
//! is, and comes with keys that were once good. The agents stay alive and small, their
//! sockets answer, and who belongs together gets together.

mod channel;
mod finder;
mod pairing;
mod stranger;

use std::fs;
use std::time::{Duration, Instant};

use stranger::STRANGER;
use twinwall::agent::identity::Identity;

use crate::support::{Node, Two, ip};

/// How much an agent may grow in an attack, in KiB: two connections' queues.
const GROWTH: u64 = 32 << 10;
/// Longest answer of the agent's own socket in an attack.
const ANSWER: Duration = Duration::from_secs(5);
/// Addresses on the HA link. Strangers have others in the same network.
const A: [u8; 4] = [192, 0, 2, 1];
const B: [u8; 4] = [192, 0, 2, 2];

/// Two nodes with addresses on the HA link. No agent runs.
fn two() -> Two {
    let two = Two::cabled();
    address(&two);
    two
}

/// The same, paired by files: `a` is the one that dials, or the one that is dialled.
fn paired(a_dials: bool) -> Two {
    let mut two = two();
    two.pair_by_files(a_dials);
    two
}

fn address(two: &Two) {
    for (node, [a, b, c, d]) in [(&two.a, A), (&two.b, B), (&two.b, STRANGER)] {
        let address = format!("{a}.{b}.{c}.{d}/24");
        ip(&["-n", node.namespace(), "address", "add", &address, "dev", "ha0"]);
    }
}

fn identity(node: &Node) -> Identity {
    Identity::load_or_create(&node.root).expect("an identity")
}

/// How an agent was before the attack.
struct Before {
    process: u32,
    resident: u64,
}

impl Before {
    fn of(node: &Node) -> Before {
        Before { process: node.agent_id(), resident: resident(node.agent_id()) }
    }

    /// How many sockets it has open now.
    fn sockets(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.process)).expect("it is alive");
        let is_socket = |target: std::path::PathBuf| target.to_string_lossy().contains("socket:");
        open.flatten().filter(|it| fs::read_link(it.path()).is_ok_and(is_socket)).count()
    }

    /// It is the same process, hardly larger, and answers.
    fn is_well(&self, node: &Node) {
        let began = Instant::now();
        assert_eq!(node.agent_id(), self.process);
        node.good(&["pair", "status"]);
        assert!(began.elapsed() < ANSWER, "answered after {:?}", began.elapsed());
        let now = resident(self.process);
        assert!(now < self.resident + GROWTH, "grew from {} to {now} KiB", self.resident);
    }
}

/// What a process has in memory, in KiB.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it is alive");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

//! A network behind both gateways with one machine on it, for tests that need a witness beside
//! the pair: a client of DHCP, a target of pings.

use std::fs;
use std::process::Command;

use crate::support::{Two, ip};

/// The machine's hardware address. Without one of its own a bridge has that of one of its ports,
/// and another one when that port leaves it: whoever talks to it would know the wrong one for 8 s.
const HARDWARE: &str = "02:00:00:00:00:77";

/// The machine; its namespace ends with this value.
pub(crate) struct Lan(String);

impl Lan {
    /// Puts a bridge between the two ends called `lan`, with both nodes' own addresses on it.
    pub(crate) fn between(two: &Two) -> Lan {
        let lan = Lan(format!("{}lan", two.a.namespace()));
        let name = lan.0.as_str();
        ip(&["netns", "add", name]);
        ip(&["-n", name, "link", "add", "bridge0", "address", HARDWARE, "type", "bridge"]);
        ip(&["-n", two.a.namespace(), "link", "del", "lan"]);
        for (node, port, own) in
            [(&two.a, "port0", "10.1.0.2/24"), (&two.b, "port1", "10.1.0.3/24")]
        {
            let there = node.namespace();
            let peer = ["peer", "name", port, "netns", name];
            let link = ["link", "add", "lan", "netns", there, "type", "veth"];
            ip(&[&link[..], &peer[..]].concat());
            ip(&["-n", name, "link", "set", port, "master", "bridge0", "up"]);
            ip(&["-n", there, "link", "set", "lan", "up"]);
            ip(&["-n", there, "addr", "add", own, "dev", "lan"]);
        }
        ip(&["-n", name, "link", "set", "bridge0", "up"]);
        lan
    }

    /// Gives the machine an address.
    pub(crate) fn address(&self, address: &str) {
        ip(&["-n", &self.0, "addr", "add", address, "dev", "bridge0"]);
    }

    /// The first node is not heard in this network any more, as if it had lost power: the
    /// kernel of one whose processes are dead would answer until its lease ends.
    pub(crate) fn cut_the_first(&self) {
        ip(&["-n", &self.0, "link", "set", "port0", "nomaster"]);
    }

    /// It is heard again.
    pub(crate) fn mend(&self) {
        ip(&["-n", &self.0, "link", "set", "port0", "master", "bridge0"]);
    }

    /// Asks for an address by DHCP as a client with this hardware address that knows of no lease;
    /// the address that it gets.
    pub(crate) fn lease(&self, two: &Two, mac: &str) -> Option<String> {
        let script = two.a.path("client.sh");
        let text = "#!/bin/sh\n[ \"$1\" = bound ] && echo \"bound $ip\"\nexit 0\n";
        fs::write(&script, text).expect("written");
        let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&script, runs).expect("set");
        ip(&["-n", &self.0, "link", "set", "bridge0", "address", mac]);
        let client = ["udhcpc", "-i", "bridge0", "-n", "-q", "-f", "-t", "4", "-T", "1"];
        let output = Command::new("ip")
            .args(["netns", "exec", &self.0])
            .args(client)
            .arg("-s")
            .arg(&script)
            .output()
            .expect("the client starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| line.strip_prefix("bound ").map(str::to_owned))
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

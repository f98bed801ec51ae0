//! The packet filter that the gateways' administrator loaded at boot: Debian's
//! file, which begins by flushing everything, with `policy drop` in input and no
//! rule for our heartbeats. Also the losses that a fault adds.

use crate::product::Product;
use crate::topology::{Port, mac};

/// Name of the table that loses packets; removed when the fault is undone.
pub const LOSS_TABLE: &str = "lab_loss";
/// EtherType of the beats (IEEE 802, local experimental).
pub const BEAT_ETHERTYPE: u16 = 0x88B5;

/// The text for `nft -f`.
pub fn administrator(product: Product, nat: bool) -> String {
    let vrrp = match product {
        Product::Twinwall => "",
        Product::Keepalived => "    ip protocol vrrp accept\n",
    };
    let forward = if nat {
        "    ct state established,related accept\n    iifname \"lan0\" oifname \"wan0\" accept\n"
    } else {
        // A router between two networks of one owner: both may begin. Flows are not
        // replicated at this stage, so a stateful rule would measure its absence.
        "    iifname { \"lan0\", \"wan0\" } oifname { \"lan0\", \"wan0\" } accept\n"
    };
    let translate = if nat {
        "table ip nat {\n  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n    \
         ip saddr 10.1.0.0/16 oifname \"wan0\" snat to 10.2.0.1\n  }\n}\n"
    } else {
        ""
    };
    format!(
        "flush ruleset\n\
         table inet filter {{\n  chain input {{\n    type filter hook input priority filter; policy drop;\n\
         \x20   ct state invalid drop\n    ct state established,related accept\n    iifname \"lo\" accept\n\
         \x20   meta l4proto {{ icmp, ipv6-icmp }} accept\n    tcp dport 22 accept\n{vrrp}  }}\n\
         \x20 chain forward {{\n    type filter hook forward priority filter; policy drop;\n\
         \x20   ct state invalid drop\n{forward}  }}\n}}\n{translate}"
    )
}

/// What a lossy fault loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lossy {
    /// Everything from the peer on the HA link.
    Ha,
    /// Everything from the peer on every path.
    AllPaths,
}

/// Loses `percent` of what comes from the other gateway: its beats and all else
/// that it sends itself. Traffic that clients send through it is spared.
pub fn losses(node: usize, lossy: Lossy, percent: u8) -> String {
    let ports: &[Port] = match lossy {
        Lossy::Ha => &[Port::Ha],
        Lossy::AllPaths => &[Port::Ha, Port::Lan, Port::Wan],
    };
    let mut text = format!("table netdev {LOSS_TABLE} {{\n");
    for port in ports {
        let device = port.interface();
        text += &format!(
            "  chain {device} {{\n    type filter hook ingress device \"{device}\" priority -500; policy accept;\n\
             \x20   ether saddr {} numgen random mod 100 < {percent} drop\n  }}\n",
            mac(1 - node, *port)
        );
    }
    text + "}\n"
}

//! The packet filter that the gateways' administrator loaded at boot: Debian's
//! file, which begins by flushing everything, with `policy drop` in input and no
//! rule for our heartbeats. Also the losses that a fault adds.

use crate::plan::{CLIENT_IP, PUBLISHED_PORT, WAN_VIP};
use crate::product::{Product, conntrackd};
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
        // A router between two networks of one owner: both may begin, so that nothing
        // depends on whether flows are replicated; [`stateful`] is for that.
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

/// The packet filter of a gateway that lets only known flows through: the LAN may begin, the WAN
/// may reach what is published, and FTP is read along. The text for `nft -f`.
pub fn stateful(product: Product, nat: bool) -> String {
    let others = match product {
        Product::Twinwall => String::new(),
        Product::Keepalived => format!(
            "    ip protocol vrrp accept\n    iifname \"ha0\" udp dport {} accept\n",
            conntrackd::PORT
        ),
    };
    let translate = if nat {
        format!(
            "table ip nat {{\n  chain prerouting {{\n    type nat hook prerouting priority dstnat; policy accept;\n\
             \x20   iifname \"wan0\" ip daddr {WAN_VIP} tcp dport {PUBLISHED_PORT} dnat to {CLIENT_IP}\n  }}\n\
             \x20 chain postrouting {{\n    type nat hook postrouting priority srcnat; policy accept;\n\
             \x20   ip saddr {{ 10.1.0.0/16, 10.64.0.0/16 }} oifname \"wan0\" snat to {WAN_VIP}\n  }}\n}}\n"
        )
    } else {
        String::new()
    };
    format!(
        "flush ruleset\n\
         table inet filter {{\n  ct helper ftp {{\n    type \"ftp\" protocol tcp;\n  }}\n\
         \x20 chain prerouting {{\n    type filter hook prerouting priority filter; policy accept;\n\
         \x20   tcp dport 21 ct helper set \"ftp\"\n  }}\n\
         \x20 chain input {{\n    type filter hook input priority filter; policy drop;\n\
         \x20   ct state invalid drop\n    ct state established,related accept\n    iifname \"lo\" accept\n\
         \x20   meta l4proto {{ icmp, ipv6-icmp }} accept\n    tcp dport 22 accept\n{others}  }}\n\
         \x20 chain forward {{\n    type filter hook forward priority filter; policy drop;\n\
         \x20   ct state invalid drop\n    ct state established,related accept\n\
         \x20   iifname \"lan0\" oifname \"wan0\" accept\n\
         \x20   iifname \"wan0\" oifname \"lan0\" tcp dport {PUBLISHED_PORT} accept\n  }}\n}}\n{translate}"
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

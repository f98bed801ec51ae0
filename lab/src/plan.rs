//! Names and addresses of the lab: one table for topology, configuration files,
//! probes and the text that users read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Namespace of the first gateway, the primary.
pub const GATEWAY_A: &str = "gw-a";
/// Namespace of the second gateway, the secondary.
pub const GATEWAY_B: &str = "gw-b";
/// Namespace of the LAN switch.
pub const SWITCH_LAN: &str = "sw-lan";
/// Namespace of the WAN switch.
pub const SWITCH_WAN: &str = "sw-wan";
/// Namespace of the switch between the HA ports, where there is one.
pub const SWITCH_HA: &str = "sw-ha";
/// Namespace of the client.
pub const CLIENT: &str = "client";
/// Namespace of the server.
pub const SERVER: &str = "server";

/// The HA interface of a gateway.
pub const HA: &str = "ha0";
/// The LAN interface of a gateway.
pub const LAN: &str = "lan0";
/// The WAN interface of a gateway.
pub const WAN: &str = "wan0";
/// The only interface of the client and of the server.
pub const HOST_INTERFACE: &str = "eth0";

/// Virtual address of the LAN; the client's default route.
pub const LAN_VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1));
/// Virtual address of the WAN; the server's route back.
pub const WAN_VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 2, 0, 1));
/// The LAN's virtual IPv6 address.
pub const LAN_VIP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 1));
/// The WAN's virtual IPv6 address.
pub const WAN_VIP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd02, 0, 0, 0, 0, 0, 0, 1));
/// A VIP of the LAN that comes and goes while the pair serves.
pub const SPARE_VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 9));
/// The client.
pub const CLIENT_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 100));
/// The server.
pub const SERVER_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 2, 0, 100));
/// The client's IPv6 address.
pub const CLIENT_IP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 0x100));
/// The server's IPv6 address.
pub const SERVER_IP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd02, 0, 0, 0, 0, 0, 0, 0x100));

/// Port of the client that the pair publishes: the server connects to it.
pub const PUBLISHED_PORT: u16 = 8080;
/// First two octets of the network behind the client, from which flows come in number.
pub const MANY_SOURCES: [u8; 2] = [10, 64];
/// First two octets of the network behind the server, to which they go.
pub const MANY_TARGETS: [u8; 2] = [10, 65];

/// Routes of a gateway to the networks behind the client and behind the server.
pub fn routes_behind() -> [(&'static str, String, IpAddr); 2] {
    let network = |[a, b]: [u8; 2]| format!("{a}.{b}.0.0/16");
    [(LAN, network(MANY_SOURCES), CLIENT_IP), (WAN, network(MANY_TARGETS), SERVER_IP)]
}

/// Addresses that stand only in files and scripts: a gateway's own, by node (0 or 1).
pub fn own_addresses(node: usize, lan_prefix: u8) -> [(&'static str, Vec<String>); 3] {
    let last = node + 2;
    [
        (HA, vec![format!("10.255.0.{}/30", node + 1)]),
        (LAN, vec![format!("10.1.0.{last}/{lan_prefix}"), format!("fd01::{last}/64")]),
        (WAN, vec![format!("10.2.0.{last}/24"), format!("fd02::{last}/64")]),
    ]
}

/// Most further VIPs that a lab can carry.
pub const MAX_FURTHER_VIPS: u16 = 4000;
/// Further VIPs in one third octet: hosts .1 to .250.
const VIPS_AN_OCTET: u16 = 250;

/// LAN VIP number `number` beyond the first: 10.1.4.1, 10.1.4.2, …
pub fn further_vip(number: u16) -> IpAddr {
    let octet = |value: u16| u8::try_from(value).unwrap_or(u8::MAX);
    let (third, fourth) = (4 + number / VIPS_AN_OCTET, 1 + number % VIPS_AN_OCTET);
    IpAddr::V4(Ipv4Addr::new(10, 1, octet(third), octet(fourth)))
}

/// Prefix length of the LAN: wide enough for its VIPs.
pub const fn lan_prefix(further_vips: u16) -> u8 {
    if further_vips == 0 { 24 } else { 16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_vips_are_distinct_and_inside_the_lan() {
        let mut all: Vec<IpAddr> = (0..MAX_FURTHER_VIPS).map(further_vip).collect();
        all.extend([LAN_VIP, CLIENT_IP]);
        assert!(all.iter().all(|address| address.to_string().starts_with("10.1.")));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}

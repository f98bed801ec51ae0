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
/// The client.
pub const CLIENT_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 100));
/// The server.
pub const SERVER_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 2, 0, 100));
/// The client's IPv6 address.
pub const CLIENT_IP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 0x100));
/// The server's IPv6 address.
pub const SERVER_IP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd02, 0, 0, 0, 0, 0, 0, 0x100));

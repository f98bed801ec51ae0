//! What the administrator of the two gateways wrote: everything on the one that serves
//! today, only the names of its ports on the new one.

use std::net::IpAddr;

use crate::plan;
use crate::product::Product;
use crate::ruleset;

/// A file: path below the root, text, mode.
type File = (&'static str, String, u32);

/// The files of a gateway: 0 serves today, 1 is fresh from its box.
pub(super) fn of(node: usize) -> Vec<File> {
    let name = [plan::GATEWAY_A, plan::GATEWAY_B][node];
    let node_toml =
        format!("name = \"{name}\"\ndesignation = \"primary\"\n[web]\nlisten = \"[::]:8443\"\n");
    let mut files = vec![("etc/twinwall/node.toml", node_toml, 0o640)];
    let interfaces = [
        ("etc/network/interfaces.d/ha0.node-local", plan::HA, Vec::new()),
        (
            "etc/network/interfaces.d/lan0",
            plan::LAN,
            vec![(plan::LAN_VIP, 24), (plan::LAN_VIP6, 64)],
        ),
        (
            "etc/network/interfaces.d/wan0",
            plan::WAN,
            vec![(plan::WAN_VIP, 24), (plan::WAN_VIP6, 64)],
        ),
    ];
    for (path, interface, addresses) in interfaces {
        let addresses = if node == 0 { addresses } else { Vec::new() };
        files.push((path, stanzas(interface, &addresses), 0o644));
    }
    files.push(("etc/nftables.conf", packet_filter(node), 0o755));
    if node == 0 {
        files.extend(SERVICES.map(|(path, text, mode)| (path, text.to_owned(), mode)));
    }
    files
}

/// interfaces(5).
fn stanzas(interface: &str, addresses: &[(IpAddr, u8)]) -> String {
    let mut text = format!("auto {interface}\n");
    if addresses.is_empty() {
        text += &format!("iface {interface} inet manual\n    up ip link set {interface} up\n");
    }
    for (address, length) in addresses {
        let family = if address.is_ipv4() { "inet" } else { "inet6" };
        text += &format!("iface {interface} {family} static\n    address {address}/{length}\n");
    }
    text
}

/// The new one lets in what the pair needs; the other's rules it gets from there.
fn packet_filter(node: usize) -> String {
    let rules = ruleset::administrator(Product::Twinwall, false).replace(
        "    tcp dport 22 accept\n",
        "    tcp dport 22 accept\n    iifname \"ha0\" meta l4proto { tcp, udp } th dport { 8856, 8857 } accept\n",
    );
    if node == 1 {
        return rules;
    }
    rules
        .replacen(
            "flush ruleset\n",
            "flush ruleset\ninclude \"/etc/nftables.d/definitions*.nft\"\n",
            1,
        )
        .replace("tcp dport 22 accept\n", "ip saddr $ADMINS tcp dport 22 accept\n")
}

/// Where the accounts of people lie, for root alone.
pub(super) const ACCOUNTS: &str = "etc/openvpn/users";

/// Something of its own for each service of a Debian gateway.
const SERVICES: [(&str, &str, u32); 13] = [
    ("etc/nftables.d/definitions-hosts.nft", "define ADMINS = { 10.1.0.100, 10.1.0.101 }\n", 0o644),
    ("etc/hosts.d/lan", "10.1.0.100 client\n10.1.0.101 admin\n", 0o644),
    (
        "etc/squid/conf.d/lan.conf",
        "acl lan src 10.1.0.0/24\nacl leisure dstdomain .games.example\nhttp_access deny lan leisure\n\
         http_access allow lan\n",
        0o644,
    ),
    (
        "etc/dnsmasq.d/lan.conf",
        "domain-needed\nbogus-priv\nhostsdir=/etc/hosts.d\ndhcp-range=10.1.0.150,10.1.0.199,12h\n\
         dhcp-option=option:router,10.1.0.1\n",
        0o644,
    ),
    (
        "etc/swanctl/conf.d/branch.conf",
        "connections {\n  branch {\n    remote_addrs = 10.2.0.100\n    local { auth = psk }\n    \
         remote { auth = psk }\n    children { net { local_ts = 10.1.0.0/24 } }\n  }\n}\n",
        0o640,
    ),
    ("etc/openvpn/users/alice", "alice:$6$lab$only-for-show\n", 0o600),
    ("etc/ssh/sshd_config.d/10-support.conf", "PermitRootLogin no\nMaxAuthTries 3\n", 0o644),
    ("etc/clamav/clamd.conf", "LocalSocket /run/clamav/clamd.ctl\nMaxThreads 20\n", 0o644),
    (
        "etc/suricata/suricata.yaml",
        "%YAML 1.1\n---\ndefault-rule-path: /etc/suricata/rules\nrule-files: [lan.rules, app-lan.rules]\n",
        0o644,
    ),
    (
        "etc/suricata/rules/lan.rules",
        "alert tcp any any -> 10.1.0.0/24 23 (msg:\"telnet\"; sid:1000000; rev:1;)\n",
        0o644,
    ),
    (
        "etc/suricata/rules/app-lan.rules",
        "alert tls any any -> any any (msg:\"games\"; tls.sni; content:\"games.example\"; sid:1000001; rev:1;)\n",
        0o644,
    ),
    ("etc/postfix/main.cf", "compatibility_level = 3.6\nmynetworks = 10.1.0.0/24\n", 0o644),
    ("etc/chrony/conf.d/lan.conf", "allow 10.1.0.0/24\n", 0o644),
];

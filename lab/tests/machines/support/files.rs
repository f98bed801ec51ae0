//! What the administrator of the two machines wrote into files, before twinwall came
//! and for it.

use twinwall_lab::product::{Duties, Flows, Product, Settings, guard};
use twinwall_lab::{plan, ruleset};

use twinwall_core::config::Cable;

/// A file: path, text, mode.
type File = (String, String, u32);

/// The own name, the own addresses in systemd-networkd's files, the packet filter, forwarding.
pub(crate) fn of_debian(node: usize) -> Vec<File> {
    // The agents talk on the HA link, as docs/install.md says; heartbeats need no rule.
    let ruleset = ruleset::administrator(Product::Twinwall, false)
        .replace("    tcp dport 22 accept\n", "    tcp dport 22 accept\n    iifname \"ha0\" meta l4proto { tcp, udp } th dport { 8856, 8857 } accept\n");
    let name = [plan::GATEWAY_A, plan::GATEWAY_B][node];
    let mut files = vec![
        ("etc/hostname".to_owned(), format!("{name}\n"), 0o644),
        ("etc/nftables.conf".to_owned(), ruleset, 0o644),
        (
            "etc/sysctl.d/50-gateway.conf".to_owned(),
            "net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 1\n".to_owned(),
            0o644,
        ),
    ];
    for (interface, addresses) in plan::own_addresses(node, plan::lan_prefix(0)) {
        let mut text = format!(
            "[Match]\nName={interface}\n\n[Network]\nIPv6AcceptRA=no\nDHCP=no\nLinkLocalAddressing=ipv6\n"
        );
        addresses.iter().for_each(|address| text += &format!("Address={address}\n"));
        // What describes the HA link never travels to the other node.
        let kind = if interface == plan::HA { ".node-local" } else { "" };
        files.push((format!("etc/systemd/network/20-{interface}{kind}.network"), text, 0o644));
    }
    files
}

/// How the pair shall be.
fn settings() -> Settings {
    Settings {
        interval: super::INTERVAL,
        cable: Cable::Direct,
        further_vips: 0,
        nat: false,
        flows: Flows::Ignored,
        spare_vip: false,
        wan_watched: true,
        duties: Duties::None,
    }
}

/// The same for `twinwall ha set`.
pub(crate) fn changes() -> Vec<String> {
    guard::changes(&settings())
}

/// twinwall's own, without the key.
pub(crate) fn of_twinwall(node: usize) -> Vec<File> {
    let settings = settings();
    let [node_toml, pair_toml, _] = guard::files(node, &settings);
    [node_toml, pair_toml].map(|(path, text)| (path.to_owned(), text, 0o640)).into()
}

//! What makes a gateway of the lab one with agent and console: the files of the guard alone, and
//! these.

use crate::plan;

/// A profile of two sections and one log, for nodes that all tell the same of themselves.
const PROFILE: &str = "format = 1\nname = \"lab\"\n[appliance]\n\
    model = { file = \"/etc/model\" }\nserial = { file = \"/etc/serial\" }\n\
    firmware = { file = \"/etc/firmware\" }\n\
    [section.definitions]\npaths = [\"/etc/ethers\"]\n\
    [section.users]\npaths = [\"/etc/twinwall-accounts\"]\n\
    [[logs.source]]\nname = \"app\"\nfiles = [\"/var/log/app.log\"]\n";

/// Path below the tree, and text.
pub fn of(node: usize) -> [(&'static str, String); 5] {
    let name = [plan::GATEWAY_A, plan::GATEWAY_B][node];
    let designation = ["primary", "secondary"][node];
    let node_toml = format!(
        "name = \"{name}\"\ndesignation = \"{designation}\"\n[web]\nlisten = \"[::]:{}\"\n",
        super::PORT
    );
    [
        ("etc/twinwall/node.toml", node_toml),
        ("etc/twinwall/profile.toml", PROFILE.to_owned()),
        ("etc/model", "TW-100\n".to_owned()),
        ("etc/serial", format!("LAB-{}\n", node + 1)),
        ("etc/firmware", "FW 12.4.1\n".to_owned()),
    ]
}

/// The administrator's packet filter, which lets the agents talk and the LAN see the console and
/// ask by SNMP.
pub fn let_in(ruleset: &str) -> String {
    ruleset.replacen(
        "    tcp dport 22 accept\n",
        "    tcp dport 22 accept\n    iifname \"lan0\" tcp dport 8443 accept\n    \
         iifname \"lan0\" udp dport 161 accept\n    \
         iifname \"ha0\" meta l4proto { tcp, udp } th dport { 8856, 8857 } accept\n",
        1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::Product;
    use crate::ruleset::administrator;

    #[test]
    fn the_console_can_be_reached_from_the_lan_alone() {
        let text = let_in(&administrator(Product::Twinwall, false));
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("8443")).collect();
        assert_eq!(lines, ["    iifname \"lan0\" tcp dport 8443 accept"]);
        assert!(text.contains("8856"), "{text}");
    }
}

//! SNMP of both machines through Debian's own snmpd and systemd: the process has no rights, what
//! starts anew is back, and what twinwall added goes with it.

use twinwall_lab::plan;

use crate::support::{DEB, Site, in_lab};

/// As an administrator writes it.
const OWN: &str = "agentaddress udp:161\nrocommunity public\nsyslocation the rack\n\
                   includeDir /etc/snmp/snmpd.conf.d\n";
const ADDED: &str = "/etc/snmp/snmpd.conf.d/twinwall.conf";
/// `sysName.0`, and which node is active.
const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";
const ACTIVE: &str = "1.3.6.1.4.1.32473.1.1.1.5.0";

#[test]
fn snmp_is_served_without_rights_and_leaves_nothing_behind() {
    in_lab(|| {
        let site = Site::with_pair();
        let active = site.settle();
        let names = [plan::GATEWAY_A, plan::GATEWAY_B];
        for node in 0..2 {
            site.nodes[node].write("etc/snmp/snmpd.conf", OWN, 0o600).unwrap();
            site.run(node, "nft insert rule inet filter input iifname lan0 udp dport 161 accept");
            site.run(node, "systemctl enable --now snmpd");
        }
        site.await_in_sync();
        site.run(active, "twinwall ha set sync.snmp=true");
        for node in 0..2 {
            serves(&site, node, names);
            unprivileged(&site, node);
        }
        // snmpd anew: the process that had given up its rights makes room for another one.
        let process = "systemctl show --value --property=MainPID twinwall-snmp";
        let before = site.run(active, process);
        site.run(active, "systemctl restart snmpd");
        serves(&site, active, names);
        assert_ne!(site.run(active, process), before);
        unprivileged(&site, active);

        site.run(active, "twinwall ha set sync.snmp=false");
        for node in 0..2 {
            taken_back(&site, node, names[node]);
        }
        site.run(active, "twinwall ha set sync.snmp=true");
        serves(&site, 1 - active, names);
        site.run(1 - active, "dpkg --remove twinwall");
        taken_back(&site, 1 - active, names[1 - active]);
        site.run(1 - active, &format!("dpkg --install {DEB}"));
        serves(&site, 1 - active, names);
        assert_eq!(site.settle(), active, "no role moved but for the removal");
    });
}

/// Both nodes' data at this node's own address, and what the node says of it.
fn serves(site: &Site, node: usize, names: [&str; 2]) {
    let at = own(node);
    for name in names {
        site.until(&format!("{name} by its name at {at}"), || {
            let said = ask(site, &at, &format!("public@{name}"), SYS_NAME)?;
            if said == name { Ok(()) } else { Err(said) }
        });
    }
    site.until("the pair at that address", || {
        let said = ask(site, &at, "public", ACTIVE)?;
        if names.contains(&said.as_str()) { Ok(()) } else { Err(said) }
    });
    let said = site.run(node, "twinwall snmp status");
    assert!(said.contains(ADDED), "{said}");
}

/// The process is nobody's but its own user's, and can do nothing that root can.
fn unprivileged(site: &Site, node: usize) {
    let main = "$(systemctl show --value --property=MainPID twinwall-snmp)";
    let user = site.run(node, &format!("ps -o user:32= -p {main}"));
    assert_eq!(user.trim(), "twinwall-snmp");
    let rights = site.run(node, &format!("grep -E '^Cap(Prm|Eff|Amb)' /proc/{main}/status"));
    assert_eq!(rights.matches("0000000000000000").count(), 3, "{rights}");
}

/// Nothing of twinwall is at snmpd any more, and everything of the administrator's.
fn taken_back(site: &Site, node: usize, name: &str) {
    site.until("the file is gone", || {
        let said = site.nodes[node].run(&format!("test ! -e {ADDED}"));
        said.map(drop).map_err(|error| error.to_string())
    });
    assert_eq!(site.run(node, "cat /etc/snmp/snmpd.conf"), OWN);
    site.until("snmpd answers by the administrator's lines", || {
        let said = ask(site, &own(node), "public", SYS_NAME)?;
        if said == name { Ok(()) } else { Err(said) }
    });
    let hidden = ask(site, &own(node), &format!("public@{name}"), SYS_NAME);
    assert!(hidden.is_err(), "{hidden:?}");
    assert_eq!(site.run(node, "systemctl is-active snmpd"), "active\n");
}

fn own(node: usize) -> String {
    format!("10.1.0.{}", node + 2)
}

/// What a manager in the LAN is told.
fn ask(site: &Site, at: &str, community: &str, name: &str) -> Result<String, String> {
    let words = ["-v2c", "-c", community, "-Oqv", "-t1", "-r1", at, name];
    let said = site.topology.client.command("snmpget", &words, String::new());
    let said = said.map_err(|error| error.to_string())?;
    Ok(said.trim().trim_matches('"').to_owned())
}

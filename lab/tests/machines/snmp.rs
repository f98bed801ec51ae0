//! SNMP of both appliances with Debian's own snmpd: turned on and off by what an administrator
//! types, asked by a manager outside. The unit is watched in its sandbox and killed.

use twinwall_lab::plan;

use crate::support::{Site, in_lab};

/// TWINWALL-MIB: which node is active, and the names of both.
const ACTIVE: &str = "1.3.6.1.4.1.32473.1.1.1.5.0";
const NAMES: &str = "1.3.6.1.4.1.32473.1.1.2.1.2";
/// `sysName.0`, which every snmpd has.
const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";
const NODES: [&str; 2] = [plan::GATEWAY_A, plan::GATEWAY_B];
/// The nodes' own addresses.
const OWN: [&str; 2] = ["10.1.0.2", "10.1.0.3"];

#[test]
fn one_manager_gets_both_nodes_and_what_is_turned_off_leaves_the_administrators_lines() {
    in_lab(|| {
        let site = Site::with_pair();
        let active = site.settle();
        configure(&site, active);
        let own = [0, 1].map(|node| files(&site, node));

        turn(&site, active, true);
        for at in [OWN[0], OWN[1], &plan::LAN_VIP.to_string()] {
            told_by(&site, at, active);
        }
        for node in 0..2 {
            sandboxed(&site, node);
            killed(&site, node, active);
        }

        turn(&site, active, false);
        for (node, own) in own.iter().enumerate() {
            without(&site, node, own);
            let unit = "systemctl is-active twinwall-snmp";
            assert_eq!(site.run(node, unit), "active\n", "it waits for the next time");
        }

        turn(&site, active, true);
        let passive = 1 - active;
        site.run(passive, "apt-get remove --yes twinwall");
        removed(&site, passive, &own[passive]);
        assert_eq!(site.status(active).unwrap().snapshot.role.role.word(), "active");
    });
}

/// As docs/snmp.md says, on the active node alone: snmpd listens where managers ask, who may read
/// what, and a rule lets them in.
fn configure(site: &Site, active: usize) {
    for node in 0..2 {
        site.run(node, "systemctl enable --now snmpd");
    }
    let lines = "sed --in-place --regexp-extended \
                 -e 's/^agentaddress.*/agentaddress udp:161/' -e '/^(view|ro[a-z]+6?)\\s/d' \
                 -e '$a rocommunity public 10.1.0.0/24' /etc/snmp/snmpd.conf";
    site.run(active, lines);
    site.run(active, "systemctl restart snmpd");
    let rule = "sed --in-place 's/^ *tcp dport 22 accept/&\\n    udp dport 161 accept/' \
                /etc/nftables.conf && nft -f /etc/nftables.conf";
    site.run(active, rule);
    for (at, name) in OWN.into_iter().zip(NODES) {
        await_answer(site, at, "public", SYS_NAME, Some(name));
    }
    site.await_in_sync();
}

/// Turns SNMP data of both appliances on or off, on one node.
fn turn(site: &Site, node: usize, on: bool) {
    site.run(node, &format!("twinwall ha set sync.snmp={on}"));
    for (node, at) in OWN.into_iter().enumerate() {
        site.until("snmpd asks twinwall, or does not", || {
            let said = site.nodes[node].run("twinwall snmp status --json");
            let said = said.map_err(|error| error.to_string())?;
            let state: serde_json::Value =
                serde_json::from_str(&said).map_err(|error| error.to_string())?;
            let is_so = state["wanted"] == on && (state["connected"] == true || !on);
            if is_so { Ok(()) } else { Err(said) }
        });
        let answers = on.then_some(NODES[1 - node]);
        await_answer(site, at, "public@peer", SYS_NAME, answers);
    }
}

/// The administrator's files, as they are.
fn files(site: &Site, node: usize) -> String {
    let all = "find /etc/snmp /etc/default/snmpd -exec stat --format='%n %a %U %G' {} + | sort; \
               find /etc/snmp -type f -exec sha256sum {} + | sort";
    site.run(node, all)
}

/// What a manager on the LAN is told, each line a value.
fn walk(site: &Site, at: &str, community: &str, below: &str) -> Result<String, String> {
    let words = ["MIBS=", "snmpwalk", "-v2c", "-c", community, "-Oqv", "-t1", "-r2", at, below];
    let said = site.topology.client.command("env", &words, String::new());
    said.map(|said| said.replace('"', "")).map_err(|error| error.to_string())
}

/// Waits until the first value is this one; without one until nobody answers.
fn await_answer(site: &Site, at: &str, community: &str, name: &str, wanted: Option<&str>) {
    site.until(&format!("the answer {wanted:?} of {at} for {community}"), || {
        let said = walk(site, at, community, name);
        let first = said.as_deref().ok().and_then(|said| said.lines().next());
        if first == wanted { Ok(()) } else { Err(format!("{said:?}")) }
    });
}

/// Whatever address is asked, it tells of both nodes, and each node's own objects by its name.
fn told_by(site: &Site, at: &str, active: usize) {
    await_answer(site, at, "public", ACTIVE, Some(NODES[active]));
    let names = walk(site, at, "public", NAMES).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(names.lines().collect::<Vec<_>>(), NODES, "{at}\n{}", site.story());
    for name in NODES {
        await_answer(site, at, &format!("public@{name}"), SYS_NAME, Some(name));
    }
}

fn property(site: &Site, node: usize, name: &str) -> String {
    let show = format!("systemctl show --value --property={name} twinwall-snmp");
    site.run(node, &show).trim().to_owned()
}

/// What keeps it from the rest of the machine, as the kernel says and as it finds it.
fn sandboxed(site: &Site, node: usize) {
    let process = property(site, node, "MainPID");
    let user = site.run(node, &format!("ps -o user:32= -p {process}"));
    assert_eq!(user.trim(), "twinwall-snmp");
    let status = site.run(node, &format!("cat /proc/{process}/status"));
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapPrm:\t0000000000000000"] {
        assert!(status.lines().any(|it| it == line), "{line}: {status}");
    }
    let network = |process: &str| site.run(node, &format!("readlink /proc/{process}/ns/net"));
    assert_ne!(network(&process), network("1"), "a network of its own, with nobody in it");
    let inside = format!("nsenter --mount --target {process}");
    let said = site.run(node, &format!("! {inside} touch /etc/snmp/x 2>&1"));
    assert!(said.contains("Read-only file system"), "{said}");
}

/// It dies, systemd starts it again, and managers are answered as before.
fn killed(site: &Site, node: usize, active: usize) {
    let [before, starts] = ["MainPID", "NRestarts"].map(|name| property(site, node, name));
    site.run(node, &format!("kill -9 {before}"));
    site.until("another process", || {
        let now = property(site, node, "MainPID");
        if now != before && now != "0" { Ok(()) } else { Err(now) }
    });
    assert_ne!(property(site, node, "NRestarts"), starts);
    told_by(site, OWN[node], active);
    sandboxed(site, node);
}

/// snmpd goes on as its administrator has it, and knows nothing of twinwall.
fn without(site: &Site, node: usize, own: &str) {
    assert_eq!(files(site, node), own, "{}", site.story());
    await_answer(site, OWN[node], "public", SYS_NAME, Some(NODES[node]));
    for name in NODES {
        await_answer(site, OWN[node], &format!("public@{name}"), SYS_NAME, None);
    }
}

/// The package is gone, and all that it made snmpd do.
fn removed(site: &Site, node: usize, own: &str) {
    without(site, node, own);
    let names = walk(site, OWN[node], "public", NAMES).unwrap_or_default();
    assert!(!NODES.iter().any(|name| names.contains(name)), "{names}");
    let left = "ps -o args= -u twinwall-snmp; systemctl list-units --plain --no-legend 'twinwall*'; \
                find /etc/snmp /lib/systemd /run /usr/share/snmp -name '*twinwall*'";
    assert_eq!(site.run(node, left), "");
}

//! SNMP of both appliances with Debian's own programs as witnesses: snmpd on each node, snmpget,
//! snmpwalk, snmptable and snmptrapd at the manager; before, during and after a failover.
//!
//! Needs the guard's binary beside the command (`cargo build`).

mod support;
mod walk;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::support::{is_there, wait_telling};
use support::{MIB, OWN, SYS_NAME, Site, VIP, WITHOUT, link, proc_field, role};
use walk::{IF_TABLE, Walking, lasting, walk};

const FILE: &str = "etc/snmp/snmpd.conf.d/twinwall.conf";
/// SNMPv3, as an administrator's own user.
const ANNA: [&str; 11] =
    ["-v3", "-l", "authPriv", "-u", "anna", "-a", "SHA", "-A", "anna's words", "-x", "AES"];

/// The project's own module, and base modules that no Debian package has.
fn module_folders() -> [PathBuf; 2] {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    [sources.join("lab/browser/node_modules/net-snmp/lib/mibs"), sources.join("packaging/mibs")]
}

#[test]
fn smilint_has_nothing_to_say_of_the_module() {
    let [base, own] = module_folders();
    assert!(base.exists(), "no {}: cargo xtask setup", base.display());
    let mut lint = Command::new("smilint");
    lint.args(["-l", "6", "-s"]).arg(own.join("TWINWALL-MIB.txt")).env("SMIPATH", &base);
    let output = lint.output().expect("smilint starts");
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(String::from_utf8_lossy(&said), "");
    assert!(output.status.success());
}

#[test]
fn one_manager_gets_both_appliances_through_a_failover() {
    let mut site = Site::serving();
    pair_is_told(&site, "gw-a");
    table_is_told(&site);
    each_node_by_its_name(&site, VIP);
    users_of_snmpv3(&site);
    communities_of_every_form(&site);
    values_are_the_kernels(&site, &[1, 2]);
    site.wait("each knows what the other one is", |site| {
        site.get(OWN[1], "public", &format!("{MIB}.1.2.1.13.1")).as_deref() == Some("SN-gw-a")
    });
    let known = [("public", MIB), ("public@gw-b", IF_TABLE)];
    let before = known.map(|(community, below)| walk(site.manager(), VIP, community, below));
    let walking = known.map(|(community, below)| Walking::begin(&site, community, below));
    let begun = Instant::now();
    site.two.a.kill();
    site.stop_snmpd(0);
    site.wait("the virtual IP answers again, and says who is active", |site| {
        site.object("1.5.0").as_deref() == Some("gw-b")
    });
    assert!(begun.elapsed() < WITHOUT, "{:?} without an answer", begun.elapsed());
    for (walking, before) in walking.into_iter().zip(before) {
        let [during, after] = walking.end(begun);
        println!(
            "a walk takes {:?}, {:?} over the failover, {:?} after it",
            before.took, during.took, after.took
        );
        during.is_whole(&lasting(&before.names), &site);
        after.is_whole(&lasting(&before.names), &site);
        assert!(during.took < WITHOUT, "{:?}", during.took);
    }
    after_the_failover(&site);
    values_are_the_kernels(&site, &[2]);
    notified(&site, "gw-b", 1);
    site.two.a.start();
    site.start_snmpd(0);
    site.wait("the node that is back is told by its name", |site| {
        site.get(VIP, "public@gw-a", SYS_NAME).as_deref() == Some("gw-a")
    });
    each_node_by_its_name(&site, OWN[0]);
    both_live_through_another(&site);
}

/// A failover that both nodes live through: both notice it, and one of them tells.
fn both_live_through_another(site: &Site) {
    site.wait("it stands by", |site| role(&site.two.a) == "passive");
    site.cable(1, "down");
    site.wait("the role is back", |site| {
        role(&site.two.a) == "active" && site.object("1.5.0").as_deref() == Some("gw-a")
    });
    notified(site, "gw-a", 2);
    site.cable(1, "up");
    site.wait("both stand as at the beginning", |site| {
        role(&site.two.b) == "passive" && site.get(OWN[1], "public", SYS_NAME).is_some()
    });
    each_node_by_its_name(site, VIP);
    assert_eq!(failovers(site).len(), 4, "each was told once\n{}", site.story());
}

/// The pair, by SNMPv2c from the virtual IP.
fn pair_is_told(site: &Site, active: &str) {
    let told = |place: &str| site.object(place).unwrap_or_default();
    let pair = [told("1.2.0"), told("1.5.0"), told("1.6.0"), told("1.7.0")];
    assert_eq!(pair, ["4", active, "1", "ha0"], "{}", site.story());
    // Status, model and serial number of both nodes.
    for (node, status, name) in [(1, "2", "gw-a"), (2, "3", "gw-b")] {
        let cell = |column: u32| told(&format!("2.1.{column}.{node}"));
        assert_eq!((cell(2), cell(12)), (name.to_owned(), "TW-100".to_owned()));
        assert_eq!(cell(13), format!("SN-{name}"));
        site.wait("its status is told", |site| {
            site.object(&format!("2.1.5.{node}")).as_deref() == Some(status)
        });
    }
    assert_eq!(told("5.1.7.1.1"), active, "who answers for the virtual IP");
}

/// The nodes as a table, by the module's names.
fn table_is_told(site: &Site) {
    let folders = module_folders().map(|folder| folder.display().to_string()).join(":");
    let mut command = site.by_manager("snmptable");
    command.args(["-M", &folders, "-m", "TWINWALL-MIB", "-v2c", "-c", "public", "-Cf", "|", VIP]);
    let output = command.arg("twNodeTable").output().expect("snmptable starts");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = table.lines().find(|line| line.starts_with("twNodeName|")).expect("a head");
    let rows: Vec<&str> = table.lines().skip_while(|line| *line != names).skip(1).collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert!(rows[0].starts_with("gw-a|primary|true|active|active|"), "{table}");
    assert!(rows[1].starts_with("gw-b|secondary|false|"), "{table}");
}

/// Each node's own objects under its name, whichever node is asked.
fn each_node_by_its_name(site: &Site, at: &str) {
    for name in ["gw-a", "gw-b"] {
        let told = site.get(at, &format!("public@{name}"), SYS_NAME);
        assert_eq!(told.as_deref(), Some(name), "asked at {at}\n{}", site.story());
    }
    let own = site.get(at, "public", SYS_NAME).unwrap_or_default();
    let other = site.get(at, "public@peer", SYS_NAME).unwrap_or_default();
    assert_ne!(own, other, "the peer is the other one");
    // A whole table through the other node is what the node itself says.
    let walk = |at: &str, community: &str| {
        let (out, _) = site.tool("snmpwalk", &["-v2c", "-c", community, "-On", at, IF_DESCR]);
        out
    };
    let (direct, through) = (walk(OWN[1], "public"), walk(at, "public@gw-b"));
    assert!(direct.contains("\"ha0\""), "{direct}");
    assert_eq!(through, direct);
}

const IF_DESCR: &str = "1.3.6.1.2.1.2.2.1.2";

/// A user of SNMPv3 sees in a context what it may see without one; nobody sees more.
fn users_of_snmpv3(site: &Site) {
    let ask = |rest: &[&str]| {
        let arguments = [&ANNA[..], &["-X", "anna's words", "-Oqv", "-t1"], rest].concat();
        let (out, err) = site.tool("snmpget", &arguments);
        format!("{out}{err}").trim().to_owned()
    };
    assert_eq!(ask(&[VIP, SYS_NAME]), "\"gw-a\"");
    assert_eq!(ask(&["-n", "gw-b", VIP, SYS_NAME]), "\"gw-b\"");
    assert_eq!(ask(&["-n", "gw-a", VIP, SYS_NAME]), "\"gw-a\"");
    let elsewhere = ask(&["-n", "elsewhere", "-r0", VIP, SYS_NAME]);
    assert!(!elsewhere.is_empty() && !elsewhere.contains("gw-"), "{elsewhere}");
    assert_eq!(site.get(VIP, "wrong@gw-b", SYS_NAME), None);
    // Users and keys of SNMP itself stay where they are.
    let users = ["-v2c", "-c", "public@gw-b", "-On", VIP, "1.3.6.1.6.3.15"];
    let (out, _) = site.tool("snmpwalk", &users);
    assert!(!out.contains("1.3.6.1.6.3.15.1.2"), "{out}");
    let (_, refused) = site
        .tool("snmpset", &["-v2c", "-c", "public@gw-b", "-t1", "-r0", VIP, SYS_NAME, "s", "mine"]);
    assert!(!refused.is_empty() && site.get(OWN[1], "public", SYS_NAME).as_deref() == Some("gw-b"));
}

/// Whoever may read by a line of the administrator's reads in a node's context by the same line.
fn communities_of_every_form(site: &Site) {
    for community in ["hidden", "ops", "inner", "third", "fourth"] {
        for (context, name) in
            [("", "gw-a"), ("@gw-a", "gw-a"), ("@gw-b", "gw-b"), ("@peer", "gw-b")]
        {
            let told = site.get(VIP, &format!("{community}{context}"), SYS_NAME);
            assert_eq!(told.as_deref(), Some(name), "{community}{context}\n{}", site.story());
        }
        let active = site.get(VIP, community, &format!("{MIB}.1.1.5.0"));
        assert_eq!(active.as_deref(), Some("gw-a"), "{community} reads TWINWALL-MIB");
    }
    // What may write may not write in a context.
    let set = ["-v2c", "-c", "ops@gw-b", "-t1", "-r0", VIP, SYS_NAME, "s", "mine"];
    assert!(!site.tool("snmpset", &set).1.is_empty());
}

/// Counters, memory and up time of the second node are those of its own kernel, and so are those
/// of these rows of the table of nodes.
fn values_are_the_kernels(site: &Site, rows: &[u32]) {
    let node = &site.two.b;
    let index = link(node, "lan")["ifindex"].as_u64().expect("a number");
    let bytes = || link(node, "lan")["stats64"]["rx"]["bytes"].as_u64().expect("a number");
    let before = bytes();
    // What snmpd has is as old as its own cache at the most.
    site.wait("snmpd has read its counters anew", |site| {
        site.number(VIP, "public@gw-b", &format!("1.3.6.1.2.1.31.1.1.1.6.{index}")) >= before
    });
    let told = site.number(VIP, "public@gw-b", &format!("1.3.6.1.2.1.31.1.1.1.6.{index}"));
    assert!((before..=bytes()).contains(&told), "{before} {told} {}", bytes());
    let total = proc_field("meminfo", "MemTotal:", 1) as u64;
    assert_eq!(site.number(VIP, "public@gw-b", "1.3.6.1.4.1.2021.4.5.0"), total);
    for row in rows {
        let own = |column: u32| site.number(VIP, "public", &format!("{MIB}.1.2.1.{column}.{row}"));
        assert_eq!(own(17), total, "memory of node {row}");
        let up = (own(14) as f64 / 100.0, proc_field("uptime", "", 0));
        assert!((up.0 - up.1).abs() < 15.0, "{up:?}");
        let available = own(18) as f64 / proc_field("meminfo", "MemAvailable:", 1);
        assert!((0.5..2.0).contains(&available), "{available}");
    }
    let up = site.number(VIP, "public@gw-b", "1.3.6.1.2.1.25.1.1.0") as f64 / 100.0;
    assert!((up - proc_field("uptime", "", 0)).abs() < 15.0, "{up}");
}

/// One node is left: it says so, tells how old what it knows of the other one is, and a question
/// for the other one is refused at once.
fn after_the_failover(site: &Site) {
    assert_eq!(role(&site.two.b), "active");
    assert_eq!(site.object("1.6.0").as_deref(), Some("1"), "{}", site.story());
    assert_eq!(site.object("5.1.7.1.1").as_deref(), Some("gw-b"));
    site.wait("the data of the dead node grow old", |site| {
        site.object("2.1.24.1").and_then(|age| age.parse::<u64>().ok()).is_some_and(|age| age >= 3)
    });
    assert_eq!(site.object("2.1.13.1").as_deref(), Some("SN-gw-a"), "what was known is kept");
    assert_eq!(site.get(VIP, "public@gw-b", SYS_NAME).as_deref(), Some("gw-b"));
    let begun = Instant::now();
    let ask = ["-v2c", "-c", "public@gw-a", "-t5", "-r0", VIP, SYS_NAME];
    let (_, refused) = site.tool("snmpget", &ask);
    assert!(refused.contains("genError"), "{refused}");
    assert!(begun.elapsed().as_secs() < 4, "{:?}", begun.elapsed());
    site.wait("its last failover is told with the cause", |site| {
        site.object("1.21.0").as_deref() == Some("gw-b")
            && site.object("1.22.0").is_some_and(|cause| !cause.is_empty())
    });
}

/// The manager got a trap and an inform of each failover so far, the last ones from this node.
fn notified(site: &Site, by: &str, count: usize) {
    wait_telling("a trap and an inform", || failovers(site).len() >= 2 * count, || site.story());
    let all = failovers(site);
    assert_eq!(all.len(), 2 * count, "{all:?}");
    for line in &all[2 * (count - 1)..] {
        assert!(line.contains(&format!(".{MIB}.1.8.3.0 = STRING: \"{by}\"")), "{line}");
    }
}

/// What the manager was told of failovers, each line a trap or an inform.
fn failovers(site: &Site) -> Vec<String> {
    let failover = format!(".1.3.6.1.6.3.1.1.4.1.0 = OID: .{MIB}.0.1\t");
    let text = fs::read_to_string(&site.told).unwrap_or_default();
    text.lines().filter(|line| line.contains(&failover)).map(str::to_owned).collect()
}

#[test]
fn what_is_turned_off_is_taken_back_and_what_is_disabled_says_so() {
    let site = Site::serving();
    assert!(is_there(&site.two.b.path(FILE)));
    let own = site.two.b.text("etc/snmp/snmpd.conf");
    site.two.a.good(&["ha", "disable", "--addresses-by-hand"]);
    site.wait("it is called disabled on both nodes", |site| {
        OWN.iter().all(|at| {
            let told = |place: &str| site.get(at, "public", &format!("{MIB}.1.{place}"));
            told("1.2.0").as_deref() == Some("3")
                && told("2.1.5.1").as_deref() == Some("9")
                && told("2.1.5.2").as_deref() == Some("9")
                && told("1.6.0").as_deref() == Some("0")
        })
    });
    assert_eq!(site.get(OWN[0], "public@gw-b", SYS_NAME).as_deref(), Some("gw-b"));
    site.two.a.good(&["ha", "set", "sync.snmp=false"]);
    site.wait("the file is gone on both nodes, and so are the contexts", |site| {
        [&site.two.a, &site.two.b].iter().all(|node| !is_there(&node.path(FILE)))
            && OWN.iter().all(|at| site.get(at, "public@gw-b", SYS_NAME).is_none())
    });
    assert_eq!(site.two.b.text("etc/snmp/snmpd.conf"), own, "nobody touched it");
    for (at, name) in OWN.iter().zip(["gw-a", "gw-b"]) {
        assert_eq!(site.get(at, "public", SYS_NAME).as_deref(), Some(name));
    }
}

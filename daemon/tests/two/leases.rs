//! DHCP leases through a failover, with real servers and a real client: the new active's server
//! knows every lease, the file of a running server is left alone, and what the other node leased
//! meanwhile is there when a node is back.
//!
//! Needs the guard's binary beside the command (`cargo build`).

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lan::Lan;
use crate::support::{Node, Two};

/// A service is stopped and started on the way, on a busy machine.
const LONG: Duration = Duration::from_secs(60);

const DNSMASQ: &str = crate::support::profile!(
    "dnsmasq",
    "[section.network]\npaths = [\"/etc/dhcp.sh\"]\n\
    [[section.network.service]]\nname = \"dhcp\"\nunit = \"dhcp.service\"\n\
    program = \"/usr/sbin/dnsmasq\"\nstart = [\"/bin/sh\", \"{root}/dhcp.sh\", \"start\", \"{root}\"]\n\
    stop = [\"/bin/sh\", \"{root}/dhcp.sh\", \"stop\", \"{root}\"]\n\
    check = [\"/bin/sh\", \"{root}/dhcp.sh\", \"check\", \"{root}\"]\n\
    [[leases]]\nname = \"lan\"\nformat = \"dnsmasq\"\npath = \"/var/lib/leases\"\nservice = \"dhcp\"\n"
);

const KEA: &str = crate::support::profile!(
    "kea",
    "[section.network]\npaths = [\"/etc/dhcp.sh\"]\n\
    [[section.network.service]]\nname = \"dhcp\"\nunit = \"dhcp.service\"\n\
    program = \"/usr/sbin/kea-dhcp4\"\nstart = [\"/bin/sh\", \"{root}/dhcp.sh\", \"start\", \"{root}\"]\n\
    stop = [\"/bin/sh\", \"{root}/dhcp.sh\", \"stop\", \"{root}\"]\n\
    check = [\"/bin/sh\", \"{root}/dhcp.sh\", \"check\", \"{root}\"]\n\
    [[leases]]\nname = \"lan\"\nformat = \"kea\"\npath = \"/var/lib/leases\"\nservice = \"dhcp\"\n"
);

/// Its server is on neither node.
const ALONE: &str = crate::support::profile!(
    "alone",
    "[section.network]\npaths = [\"/etc/dhcp.sh\"]\n\
    [[section.network.service]]\nname = \"dhcp\"\nunit = \"dhcp.service\"\n\
    program = \"/usr/sbin/no-such-dhcpd\"\nstart = [\"/bin/false\"]\n\
    stop = [\"/bin/false\"]\ncheck = [\"/bin/false\"]\n\
    [[leases]]\nname = \"lan\"\nformat = \"dnsmasq\"\npath = \"/var/lib/leases\"\nservice = \"dhcp\"\n"
);

/// Both give the lowest free address, so that a server which knows no lease gives one twice.
const DNSMASQ_START: &str = "/usr/sbin/dnsmasq --conf-file=/dev/null --no-hosts --no-resolv \
    --no-ping --port=0 --user=root --interface=lan --bind-interfaces --dhcp-authoritative \
    --dhcp-range=10.1.0.50,10.1.0.90,1h --dhcp-sequential-ip --dhcp-leasefile=$R/var/lib/leases \
    --pid-file=$R/dhcp.pid --log-facility=$R/dhcp.log --log-dhcp";

/// From another place than the one for which Debian has an AppArmor profile.
const KEA_START: &str = "export KEA_PIDFILE_DIR=$R/kea KEA_LOCKFILE_DIR=$R/kea\n\
    rm -rf $R/kea\nmkdir -p $R/kea\n\
    cat >$R/kea.conf <<END\n\
    {\"Dhcp4\": {\"interfaces-config\": {\"interfaces\": [\"lan\"]}, \"valid-lifetime\": 3600,\n\
    \"lease-database\": {\"type\": \"memfile\", \"name\": \"$R/var/lib/leases\", \"lfc-interval\": 2},\n\
    \"subnet4\": [{\"subnet\": \"10.1.0.0/24\", \"pools\": [{\"pool\": \"10.1.0.50-10.1.0.90\"}]}]}}\nEND\n\
    cp /usr/sbin/kea-dhcp4 /usr/sbin/kea-lfc $R/kea/\nexport KEA_LFC_EXECUTABLE=$R/kea/kea-lfc\n\
    setsid $R/kea/kea-dhcp4 -c $R/kea.conf >>$R/dhcp.log 2>&1 &\necho $! >$R/dhcp.pid";

/// What starts, stops and asks for a server, as systemctl would. One that has ended has no
/// program any more, whether somebody waited for it or not.
fn server(node: &Node, start: &str) {
    let text = format!(
        "R=$2\ncase $1 in\nstart)\n{start}\n;;\n\
         stop) P=$(cat $R/dhcp.pid 2>/dev/null) || exit 0\nkill $P 2>/dev/null\n\
         while readlink /proc/$P/exe >$R/out 2>&1; do sleep 0.05; done\nrm -f $R/dhcp.pid ;;\n\
         check) readlink /proc/$(cat $R/dhcp.pid)/exe ;;\nesac\n"
    );
    node.write("dhcp.sh", &text);
    fs::create_dir_all(node.path("var/lib")).expect("made");
}

fn json(node: &Node, arguments: &[&str]) -> Value {
    serde_json::from_str(&node.run(arguments).out).unwrap_or_default()
}

fn role(node: &Node) -> String {
    let status = json(node, &["status", "--json"]);
    status["role"]["role"].as_str().unwrap_or_default().to_owned()
}

fn phase(node: &Node) -> String {
    let services = json(node, &["services", "--json"]);
    services["services"][0]["phase"].as_str().unwrap_or_default().to_owned()
}

/// What a node knows: what it does, how many leases, and whether its server would know them.
fn known(node: &Node) -> (String, u64, bool) {
    let file = json(node, &["leases", "--json"])["files"][0].clone();
    let part = file["part"].as_str().unwrap_or_default().to_owned();
    (part, file["leases"].as_u64().unwrap_or_default(), file["written"] == true)
}

fn wait(two: &Two, what: &str, mut good: impl FnMut() -> bool) {
    let began = Instant::now();
    while !good() {
        let told = || {
            let of = |node: &Node| {
                let (leases, services) = (node.run(&["leases"]), node.run(&["services"]));
                let log = node.text("agent.log") + &node.text("dhcp.log");
                format!("{leases:?}\n{services:?}\n{}\n{log}", node.text("var/lib/leases"))
            };
            format!("{}\n{}", of(&two.a), of(&two.b))
        };
        assert!(began.elapsed() < LONG, "{what}: not within {LONG:?}\n{}", told());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The first node's server leases, the other one waits.
fn serving(profile: &'static str, start: &str) -> (Two, Lan) {
    let mut two = Two::cabled();
    let lan = Lan::between(&two);
    for node in [&mut two.a, &mut two.b] {
        node.with_guard(profile, crate::support::PAIR);
        server(node, start);
    }
    two.pair_by_files(true);
    wait(&two, "the first node serves", || role(&two.a) == "active" && phase(&two.a) == "running");
    wait(&two, "the second waits", || role(&two.b) == "passive" && phase(&two.b) == "stopped");
    (two, lan)
}

/// The address that a client gets.
fn ask_at(lan: &Lan, two: &Two, mac: &str) -> String {
    let mut got = None;
    wait(two, mac, || {
        got = lan.lease(two, mac);
        got.is_some()
    });
    got.unwrap_or_default()
}

/// How much later the passive's file was written than the active's, for some leases in turn.
fn delays(two: &Two, lan: &Lan) -> Vec<Duration> {
    let written = |node: &Node| {
        let seen = fs::metadata(node.path("var/lib/leases")).expect("there");
        seen.modified().expect("a time")
    };
    let one = |count: u64| {
        let mac = format!("52:54:00:00:01:{count:02x}");
        ask_at(lan, two, &mac);
        wait(two, "the passive has it", || known(&two.b) == ("copy".to_owned(), count, true));
        written(&two.b).duration_since(written(&two.a)).unwrap_or_default()
    };
    let mut all: Vec<Duration> = (1..=9).map(one).collect();
    all.sort_unstable();
    all
}

/// The files' own times are the witness: both nodes have this machine's clock.
#[test]
fn a_lease_is_on_the_other_node_milliseconds_after_the_server_wrote_it() {
    let (two, lan) = serving(DNSMASQ, DNSMASQ_START);
    let delays = delays(&two, &lan);
    println!("a lease is on the other node after {delays:?}");
    // Found by the look of each second it would be half a second.
    assert!(delays[delays.len() / 2] < Duration::from_millis(150), "{delays:?}");
}

#[test]
fn leases_that_the_passive_lost_from_its_disk_are_written_again_before_it_serves() {
    let (two, lan) = serving(DNSMASQ, DNSMASQ_START);
    let first = ask_at(&lan, &two, "52:54:00:00:00:01");
    let stands = || two.b.text("var/lib/leases").contains(&first);
    let all = || known(&two.b) == ("copy".to_owned(), 1, true);
    wait(&two, "the passive has it", || all() && stands());
    fs::remove_file(two.b.path("var/lib/leases")).expect("removed");
    wait(&two, "it is written again", || stands() && all());
    two.b.write("var/lib/leases", "no leases\n");
    wait(&two, "and instead of what is none", || stands() && all());
    wait(&two, "a planned move", || two.a.run(&["switchover"]).code == Some(0));
    wait(&two, "the other serves", || role(&two.b) == "active" && phase(&two.b) == "running");
    assert_eq!(ask_at(&lan, &two, "52:54:00:00:00:01"), first);
}

#[test]
fn a_leftover_file_of_a_server_that_is_on_neither_node_raises_nothing() {
    let mut two = Two::cabled();
    let _lan = Lan::between(&two);
    for node in [&mut two.a, &mut two.b] {
        node.with_guard(ALONE, crate::support::PAIR);
        fs::create_dir_all(node.path("var/lib")).expect("made");
    }
    two.a.write("var/lib/leases", "1893456000 52:54:00:00:00:01 10.1.0.50 * *\n");
    two.pair_by_files(true);
    let is = |node: &Node, is: &str| role(node) == is && phase(node) == "left_alone";
    wait(&two, "both have roles", || is(&two.a, "active") && is(&two.b, "passive"));
    let seen = || json(&two.b, &["leases", "--json"])["files"][0].clone();
    // The first answer may come before the services were looked at; the second one does not.
    wait(&two, "it is known, and not written", || {
        let file = seen();
        file["leases"] == 1 && file["written"].is_null() && file["trouble"].is_null()
    });
    assert!(!two.b.path("var/lib/leases").exists());
}

fn survives(profile: &'static str, start: &str) {
    let (mut two, lan) = serving(profile, start);
    let ask = |two: &Two, mac: &str| ask_at(&lan, two, mac);
    let first = ask(&two, "52:54:00:00:00:01");
    let second = ask(&two, "52:54:00:00:00:02");
    assert_ne!(first, second);
    wait(&two, "the passive has both", || known(&two.b) == ("copy".to_owned(), 2, true));
    assert_eq!(known(&two.a).0, "source");
    two.a.kill();
    wait(&two, "the other serves", || role(&two.b) == "active" && phase(&two.b) == "running");
    // Without the leases the lowest address, which is the first client's, would be free.
    assert_eq!(ask(&two, "52:54:00:00:00:02"), second);
    let third = ask(&two, "52:54:00:00:00:03");
    assert!(third != first && third != second, "{third}");
    assert_eq!(ask(&two, "52:54:00:00:00:01"), first);
    two.a.start();
    wait(&two, "the first one is back", || role(&two.a) == "passive" && phase(&two.a) == "stopped");
    wait(&two, "and knows what it missed", || known(&two.a) == ("copy".to_owned(), 3, true));
    assert!(two.a.text("var/lib/leases").contains(&third), "{}", two.a.text("var/lib/leases"));
    wait(&two, "a planned move", || two.b.run(&["switchover"]).code == Some(0));
    wait(&two, "the first serves", || role(&two.a) == "active" && phase(&two.a) == "running");
    assert_eq!(ask(&two, "52:54:00:00:00:03"), third);
}

#[test]
fn a_client_of_dnsmasq_keeps_its_address_through_each_move_of_the_role() {
    survives(DNSMASQ, DNSMASQ_START);
}

#[test]
fn a_client_of_kea_keeps_its_address_through_each_move_of_the_role() {
    survives(KEA, KEA_START);
}

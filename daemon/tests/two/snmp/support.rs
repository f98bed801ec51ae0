//! Two nodes with real snmpds, and a manager with Debian's tools on the same network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Node, Two, ip, wait_telling};

const PROFILE: &str =
    crate::support::profile!("snmp", "[section.definitions]\npaths = [\"/etc/ethers\"]\n");
const PAIR: &str = "pair_id = 7\n[heartbeat]\ninterval = 0.2\n[ha_link]\ninterface = \"ha0\"\n\
    [sync]\nsnmp = true\n[snmp]\ninforms = \"10.1.0.9:1162\"\n[[interface]]\nname = \"lan\"\n\
    watch = true\nprimary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n";

/// The virtual IP, and the nodes' own addresses.
pub(super) const VIP: &str = "10.1.0.1";
pub(super) const OWN: [&str; 2] = ["10.1.0.2", "10.1.0.3"];
/// TWINWALL-MIB.
pub(super) const MIB: &str = "1.3.6.1.4.1.32473.1";

/// A process that ends with this.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Both nodes with their snmpds, and the manager.
pub(super) struct Site {
    pub(super) two: Two,
    snmpds: [Option<Ending>; 2],
    /// The manager's namespace, with the network of all three in it.
    manager: String,
    trapd: Option<Ending>,
    /// What the manager was told.
    pub(super) told: PathBuf,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.snmpds = [None, None];
        self.trapd = None;
        let _ = Command::new("ip").args(["netns", "del", &self.manager]).status();
    }
}

impl Site {
    /// One active, one passive, and snmpd of both asks twinwall.
    pub(super) fn serving() -> Site {
        let mut two = Two::cabled();
        let manager = network(&two);
        for (node, name, own) in [(&mut two.a, "gw-a", OWN[0]), (&mut two.b, "gw-b", OWN[1])] {
            node.with_guard(PROFILE, PAIR);
            node.write("etc/model", "TW-100\n");
            node.write("etc/serial", &format!("SN-{name}\n"));
            node.write("etc/firmware", "FW 12.4.1\n");
            ip(&["-n", node.namespace(), "addr", "add", &format!("{own}/24"), "dev", "lan"]);
            configure(node, name);
        }
        two.pair_by_files(true);
        let told = two.a.path("told.log");
        let mut site = Site { two, snmpds: [None, None], manager, trapd: None, told };
        site.trapd = Some(site.listen());
        site.start_snmpd(0);
        site.start_snmpd(1);
        site.wait("one active, one passive", |site| {
            (role(&site.two.a).as_str(), role(&site.two.b).as_str()) == ("active", "passive")
        });
        site.wait("snmpd of both asks twinwall, in all contexts", |site| {
            (0..2).all(|node| {
                let state = site.state(node);
                let answers =
                    |name: &str| site.get(OWN[node], &format!("public@{name}"), SYS_NAME).is_some();
                state["connected"] == true && ["gw-a", "gw-b", "peer"].into_iter().all(answers)
            })
        });
        site
    }

    /// The manager's namespace.
    pub(super) fn manager(&self) -> &str {
        &self.manager
    }

    /// The first node's cable to the switch, or the second one's, is pulled or put back.
    pub(super) fn cable(&self, node: usize, state: &str) {
        ip(&["-n", &self.manager, "link", "set", ["lan-a", "lan-b"][node], state]);
    }

    pub(super) fn node(&self, node: usize) -> &Node {
        if node == 0 { &self.two.a } else { &self.two.b }
    }

    pub(super) fn state(&self, node: usize) -> Value {
        let ran = self.node(node).run(&["snmp", "status", "--json"]);
        serde_json::from_str(&ran.out).unwrap_or_default()
    }

    pub(super) fn start_snmpd(&mut self, node: usize) {
        let root = self.node(node).root.clone();
        let log = fs::File::create(root.join("snmpd.log")).expect("a log");
        // Among the node's own processes, where the agent can tell it of a change; it dies with
        // them.
        let mut command = Command::new("nsenter");
        let processes = format!("/proc/{}/ns/pid_for_children", self.node(node).agent_id());
        command.arg(format!("--pid={processes}")).args(["ip", "netns", "exec"]);
        command.args([self.node(node).namespace(), "snmpd", "-f", "-C", "-Le"]);
        command.args(["-I", "-smux,mteTrigger,mteTriggerConf", "-c"]);
        command.arg(root.join("etc/snmp/snmpd.conf")).arg("-p").arg(root.join("run/snmpd.pid"));
        command.env("SNMP_PERSISTENT_DIR", root.join("var/lib/snmp")).env("MIBS", "");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.snmpds[node] = Some(Ending(command.spawn().expect("snmpd starts")));
    }

    pub(super) fn stop_snmpd(&mut self, node: usize) {
        self.snmpds[node] = None;
    }

    /// The manager waits for notifications.
    fn listen(&self) -> Ending {
        let folder = self.told.parent().expect("a folder");
        let file = folder.join("snmptrapd.conf");
        fs::write(&file, "authCommunity log told\nauthCommunity log public\n").expect("written");
        let mut command = self.by_manager("snmptrapd");
        command.args(["-f", "-C", "-On", "-n", "-c"]).arg(&file).arg("-Lf").arg(&self.told);
        command.arg("-p").arg(folder.join("run/snmptrapd.pid"));
        command.args(["udp:10.1.0.9:162", "udp:10.1.0.9:1162"]);
        command.env("SNMP_PERSISTENT_DIR", folder.join("var/lib/snmptrapd")).env("MIBS", "");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ending(command.spawn().expect("snmptrapd starts"))
    }

    pub(super) fn by_manager(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.manager, program]);
        command
    }

    /// What a tool of the manager prints, and on which of its two outputs.
    pub(super) fn tool(&self, program: &str, arguments: &[&str]) -> (String, String) {
        let mut command = self.by_manager(program);
        let output = command.args(arguments).env("MIBS", "").output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    }

    /// A value, asked for with SNMPv2c.
    pub(super) fn get(&self, at: &str, community: &str, name: &str) -> Option<String> {
        let ask = ["-v2c", "-c", community, "-Oqv", "-t1", "-r2", at, name];
        let (out, _) = self.tool("snmpget", &ask);
        let value = out.trim().trim_matches('"').to_owned();
        (!value.is_empty() && !value.starts_with("No ")).then_some(value)
    }

    /// A value of TWINWALL-MIB from the virtual IP, by its place below the objects.
    pub(super) fn object(&self, place: &str) -> Option<String> {
        self.get(VIP, "public", &format!("{MIB}.1.{place}"))
    }

    /// A number that a manager reads, with SNMPv2c.
    pub(super) fn number(&self, at: &str, community: &str, name: &str) -> u64 {
        let ask = ["-v2c", "-c", community, "-Oqvt", "-t1", "-r2", at, name];
        let (out, err) = self.tool("snmpget", &ask);
        let word = out.split_whitespace().next().unwrap_or_default();
        word.parse().unwrap_or_else(|_| panic!("{community} {name}: {out}{err}"))
    }

    pub(super) fn wait(&self, what: &str, mut good: impl FnMut(&Site) -> bool) {
        wait_telling(what, || good(self), || self.story());
    }

    pub(super) fn story(&self) -> String {
        let one = |node: usize| {
            let node_now = self.node(node);
            format!(
                "{:?}\n{}\n{}\n{}\n",
                node_now.run(&["snmp", "status"]),
                node_now.text("etc/snmp/snmpd.conf.d/twinwall.conf"),
                node_now.text("agent.log"),
                node_now.text("snmpd.log"),
            )
        };
        one(0) + &one(1) + &fs::read_to_string(&self.told).unwrap_or_default()
    }
}

/// `sysName.0`.
pub(super) const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";

/// What the administrator has: everything in places of this node.
fn configure(node: &Node, name: &str) {
    let root = node.root.display();
    node.write(
        "etc/snmp/snmpd.conf",
        &format!(
            "agentaddress udp:161\nmaster agentx\nagentXSocket {root}/var/agentx/master\n\
             sysName {name}\nrocommunity public default\n\
             createUser anna SHA \"anna's words\" AES \"anna's words\"\nrouser anna priv\n\
             com2sec lan 10.1.0.0/24 hidden\ngroup readers v2c lan\nview all included .1\n\
             access readers \"\" v2c noauth exact all none none\n\
             authcommunity read,write ops 10.1.0.0/24\n\
             com2sec staff 10.1.0.0/24 inner\ngroup insiders v2c staff\n\
             authgroup read -s v2c insiders noauth -V all\n\
             com2sec guests 10.1.0.0/24 third\ngroup thirds v2c guests\n\
             authaccess read thirds all noauth\n\
             com2sec others 10.1.0.0/24 fourth\ngroup fourths v2c others\n\
             setaccess fourths \"\" v2c noauth exact read all\n\
             trapcommunity told\ntrap2sink udp:10.1.0.9:162 told\n\
             includeDir {root}/etc/snmp/snmpd.conf.d\n"
        ),
    );
    fs::create_dir_all(node.path("etc/snmp/snmpd.conf.d")).expect("made");
    fs::create_dir_all(node.path("var/lib/snmp")).expect("made");
}

/// A switch with both nodes on it; the manager is where the switch is.
fn network(two: &Two) -> String {
    let manager = format!("{}m", two.a.namespace());
    ip(&["netns", "add", &manager]);
    ip(&["-n", two.a.namespace(), "link", "del", "lan"]);
    ip(&["-n", &manager, "link", "add", "lan", "type", "bridge"]);
    for (node, end) in [(&two.a, "a"), (&two.b, "b")] {
        let (port, there) = (format!("lan-{end}"), node.namespace());
        ip(&[
            "link", "add", &port, "netns", &manager, "type", "veth", "peer", "name", "lan",
            "netns", there,
        ]);
        ip(&["-n", &manager, "link", "set", &port, "master", "lan", "up"]);
        ip(&["-n", there, "link", "set", "lan", "up"]);
    }
    for link in ["lo", "lan"] {
        ip(&["-n", &manager, "link", "set", link, "up"]);
    }
    ip(&["-n", &manager, "addr", "add", "10.1.0.9/24", "dev", "lan"]);
    manager
}

pub(super) fn role(node: &Node) -> String {
    let status: Value =
        serde_json::from_str(&node.run(&["status", "--json"]).out).unwrap_or_default();
    status["role"]["role"].as_str().unwrap_or_default().to_owned()
}

/// A link of a node as its kernel counts it.
pub(super) fn link(node: &Node, name: &str) -> Value {
    let output = Command::new("ip")
        .args(["-n", node.namespace(), "-s", "-j", "link", "show", name])
        .output()
        .expect("ip starts");
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    all[0].clone()
}

/// A field of a file of /proc, which all namespaces share.
pub(super) fn proc_field(file: &str, line: &str, place: usize) -> f64 {
    let text = fs::read_to_string(Path::new("/proc").join(file)).expect("readable");
    let found = text.lines().find(|it| it.starts_with(line)).expect("the line is there");
    found.split_whitespace().nth(place).and_then(|word| word.parse().ok()).expect("a number")
}

/// How long a manager may be without an answer over a failover: detection, the next question of
/// one that asks twice a second, and what a busy machine adds.
pub(super) const WITHOUT: Duration = Duration::from_secs(10);

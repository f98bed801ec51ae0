//! Two nodes with consoles, and curl as a visitor of one of them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{Node, Two, ip, wait};

pub(super) const PASSWORD: &str = "correct horse battery";

/// The accounts are a section, as in the profile for a Debian gateway. While a file `slow` lies
/// there, definitions are being validated.
pub(super) const PROFILE: &str = "format = 1\nname = \"console\"\n[appliance]\n\
    model = { file = \"/etc/model\" }\nserial = { file = \"/etc/serial\" }\n\
    firmware = { file = \"/etc/firmware\" }\n\
    [section.definitions]\npaths = [\"/etc/ethers\"]\n\
    [[section.definitions.validate]]\nlimit = 60\n\
    run = [\"/bin/sh\", \"-c\", \"while test -e $0/slow; do sleep 0.1; done\", \"{root}\"]\n\
    [[section.definitions.secret]]\nfiles = [\"/etc/ethers\"]\nmask = \"shared-key (\\\\S+)\"\n\
    [section.users]\npaths = [\"/etc/twinwall-accounts\"]\n\
    [[reports]]\nname = \"mail\"\npaths = [\"/var/reports\"]\n\
    [[logs.source]]\nname = \"gateway\"\nfiles = [\"/var/log/gateway.log\"]\n";

/// A pair that serves: the first node is active, and both consoles answer.
pub(crate) fn with_consoles() -> Two {
    let mut two = appliances();
    two.pair_by_files(true);
    wait("one active, one passive", || role(&two.a) == "active" && role(&two.b) == "passive");
    // An agent hears of it a moment later than whoever asks the guard; until then it takes no
    // account on a node that it believes to be passive.
    wait("the agents know it", || {
        role_by_agent(&two.a) == "active" && role_by_agent(&two.b) == "passive"
    });
    consoles_answer(&two);
    two
}

/// Two nodes that know nothing of each other, with consoles that nobody has set up.
pub(super) fn fresh_with_consoles() -> Two {
    let mut two = appliances();
    for (node, name) in [(&mut two.a, "gw-a"), (&mut two.b, "gw-b")] {
        let text = format!(
            "name = \"{name}\"\ndesignation = \"primary\"\n[web]\nlisten = \"[::]:8443\"\n"
        );
        node.write("etc/twinwall/node.toml", &text);
        node.start();
    }
    consoles_answer(&two);
    two
}

/// Two nodes with consoles, once they start, and own addresses.
fn appliances() -> Two {
    let mut two = Two::cabled();
    for (node, own) in [(&mut two.a, "10.1.0.2/24"), (&mut two.b, "10.1.0.3/24")] {
        node.with_console(PROFILE);
        node.write("etc/firmware", "FW 12.4.1\n");
        node.write("etc/model", "TW-100\n");
        ip(&["-n", node.namespace(), "addr", "add", own, "dev", "lan"]);
    }
    two
}

fn consoles_answer(two: &Two) {
    for (node, address) in [(&two.a, "10.1.0.2"), (&two.b, "10.1.0.3")] {
        console_answers(node, address);
    }
}

/// Waits for the console of a node that nobody has set up: it listens later than the agent, of
/// which it asks where.
pub(super) fn console_answers(node: &Node, address: &str) {
    wait("the console answers", || Console::of(node, address).ask(&["/set-up"]).status == 200);
}

/// A switch between both nodes, so that a port of one goes down alone.
pub(super) struct Switch(String);

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Their own networks as ifupdown has them: an interface of the pair, one that clients use today
/// with one address, and one that DHCP configures. The last two go to switches.
pub(super) fn with_networks(two: &Two) -> Switch {
    let switch = Switch(format!("{}s", two.a.namespace()));
    let own = switch.0.as_str();
    ip(&["netns", "add", own]);
    for link in ["dmz", "wan"] {
        ip(&["-n", own, "link", "add", link, "type", "bridge"]);
        for (node, end) in [(&two.a, "a"), (&two.b, "b")] {
            let (port, there) = (format!("{link}-{end}"), node.namespace());
            ip(&[
                "link", "add", &port, "netns", own, "type", "veth", "peer", "name", link, "netns",
                there,
            ]);
            ip(&["-n", own, "link", "set", &port, "master", link, "up"]);
        }
        ip(&["-n", own, "link", "set", link, "up"]);
    }
    for (node, lan, dmz) in
        [(&two.a, "10.1.0.2/24", Some("10.2.0.1/24")), (&two.b, "10.1.0.3/24", None)]
    {
        let own = node.namespace();
        ip(&["-n", own, "link", "set", "dmz", "up"]);
        ip(&["-n", own, "link", "set", "wan", "up"]);
        let mut text = format!("auto lan\niface lan inet static\n    address {lan}\n");
        text += "auto wan\niface wan inet dhcp\n";
        match dmz {
            Some(address) => {
                ip(&["-n", own, "addr", "add", address, "dev", "dmz"]);
                text += &format!("auto dmz\niface dmz inet static\n    address {address}\n");
            }
            None => text += "auto dmz\niface dmz inet manual\n",
        }
        node.write("etc/network/interfaces", &text);
    }
    switch
}

pub(super) fn json(node: &Node, arguments: &[&str]) -> Value {
    serde_json::from_str(&node.run(arguments).out).unwrap_or_default()
}

pub(super) fn role(node: &Node) -> String {
    let status = json(node, &["status", "--json"]);
    status["role"]["role"].as_str().unwrap_or_default().to_owned()
}

/// The role as the node's agent heard of it last.
fn role_by_agent(node: &Node) -> String {
    let mut command = Command::new("curl");
    command.args(["--silent", "--max-time", "20", "--unix-socket"]);
    command.arg(node.path("run/twinwall/agent.sock")).arg("http://agent/api/v1/status");
    let output = command.output().expect("curl starts");
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    status["role"]["role"].as_str().unwrap_or_default().to_owned()
}

/// A machine of its own with a way to both nodes' addresses, so that what happens to these is
/// nothing that happens to it.
pub(super) struct Outside(pub(super) String);

impl Outside {
    pub(super) fn of(two: &Two) -> Outside {
        let outside = Outside(format!("{}v", two.a.namespace()));
        let own = outside.0.as_str();
        ip(&["netns", "add", own]);
        // Addresses are there at once: a browser takes one that comes later for a new network.
        let at_once = "net.ipv6.conf.default.accept_dad=0";
        ip(&["netns", "exec", own, "sysctl", "-qw", at_once]);
        for (node, link, at, address) in
            [(&two.a, "to-a", 1, "10.1.0.2"), (&two.b, "to-b", 2, "10.1.0.3")]
        {
            let there = node.namespace();
            ip(&[
                "link", "add", link, "netns", own, "type", "veth", "peer", "name", "office",
                "netns", there,
            ]);
            ip(&["-n", own, "addr", "add", &format!("10.7.{at}.1/24"), "dev", link]);
            ip(&["-n", there, "addr", "add", &format!("10.7.{at}.2/24"), "dev", "office"]);
            ip(&["-n", own, "link", "set", link, "up"]);
            ip(&["-n", there, "link", "set", "office", "up"]);
            ip(&["-n", own, "route", "add", address, "via", &format!("10.7.{at}.2")]);
        }
        ip(&["-n", own, "link", "set", "lo", "up"]);
        outside
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// A visitor in the namespace of a node, with a jar for its cookies.
pub(super) struct Console {
    namespace: String,
    url: String,
    jar: PathBuf,
}

/// What was answered; status 0 where nothing was.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut all = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        all.next().map(|(_, value)| value.trim())
    }
}

impl Console {
    pub(super) fn of(node: &Node, address: &str) -> Console {
        Console {
            namespace: node.namespace().to_owned(),
            url: format!("https://{address}:8443"),
            jar: node.path("cookies"),
        }
    }

    fn curl(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, "curl"]);
        command.args(["--silent", "--insecure", "--max-time", "20"]);
        command
    }

    /// Asks; what begins with a slash is a path.
    pub(super) fn ask(&self, arguments: &[&str]) -> Answer {
        let mut command = self.curl();
        command.args(["--include", "-H", &format!("origin: {}", self.url)]);
        command.arg("--cookie").arg(&self.jar).arg("--cookie-jar").arg(&self.jar);
        for argument in arguments {
            match argument.starts_with('/') {
                true => command.arg(format!("{}{argument}", self.url)),
                false => command.arg(argument),
            };
        }
        let output = command.output().expect("curl starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // The head of the last answer, where one led to the next.
        let (mut head, mut body) = (String::new(), text.as_str());
        while let Some((first, rest)) =
            body.split_once("\r\n\r\n").filter(|_| body.starts_with("HTTP/"))
        {
            (head, body) = (first.to_owned(), rest);
        }
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        Answer { status, head, body: body.to_owned() }
    }

    /// Sends a form of this page with what the page itself put into it.
    pub(super) fn send(&self, page: &str, fields: &[(&str, &str)]) -> Answer {
        self.order(page, page, fields)
    }

    /// The same to another address.
    pub(super) fn order(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = self.ask(&[page]).body;
        let csrf =
            form.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let mut arguments =
            vec!["--data-urlencode".to_owned(), format!("csrf={}", csrf.unwrap_or("none"))];
        for (name, value) in fields {
            arguments.extend(["--data-urlencode".to_owned(), format!("{name}={value}")]);
        }
        arguments.push(path.to_owned());
        self.ask(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(super) fn set_up(&self, token: &str) -> Answer {
        let fields =
            [("token", token), ("name", "anna"), ("password", PASSWORD), ("again", PASSWORD)];
        self.send("/set-up", &fields)
    }

    pub(super) fn sign_in(&self, name: &str, password: &str) -> Answer {
        let _ = fs::remove_file(&self.jar);
        self.send("/sign-in", &[("name", name), ("password", password)])
    }

    /// The certificate that it shows, as a fingerprint of some kind.
    pub(super) fn certificate(&self) -> String {
        let mut command = self.curl();
        command.args(["--output", "/dev/null", "--write-out", "%{certs}", &self.url]);
        let output = command.output().expect("curl starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

//! Two machines with a disk each, their cables, a client and a server.

mod files;
#[path = "../../pair/support/inside.rs"]
mod inside;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use twinwall_core::api::Status;
use twinwall_core::time::Moment;
use twinwall_lab::clock::now;
use twinwall_lab::container::{Container, Ended};
use twinwall_lab::netns::Namespaces;
use twinwall_lab::product::{Seen, guard};
use twinwall_lab::topology::{HaWiring, POWER_GROUP, Topology};
use twinwall_lab::traffic::{Measured, ProbePlan, Probes, Side, Window};
use twinwall_lab::{plan, wait};

pub(crate) use inside::in_lab;

/// Heartbeats each 100 ms.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);
/// What must happen happens within this, however busy the machine.
pub(crate) const BOUND: Duration = Duration::from_secs(30);
/// From the end of one system to the start of the next: firmware and boot loader.
const FIRMWARE: Duration = Duration::from_secs(1);
/// The longest watch of a test.
const LONGEST: Duration = Duration::from_secs(200);
/// Names a Debian system with systemd.
const IMAGE: &str = "TWINWALL_IMAGE";
/// Names the package to be tested.
const PACKAGE: &str = "TWINWALL_PACKAGE";
/// Where the package lies on each machine.
pub(crate) const DEB: &str = "/var/tmp/twinwall.deb";

/// Both machines and what is around them.
pub(crate) struct Site {
    pub(crate) topology: Topology,
    pub(crate) nodes: [Container; 2],
}

impl Site {
    /// Two Debian gateways with power, own addresses and a packet filter; the package lies
    /// on their disks, not installed.
    pub(crate) fn of_debian() -> Site {
        let topology = Topology::build(HaWiring::Direct, plan::lan_prefix(0)).unwrap();
        let image = named(IMAGE);
        let nodes = [plan::GATEWAY_A, plan::GATEWAY_B]
            .map(|name| Container::new(name, &image).unwrap_or_else(|error| panic!("{error}")));
        let mut site = Site { topology, nodes };
        for node in 0..2 {
            site.furnish(node);
        }
        site
    }

    /// A gateway as Debian and its administrator make it; the package lies there.
    fn furnish(&mut self, node: usize) {
        self.write(node, files::of_debian(node));
        std::fs::copy(named(PACKAGE), self.nodes[node].path(DEB)).unwrap();
        self.power_on(node);
    }

    /// A new unit in the place of one that has no power, with the package installed.
    pub(crate) fn new_unit(&mut self, node: usize) {
        self.nodes[node].replace(&named(IMAGE)).unwrap();
        self.furnish(node);
        self.topology.gateways[node].links.set_group(POWER_GROUP, true).unwrap();
        self.run(node, &format!("dpkg --install {DEB}"));
    }

    /// The same with the package installed and made a pair by commands: it serves, the first
    /// machine is active, and the configuration is the same on both.
    pub(crate) fn with_pair() -> Site {
        let site = Site::of_debian();
        for node in 0..2 {
            site.run(node, &format!("dpkg --install {DEB}"));
        }
        site.set_up_by_commands();
        site
    }

    /// As README says for two real machines.
    pub(crate) fn set_up_by_commands(&self) {
        let code = self.code_of(0, "invite --interface ha0");
        self.run(1, &format!("twinwall pair join {code}"));
        // Whoever invites sees it end on the first node, too, before going on there.
        self.until("the end of the invitation", || {
            let said = std::fs::read_to_string(self.nodes[0].path("var/tmp/invite"));
            let said = said.unwrap_or_default();
            if said.contains("Paired with") { Ok(()) } else { Err(said) }
        });
        self.run(0, &format!("twinwall ha set {}", files::changes().join(" ")));
        self.run(0, "twinwall ha enable");
        assert_eq!(self.settle(), 0, "the node where it was turned on: {}", self.story());
        self.await_in_sync();
    }

    /// Begins `twinwall pair WORDS` on a node, which goes on; the code that it shows.
    pub(crate) fn code_of(&self, node: usize, words: &str) -> String {
        let said = format!("var/tmp/{}", words.split(' ').next().unwrap());
        let begin = format!(
            "systemd-run --quiet --property=StandardOutput=file:/{said} twinwall pair {words}"
        );
        self.run(node, &begin);
        self.until("a code", || {
            let said = std::fs::read_to_string(self.nodes[node].path(&said)).unwrap_or_default();
            let code = said.lines().find_map(|line| line.strip_prefix("Code: "));
            code.map(|code| code.trim().to_owned()).ok_or(said.clone())
        })
    }

    /// Waits until the whole configuration is the same on both.
    pub(crate) fn await_in_sync(&self) {
        self.until("all sections in sync", || {
            let both = [self.sync(0)?, self.sync(1)?];
            let good = both.iter().all(|sync| sync["verdict"] == "in_sync");
            if good { Ok(()) } else { Err(format!("{both:?}")) }
        });
    }

    /// Writes the settings on both, carries the key over, starts the guards.
    pub(crate) fn set_up_from_files(&self) {
        for node in 0..2 {
            self.write(node, files::of_twinwall(node));
        }
        self.run(0, "twinwall keygen");
        let key = std::fs::read_to_string(self.nodes[0].path("etc/twinwall/pair.key")).unwrap();
        self.nodes[1].write("etc/twinwall/pair.key", &key, 0o600).unwrap();
        for node in 0..2 {
            self.run(node, "twinwall check");
            self.run(node, "systemctl enable --now twinwall-guard");
        }
    }

    /// How the configuration stands, by `twinwall sync`.
    pub(crate) fn sync(&self, node: usize) -> Result<Value, String> {
        let text = self.nodes[node].run("twinwall sync --json").map_err(|e| e.to_string())?;
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }

    /// Waits until both nodes say that a section is as wanted.
    pub(crate) fn await_section(&self, section: &str, wanted: &str) {
        self.until(&format!("{section} is {wanted}"), || {
            let both = [self.sync(0)?, self.sync(1)?];
            let state = |sync: &Value| {
                let sections = sync["sections"].as_array().cloned().unwrap_or_default();
                sections.into_iter().find(|view| view["section"] == section).unwrap_or_default()
            };
            let states = both.each_ref().map(state);
            let good = states.iter().all(|view| view["state"] == wanted);
            if good { Ok(()) } else { Err(format!("{states:?}")) }
        });
    }

    pub(crate) fn write(&self, node: usize, files: Vec<(String, String, u32)>) {
        for (path, text, mode) in files {
            self.nodes[node].write(&path, &text, mode).unwrap();
        }
    }

    /// Switches a machine on, with a kernel that knows nothing, and waits for its boot.
    pub(crate) fn power_on(&mut self, node: usize) {
        self.topology.gateways[node].forget_kernel_state().unwrap();
        self.nodes[node].power_on().unwrap_or_else(|error| panic!("{error}"));
        let state = self.run(node, "systemctl is-system-running || systemctl --failed");
        assert_eq!(state.trim(), "running", "{}", self.nodes[node].journal(None));
    }

    /// After an order to reboot: waits for the shutdown, then lets it boot.
    pub(crate) fn see_reboot(&mut self, node: usize) {
        let ended = self.nodes[node].await_end();
        assert_eq!(ended.unwrap_or_else(|error| panic!("{error}")), Ended::Reboot);
        self.topology.gateways[node].links.set_group(POWER_GROUP, false).unwrap();
        std::thread::sleep(FIRMWARE);
        self.power_on(node);
    }

    /// Takes a machine's power away; its cables lose their carrier with it.
    pub(crate) fn cut_power(&mut self, node: usize) {
        self.topology.gateways[node].links.set_group(POWER_GROUP, false).unwrap();
        self.nodes[node].cut_power().unwrap();
    }

    /// Runs a line of shell on a machine; it must succeed.
    pub(crate) fn run(&self, node: usize, line: &str) -> String {
        match self.nodes[node].run(line) {
            Ok(said) => said,
            Err(error) => panic!("{error}\n{}", self.story()),
        }
    }

    /// What `twinwall status` says, where a guard answers.
    pub(crate) fn status(&self, node: usize) -> Result<Status, String> {
        let text = self.nodes[node].run("twinwall status --json").map_err(|e| e.to_string())?;
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }

    /// Waits until one node is active and the other would take over; which one is active.
    pub(crate) fn settle(&self) -> usize {
        self.until("one active and one ready node", || {
            match [0, 1].map(|node| self.status(node).map(|status| guard::seen(&status))) {
                [Ok(Seen::Active), Ok(Seen::Ready)] => Ok(0),
                [Ok(Seen::Ready), Ok(Seen::Active)] => Ok(1),
                seen => Err(format!("{seen:?}")),
            }
        })
    }

    /// Waits until `look` is content.
    pub(crate) fn until<T>(&self, what: &str, look: impl FnMut() -> Result<T, String>) -> T {
        match wait::until(what, BOUND, look) {
            Ok(found) => found,
            Err(error) => panic!("{error}\n{}", self.story()),
        }
    }

    /// Waits until the client reaches the server through the pair, by both families.
    pub(crate) fn await_traffic(&self) {
        for server in [plan::SERVER_IP, plan::SERVER_IP6] {
            let words = ["-n", "-c1", "-W1", &server.to_string()];
            self.until(&format!("the client reaches {server}"), || {
                let ping = self.topology.client.command("ping", &words, String::new());
                ping.map(|_| ()).map_err(|error| error.to_string())
            });
        }
    }

    /// Begins to send traffic through the pair, which must serve already.
    pub(crate) fn watch(&self) -> Watch {
        self.await_traffic();
        let order = ProbePlan {
            rate_per_s: 200,
            pings: Vec::new(),
            resolve: vec![(Side::Client, plan::LAN_VIP), (Side::Server, plan::WAN_VIP)],
            resolve_every: Duration::from_millis(20),
            tcp: None,
            longest: LONGEST,
            ..ProbePlan::default()
        };
        let hosts = Namespaces {
            client: self.topology.client.namespace().clone(),
            server: self.topology.server.namespace().clone(),
        };
        Watch { probes: Probes::start(&order, &hosts).unwrap(), from: now() }
    }

    /// The journals of both machines, for the words of a failed test.
    pub(crate) fn story(&self) -> String {
        let one = |node: &Container| format!("== {}\n{}", node.name(), node.journal(None));
        self.nodes.iter().map(one).collect()
    }
}

/// Traffic, and questions for the VIPs, from both sides.
pub(crate) struct Watch {
    probes: Probes,
    from: Moment,
}

impl Watch {
    /// Ends the watch: what was seen. Two nodes that answered fail the test.
    pub(crate) fn end(self, site: &Site) -> Measured {
        let window = Window { quiet_from: self.from, fault: self.from, until: now() };
        let measured = self.probes.measure(&window).unwrap();
        assert_eq!(measured.two_answer, Duration::ZERO, "{measured:#?}\n{}", site.story());
        assert!(measured.sent > 0, "nothing was sent: {measured:#?}");
        measured
    }
}

fn named(variable: &str) -> PathBuf {
    std::env::var_os(variable).map(PathBuf::from).unwrap_or_else(|| {
        panic!("{variable} is not set: run these tests by `cargo xtask machines`, which makes it")
    })
}

//! A pair for one test, and what an outsider sees of it.

mod inside;
mod watch;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use twinwall_core::api::{Answer, Request, Status};
use twinwall_core::beat::RoleWord;
use twinwall_core::event::{Fact, Order};
use twinwall_core::time::Moment;
use twinwall_lab::clock::now;
use twinwall_lab::lab::{Form, HaForm, Lab};
use twinwall_lab::process::signal_all;
use twinwall_lab::product::{Duties, Flows, Product};
use twinwall_lab::timeline::{Entry, Source, role_changes};
use twinwall_lab::worker::Worker;
use twinwall_lab::{plan, wait};

pub(crate) use inside::in_lab;
pub(crate) use watch::Watch;

/// What must happen happens within this, however busy the machine.
pub(crate) const BOUND: Duration = Duration::from_secs(12);
/// Heartbeats each 100 ms: the peer is silent after 300 ms.
pub(crate) const DETECTION: Duration = Duration::from_millis(300);
/// The addresses that follow the active.
pub(crate) const VIPS: [IpAddr; 4] = [plan::LAN_VIP, plan::LAN_VIP6, plan::WAN_VIP, plan::WAN_VIP6];
/// Interfaces with addresses of the pair.
const SERVICE: [&str; 2] = [plan::LAN, plan::WAN];

/// One node's files, before it boots.
pub(crate) struct Files {
    /// `node.toml`.
    pub(crate) node: String,
    /// `pair.toml`.
    pub(crate) pair: String,
    /// `pair.key`.
    pub(crate) key: String,
}

/// Two gateways, their switches, a client and a server.
pub(crate) struct Pair {
    /// The lab that they are in.
    pub(crate) lab: Lab,
}

impl Pair {
    /// A pair with its HA link through a switch; both have booted.
    pub(crate) fn boot() -> Pair {
        Pair::boot_with(|_, _| {})
    }

    /// The same with files changed before the boot.
    pub(crate) fn boot_with(change: impl Fn(usize, &mut Files)) -> Pair {
        Pair::without_power(change).booted()
    }

    /// A pair whose HA ports are wired like this; both have booted.
    pub(crate) fn boot_wired(ha: HaForm) -> Pair {
        Pair::assembled(ha).booted()
    }

    /// The same before anything runs.
    pub(crate) fn without_power(change: impl Fn(usize, &mut Files)) -> Pair {
        let pair = Pair::assembled(HaForm::Switched);
        for node in 0..2 {
            pair.rewrite(node, |files| change(node, files));
        }
        pair
    }

    fn assembled(ha: HaForm) -> Pair {
        let form = Form {
            product: Product::Twinwall,
            program: guard_program(),
            twinwall: None,
            consoles: None,
            interval: DETECTION / 3,
            ha,
            further_vips: 0,
            nat: false,
            flows: Flows::Ignored,
            duties: Duties::None,
        };
        Pair { lab: Lab::assemble(form).unwrap() }
    }

    fn booted(mut self) -> Pair {
        for gateway in &mut self.lab.gateways {
            gateway.boot().unwrap();
        }
        self
    }

    /// Changes the files of a node.
    pub(crate) fn rewrite(&self, node: usize, change: impl FnOnce(&mut Files)) {
        let place = |name: &str| self.tree(node).join("etc/twinwall").join(name);
        let read = |name| std::fs::read_to_string(place(name)).unwrap();
        let mut files =
            Files { node: read("node.toml"), pair: read("pair.toml"), key: read("pair.key") };
        change(&mut files);
        for (name, text) in
            [("node.toml", files.node), ("pair.toml", files.pair), ("pair.key", files.key)]
        {
            std::fs::write(place(name), text).unwrap();
        }
    }

    fn tree(&self, node: usize) -> PathBuf {
        self.lab.gateways[node].tree().to_owned()
    }

    /// Waits for one active and one ready node; which one is active.
    pub(crate) fn settle(&mut self) -> usize {
        match self.lab.settle() {
            Ok(active) => active,
            Err(error) => panic!("{error}\n{}", self.story()),
        }
    }

    /// The machine of a node.
    pub(crate) fn machine(&self, node: usize) -> &Worker {
        &self.lab.gateways[node].machine.worker
    }

    /// Runs a program on a node.
    pub(crate) fn run(&self, node: usize, program: &str, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.machine(node).command(program, &words, String::new()).unwrap()
    }

    /// The node's status.
    pub(crate) fn status(&self, node: usize) -> Status {
        self.lab.gateways[node].guard().status().unwrap()
    }

    /// Its role, where its guard answers.
    pub(crate) fn role(&self, node: usize) -> Option<RoleWord> {
        let status = self.lab.gateways[node].guard().status();
        status.ok().map(|status| status.snapshot.role.role)
    }

    /// Waits until the node has this role.
    pub(crate) fn await_role(&self, node: usize, wanted: RoleWord) {
        self.until(&format!("node {node} is {}", wanted.word()), || {
            let role = self.role(node);
            if role == Some(wanted) { Ok(()) } else { Err(format!("{role:?}")) }
        });
    }

    /// Waits until `look` is content.
    pub(crate) fn until<T>(&self, what: &str, look: impl FnMut() -> Result<T, String>) -> T {
        match wait::until(what, BOUND, look) {
            Ok(found) => found,
            Err(error) => panic!("{error}\n{}", self.story()),
        }
    }

    /// Waits until a node's status is as wanted.
    pub(crate) fn await_status(
        &self,
        node: usize,
        what: &str,
        good: impl Fn(&Status) -> bool,
    ) -> Status {
        self.until(what, || {
            let status = self.lab.gateways[node].guard().status();
            let status = status.map_err(|error| error.to_string())?;
            if good(&status) { Ok(status) } else { Err(format!("{:?}", status.snapshot.own)) }
        })
    }

    /// The VIPs that a node's kernel has, by `ip`.
    pub(crate) fn vips(&self, node: usize) -> BTreeSet<IpAddr> {
        let all = self.addresses(node);
        VIPS.into_iter().filter(|vip| all.contains(vip)).collect()
    }

    /// The seconds that a node's VIPs have to live, by `ip`.
    pub(crate) fn left_of_vips(&self, node: usize) -> Vec<u64> {
        let text = self.run(node, "ip", "-o addr");
        let vip = |line: &&str| VIPS.iter().any(|vip| line.contains(&format!(" {vip}/")));
        let left = |line: &str| {
            let valid = line.split("valid_lft ").nth(1)?;
            valid.split("sec").next()?.parse().ok()
        };
        text.lines().filter(vip).filter_map(left).collect()
    }

    /// Every address that a node's kernel has on its service interfaces, by `ip`.
    pub(crate) fn addresses(&self, node: usize) -> BTreeSet<IpAddr> {
        let text = self.run(node, "ip", "-o addr");
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let on_service =
            lines.filter(|words| words.get(1).is_some_and(|name| SERVICE.contains(name)));
        let address = |words: Vec<&str>| words.get(3)?.split('/').next()?.parse().ok();
        on_service.filter_map(address).collect()
    }

    /// Waits until the VIPs are on `node` and nowhere else.
    pub(crate) fn await_vips_on(&self, node: usize) {
        self.until(&format!("all VIPs are on node {node} alone"), || {
            let (here, there) = (self.vips(node), self.vips(1 - node));
            let good = here.len() == VIPS.len() && there.is_empty();
            if good { Ok(()) } else { Err(format!("{here:?} and {there:?}")) }
        });
    }

    /// Whether the client gets an answer from `to`.
    pub(crate) fn client_pings(&self, to: IpAddr) -> bool {
        pings(&self.lab.topology.client, to)
    }

    /// Waits until the client reaches the server through the pair, by both families.
    pub(crate) fn await_traffic(&self) {
        for server in [plan::SERVER_IP, plan::SERVER_IP6] {
            self.until(&format!("the client reaches {server}"), || {
                if self.client_pings(server) { Ok(()) } else { Err("no answer".to_owned()) }
            });
        }
    }

    /// One question on a fresh connection, and its answer.
    pub(crate) fn ask(&self, node: usize, request: &Request) -> Answer {
        let mut talk = self.connect(node);
        talk.say(&serde_json::to_string(request).unwrap());
        talk.hear().unwrap()
    }

    /// Gives an order.
    pub(crate) fn order(&self, node: usize, order: Order) -> Answer {
        self.ask(node, &Request::Order { order })
    }

    /// States a fact.
    pub(crate) fn fact(&self, node: usize, name: &str, good: bool, holds: Duration) {
        let reason = if good { String::new() } else { "it is broken".to_owned() };
        let fact = Fact { name: name.to_owned(), good, reason, holds };
        assert_eq!(self.ask(node, &Request::Fact { fact }), Answer::Done);
    }

    /// Connects to a guard's socket.
    pub(crate) fn connect(&self, node: usize) -> Talk {
        let stream = UnixStream::connect(self.tree(node).join("run/twinwall/guard.sock")).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream.set_write_timeout(Some(BOUND)).unwrap();
        Talk { lines: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    /// Sends a signal to the guard and all of its children.
    pub(crate) fn signal(&self, node: usize, signal: libc::c_int) {
        signal_all(&self.lab.gateways[node].pids(), signal);
    }

    /// Kills the guard; it stays dead.
    pub(crate) fn kill(&mut self, node: usize) {
        let pids = self.lab.gateways[node].pids();
        signal_all(&pids, libc::SIGKILL);
        self.lab.gateways[node].bury(&pids).unwrap();
    }

    /// What a node has said since `from`.
    pub(crate) fn events(&self, node: usize, from: Moment) -> Vec<Entry> {
        let mut all = self.lab.timeline.between(from, now());
        all.retain(|entry| entry.source == Source::node(node));
        all
    }

    /// Waits until a node says something with `words` in it.
    pub(crate) fn await_event(&self, node: usize, from: Moment, words: &str) -> Entry {
        self.until(&format!("node {node} says '{words}'"), || {
            let mut all = self.events(node, from).into_iter();
            all.find(|entry| entry.text.contains(words)).ok_or_else(|| "nothing of it".to_owned())
        })
    }

    /// How often any node became active or ceased to be since `from`.
    pub(crate) fn role_changes(&self, from: Moment) -> u32 {
        role_changes(&self.lab.timeline.between(from, now()))
    }

    /// Everything that both nodes said, for the words of a failed test.
    pub(crate) fn story(&self) -> String {
        let line = |entry: &Entry| {
            let seconds = entry.at.as_nanos() as f64 / 1e9;
            format!("{seconds:.3} {} {}\n", entry.source.name(), entry.text)
        };
        self.lab.timeline.between(Moment::ZERO, now()).iter().map(line).collect()
    }
}

/// A conversation with a guard.
pub(crate) struct Talk {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl Talk {
    /// Says a line. That the guard has hung up shows when it is to be heard.
    pub(crate) fn say(&mut self, line: &str) {
        match self.stream.write_all(format!("{line}\n").as_bytes()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            written => written.unwrap(),
        }
    }

    /// The next answer; nothing when the guard has hung up.
    pub(crate) fn hear(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.lines.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }
}

impl Talk {
    /// The next whole answer; nothing when the guard has hung up, be it in the middle of one.
    pub(crate) fn try_hear(&mut self) -> Option<Answer> {
        let mut line = String::new();
        self.lines.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }
}

/// Whether `machine` gets an answer from `to` within a second.
pub(crate) fn pings(machine: &Worker, to: IpAddr) -> bool {
    machine.command("ping", &["-n", "-c1", "-W1", &to.to_string()], String::new()).is_ok()
}

/// A node's own addresses on the LAN, IPv4 and IPv6.
pub(crate) fn own_lan(node: usize) -> [IpAddr; 2] {
    let [_, (_, lan), _] = plan::own_addresses(node, plan::lan_prefix(0));
    let address = |text: &String| text.split('/').next().unwrap().parse().unwrap();
    [address(&lan[0]), address(&lan[1])]
}

/// The guard beside the folder of this test's binary.
fn guard_program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let program = own.ancestors().nth(2).unwrap().join("twinwall-guard");
    assert!(program.exists(), "{}: build the guard first", program.display());
    program
}

/// Waits, where the claim is that nothing happens meanwhile.
pub(crate) fn let_pass(span: Duration) {
    std::thread::sleep(span);
}

//! Two namespaces with cables called `ha0` and `lan` at both ends, and the programs in them.
//! All of it goes when the test ends, also after a failure.

use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;
use twinwall::agent::identity::Identity;
use twinwall::agent::identity::peer::{Peer, write_peer};
use twinwall_lab::isolate::TREES;

/// A profile of this name with these sections, for nodes that all tell the same of themselves.
macro_rules! profile {
    ($name:literal, $sections:literal) => {
        concat!(
            "format = 1\nname = \"",
            $name,
            "\"\n[appliance]\nmodel = { file = \"/etc/model\" }\n\
             serial = { file = \"/etc/serial\" }\nfirmware = { file = \"/etc/firmware\" }\n",
            $sections
        )
    };
}
pub(crate) use profile;

/// Generous: the machine may be busy.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// One appliance.
pub(crate) struct Node {
    namespace: String,
    pub(crate) root: PathBuf,
    agent: Option<Child>,
    pub(crate) profile: &'static str,
    /// Its pair.toml, once it is paired by files.
    pair: &'static str,
    /// Whether a guard runs beside the agent.
    guarded: bool,
    /// Whether a console does.
    console: bool,
}

/// Two of them.
pub(crate) struct Two {
    pub(crate) a: Node,
    pub(crate) b: Node,
}

impl Two {
    /// Two nodes that know nothing of each other, with a cable between them.
    pub(crate) fn cabled() -> Two {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tw{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let two = Two { a: Node::new(&format!("{name}a")), b: Node::new(&format!("{name}b")) };
        let (a, b) = (&two.a.namespace, &two.b.namespace);
        for link in ["ha0", "lan"] {
            ip(&[
                "link", "add", link, "netns", a, "type", "veth", "peer", "name", link, "netns", b,
            ]);
        }
        for node in [a, b] {
            for link in ["lo", "ha0", "lan"] {
                ip(&["-n", node, "link", "set", link, "up"]);
            }
        }
        two
    }

    /// The same, paired by files; agents run.
    pub(crate) fn paired() -> Two {
        Two::paired_by(PROFILE)
    }

    /// The same with another profile.
    pub(crate) fn paired_by(profile: &'static str) -> Two {
        Two::paired_as(profile, false)
    }

    /// The same with guards, so that one of them becomes active.
    pub(crate) fn guarded_by(profile: &'static str) -> Two {
        let guard = Path::new(env!("CARGO_BIN_EXE_twinwall")).with_file_name("twinwall-guard");
        assert!(guard.exists(), "no {}: cargo build -p twinwall-guard", guard.display());
        Two::paired_as(profile, true)
    }

    fn paired_as(profile: &'static str, guarded: bool) -> Two {
        let mut two = Two::cabled();
        (two.a.profile, two.b.profile) = (profile, profile);
        (two.a.guarded, two.b.guarded) = (guarded, guarded);
        two.pair_by_files(true);
        two
    }

    /// Pairs two that run no agent yet, and starts their agents. The primary has the history,
    /// and dials.
    pub(crate) fn pair_by_files(&mut self, a_is_primary: bool) {
        let two = self;
        let key = "key of the pair 0123456789abcdef".bytes();
        let key: String = key.map(|byte| format!("{byte:02x}")).collect();
        let own = |node: &Node| Identity::load_or_create(&node.root).expect("an identity");
        let (a, b) = (own(&two.a), own(&two.b));
        write_peer(&two.a.root, &Peer::of(b.certificate().clone())).expect("written");
        write_peer(&two.b.root, &Peer::of(a.certificate().clone())).expect("written");
        for (node, name) in [(&two.a, "gw-a"), (&two.b, "gw-b")] {
            node.write("etc/twinwall/pair.key", &key);
            node.write("etc/twinwall/pair.toml", node.pair);
            let is_primary = (name == "gw-a") == a_is_primary;
            let designation = if is_primary { "primary" } else { "secondary" };
            let web = if node.console { "[web]\nlisten = \"[::]:8443\"\n" } else { "" };
            let text = format!("name = \"{name}\"\ndesignation = \"{designation}\"\n{web}");
            node.write("etc/twinwall/node.toml", &text);
        }
        let marks = r#"{"lineage":"00000000000000000000000000000001"}"#;
        let primary = if a_is_primary { &two.a } else { &two.b };
        primary.write("var/lib/twinwall/sync.json", marks);
        two.a.start();
        two.b.start();
    }
}

/// Two sections of plain files: what runs here in the place of services is not this
/// machine's business.
const PROFILE: &str = profile!(
    "test",
    "[section.definitions]\npaths = [\"/etc/ethers\"]\ntranslate = [\"/etc/ethers\"]\n\
    [section.support]\npaths = [\"/etc/motd\"]\ntranslate = [\"/etc/motd\"]\n"
);

pub(crate) const PAIR: &str = "pair_id = 7\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\n\
    primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n";

/// Starts what follows as the first process of its own: everything ends with it.
const ENDING_TOGETHER: [&str; 5] = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

impl Node {
    fn new(namespace: &str) -> Node {
        ip(&["netns", "add", namespace]);
        let root = Path::new(TREES).join(namespace);
        let node = Node {
            namespace: namespace.to_owned(),
            root,
            agent: None,
            profile: PROFILE,
            pair: PAIR,
            guarded: false,
            console: false,
        };
        for below in ["etc/twinwall", "run/twinwall", "var/lib/twinwall"] {
            fs::create_dir_all(node.path(below)).expect("made");
        }
        node
    }

    /// With a guard, once it starts, and these settings.
    pub(crate) fn with_guard(&mut self, profile: &'static str, pair: &'static str) {
        (self.profile, self.pair, self.guarded) = (profile, pair, true);
    }

    /// With a guard and a console, once it starts.
    pub(crate) fn with_console(&mut self, profile: &'static str) {
        (self.profile, self.guarded, self.console) = (profile, true, true);
    }

    /// Runs `twinwall` with a line on its standard input; it must succeed.
    pub(crate) fn typed(&self, arguments: &[&str], line: &str) {
        let mut child = self
            .inside()
            .args(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(format!("{line}\n").as_bytes()).expect("typed");
        drop(input);
        assert!(child.wait().expect("it ends").success(), "{arguments:?}");
    }

    /// The agent's process.
    pub(crate) fn agent_id(&self) -> u32 {
        self.agent.as_ref().expect("an agent runs").id()
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    pub(crate) fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, text).expect("written");
        let secret = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        if path.extension().is_some_and(|it| it == "key") {
            fs::set_permissions(path, secret).expect("made secret");
        }
    }

    pub(crate) fn text(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_default()
    }

    /// The agent in the node's namespace; it answers when this returns.
    pub(crate) fn start(&mut self) {
        self.write("etc/twinwall/profile.toml", self.profile);
        let log = fs::File::create(self.path("agent.log")).expect("a log");
        let mut command = match self.guarded {
            true => self.inside_by(&ENDING_TOGETHER),
            false => self.inside(),
        };
        command.arg(if self.guarded { "run" } else { "agent" });
        command.stderr(log).stdout(Stdio::null());
        self.agent = Some(command.spawn().expect("the agent starts"));
        let socket = self.path("run/twinwall/agent.sock");
        wait("the agent answers", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    }

    /// Kills the agent, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.kill();
            let _ = agent.wait();
            if self.guarded {
                // What it started dies with it, a moment later.
                let socket = self.path("run/twinwall/guard.sock");
                let is_gone = || std::os::unix::net::UnixStream::connect(&socket).is_err();
                wait("the guard is gone", is_gone);
            }
        }
    }

    /// Runs `twinwall` with these arguments to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.inside().args(arguments).output().expect("the program starts");
        Ran::of(&output)
    }

    /// The same, and it must succeed.
    pub(crate) fn good(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}\n{}", self.text("agent.log"));
        ran.out
    }

    /// Begins `twinwall` with these arguments; all that it says goes into `log`.
    pub(crate) fn begin(&self, arguments: &[&str], log: &Path) -> Begun {
        let file = fs::File::create(log).expect("a log");
        let errors = file.try_clone().expect("a log");
        let mut command = self.inside();
        let child = command.args(arguments).stdout(file).stderr(errors).spawn();
        Begun(child.expect("the program starts"))
    }

    /// Another machine on the same cable: nothing of the old one is left.
    pub(crate) fn reborn(&mut self, name: &str) {
        self.kill();
        fs::remove_dir_all(&self.root).expect("removed");
        for below in ["etc/twinwall", "run/twinwall", "var/lib/twinwall"] {
            fs::create_dir_all(self.path(below)).expect("made");
        }
        let text = format!("name = \"{name}\"\ndesignation = \"primary\"\n");
        self.write("etc/twinwall/node.toml", &text);
    }

    /// `twinwall`, in the namespace and on the root of this node.
    fn inside(&self) -> Command {
        self.inside_by(&[])
    }

    /// The same, started by another program.
    fn inside_by(&self, starter: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).args(starter);
        command.arg(env!("CARGO_BIN_EXE_twinwall"));
        command.arg("--root").arg(&self.root).stdin(Stdio::null());
        command
    }

    /// Sets the end of the cable up or down.
    pub(crate) fn cable(&self, state: &str) {
        ip(&["-n", &self.namespace, "link", "set", "ha0", state]);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// A command that goes on; it ends with this value.
pub(crate) struct Begun(Child);

impl Begun {
    /// Waits for its end.
    pub(crate) fn ended_well(mut self) -> bool {
        self.0.wait().expect("it ends").success()
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: &Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// What the node's guard says; nothing where it does not.
pub(crate) fn status(node: &Node) -> Value {
    serde_json::from_str(&node.run(&["status", "--json"]).out).unwrap_or_default()
}

/// Whether the passive could take the role this moment, by its own guard and by what the active's
/// has heard. What a guard was never told of, it holds nothing against: so its agent must have said
/// that the configuration is here, which an agent that is killed too early has not.
pub(crate) fn is_able_beside(passive: &Node, active: &Node) -> bool {
    let (own, seen) = (status(passive)["own"].clone(), status(active)["peer"]["fitness"].clone());
    let has_all = |check: &Value| check["name"] == "synchronised" && check["good"] == true;
    let flaws = ["check_failed", "never_synchronised", "maintenance", "unready", "behind"];
    let is_fit = |fitness: &Value| flaws.iter().all(|flaw| fitness[*flaw] == false);
    own["checks"].as_array().is_some_and(|checks| checks.iter().any(has_all))
        && is_fit(&own["fitness"])
        && is_fit(&seen)
}

/// Waits until it is so.
pub(crate) fn wait(what: &str, good: impl FnMut() -> bool) {
    wait_telling(what, good, String::new);
}

/// The same; says what there is when it is not so in time.
pub(crate) fn wait_telling(what: &str, mut good: impl FnMut() -> bool, told: impl Fn() -> String) {
    let began = Instant::now();
    while !good() {
        if began.elapsed() > SOON {
            panic!("{what}: not within {} s\n{}", SOON.as_secs(), told());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().expect("ip starts");
    assert!(status.success(), "ip {}", arguments.join(" "));
}

/// Runs this on a thread in the namespace, for sockets that are to be there.
pub(crate) fn within<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    let path = Path::new("/run/netns").join(namespace);
    let inside = || {
        let namespace = fs::File::open(path).expect("the namespace is there");
        let network = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), network).expect("entered");
        work()
    };
    std::thread::scope(|scope| scope.spawn(inside).join().expect("no panic"))
}

/// Whether a file is there.
pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

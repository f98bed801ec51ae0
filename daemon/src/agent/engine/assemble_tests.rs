//! Two whole engines with real files, real stores and the real channel on the loopback
//! interface. Sections are changed by the writer alone, without a journal.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::Ordering;

use super::*;
use crate::agent::channel::LinkConfig;
use crate::agent::engine::message::Phase;
use crate::agent::engine::overview::{Overview, SectionState, SectionView};
use crate::agent::engine::standing::Direction;
use crate::agent::engine::state::Order;
use crate::agent::engine::work::{COLLECT_AFTER, Changing};
use crate::agent::identity::Identity;
use crate::agent::profile::parse_profile;
use crate::agent::store::{Lineage, Retention};
use crate::agent::tree::{Ground, materialise};

/// Generous: the machine may be busy.
const SOON: Duration = Duration::from_secs(30);

const PROFILE: &str = "format = 1\nname = \"test\"\n[appliance]\n\
    model = { file = \"/etc/model\" }\nserial = { file = \"/etc/serial\" }\n\
    firmware = { file = \"/etc/firmware\" }\n\
    [section.firewall]\npaths = [\"/etc/fw\"]\ngroup = \"filter\"\n\
    [section.definitions]\npaths = [\"/etc/defs\"]\ngroup = \"filter\"\n\
    [section.vpn]\npaths = [\"/etc/vpn\"]\nnode_local = [\"/etc/vpn/node-*\"]\n";

struct Node {
    root: PathBuf,
    running: Option<Running>,
    _link: Arc<Link>,
}

impl Node {
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).expect("written");
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    fn engine(&self) -> &Engine {
        self.running.as_ref().expect("it runs").engine()
    }

    /// Waits for an overview.
    fn wait(&self, what: &str, good: impl Fn(&Overview) -> bool) -> Overview {
        let began = Instant::now();
        loop {
            let overview = self.engine().overview();
            if good(&overview) {
                return overview;
            }
            assert!(began.elapsed() < SOON, "{what}: {overview:#?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn in_sync(&self) {
        self.wait("in sync", |it| it.verdict == SectionState::InSync && it.job.is_none());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.running.take());
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The writer alone; a file called `broken` in a section fails it, as a validator would.
fn writer(root: &Path, store: &Arc<Store>) -> Box<Apply> {
    let (root, store) = (root.to_owned(), Arc::clone(store));
    Box::new(move |changing: &[Changing], step: &mut dyn FnMut(Section, Phase)| {
        let profile = parse_profile("test", PROFILE).map_err(|_| "a bad profile".to_owned())?;
        let (root, staging) =
            (Root::open(&root).map_err(|error| error.to_string())?, root.join("staging"));
        let scopes = scopes(&profile).map_err(|error| error.to_string())?;
        let broken =
            |it: &Changing| it.to.iter().any(|(path, _)| path.as_bytes().ends_with(b"/broken"));
        if changing.iter().any(broken) {
            return Err("the validator said no".to_owned().into());
        }
        for one in changing {
            step(one.section, Phase::Applying);
            let translator = Translator::default();
            let ground =
                Ground { root: &root, scope: &scopes[&one.section], translator: &translator };
            let _ = fs::remove_dir_all(&staging);
            fs::create_dir(&staging).map_err(|error| error.to_string())?;
            let contents = |digest: &_| store.read(digest).map_err(io::Error::other);
            materialise(ground, &one.from, &one.to, &contents, &staging)
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}

struct Pair {
    nodes: [Node; 2],
    runtime: tokio::runtime::Runtime,
}

fn pair(name: &str, port: u16, automatic: bool) -> Pair {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let make = || Identity::generate().expect("an identity");
    let ids = [make(), make()];
    let certificates = [ids[0].certificate().clone(), ids[1].certificate().clone()];
    let mut at = 0;
    let nodes = ids.map(|identity| {
        let node =
            node(name, at, identity, certificates[1 - at].clone(), port, automatic, &runtime);
        at += 1;
        node
    });
    Pair { nodes, runtime }
}

fn node(
    name: &str,
    at: usize,
    identity: Identity,
    peer: crate::agent::identity::Certificate,
    port: u16,
    automatic: bool,
    runtime: &tokio::runtime::Runtime,
) -> Node {
    let root =
        std::env::temp_dir().join(format!("twinwall-pair-{name}-{at}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    for directory in ["etc/fw", "etc/defs", "etc/vpn"] {
        fs::create_dir_all(root.join(directory)).expect("made");
        fs::write(root.join(directory).join("a"), format!("of node {at}")).expect("written");
    }
    fs::write(root.join("etc/vpn/node-key"), format!("key of node {at}")).expect("written");
    let rules = Rules { paired: true, enabled: true, automatic, debounce: Duration::ZERO };
    let store = Arc::new(Store::open(&root.join(STORE)).expect("a store").0);
    let mut running = start(Parts {
        root: root.clone(),
        node: format!("gw-{at}"),
        profile: parse_profile("test", PROFILE).expect("a good profile"),
        translator: Translator::default(),
        rules,
        apply: writer(&root, &store),
        store,
        calls: Calls::default(),
    })
    .expect("the engine starts");
    let (sender, addresses) = watch::channel(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]);
    std::mem::forget(sender);
    let _inside = runtime.enter();
    let link = Link::open(LinkConfig {
        identity,
        peer: crate::agent::identity::peer::Peer::of(peer),
        dials: at == 0,
        node: format!("gw-{at}"),
        interface: "lo".to_owned(),
        port,
        addresses,
    });
    let link = Arc::new(link.expect("the link opens"));
    running.attach(&link, runtime.handle()).expect("attached");
    if at == 0 {
        running.engine().tell(Event::Input(Input::Lineage(Some(Lineage(1)))));
    }
    running.engine().tell(Event::Input(Input::Active(Some(at == 0))));
    Node { root, running: Some(running), _link: link }
}

fn port() -> u16 {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    let base = 30_500 + (std::process::id() % 150) as u16 * 10;
    base + NEXT.fetch_add(1, Ordering::Relaxed)
}

fn force(pair: &Pair, at: usize, direction: Direction) -> Result<(), String> {
    let order = Order { direction, sections: Vec::new(), who: "admin".to_owned() };
    let engine = pair.nodes[at].engine().clone();
    pair.runtime.block_on(engine.order(|answer| Event::Order(order, answer)))
}

#[test]
fn a_change_of_a_file_arrives_on_the_other_node_by_itself() {
    let pair = pair("automatic", port(), true);
    let [active, passive] = &pair.nodes;
    active.in_sync();
    passive.in_sync();
    assert_eq!(passive.text("etc/vpn/a"), "of node 0");
    assert_eq!(passive.text("etc/vpn/node-key"), "key of node 1", "each node's own stays");
    active.write("etc/vpn/odd name\n", "new");
    fs::create_dir(active.path("etc/vpn/empty")).expect("made");
    fs::remove_file(active.path("etc/fw/a")).expect("removed");
    passive.wait("the change arrives", |_| {
        passive.text("etc/vpn/odd name\n") == "new"
            && passive.path("etc/vpn/empty").is_dir()
            && !passive.path("etc/fw/a").exists()
    });
    active.in_sync();
    let versions = passive.engine().store().versions(Section::Vpn);
    assert_eq!(versions.last().map(|version| version.who.as_str()), Some("gw-0"));
}

#[test]
fn by_hand_either_direction_and_the_losing_side_is_kept() {
    let pair = pair("manual", port(), false);
    let [active, passive] = &pair.nodes;
    // An order for all takes what differs now: both nodes must have read everything.
    active.wait("both are read", |it| {
        let differs = |view: &&SectionView| view.state == SectionState::NeverSynchronised;
        let known = it.sections.iter().all(|view| view.state != SectionState::Unknown);
        known && it.sections.iter().filter(differs).count() == 3
    });
    let refused = force(&pair, 0, Direction::Pull).expect_err("the other node is blank");
    assert!(refused.contains("blank"), "{refused}");
    force(&pair, 0, Direction::Push).expect("taken");
    active.in_sync();
    passive.in_sync();
    let lost = passive.engine().store().version(Section::Vpn, 1).expect("kept");
    let manifest = passive.engine().store().manifest(&lost.manifest).expect("its manifest");
    assert!(passive.engine().store().missing(&manifest).is_empty());
    passive.write("etc/vpn/a", "by hand on the passive");
    active.wait("it is told", |it| it.verdict == SectionState::OutOfSync);
    force(&pair, 0, Direction::Pull).expect("taken");
    active.in_sync();
    assert_eq!(active.text("etc/vpn/a"), "by hand on the passive");
}

#[test]
fn what_fails_fails_whole_and_alone_and_both_nodes_say_so() {
    let pair = pair("failing", port(), true);
    let [active, passive] = &pair.nodes;
    active.in_sync();
    passive.in_sync();
    active.write("etc/fw/broken", "");
    active.write("etc/defs/a", "changed together with it");
    active.write("etc/vpn/a", "alone");
    for node in [active, passive] {
        let failed = |it: &Overview| {
            let of = |section| it.sections.iter().find(|view| view.section == section);
            of(Section::Firewall).is_some_and(|view| {
                view.state == SectionState::Failed && view.reason.contains("the validator said no")
            }) && of(Section::Vpn).is_some_and(|view| view.state == SectionState::InSync)
        };
        node.wait("one section failed", failed);
    }
    assert!(!passive.path("etc/fw/broken").exists());
    assert_eq!(passive.text("etc/vpn/a"), "alone");
    fs::remove_file(active.path("etc/fw/broken")).expect("removed");
    active.in_sync();
    assert_eq!(passive.text("etc/defs/a"), "changed together with it");
}

#[test]
fn old_versions_are_removed_and_what_is_there_stays() {
    let pair = pair("collect", 18_861, true);
    let a = &pair.nodes[0];
    let kept = Retention::default().versions;
    let store = Arc::clone(a.engine().store());
    for number in 0..=(kept + COLLECT_AFTER) {
        // Before the write: its version may be there at once.
        let head = store.head(Section::Vpn).map(|version| version.number);
        a.write("etc/vpn/tunnel.conf", &format!("change {number}"));
        a.engine().tell(Event::Changed(Changes::whole([Section::Vpn])));
        let began = Instant::now();
        while store.head(Section::Vpn).map(|version| version.number) == head {
            assert!(began.elapsed() < SOON, "version {number}");
            thread::sleep(Duration::from_millis(1));
        }
    }
    let began = Instant::now();
    while store.versions(Section::Vpn).len() > kept + COLLECT_AFTER / 2 {
        assert!(began.elapsed() < SOON, "{} versions", store.versions(Section::Vpn).len());
        thread::sleep(Duration::from_millis(10));
    }
    let head = store.head(Section::Vpn).expect("a version");
    assert!(store.manifest(&head.manifest).is_ok(), "the newest is whole");
}

//! Settings on two nodes, without the link between them: what one would be asked by the
//! other it is asked here. In a network namespace with the interfaces of the pair.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::agent::guard::Control;
use crate::agent::machine::Machine;
use crate::agent::settings::edit::edit;
use crate::agent::settings::{Change, Revision, Source};

const PAIR: &str = "pair_id = 1 # ours\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\n\
    primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n";
const LAN: &str = "etc/systemd/network/10-lan.network";
/// Kernel settings, and the values of an administrator.
const KERNEL: [(&str, u8); 3] = [
    ("netfilter/nf_conntrack_tcp_loose", 1),
    ("netfilter/nf_conntrack_events", 2),
    ("ipv4/conf/lan/promote_secondaries", 0),
];

struct Place {
    root: PathBuf,
    node: Arc<Node>,
}

impl Place {
    fn new(name: &str, part: &str) -> Place {
        let root = std::env::temp_dir().join(format!("twinwall-ha-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("etc/twinwall")).expect("made");
        fs::create_dir_all(root.join("etc/systemd/network")).expect("made");
        let text = format!("name = \"{name}\"\ndesignation = \"{part}\"\n");
        fs::write(root.join("etc/twinwall/node.toml"), text).expect("written");
        fs::write(root.join("etc/twinwall/pair.toml"), PAIR).expect("written");
        let network = "[Match]\nName=lan\n\n[Network]\nAddress=10.1.0.1/24\n";
        fs::write(root.join(LAN), network).expect("written");
        for (name, value) in KERNEL {
            let path = root.join("proc/sys/net").join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            fs::write(path, format!("{value}\n")).expect("written");
        }
        let runtime = tokio::runtime::Handle::current();
        let node = Node::start(&root, Machine::below(&root), runtime).expect("it starts").0;
        Place { root, node }
    }

    /// The kernel settings in their order.
    fn kernel(&self) -> Vec<String> {
        let value = |(name, _): &(&str, _)| self.read(&format!("proc/sys/net/{name}"));
        KERNEL.iter().map(|one| value(one).trim().to_owned()).collect()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).expect(path)
    }

    async fn set(&self, seen: Option<Revision>, all: &[&str]) -> Result<Done, Refusal> {
        let all: Vec<Change> = all.iter().map(|text| text.parse().expect("a change")).collect();
        let (who, source) = ("anna".to_owned(), Source::Entered);
        let basis = Basis { who, seen, source, by_hand: false };
        let edited = |current: &Current| {
            edit(&current.text, &all).map_err(|error| Refusal::invalid(error.to_string()))
        };
        change(&self.node, basis, edited).await
    }

    fn draft(&self) -> Draft {
        let current = current(&self.node).expect("settings");
        let (version, text) = (current.version, current.text);
        Draft { version, text, by_hand: false, keep_virtual: None, over: None }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.node.stop();
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn ip(arguments: &str) -> String {
    let out = Command::new("ip").args(arguments.split(' ')).output().expect("ip starts");
    assert!(out.status.success(), "ip {arguments}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// In a namespace of its own, which ends with the threads.
fn alone<F: Future<Output = ()>>(body: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // SAFETY: only this thread and those that it starts change their namespace.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "this needs root");
        ip("link add ha0 type veth peer name far0");
        ip("link add lan type veth peer name far1");
        ip("link set lan up");
        ip("addr add 10.1.0.1/24 dev lan");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("a runtime").block_on(body());
    });
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn a_change_is_checked_kept_and_waits_for_the_other_node() {
    alone(async || {
        let place = Place::new("gw-a", "primary");
        let done = place.set(None, &["heartbeat.interval=0.2"]).await.expect("set");
        assert!(done.changed && !done.on_both && done.revision.number == 2, "{done:?}");
        assert!(place.read("etc/twinwall/pair.toml").starts_with("pair_id = 1 # ours\n"));
        assert!(
            place.node.settings().pair.as_ref().is_some_and(|it| it.interval.as_millis() == 200)
        );
        let same = place.set(None, &["heartbeat.interval=0.2"]).await.expect("set");
        assert!(!same.changed);
        let seen = Some(Revision::of(1, PAIR));
        let late = place.set(seen, &["heartbeat.interval=9"]).await.expect_err("late");
        assert!(late.code == Code::Conflict && late.message.contains("anna changed"), "{late}");
        let view = view(&place.node).await.expect("settings");
        assert!(view.version.revision == done.revision && view.peer.away.is_some());
    });
}

#[test]
fn a_look_says_what_would_change_and_changes_nothing() {
    alone(async || {
        let place = Place::new("gw-p", "primary");
        let look = async |all: &[&str]| {
            let all: Vec<Change> = all.iter().map(|text| text.parse().expect("a change")).collect();
            let basis = Basis {
                who: "anna".to_owned(),
                seen: None,
                source: Source::Entered,
                by_hand: false,
            };
            super::look(&place.node, basis, |current| {
                edit(&current.text, &all).map_err(|error| Refusal::invalid(error.to_string()))
            })
            .await
        };
        let seen = look(&["heartbeat.interval=0.2", "sync.logs=true"]).await.expect("possible");
        let changed: Vec<&str> = seen.changed.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(changed, ["heartbeat.interval", "sync.logs"]);
        assert!(seen.away.is_some() && seen.nodes.len() == 1 && seen.nodes[0].is_quiet());
        let refused = look(&["heartbeat.interval=90"]).await.expect_err("too long");
        assert_eq!(refused.details[0].place, "heartbeat.interval");
        assert_eq!(place.read("etc/twinwall/pair.toml"), PAIR);
        assert_eq!(place.node.ha().history.versions().len(), 1);
        assert!(look(&[]).await.expect("possible").changed.is_empty());
    });
}

#[test]
fn what_cannot_be_is_refused_at_its_field_and_changes_nothing() {
    alone(async || {
        let place = Place::new("gw-r", "primary");
        let cases = [
            ("interface.lan.virtual+=10.2.0.1/24", "interface.lan.virtual[2]"),
            ("interface.dmz.watch=true", "interface.dmz.name"),
            ("ha_link.interface=eth9", "ha_link.interface"),
            ("enabled=true", "enabled"),
        ];
        for (change, field) in cases {
            let refused = place.set(None, &[change]).await.expect_err(change);
            let at: Vec<&str> = refused.details.iter().map(|it| it.place.as_str()).collect();
            assert_eq!(at, [field], "{change}");
        }
        assert_eq!(place.read("etc/twinwall/pair.toml"), PAIR);
    });
}

#[test]
fn an_interface_with_addresses_from_dhcp_is_refused_as_soon_as_it_is_entered() {
    alone(async || {
        let place = Place::new("gw-d", "primary");
        let network = "[Match]\nName=lan\n\n[Network]\nDHCP=ipv4\n";
        fs::write(place.root.join(LAN), network).expect("written");
        let change = ["interface.lan.virtual=10.1.0.7/24"];
        let refused = place.set(None, &change).await.expect_err("DHCP");
        assert_eq!(refused.details[0].place, "interface.lan.primary");
        assert!(refused.details[0].message.contains("DHCP=ipv4"), "{refused}");
        assert_eq!(place.read("etc/twinwall/pair.toml"), PAIR);
        place.set(None, &["heartbeat.interval=0.2"]).await.expect("what stays needs no answer");
    });
}

#[test]
fn settings_that_are_entered_while_it_is_off_take_no_address_away() {
    alone(async || {
        let place = Place::new("gw-e", "primary");
        ip("addr add 10.1.0.9/24 dev lan");
        let more = ["interface.lan.virtual+=10.1.0.9/24", "heartbeat.interval=0.2"];
        place.set(None, &more).await.expect("set");
        let shown = ip("-4 addr show dev lan");
        assert!(shown.contains("10.1.0.1/24") && shown.contains("10.1.0.9/24"), "{shown}");
    });
}

fn told(all: &[preview::Address]) -> Vec<String> {
    all.iter().map(|it| format!("{} {}", it.interface, it.address)).collect()
}

fn what_turning_on_would_come_to(checked: Result<Reply, Refusal>) {
    let Ok(Reply::SettingsDone { notes, plan: Some(plan) }) = checked else {
        panic!("{checked:?}")
    };
    assert!(notes.is_empty());
    assert_eq!(told(&plan.gets), ["lan 10.1.0.3/24"]);
    assert_eq!((told(&plan.loses), plan.guard), (vec![], preview::GuardStep::Starts));
    let file = &plan.files[0];
    assert_eq!((&*file.path, plan.files.len()), (&*format!("/{LAN}"), 1));
    assert_eq!(file.removed, ["Address=10.1.0.1/24"]);
    assert_eq!(file.added, ["Address=10.1.0.3/24"]);
}

#[test]
fn turning_on_gives_each_node_its_own_address_and_takes_the_virtual_one_out_of_its_files() {
    alone(async || {
        let place = Place::new("gw-b", "secondary");
        let mut draft = place.draft();
        draft.text = draft.text.replace("enabled = false", "enabled = true");
        draft.version.revision = Revision::of(2, &draft.text);
        let checked = answer(&place.node, Question::Check(draft.clone())).await;
        what_turning_on_would_come_to(checked);
        assert!(place.read(LAN).contains("10.1.0.1/24"), "looking changes nothing");
        let taken = answer(&place.node, Question::Take(draft.clone())).await.expect("taken");
        let Reply::SettingsDone { notes, plan: None } = taken else { panic!("{taken:?}") };
        assert!(notes.len() == 1 && notes[0].contains("supervises the guard"), "{notes:?}");
        assert_eq!(place.read(LAN), "[Match]\nName=lan\n\n[Network]\nAddress=10.1.0.3/24\n");
        let shown = ip("-4 addr show dev lan");
        assert!(shown.contains("10.1.0.3/24") && shown.contains("10.1.0.1/24"), "{shown}");
        let again = answer(&place.node, Question::Take(draft.clone())).await;
        let nothing = Reply::SettingsDone { notes: Vec::new(), plan: None };
        assert_eq!(again, Ok(nothing), "twice is once");
        assert_eq!(place.kernel(), ["0", "1", "1"], "the kernel is as a failover needs it");
        let views = view(&place.node).await.expect("settings").kernel;
        assert!(views.iter().all(|it| it.is_good() && it.before.is_some()), "{views:?}");
        // Older ones, and others of the same number, replace nothing.
        for text in [PAIR.to_owned(), format!("{}#\n", draft.text)] {
            let number = if text == PAIR { 1 } else { 2 };
            let mut other = draft.clone();
            other.version.revision = Revision::of(number, &text);
            other.text = text;
            let refused = answer(&place.node, Question::Take(other)).await.expect_err("not newer");
            assert_eq!(refused.code, Code::Conflict);
        }
        // Off again, and this node keeps the address of the clients.
        let mut off = draft.clone();
        off.text = PAIR.to_owned();
        off.version.revision = Revision::of(3, PAIR);
        // It would take the address of the clients away, where nobody keeps it.
        let plan = preview::of(&place.node, &take::plan(&place.node, &off).expect("it can"));
        assert_eq!(told(&plan.loses), ["lan 10.1.0.1/24"]);
        assert_eq!(plan.guard, preview::GuardStep::Ends);
        off.keep_virtual = Some(Designation::Secondary);
        answer(&place.node, Question::Take(off)).await.expect("taken");
        let network = place.read(LAN);
        assert!(network.contains("10.1.0.3/24") && network.contains("10.1.0.1/24"), "{network}");
        assert_eq!(place.kernel(), ["1", "2", "0"], "the administrator's values are back");
    });
}

#[test]
fn a_guard_that_runs_and_that_nobody_would_end_keeps_it_from_being_turned_off() {
    for control in [Control::Systemd, Control::Run, Control::Nobody] {
        for runs in [false, true] {
            let may = take::somebody_ends_the_guard(control, runs, "gw-b");
            assert_eq!(may.is_err(), control == Control::Nobody && runs, "{control:?} {runs}");
            assert!(may.err().is_none_or(|why| why.message.contains("the guard of gw-b")));
        }
    }
}

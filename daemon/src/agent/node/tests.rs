//! The agent on a directory of its own: what it reads, what it makes anew, and what it
//! undoes at its start.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::agent::engine::overview::SectionState;
use crate::agent::identity::Identity;
use crate::agent::identity::peer::{Peer, write_peer};
use crate::agent::machine::Machine;
use crate::agent::section::Section;

/// Generous: the machine may be busy.
const SOON: Duration = Duration::from_secs(20);

struct Place {
    root: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Place {
    fn new(name: &str) -> Place {
        let root =
            std::env::temp_dir().join(format!("twinwall-node-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("etc/twinwall")).expect("made");
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build().expect("a runtime");
        Place { root, runtime }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn start(&self) -> Arc<Node> {
        Node::start(&self.root, Machine::below(&self.root), self.runtime.handle().clone())
            .expect("it starts")
            .0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn wait(what: &str, good: impl Fn() -> bool) {
    let began = Instant::now();
    while !good() {
        assert!(began.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

const NODE: &str = "name = \"gw-a\"\ndesignation = \"primary\"\n";

#[test]
fn a_node_that_was_never_paired_reads_its_sections_and_keeps_their_versions() {
    let place = Place::new("unpaired");
    place.write("etc/nftables.conf", "# nothing\n");
    let node = place.start();
    assert!(node.link().is_none() && !node.settings().rules().enabled);
    let versions = || node.store().versions(Section::Firewall).len();
    wait("the first version is kept", || versions() == 1);
    let overview = node.engine().expect("it runs").overview();
    assert_eq!((overview.verdict, overview.peer.connected), (SectionState::Unknown, false));
    place.write("etc/nftables.conf", "# something\n");
    wait("the change is kept", || versions() == 2);
    let away = node.guard().borrow().clone();
    assert!(matches!(away, GuardState::Away(_)));
    node.stop();
}

#[test]
fn settings_that_change_are_read_again_and_the_versions_stay() {
    let place = Place::new("reload");
    place.write("etc/motd", "one\n");
    let node = place.start();
    let versions = || node.store().versions(Section::Support).len();
    wait("the first version is kept", || versions() == 1);
    place.write("etc/twinwall/node.toml", NODE);
    node.reload().expect("read again");
    assert_eq!(node.settings().name, "gw-a");
    wait("the new engine has its name", || {
        node.engine().is_ok_and(|engine| engine.overview().node == "gw-a")
    });
    place.write("etc/motd", "two\n");
    wait("the new engine sees changes", || versions() == 2);
    node.stop();
}

#[test]
fn wrong_settings_are_named_and_nothing_is_synchronised_by_them() {
    let place = Place::new("wrong");
    place.write("etc/twinwall/node.toml", "name = 5\n");
    place.write("etc/twinwall/profile.toml", "format = 9\n");
    let node = place.start();
    let settings = node.settings();
    let files: Vec<&str> =
        settings.problems.iter().filter_map(|it| it.file.rsplit('/').next()).collect();
    assert!(files.contains(&"node.toml") && files.contains(&"profile.toml"), "{files:?}");
    assert!(!settings.rules().enabled);
    node.stop();
}

#[test]
fn of_two_agents_on_one_root_the_second_is_refused() {
    let place = Place::new("two");
    let node = place.start();
    let second =
        Node::start(&place.root, Machine::below(&place.root), place.runtime.handle().clone());
    let text = second.err().expect("refused").to_string();
    assert!(text.contains("in use by another agent"), "{text}");
    node.stop();
}

#[test]
fn settings_are_read_without_a_trace_and_only_a_start_makes_an_identity() {
    let root = std::env::temp_dir().join(format!("twinwall-reader-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    let other = Identity::generate().expect("an identity").certificate().clone();
    write_peer(&root, &Peer::of(other)).expect("written");
    let own = root.join("etc/twinwall/identity/node.pem");
    assert_eq!((Settings::read(&root).own, own.exists()), (None, false));
    assert!(Settings::begin(&root).own.is_some() && own.exists());
    assert!(Settings::read(&root).own.is_some());
    std::fs::remove_dir_all(root).expect("removed");
}

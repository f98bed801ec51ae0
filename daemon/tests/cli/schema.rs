//! What `--json` prints is what docs/reference/*.schema.json says.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use twinwall_core::api::{Answer, Count, Missing, Status};
use twinwall_core::beat::Leaving;
use twinwall_core::ids::BootId;
use twinwall_core::note::What;
use twinwall_core::snapshot::{CheckView, TimerView};

use crate::conditions::standing;
use crate::json_schema::differences;
use crate::support::{Root, Socket, agent_saying, event, healthy};

fn schema(name: &str) -> Value {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/reference/{name}.schema.json"));
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("a schema")
}

fn assert_fits(printed: &str, name: &str) {
    let value: Value =
        serde_json::from_str(printed).unwrap_or_else(|error| panic!("{name}: {error}: {printed}"));
    let schema = schema(name);
    assert_eq!(differences(&value, &schema, &schema, name), Vec::<String>::new());
    // The check itself must be able to fail.
    let wrong = Value::String("wrong".to_owned());
    assert_ne!(differences(&wrong, &schema, &schema, name), Vec::<String>::new());
}

/// A status with something in every field.
fn full() -> Status {
    let mut status = healthy();
    let second = Duration::from_secs(1);
    status.snapshot.own.maintenance = Some(second);
    status.snapshot.own.unfit = vec!["in maintenance".to_owned()];
    let check =
        CheckView { name: "dns".to_owned(), good: false, reason: "why".to_owned(), left: second };
    status.snapshot.own.checks = vec![check];
    status.snapshot.interfaces[0].held = Some(second);
    status.snapshot.peer.left = Some(Leaving::Shutdown);
    status.snapshot.timers = vec![TimerView { name: "beat".to_owned(), left: second }];
    status.guard.missing = vec![Missing { name: "gate".to_owned(), remedy: "nftables".to_owned() }];
    status.guard.refused_frames = vec![Count { name: "replayed".to_owned(), count: 3 }];
    status
}

#[test]
fn the_status_fits_its_schema_full_and_bare() {
    let mut bare = healthy();
    bare.snapshot.role.lease = None;
    bare.snapshot.peer.silence = None;
    bare.snapshot.peer.boot = None;
    bare.snapshot.peer.role = None;
    bare.snapshot.peer.fitness = None;
    bare.snapshot.peer.round_trip = None;
    for (status, conditions) in [(full(), Some(vec![standing()])), (bare, None)] {
        let root = Root::new();
        let _socket = Socket::answering(&root, vec![vec![Answer::Status(Box::new(status))]]);
        if let Some(conditions) = conditions {
            agent_saying(&root, &conditions);
        }
        assert_fits(&root.run(&["status", "--json"]).out, "status");
    }
}

#[test]
fn events_fit_their_schema() {
    let whats = [
        What::Started { boot: BootId([1; 16]) },
        What::PeerSilent { silence: Duration::from_millis(301) },
        What::DoubtEnded,
        What::PeerLeft { why: Leaving::ServiceStop },
    ];
    for what in whats {
        let root = Root::new();
        let _socket = Socket::answering(&root, vec![vec![event(1, 5, what, "text"), Answer::Done]]);
        assert_fits(&root.run(&["events", "--json"]).out, "event");
    }
}

#[test]
fn what_a_profile_covers_and_names_fits_its_schema() {
    let root = Root::new();
    fs::create_dir_all(root.path("var/lib/misc")).expect("a directory");
    root.write("var/lib/misc/dnsmasq.leases", "");
    assert_fits(&root.run(&["profile", "show", "--json"]).out, "profile");
}

#[test]
fn problems_and_explanations_fit_their_schemas() {
    let root = Root::new();
    root.write("etc/twinwall/pair.toml", "pair_id = 0\n");
    assert_fits(&root.run(&["check", "--json"]).out, "check");
    let _socket = Socket::answering(&root, vec![vec![Answer::Status(Box::new(healthy()))]]);
    assert_fits(&root.run(&["explain", "--json"]).out, "explain");
}

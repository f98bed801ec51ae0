//! The table with the events' masks: there, kept, protected, taken away.

use twinwall_flows::table::{EventTable, TableError};

use crate::net::{Space, turn};

fn listed(space: &Space) -> Option<String> {
    let text = space.run("nft list table inet twinwall_flows 2>&1 || true");
    (!text.contains("No such file")).then_some(text)
}

#[test]
fn it_is_made_once_and_survives_a_flush_of_the_rules() {
    let _turn = turn();
    let space = Space::new();
    let mut table = space.inside(EventTable::open).unwrap();
    let first = table.ensure().unwrap();
    assert!(first.created && first.persistent, "{first:?}");
    assert_eq!(table.ensure().unwrap().repaired, Vec::<String>::new());
    let text = listed(&space).expect("the table");
    for part in ["ct event set", "ct state invalid", "hook prerouting", "hook forward", "drop"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    space.run("nft flush ruleset");
    assert_eq!(listed(&space).as_ref(), Some(&text));
    table.remove().unwrap();
    assert_eq!(listed(&space), None);
    table.remove().unwrap();
}

#[test]
fn a_predecessor_s_table_is_taken_over_and_a_living_one_s_is_not() {
    let _turn = turn();
    let space = Space::new();
    let mut first = space.inside(EventTable::open).unwrap();
    first.ensure().unwrap();
    let mut second = space.inside(EventTable::open).unwrap();
    assert!(matches!(second.ensure(), Err(TableError::Owned { .. })));
    drop(first);
    let taken = second.ensure().unwrap();
    assert!(!taken.created && taken.repaired.len() == 1, "{taken:?}");
    assert!(!second.changed(), "its own changes are none");
    assert_eq!(second.ensure().unwrap().repaired.len(), 0);
}

#[test]
fn what_somebody_did_to_an_orphan_is_put_right() {
    let _turn = turn();
    let space = Space::new();
    drop(space.inside(|| EventTable::open().map(|mut table| table.ensure().unwrap())));
    space.run("nft delete chain inet twinwall_flows forward");
    let mut table = space.inside(EventTable::open).unwrap();
    let ensured = table.ensure().unwrap();
    assert!(!ensured.created && ensured.repaired.len() == 1, "{ensured:?}");
    assert!(listed(&space).is_some_and(|text| text.contains("chain forward")));
    drop(table);
    space.inside(EventTable::remove_leftover).unwrap();
    assert_eq!(listed(&space), None);
}

#[test]
fn an_unknown_connection_is_not_reset_and_the_node_s_own_from_before_goes_on() {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    let _turn = turn();
    let lab = crate::net::Lab::new();
    let own = lab.active.inside(|| TcpListener::bind("10.1.0.1:2222")).unwrap();
    let server = lab.server.inside(|| TcpListener::bind("10.2.0.9:80")).unwrap();
    let connect = |to: &str| lab.client.inside(|| TcpStream::connect(to)).unwrap();
    let mut session = [connect("10.1.0.1:2222"), own.accept().unwrap().0];
    let mut through = [connect("10.1.0.1:8080"), server.accept().unwrap().0];
    let mut table = lab.active.inside(EventTable::open).unwrap();
    table.ensure().unwrap();
    // Everything is forgotten, as on a node that never knew.
    lab.active.run("conntrack -F 2>/dev/null");
    for (near, far) in [(0, 1), (1, 0)] {
        session[near].write_all(b"x").unwrap();
        session[far].set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        session[far].read_exact(&mut [0]).expect("the node's own connection goes on");
    }
    through[0].write_all(b"x").unwrap();
    through[0].set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    let answer = through[0].read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(answer, Err(std::io::ErrorKind::WouldBlock), "stalled, not reset");
}

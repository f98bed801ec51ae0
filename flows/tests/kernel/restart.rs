//! The mirror's agent ends and comes back; what it wrote stays in its kernel meanwhile.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use twinwall_flows::kernel::MirrorDrive;
use twinwall_flows::mirror::Mirror;

use crate::net::{Lab, turn};
use crate::two::{Two, settings, states};

const LIMIT: Duration = Duration::from_secs(20);

/// Where a mirror keeps its place; gone with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let name = format!("twinwall-flows-{}-{name}", std::process::id());
        Place(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// So many connections to one server.
fn open(lab: &Lab, count: usize) -> Vec<(TcpStream, TcpStream)> {
    let listener = lab.server.inside(|| TcpListener::bind("10.2.0.9:443")).unwrap();
    let connect = || lab.client.inside(|| TcpStream::connect("10.2.0.9:443")).unwrap();
    (0..count).map(|_| (connect(), listener.accept().unwrap().0)).collect()
}

/// Both, with a mirror that keeps its place and has everything.
fn settled<'a>(lab: &'a Lab, place: &Place) -> Two<'a> {
    let mut two = Two::start(lab);
    two.kill_mirror();
    two.start_mirror(&place.0);
    two.settle(LIMIT);
    assert!(two.mirror.mirror.holding().is_some(), "compared and found equal");
    two
}

#[test]
fn an_agent_that_comes_back_has_what_it_missed_before_it_looks_at_its_kernel() {
    let _turn = turn();
    let (lab, place) = (Lab::new(), Place::new("missed"));
    let mut two = settled(&lab, &place);
    // Only of what begins under the eyes of a listener the kernel tells the end.
    let mut old = open(&lab, 8);
    two.settle(LIMIT);
    assert_eq!(states(&lab.passive).len(), 8);
    two.kill_mirror();
    old.truncate(3);
    let _fresh = open(&lab, 4);
    let end = Instant::now() + LIMIT;
    while two.source.source.view(Instant::now()).flows != 7 {
        assert!(Instant::now() < end, "{:?}", two.source.source.view(Instant::now()));
        two.turn_without_mirror();
    }
    assert_eq!(states(&lab.passive).len(), 8, "its kernel was told nothing meanwhile");
    two.start_mirror(&place.0);
    two.until(LIMIT, "both say complete", |two| two.both_say_complete());
    assert_eq!(states(&lab.passive), states(&lab.active), "at that very moment");
    let resumed = two.source.source.view(Instant::now()).last_resync;
    assert!(resumed.is_some_and(|it| it.reason.contains("away") && it.flows >= 9));
    two.until(LIMIT, "the look at its kernel", |two| {
        two.turn();
        two.source.source.view(Instant::now()).complete_percent == Some(100.0)
            && two.mirror.mirror.view(Instant::now()).flows == 7
    });
    two.settle(LIMIT);
}

#[test]
fn a_table_that_was_flushed_meanwhile_is_filled_before_anybody_says_complete() {
    let _turn = turn();
    let (lab, place) = (Lab::new(), Place::new("flushed"));
    let _open = open(&lab, 8);
    let mut two = settled(&lab, &place);
    two.kill_mirror();
    lab.passive.run("conntrack -F 2>/dev/null");
    two.start_mirror(&place.0);
    assert_eq!(two.mirror.mirror.holding(), None, "the number of entries says so");
    two.until(LIMIT, "both say complete", |two| two.both_say_complete());
    assert_eq!(states(&lab.passive), states(&lab.active));
    assert_eq!(states(&lab.passive).len(), 8);
}

#[test]
fn a_place_of_another_namespace_or_another_source_is_not_gone_on_from() {
    let _turn = turn();
    let (lab, place) = (Lab::new(), Place::new("foreign"));
    let _open = open(&lab, 2);
    let mut two = settled(&lab, &place);
    two.kill_mirror();
    let kept = fs::read(&place.0).unwrap();
    let mut elsewhere =
        lab.client.inside(|| MirrorDrive::open(Mirror::new(settings(), Instant::now()))).unwrap();
    lab.client.inside(|| elsewhere.keep_place(Instant::now(), &place.0)).unwrap();
    assert_eq!(elsewhere.mirror.holding(), None);
    // The one that it belongs to, and a source that began anew meanwhile.
    fs::write(&place.0, kept).unwrap();
    two.replace_source();
    lab.passive.run("conntrack -D -p tcp --dport 443 2>/dev/null | head -1; true");
    two.start_mirror(&place.0);
    two.until(LIMIT, "both say complete", |two| two.both_say_complete());
    assert_eq!(states(&lab.passive), states(&lab.active));
}

//! The election as a table: one line differs from a pair in good health, and the
//! verdict is the one that stands beside it.

use super::*;
use crate::ids::Epoch;
use crate::shared::Theirs;

fn said(role: RoleWord) -> Said {
    Said {
        role,
        epoch: Epoch(1),
        grant: Epoch(0),
        handover: Epoch(0),
        ready: false,
        fitness: able(2),
        settings: 0,
        theirs: Theirs::default(),
    }
}

fn able(links: u32) -> Fitness {
    Fitness { healthy: (1 << links) - 1, ..Fitness::default() }
}

/// The secondary beside an equal peer.
fn view(role: RoleWord, said: &Said) -> View<'_> {
    View {
        role,
        designation: Designation::Secondary,
        own: able(2),
        peer_links: 2,
        unreached: Unreached::default(),
        cut_off: false,
        isolated: false,
        phase: Phase::Alive,
        said: Some(said),
        peer_restarted: false,
        evidence: false,
        handed_over: false,
        outranks: false,
        targets: true,
        leaving: false,
        switchover: false,
        failback: false,
        waits: false,
    }
}

#[test]
fn what_a_serving_node_does() {
    let passive = said(RoleWord::Passive);
    let unfit =
        Said { fitness: Fitness { maintenance: true, ..able(2) }, ..said(RoleWord::Passive) };
    let serving = |said| view(RoleWord::Active, said);
    let table = [
        ("nothing is wrong", serving(&passive), Verdict::Serve(Reason::Serving)),
        (
            "cut off, and still heard on the HA link",
            View { cut_off: true, ..serving(&unfit) },
            Verdict::Serve(Reason::Serving),
        ),
        (
            "no path at all, and none is watched",
            View { isolated: true, ..serving(&passive) },
            Verdict::Serve(Reason::Serving),
        ),
        (
            "no path and cut off",
            View { isolated: true, cut_off: true, ..serving(&passive) },
            Verdict::Stop(Reason::Isolated),
        ),
        (
            "the peer has more links",
            View { peer_links: 3, ..serving(&passive) },
            Verdict::HandOver(Reason::PeerHasMoreLinks),
        ),
        (
            "the peer has more links and is in maintenance",
            View { peer_links: 3, ..serving(&unfit) },
            Verdict::Serve(Reason::Serving),
        ),
        (
            "leaving, and the peer is in maintenance",
            View { leaving: true, ..serving(&unfit) },
            Verdict::Stop(Reason::Leaving),
        ),
        (
            "leaving, and the peer is able",
            View { leaving: true, ..serving(&passive) },
            Verdict::HandOver(Reason::Leaving),
        ),
    ];
    for (name, view, expected) in table {
        assert_eq!(elect(&view), expected, "{name}");
    }
}

#[test]
fn gateways_count_after_links_and_only_where_the_peer_reaches_more() {
    let lacks = |own, peer| Unreached { own, peer };
    let passive = said(RoleWord::Passive);
    let unready = Said { fitness: Fitness { unready: true, ..able(2) }, ..passive.clone() };
    let unfit = Said { fitness: Fitness { check_failed: true, ..able(2) }, ..passive.clone() };
    let serving = |said| View { unreached: lacks(1, 0), ..view(RoleWord::Active, said) };
    let waiting = |said| View { unreached: lacks(1, 0), ..view(RoleWord::Passive, said) };
    let stay = Verdict::Serve(Reason::Serving);
    let table = [
        ("the peer reaches more", serving(&passive), Verdict::HandOver(Reason::PeerReachesMore)),
        ("both lack one", View { unreached: lacks(1, 1), ..serving(&passive) }, stay),
        ("the peer lacks more", View { unreached: lacks(1, 2), ..serving(&passive) }, stay),
        ("it reaches more and has fewer links", View { peer_links: 1, ..serving(&passive) }, stay),
        ("it reaches more, its own addresses are being checked", serving(&unready), stay),
        ("it reaches more and a check fails there", serving(&unfit), stay),
        (
            "it has more links and reaches fewer",
            View { peer_links: 3, unreached: lacks(0, 1), ..serving(&passive) },
            Verdict::HandOver(Reason::PeerHasMoreLinks),
        ),
        (
            "in need it takes over, whatever it reaches",
            View { phase: Phase::Silent, ..waiting(&passive) },
            Verdict::Serve(Reason::PeerSilent),
        ),
        (
            "nobody serves, and the peer reaches more",
            waiting(&passive),
            Verdict::Stay(Reason::PeerPreferred),
        ),
        (
            "nobody serves, and the peer reaches fewer",
            View { unreached: lacks(0, 1), ..waiting(&passive) },
            Verdict::Serve(Reason::NobodyServed),
        ),
    ];
    for (name, view, expected) in table {
        assert_eq!(elect(&view), expected, "{name}");
    }
}

#[test]
fn what_waits_for_connections_and_what_does_not() {
    let passive = said(RoleWord::Passive);
    let serving = |said| view(RoleWord::Active, said);
    let resting = Fitness { maintenance: true, ..able(2) };
    let failed = Fitness { check_failed: true, ..able(2) };
    let table = [
        (
            "a switchover and a failback are due and wait",
            View { switchover: true, failback: true, waits: true, ..serving(&passive) },
            Verdict::Serve(Reason::AwaitsConnections),
        ),
        (
            "maintenance waits",
            View { own: resting, waits: true, ..serving(&passive) },
            Verdict::Serve(Reason::AwaitsConnections),
        ),
        (
            "a failed check does not wait",
            View { own: failed, waits: true, ..serving(&passive) },
            Verdict::HandOver(Reason::CheckFailed),
        ),
        (
            "nor do more links",
            View { peer_links: 3, switchover: true, waits: true, ..serving(&passive) },
            Verdict::HandOver(Reason::PeerHasMoreLinks),
        ),
        (
            "nor does a node that leaves",
            View { leaving: true, switchover: true, waits: true, ..serving(&passive) },
            Verdict::HandOver(Reason::Leaving),
        ),
    ];
    for (name, view, expected) in table {
        assert_eq!(elect(&view), expected, "{name}");
    }
}

#[test]
fn what_a_waiting_node_does() {
    let active = said(RoleWord::Active);
    let claiming = said(RoleWord::Claiming);
    let waiting = |said| view(RoleWord::Passive, said);
    let silent = || View { phase: Phase::Silent, ..waiting(&active) };
    let table = [
        ("the peer serves", waiting(&active), Verdict::Stay(Reason::PeerServes)),
        (
            "the peer hands over",
            View { handed_over: true, ..waiting(&active) },
            Verdict::Serve(Reason::PeerHandsOver),
        ),
        (
            "the peer hands over to a node that is worse by now",
            View { handed_over: true, peer_links: 3, ..waiting(&active) },
            Verdict::Stay(Reason::PeerServes),
        ),
        ("the peer claims", waiting(&claiming), Verdict::Stay(Reason::PeerServes)),
        ("the peer is silent", silent(), Verdict::Serve(Reason::PeerSilent)),
        (
            "the peer is silent, and no service interface has carrier",
            View { cut_off: true, ..silent() },
            Verdict::Stay(Reason::Isolated),
        ),
        (
            "the peer is silent, and no path has carrier",
            View { isolated: true, ..silent() },
            Verdict::Stay(Reason::Isolated),
        ),
        (
            "the peer is silent, and so are the targets",
            View { targets: false, ..silent() },
            Verdict::Stay(Reason::TargetsSilent),
        ),
        (
            "the evidence is complete",
            View { evidence: true, ..waiting(&active) },
            Verdict::Serve(Reason::PeerPoweredOff),
        ),
    ];
    for (name, view, expected) in table {
        assert_eq!(elect(&view), expected, "{name}");
    }
}

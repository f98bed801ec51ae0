//! The prerequisites as two real agents tell them, and what they mean for `ha enable`.

use crate::support::{Two, wait};

/// Paired nodes that are both known by their profile, high availability off.
fn ready() -> Two {
    let mut two = Two::paired();
    for node in [&mut two.a, &mut two.b] {
        node.kill();
        node.write("etc/model", "FW-200\n");
        node.write("etc/firmware", "12.4\n");
        node.write("etc/systemd/network/10-lan.network", "[Match]\nName=lan\n");
        let pair = node.text("etc/twinwall/pair.toml");
        node.write("etc/twinwall/pair.toml", &format!("enabled = false\n{pair}"));
        node.start();
    }
    wait("the agents talk", || two.a.run(&["pair", "status"]).out.contains("talk to each other."));
    two
}

#[test]
fn two_equal_nodes_meet_every_prerequisite() {
    let two = ready();
    for node in [&two.a, &two.b] {
        let said = node.good(&["preflight"]);
        assert!(said.starts_with("All prerequisites are met."), "{said}");
        let rows = ["model", "FW-200", "12.4", "ha0, reaches ha0", "promote_secondaries"];
        assert!(rows.iter().all(|row| said.contains(row)), "{said}");
        assert!(!said.contains("FAILED"), "{said}");
    }
    let json = two.a.good(&["preflight", "--json"]);
    assert!(json.contains("\"good\":true") || json.contains("\"good\": true"), "{json}");
}

#[test]
fn a_difference_refuses_to_turn_it_on_until_it_is_overridden_and_that_is_recorded() {
    let mut two = ready();
    two.b.kill();
    two.b.write("etc/firmware", "12.5\n");
    two.b.start();
    wait("the agents talk", || two.a.run(&["preflight"]).out.contains("12.5"));
    let said = two.a.run(&["preflight"]);
    assert!(said.code == Some(1) && said.out.contains("FAILED"), "{said:?}");
    let refused = two.a.run(&["ha", "enable"]);
    assert!(refused.code == Some(1), "{refused:?}");
    for words in ["firmware: 12.4 here, 12.5 there", "preflight.override+=firmware"] {
        assert!(refused.err.contains(words), "{words}: {refused:?}");
    }
    assert!(two.a.text("etc/twinwall/pair.toml").contains("enabled = false"), "nothing changed");
    assert!(two.b.text("etc/twinwall/pair.toml").contains("enabled = false"), "nothing changed");

    let wrong = two.a.run(&["ha", "set", "preflight.override+=firmwear"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("not a prerequisite"), "{wrong:?}");
    two.a.good(&["ha", "set", "preflight.override+=firmware"]);
    assert!(two.b.text("etc/twinwall/pair.toml").contains("override = [\"firmware\"]"));
    assert!(two.a.good(&["ha", "history"]).lines().count() >= 2, "who did it is kept");
    let said = two.b.good(&["preflight"]);
    assert!(said.contains("overridden"), "{said}");
    // Nobody supervises a guard here: turning on goes past the comparison and says so.
    let enabling = two.a.begin(&["ha", "enable"], &two.a.path("enable.log"));
    wait("the settings are on, on both nodes", || {
        [&two.a, &two.b]
            .iter()
            .all(|it| !it.text("etc/twinwall/pair.toml").contains("enabled = false"))
    });
    drop(enabling);
}

#[test]
fn without_a_pair_every_order_says_so_and_how_to_make_one() {
    let two = crate::pairing::fresh();
    let settings = "pair_id = 7\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n";
    for settings in ["", settings] {
        if !settings.is_empty() {
            // Those of a pair that was forgotten.
            two.a.write("etc/twinwall/pair.toml", settings);
        }
        for order in [
            &["sync"][..],
            &["sync", "push", "--yes"],
            &["preflight"],
            &["ha", "enable"],
            &["pair", "status"],
        ] {
            let ran = two.a.run(order);
            let said = format!("{}{}", ran.out, ran.err);
            assert!(
                said.contains("not paired") && said.contains("pair invite"),
                "{order:?}: {said}"
            );
            assert!(!said.contains("not connected"), "{order:?}: {said}");
        }
    }
}

#[test]
fn turning_on_what_is_on_is_refused_at_once() {
    let two = Two::paired();
    let refused = two.a.run(&["ha", "enable"]);
    assert!(refused.code == Some(1) && refused.err.contains("on already"), "{refused:?}");
    assert_eq!(refused.out, "", "nothing was begun");
}

#[test]
fn a_node_that_does_not_answer_is_told_and_nothing_is_turned_on() {
    let mut two = ready();
    two.b.kill();
    wait("it is missed", || two.a.run(&["preflight"]).out.contains("cannot be asked"));
    assert_eq!(two.a.run(&["preflight"]).code, Some(1));
    let refused = two.a.run(&["ha", "enable"]);
    assert!(
        refused.code == Some(1) && refused.err.contains("both nodes are needed"),
        "{refused:?}"
    );
}

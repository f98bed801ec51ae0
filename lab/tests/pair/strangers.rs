//! Two nodes that do not belong together.
//!
//! They cannot hear each other, so each is alone as far as it can know, and both
//! serve after the boot hold: that is why the refused frames must be seen.

use twinwall_core::beat::RoleWord;
use twinwall_core::explain::alarms;

use crate::support::{Files, Pair, in_lab};

/// Both are up and alone, and each counts frames refused for `cause`.
fn strangers(cause: &str, change: impl Fn(&mut Files)) -> Pair {
    let pair = Pair::boot_with(|node, files| {
        files.pair += "\n[boot]\nhold = 1\n";
        if node == 1 {
            change(files);
        }
    });
    for node in 0..2 {
        pair.await_role(node, RoleWord::Active);
        let status = pair.await_status(node, "refused frames", |status| {
            status.guard.refused_frames.iter().any(|refused| refused.name == cause)
        });
        assert_eq!(status.snapshot.peer.boot, None, "the peer was never heard");
        assert!(status.snapshot.role.alone);
    }
    pair
}

/// Each says so to whoever asks what is wrong.
fn alarm(pair: &Pair, cause: &str) {
    for node in 0..2 {
        let status = pair.await_status(node, "an alarm", |status| {
            status.guard.refused_lately.iter().any(|refused| refused.name == cause)
        });
        let told = |text: &String| text.starts_with("Heartbeats are refused: ");
        assert_eq!(alarms(&status).iter().filter(|text| told(text)).count(), 1);
    }
}

#[test]
fn nodes_with_different_keys_refuse_each_other_and_count_it() {
    in_lab(|| {
        let mut pair = strangers("not_authentic", |files| {
            files.key = files.key.replace("6c61", "6c62");
        });
        alarm(&pair, "not_authentic");
        // With the right key they are a pair.
        let key = |pair: &Pair| {
            std::fs::read_to_string(pair.lab.gateways[0].tree().join("etc/twinwall/pair.key"))
        };
        let right = key(&pair).unwrap();
        pair.kill(1);
        pair.rewrite(1, |files| files.key = right);
        pair.lab.gateways[1].start().unwrap();
        assert_eq!(pair.settle(), 0);
        pair.await_vips_on(0);
        pair.await_status(0, "the end of the alarm", |status| {
            status.guard.refused_lately.is_empty()
        });
    });
}

#[test]
fn nodes_with_different_pair_ids_refuse_each_other_and_count_it() {
    in_lab(|| {
        strangers("foreign_pair", |files| {
            files.pair = files.pair.replace("pair_id = 7", "pair_id = 8");
        });
    });
}

#[test]
fn two_nodes_with_the_same_designation_refuse_each_other_and_count_it() {
    in_lab(|| {
        let pair = strangers("own_designation", |files| {
            files.node = files.node.replace("\"secondary\"", "\"primary\"");
        });
        alarm(&pair, "own_designation");
    });
}

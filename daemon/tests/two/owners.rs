//! Owner rules of the profile: what lies on the disk of the node that takes a section, also
//! where a user has another number there, or is not there at all.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use crate::support::{Node, Two, profile, wait};

const PROFILE: &str = profile!(
    "owners",
    "[section.vpn]\npaths = [\"/etc/vpn\"]\n\
    [[section.vpn.owner]]\nfiles = [\"/etc/vpn/keys\"]\nuser = \"vpn\"\ngroup = \"vpn\"\n\
    mode = \"0600\"\ndirectory_mode = \"0700\"\n\
    [section.support]\npaths = [\"/etc/motd\"]\n"
);

/// The same without the rule, as another administrator would write it.
const OTHER_PROFILE: &str = profile!(
    "owners",
    "[section.vpn]\npaths = [\"/etc/vpn\"]\n\
    [section.support]\npaths = [\"/etc/motd\"]\n"
);

/// Numbers of the user and group `vpn` on the node that gives and on the one that takes.
const GIVING: (u32, u32) = (4001, 4002);
const TAKING: (u32, u32) = (5003, 5004);

const KEY: &str = "etc/vpn/keys/a.key";

fn accounts(node: &Node, (user, group): (u32, u32)) {
    let passwd = format!("root:x:0:0::/:/bin/sh\nvpn:x:{user}:{group}::/:/bin/false\n");
    node.write("etc/passwd", &passwd);
    node.write("etc/group", &format!("root:x:0:\nvpn:x:{group}:\n"));
}

/// Owner, group and permission bits.
fn seen(node: &Node, path: &str) -> (u32, u32, u32) {
    let seen = fs::symlink_metadata(node.path(path)).expect("it is there");
    (seen.uid(), seen.gid(), seen.mode() & 0o7777)
}

/// A key that everybody can read, as an editor left it.
fn written(node: &Node, text: &str) {
    node.write(KEY, text);
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(node.path(KEY), open).expect("its mode is set");
    wait("the change is noticed", || node.run(&["sync", "diff", "vpn"]).out.contains(text));
}

/// What `twinwall sync` says of the section, in its row and below the table.
fn line(node: &Node) -> String {
    let out = node.run(&["sync"]).out;
    out.lines().filter(|line| line.starts_with("vpn")).collect::<Vec<_>>().join("\n")
}

fn two() -> Two {
    let two = Two::paired_by(PROFILE);
    accounts(&two.a, GIVING);
    accounts(&two.b, TAKING);
    two
}

#[test]
fn files_get_the_owner_and_mode_of_the_profile_by_name_and_both_nodes_agree() {
    let two = two();
    written(&two.a, "the key");
    chown(two.a.path(KEY), Some(GIVING.0), None).expect("the owner is set");
    two.a.good(&["sync", "push", "--yes"]);
    assert_eq!(seen(&two.b, KEY), (TAKING.0, TAKING.1, 0o600));
    assert_eq!(seen(&two.b, "etc/vpn/keys"), (TAKING.0, TAKING.1, 0o700));
    assert_eq!(seen(&two.b, "etc/vpn").2, 0o755, "no rule for it");
    wait("both have the same", || [&two.a, &two.b].iter().all(|it| line(it).contains("in sync")));
    // The giving node's own files are its administrator's, and named to him.
    assert_eq!(seen(&two.a, KEY), (GIVING.0, 0, 0o644));
    wait("it is told", || line(&two.a).contains("/etc/vpn/keys has user root and not vpn"));
    assert!(!line(&two.b).contains("and not"), "{}", line(&two.b));

    let worse = fs::Permissions::from_mode(0o666);
    fs::set_permissions(two.b.path(KEY), worse).expect("its mode is set");
    wait("it is told", || line(&two.b).contains("a.key has mode 0666 and not 0600"));
    written(&two.a, "another key");
    // Which file changes does not matter.
    two.a.write("etc/vpn/other", "more");
    wait("it is noticed", || two.a.run(&["sync", "diff", "vpn"]).out.contains("more"));
    two.a.good(&["sync", "push", "--yes"]);
    assert_eq!(seen(&two.b, KEY), (TAKING.0, TAKING.1, 0o600));
}

#[test]
fn a_user_who_does_not_exist_refuses_the_section_by_name_and_changes_nothing() {
    let two = two();
    two.b.write("etc/passwd", "root:x:0:0::/:/bin/sh\n");
    two.b.write("etc/vpn/old", "old");
    written(&two.a, "the key");
    two.a.write("etc/motd", "hello");
    wait("it is noticed", || two.a.run(&["sync", "diff", "support"]).out.contains("hello"));
    let ran = two.a.run(&["sync", "push", "--yes"]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert_eq!(two.b.text("etc/vpn/old"), "old");
    assert!(!two.b.path("etc/vpn/keys").exists(), "nothing changed");
    assert_eq!(two.b.text("etc/motd"), "hello", "no other section waits");
    let why = "/etc/vpn/keys belongs to user 'vpn', who does not exist here; create that user";
    for node in [&two.a, &two.b] {
        wait("it is told", || line(node).contains("failed") && line(node).contains(why));
    }
    accounts(&two.b, TAKING);
    two.a.good(&["sync", "push", "--yes"]);
    assert_eq!(seen(&two.b, KEY), (TAKING.0, TAKING.1, 0o600));
}

#[test]
fn nodes_whose_profiles_give_other_owners_say_so_and_change_nothing() {
    let mut two = two();
    two.a.kill();
    two.a.profile = OTHER_PROFILE;
    two.a.start();
    written(&two.a, "the key");
    let ran = two.a.run(&["sync", "push", "--yes"]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(!two.b.path("etc/vpn").exists(), "nothing changed");
    for word in ["/etc/vpn/keys has user root and not vpn", "the same appliance profile"] {
        wait("it is told", || line(&two.b).contains(word));
    }
}

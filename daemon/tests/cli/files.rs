//! `check` and `keygen`: the settings on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use twinwall_core::config::{Problem, parse_key};

use crate::support::Root;

const NODE: &str = "name = \"gw-a\"\ndesignation = \"primary\"\n";
const PAIR: &str = "pair_id = 1\n[ha_link]\ninterface = \"lo9\"\n[[interface]]\nname = \"lo8\"\nvirtual = \"10.1.0.1/24\"\n";
const NO_KEY: &str =
    "write a key with 'twinwall keygen' on one node and copy the file to the other";

fn good_root() -> Root {
    let root = Root::new();
    root.write("etc/twinwall/node.toml", NODE);
    root.write("etc/twinwall/pair.toml", PAIR);
    assert_eq!(root.run(&["keygen"]).code, Some(0));
    root
}

fn set_mode(root: &Root, mode: u32) {
    let path = root.path("etc/twinwall/pair.key");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn right_files_have_no_problem() {
    good_root().run(&["check", "--files-only"]).assert(0, "No problem found.\n", "");
}

#[test]
fn interfaces_that_the_machine_lacks_are_named() {
    let ran = good_root().run(&["check"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    let start = "ROOT/etc/twinwall/pair.toml: ";
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with(&format!(
            "{start}ha_link.interface = \"lo9\": this machine has no such interface; name one of: "
        )),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with(&format!(
            "{start}interface[1].name = \"lo8\": this machine has no such interface; "
        )),
        "{}",
        lines[1]
    );
}

#[test]
fn every_problem_of_every_file_comes_at_once() {
    let root = Root::new();
    root.write("etc/twinwall/node.toml", NODE);
    root.write("etc/twinwall/pair.toml", &PAIR.replace("pair_id = 1", "pair_id = 0\nwatch = 1"));
    let expected = format!(
        "ROOT/etc/twinwall/pair.toml:1: pair_id = 0: out of range; write a whole number from 1 to 65535\n\
         ROOT/etc/twinwall/pair.toml:2: watch = 1: unknown key; it belongs to [[interface]]\n\
         ROOT/etc/twinwall/pair.key: missing; {NO_KEY}\n"
    );
    root.run(&["check"]).assert(1, &expected, "");
    let json = root.run(&["check", "--json"]).out;
    let problems: Vec<Problem> = serde_json::from_str(&json).expect("problems");
    assert_eq!((problems.len(), problems[1].key.as_str(), problems[1].line), (3, "watch", 2));
}

#[test]
fn a_wrong_key_file_is_a_problem_and_its_text_is_not_shown() {
    let root = good_root();
    root.write("etc/twinwall/pair.key", "mysecret\n");
    let expected = format!(
        "ROOT/etc/twinwall/pair.key: 8 characters instead of 64 hexadecimal digits; {NO_KEY}\n"
    );
    root.run(&["check", "--files-only"]).assert(1, &expected, "");
}

#[test]
fn a_key_that_others_may_read_is_a_problem() {
    let root = good_root();
    set_mode(&root, 0o644);
    let expected = "ROOT/etc/twinwall/pair.key: others may read it (mode 0644); chmod 600 ROOT/etc/twinwall/pair.key; if others had it, make a new key\n";
    root.run(&["check", "--files-only"]).assert(1, expected, "");
}

#[test]
fn a_directory_or_bytes_in_place_of_text_are_problems() {
    let root = good_root();
    fs::write(root.path("etc/twinwall/node.toml"), [0xff, 0xfe]).expect("a file");
    fs::remove_file(root.path("etc/twinwall/pair.toml")).expect("a file");
    fs::create_dir(root.path("etc/twinwall/pair.toml")).expect("a directory");
    let ran = root.run(&["check"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "ROOT/etc/twinwall/node.toml: not UTF-8 text; save it as UTF-8");
    assert!(lines[1].starts_with("ROOT/etc/twinwall/pair.toml: Is a directory"), "{}", lines[1]);
}

#[test]
fn a_new_key_is_secret_whole_and_never_overwrites_one() {
    let root = good_root();
    let path = root.path("etc/twinwall/pair.key");
    let first = fs::read_to_string(&path).expect("a key");
    assert!(parse_key("pair.key", &first).is_ok(), "{first}");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let message = "twinwall: ROOT/etc/twinwall/pair.key is there already; copy that one to the other node, or replace it with --force\n";
    root.run(&["keygen"]).assert(1, "", message);
    assert_eq!(fs::read_to_string(&path).expect("a key"), first);

    set_mode(&root, 0o644);
    assert_eq!(root.run(&["keygen", "--force"]).code, Some(0));
    assert_ne!(fs::read_to_string(&path).expect("a key"), first);
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(root.path("etc/twinwall")).expect("a directory").collect();
    assert_eq!(left.len(), 3, "no draft stays behind: {left:?}");
}

#[test]
fn the_key_goes_where_node_toml_says() {
    let root = Root::new();
    root.write("etc/twinwall/node.toml", &format!("{NODE}key_file = \"keys/pair.key\"\n"));
    let message = "Wrote ROOT/keys/pair.key. Copy it to the other node, with mode 0600, by a way that nobody else can read.\n";
    root.run(&["keygen"]).assert(0, message, "");
    root.write("etc/twinwall/node.toml", "nam = 1\n");
    let ran = root.run(&["keygen"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("node.toml:1: nam = 1: unknown key; did you mean 'name'?"),
        "{}",
        ran.err
    );
}

//! `check` and `keygen`: the settings on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use twinwall_core::config::{Problem, parse_key};

use crate::support::Root;

const NODE: &str = "name = \"gw-a\"\ndesignation = \"primary\"\n";
const PAIR: &str = "pair_id = 1\n[ha_link]\ninterface = \"lo9\"\n[[interface]]\nname = \"lo8\"\nwatch = true\nvirtual = \"10.1.0.1/24\"\n";
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
fn a_target_of_alerts_that_would_never_be_told_is_warned_of() {
    let root = good_root();
    let targets = "[alerts.bad]\nkind = \"webhook\"\nurl = \"https://a.example/{secrt}\"\n\
        conditions = [\n  \"peer-silnt\",\n]\nca_file = \"etc/twinwall/alerts/ca.pem\"\n";
    root.write("etc/twinwall/pair.toml", &format!("{PAIR}{targets}"));
    let at = "ROOT/etc/twinwall/pair.toml";
    let told = format!(
        "{at}:12: warning: alerts.bad.conditions = \"peer-silnt\": there is no such condition; \
         did you mean 'peer-silent'?\n\
         {at}:10: warning: alerts.bad.url = \"{{secrt}}\": stands for nothing; did you mean \
         '{{secret}}'?\n\
         {at}:14: warning: alerts.bad.ca_file = \"etc/twinwall/alerts/ca.pem\": this node has no \
         such file; put the authority's certificate (PEM) there, on both nodes\n\
         The settings can be used; see the warnings.\n"
    );
    root.run(&["check", "--files-only"]).assert(0, &told, "");
    fs::create_dir(root.path("etc/twinwall/alerts")).expect("made");
    root.write("etc/twinwall/alerts/ca.pem", "");
    let right = targets.replace("secrt", "secret").replace("silnt", "silent");
    root.write("etc/twinwall/pair.toml", &format!("{PAIR}{right}"));
    root.run(&["check", "--files-only"]).assert(0, "No problem found.\n", "");
}

#[test]
fn whoever_else_could_change_or_read_the_files_is_named() {
    let root = good_root();
    let mode = |below: &str, mode| {
        fs::set_permissions(root.path(below), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    mode("etc/twinwall/pair.toml", 0o664);
    let ran = root.run(&["check", "--files-only"]);
    assert!(ran.code == Some(0) && ran.out.contains("warning: its group may change it"), "{ran:?}");
    mode("etc/twinwall", 0o777);
    mode("etc/twinwall/pair.toml", 0o666);
    fs::hard_link(root.path("etc/twinwall/pair.key"), root.path("etc/other")).expect("linked");
    let ran = root.run(&["check", "--files-only"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for words in [
        "etc/twinwall: everybody may put other files into it (mode 0777); chmod go-w",
        "pair.toml: everybody may change it (mode 0666)",
        "pair.key: has 2 names (hard links)",
    ] {
        assert!(ran.out.contains(words), "{words}: {ran:?}");
    }
}

#[test]
fn private_keys_that_others_could_read_are_named() {
    let root = good_root();
    let (identity, key) = ("etc/twinwall/identity", "etc/twinwall/identity/node.pem");
    let console = "var/lib/twinwall-web";
    fs::create_dir_all(root.path(identity)).expect("made");
    fs::create_dir_all(root.path(console)).expect("made");
    let console = format!("{console}/key.pem");
    for (below, bits) in [(key, 0o600), (console.as_str(), 0o600), (identity, 0o700)] {
        if bits == 0o600 {
            root.write(below, "");
        }
        mode_of(&root, below, bits);
    }
    root.run(&["check", "--files-only"]).assert(0, "No problem found.\n", "");
    for (below, bits) in [(key, 0o644), (console.as_str(), 0o640), (identity, 0o755)] {
        mode_of(&root, below, bits);
    }
    let ran = root.run(&["check", "--files-only"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for words in [
        "node.pem: everybody may read this private key (mode 0644); chmod go= ",
        "key.pem: its group may read this private key (mode 0640); chmod go= ",
        "identity: everybody may look into the folder of a private key (mode 0755); chmod go= ",
    ] {
        assert!(ran.out.contains(words), "{words}: {ran:?}");
    }
}

fn mode_of(root: &Root, below: &str, bits: u32) {
    fs::set_permissions(root.path(below), fs::Permissions::from_mode(bits)).expect("a mode");
}

#[test]
fn interfaces_that_the_machine_lacks_are_warned_of() {
    let ran = good_root().run(&["check"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    let start = "ROOT/etc/twinwall/pair.toml: warning: ";
    let no_such = "this machine has no such interface; name one of: ";
    assert_eq!(lines.len(), 3);
    assert!(
        lines[0].starts_with(&format!("{start}ha_link.interface = \"lo9\": {no_such}")),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with(&format!("{start}interface[1].name = \"lo8\": {no_such}")),
        "{}",
        lines[1]
    );
    assert_eq!(lines[2], "The settings can be used; see the warnings.");
}

#[test]
fn a_pair_that_watches_nothing_or_moves_nothing_is_warned_of() {
    let root = good_root();
    let watch = "ROOT/etc/twinwall/pair.toml: warning: interface: no interface is watched: a dead link to the clients moves nothing, and heartbeats have the HA link only; set watch = true on the interfaces that clients use\n";
    let vip = "ROOT/etc/twinwall/pair.toml: warning: interface: no virtual IP: nothing follows the active node; add virtual = \"...\" to an interface\n";
    let end = "The settings can be used; see the warnings.\n";
    root.write("etc/twinwall/pair.toml", &PAIR.replace("watch = true\n", ""));
    root.run(&["check", "--files-only"]).assert(0, &format!("{watch}{end}"), "");
    root.write("etc/twinwall/pair.toml", &PAIR.replace("virtual = \"10.1.0.1/24\"\n", ""));
    root.run(&["check", "--files-only"]).assert(0, &format!("{vip}{end}"), "");
    let json = root.run(&["check", "--files-only", "--json"]).out;
    let problems: Vec<Problem> = serde_json::from_str(&json).expect("problems");
    assert!(problems.len() == 1 && problems[0].warning, "{json}");
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
fn what_is_no_text_file_is_a_problem_and_nothing_is_waited_for() {
    let root = good_root();
    fs::write(root.path("etc/twinwall/node.toml"), [0xff, 0xfe]).expect("a file");
    fs::remove_file(root.path("etc/twinwall/pair.toml")).expect("a file");
    fs::create_dir(root.path("etc/twinwall/pair.toml")).expect("a directory");
    let expected = "ROOT/etc/twinwall/node.toml: not UTF-8 text; save it as UTF-8\n\
         ROOT/etc/twinwall/pair.toml: a directory, not a regular file; move it away, then write it; docs/configuration.md shows one\n";
    root.run(&["check"]).assert(1, expected, "");

    fs::remove_dir(root.path("etc/twinwall/pair.toml")).expect("a directory");
    for name in ["node.toml", "pair.toml"] {
        let path = root.path(&format!("etc/twinwall/{name}"));
        let _ = fs::remove_file(&path);
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
    }
    let expected = ["node.toml", "pair.toml"].map(|name| {
        format!("ROOT/etc/twinwall/{name}: a FIFO, not a regular file; move it away, then write it; docs/configuration.md shows one\n")
    });
    root.run(&["check"]).assert(1, &expected.concat(), "");
}

#[test]
fn a_key_file_that_is_much_too_long_is_told_with_its_length() {
    let root = good_root();
    root.write("etc/twinwall/pair.key", &"a".repeat((1 << 20) + 1));
    let expected = format!(
        "ROOT/etc/twinwall/pair.key: 1048577 bytes long; at most 1048576 are read; is it the right file? If not, {NO_KEY}\n"
    );
    root.run(&["check", "--files-only"]).assert(1, &expected, "");
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

#[test]
fn whether_high_availability_is_on_is_read_from_the_files_alone() {
    let root = Root::new();
    root.run(&["ha", "is-enabled"]).assert(1, "off\n", "");
    root.write("etc/twinwall/node.toml", NODE);
    root.run(&["ha", "is-enabled"]).assert(1, "off\n", "");
    root.write("etc/twinwall/pair.toml", PAIR);
    root.run(&["ha", "is-enabled"]).assert(0, "on\n", "");
    root.write("etc/twinwall/pair.toml", &format!("enabled = false\n{PAIR}"));
    root.run(&["ha", "is-enabled"]).assert(1, "off\n", "");
}

#[test]
fn settings_that_are_just_being_replaced_turn_nothing_off() {
    let root = Root::new();
    root.write("etc/twinwall/node.toml", NODE);
    thread::scope(|scope| {
        let asking = scope.spawn(|| root.run(&["ha", "is-enabled"]));
        thread::sleep(Duration::from_millis(100));
        root.write("etc/twinwall/pair.toml", PAIR);
        asking.join().expect("it ran").assert(0, "on\n", "");
    });
}

/// What the unit's condition answers with this program in the place of the installed one.
fn condition(program: &str) -> bool {
    let unit = include_str!("../../../packaging/systemd/twinwall-guard.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecCondition=/bin/sh -c '"));
    let script = line.and_then(|line| line.strip_suffix('\'')).expect("the unit has a condition");
    // systemd writes a dollar as two.
    let script = script.replace("$$", "$").replace("/usr/sbin/twinwall", program);
    let ran = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    ran.status.success()
}

#[test]
fn nothing_but_being_off_keeps_the_packaged_guard_from_starting() {
    let root = Root::new();
    let program = format!("{} --root {}", env!("CARGO_BIN_EXE_twinwall"), root.path("").display());
    let starts = || condition(&program);
    assert!(!starts(), "no settings");
    root.write("etc/twinwall/node.toml", NODE);
    assert!(!starts(), "not paired");
    let pair = root.path("etc/twinwall/pair.toml");
    fs::write(&pair, format!("enabled = false\n{PAIR}")).expect("written");
    assert!(!starts(), "off");
    fs::write(&pair, PAIR).expect("written");
    assert!(starts(), "on");
    for wrong in [&b"enabled ="[..], b"enabled = false \xff", b"enabled = 7\n"] {
        fs::write(&pair, wrong).expect("written");
        assert!(starts(), "wrong: {}", wrong.escape_ascii());
    }
    fs::remove_file(&pair).expect("removed");
    fs::create_dir(&pair).expect("made");
    assert!(starts(), "unreadable");
    for program in
        ["/nowhere/twinwall", "/dev/null", "sh -c 'exit 101' --", "sh -c 'kill -9 $$' --"]
    {
        assert!(condition(program), "a program that cannot say: {program}");
    }
}

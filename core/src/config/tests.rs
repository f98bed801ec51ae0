//! Each wrong configuration with its exact message, and what a right one becomes.

use std::time::Duration;

use super::*;

const NODE: &str = "name = \"gw-a\"\ndesignation = \"primary\"\n";

/// A right `pair.toml`; the cases change a line of it. `lan` stands in lines 9 to 14, `wan` in 16 to 18.
const PAIR: &str = r#"pair_id = 1

[heartbeat]
interval = 0.1

[ha_link]
interface = "ha0"

[[interface]]
name = "lan"
watch = true
primary = ["10.1.0.2/24", "2001:db8:1::2/64"]
secondary = ["10.1.0.3/24", "2001:db8:1::3/64"]
virtual = ["10.1.0.1/24", "2001:db8:1::1/64", "fe80::1/64"]

[[interface]]
name = "wan"
virtual = "203.0.113.5/29"
"#;

fn pair(text: &str) -> Pair {
    parse_pair("pair.toml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Errors of a right file with `from` replaced by `to`.
fn pair_errors(from: &str, to: &str) -> String {
    assert!(PAIR.contains(from), "the file has no {from}");
    match parse_pair("pair.toml", &PAIR.replacen(from, to, 1)) {
        Ok(_) => "(accepted)".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

fn check_pair(cases: &[(&str, &str, &str)]) {
    for (from, to, message) in cases {
        assert_eq!(pair_errors(from, to), *message, "{from:?} -> {to:?}");
    }
}

#[test]
fn a_right_node_gets_the_defaults() {
    let node = parse_node("node.toml", NODE).unwrap_or_else(|errors| panic!("{errors}"));
    let expected = Node {
        name: "gw-a".into(),
        designation: Designation::Primary,
        key_file: "etc/twinwall/pair.key".into(),
        gate: GateMode::Auto,
        realtime: true,
        web_listen: Vec::new(),
    };
    assert_eq!(node, expected);
    assert_eq!(default_key_file(), expected.key_file);
}

#[test]
fn a_right_pair_gets_the_defaults() {
    let pair = pair(PAIR);
    assert_eq!((pair.pair_id, pair.interval, pair.threshold), (1, Duration::from_millis(100), 3));
    assert_eq!(pair.ha_link, HaLink { interface: "ha0".into(), cable: Cable::Switched });
    assert_eq!(pair.failback, Failback::Stay);
    assert_eq!(pair.boot_hold, Duration::from_secs(5));
    let damping =
        Damping { flaps: 3, window: Duration::from_secs(900), hold: Duration::from_secs(60) };
    assert_eq!(pair.damping, damping);
    assert!(pair.required_checks.is_empty() && pair.ping_targets.is_empty());
    assert_eq!(pair.interfaces.len(), 2);
    assert!(pair.interfaces[0].watch && !pair.interfaces[1].watch);
    assert_eq!(pair.interfaces[1].virtual_ips, ["203.0.113.5/29".parse().expect("a prefix")]);
}

#[test]
fn every_setting_arrives() {
    let text = PAIR.replace("interval = 0.1", "interval = 2\nthreshold = 4")
        + "[failback]\npolicy = \"primary\"\nhold = 30\n[boot]\nhold = 0.5\n[damping]\nflaps = 5\nwindow = 60\nhold = 0\n\
           [readiness]\nrequire = [\"synchronised\", \"dns\"]\n[ping]\ntargets = [\"10.1.0.254\"]\n";
    let pair = pair(&text);
    assert_eq!((pair.interval, pair.threshold), (Duration::from_secs(2), 4));
    assert_eq!(pair.failback, Failback::Primary { hold: Duration::from_secs(30) });
    assert_eq!(pair.boot_hold, Duration::from_secs(8), "never less than the detection time");
    let damping = Damping { flaps: 5, window: Duration::from_secs(60), hold: Duration::ZERO };
    assert_eq!(pair.damping, damping);
    assert_eq!(pair.required_checks, ["dns", "synchronised"]);
    assert_eq!(pair.ping_targets, ["10.1.0.254".parse::<IpAddr>().expect("an address")]);
}

#[test]
fn a_pair_is_on_unless_it_says_otherwise_and_one_that_is_off_may_have_no_interfaces_yet() {
    assert!(pair(PAIR).enabled);
    let text = "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n\
                [sync]\nautomatic = false\ndebounce = 2\nlogs = true\nsnmp = true\n";
    let off = pair(text);
    let wanted =
        Sync { automatic: false, debounce: Duration::from_secs(2), logs: true, snmp: true };
    assert!(!off.enabled && off.interfaces.is_empty() && off.sync == wanted);
    assert!(parse_pair("pair.toml", &text.replace("false\n[ha", "true\n[ha")).is_err());
    assert_eq!(pair(PAIR).sync, Sync::default(), "the defaults of the table");
    assert_eq!(pair(PAIR).overridden, [], "every prerequisite counts");
    let on = pair(&PAIR.replace("pair_id = 1", "pair_id = 1\nenabled = false"));
    assert_eq!(on.digest(), pair(PAIR).digest(), "a guard does not heed it");
}

#[test]
fn wrong_nodes() {
    let cases = [
        (
            "",
            "node.toml:1: name: missing; add 'name = \"gw-a\"' (text of 1 to 64 bytes)\n\
              node.toml:1: designation: missing; add 'designation = \"primary\"' (\"primary\" or \"secondary\")",
        ),
        (
            "name = \"a\"\ndesignation = \"master\"\n",
            "node.toml:2: designation = \"master\": not one of the choices; write \"primary\" or \"secondary\"",
        ),
        (
            "name = \"\"\ndesignation = \"primary\"\n",
            "node.toml:1: name = \"\": too long, empty, or with control characters; text of 1 to 64 bytes",
        ),
        (
            "name = 7\ndesignation = \"primary\"\n",
            "node.toml:1: name = 7: a text is needed, not a whole number; put it in quotes",
        ),
        (
            "name = \"a\"\ndesignation = \"primary\"\nkey_file = \"/etc/pair.key\"\n",
            "node.toml:3: key_file = \"/etc/pair.key\": not a path below the root; write it relative to the root, without a leading / and without ..",
        ),
        (
            "name = \"a\"\ndesignation = \"primary\"\nrealtime = \"yes\"\n",
            "node.toml:3: realtime = \"yes\": neither true nor false; write true or false, without quotes",
        ),
        (
            "name = \"a\"\ndesignation = \"primary\"\nkeyfile = \"pair.key\"\n",
            "node.toml:3: keyfile = \"pair.key\": unknown key; did you mean 'key_file'?",
        ),
        (
            "name = \"a\"\ndesignation = \"primary\"\ngate = \"none\"\n",
            "node.toml:3: gate = \"none\": not one of the choices; write \"auto\" or \"plain\" or \"off\"",
        ),
    ];
    for (text, message) in cases {
        let errors = parse_node("node.toml", text).expect_err(text);
        assert_eq!(errors.to_string(), message, "{text}");
    }
}

#[test]
fn wrong_heartbeats() {
    let range = "write seconds from 0.01 to 60, fractions allowed";
    for value in ["0", "0.009", "-1", "60.1", "1e300"] {
        let message = format!("pair.toml:4: heartbeat.interval = {value}: out of range; {range}");
        assert_eq!(pair_errors("interval = 0.1", &format!("interval = {value}")), message);
    }
    for value in ["nan", "inf", "-inf", "\"1s\"", "[1]", "true"] {
        let message =
            format!("pair.toml:4: heartbeat.interval = {value}: not a number of seconds; {range}");
        assert_eq!(pair_errors("interval = 0.1", &format!("interval = {value}")), message);
    }
    check_pair(&[
        ("interval = 0.1", "interval = 0.01", "(accepted)"),
        (
            "interval = 0.1",
            "interval = 0.01\nthreshold = 2",
            "pair.toml:4: heartbeat.interval = 0.01: too fast for a threshold of 2; (threshold - 1) x interval must be at least 0.02 s: write an interval of 0.02 or more, or raise the threshold",
        ),
        (
            "interval = 0.1",
            "threshold = 1",
            "pair.toml:4: heartbeat.threshold = 1: out of range; write a whole number from 2 to 255",
        ),
        (
            "interval = 0.1",
            "threshold = 2.5",
            "pair.toml:4: heartbeat.threshold = 2.5: not a whole number; write a whole number from 2 to 255",
        ),
        (
            "pair_id = 1",
            "pair_id = 0",
            "pair.toml:1: pair_id = 0: out of range; write a whole number from 1 to 65535",
        ),
        (
            "pair_id = 1\n",
            "\n",
            "pair.toml:1: pair_id: missing; add 'pair_id = 1' (whole number from 1 to 65535)",
        ),
    ]);
}

#[test]
fn unknown_keys_and_sections() {
    check_pair(&[
        (
            "interval = 0.1",
            "intervall = 0.1",
            "pair.toml:4: heartbeat.intervall = 0.1: unknown key; did you mean 'interval'?",
        ),
        (
            "[heartbeat]",
            "[hearbeat]",
            "pair.toml:3: hearbeat: unknown key; did you mean 'heartbeat'?",
        ),
        (
            "pair_id = 1",
            "pair_id = 1\nwatch = true",
            "pair.toml:2: watch = true: unknown key; it belongs to [[interface]]",
        ),
        (
            "pair_id = 1",
            "pair_id = 1\ncolour = 3",
            "pair.toml:2: colour = 3: unknown key; remove it; known here: pair_id, enabled, heartbeat, ha_link, failback, boot, damping, readiness, ping, sync, flows, logs, reports, probe, preflight, alerts, interface",
        ),
        (
            "interface = \"ha0\"",
            "interface = \"ha0\"\nwatch = true",
            "pair.toml:8: ha_link.watch = true: unknown key; the HA link cannot be watched; remove it",
        ),
        (
            "watch = true",
            "wach = true\nwatch = true",
            "pair.toml:11: interface[1].wach = true: unknown key; did you mean 'watch'?",
        ),
        (
            "[heartbeat]\ninterval = 0.1",
            "heartbeat = 1",
            "pair.toml:3: heartbeat = 1: not a section; write [heartbeat] and its keys below it",
        ),
    ]);
    let once = PAIR.split("[[interface]]").next().expect("a head").to_owned()
        + "[interface]\nname = \"lan\"\nvirtual = \"10.1.0.1/24\"\n";
    let errors = parse_pair("pair.toml", &once).expect_err("one bracket");
    assert_eq!(
        errors.to_string(),
        "pair.toml:9: interface: there can be several of these; write [[interface]] with two brackets"
    );
}

/// A VIP of [`PAIR`] and its place.
const LAN_VIP: &str = "10.1.0.1/24";
const LAN_VIP_AT: &str = "pair.toml:14: interface[1].virtual[1]";

#[test]
fn wrong_addresses() {
    let cases = [
        (
            "10.3.0.1/24",
            "not in the subnet 10.1.0.0/24 of this interface; give it an address of that subnet",
        ),
        ("10.1.0.1/25", "a prefix length of 25, the others here have 24; write \"10.1.0.1/24\""),
        (
            "10.1.0.2/24",
            "the same address as interface[1].primary[1] in line 12; each address of the pair must be another one",
        ),
        (
            "10.1.0.3/24",
            "the same address as interface[1].secondary[1] in line 13; each address of the pair must be another one",
        ),
        (
            "10.1.0.0/24",
            "the address of the subnet 10.1.0.0/24 itself; choose an address of one machine",
        ),
        ("10.1.0.255/24", "the broadcast address of 10.1.0.0/24; choose an address of one machine"),
        ("10.1.0.255/32", "the first or last address of 10.1.0.0/24; choose one between them"),
        (
            "10.3.0.1/32",
            "not in the subnet 10.1.0.0/24 of this interface; give it an address of that subnet",
        ),
        ("224.0.0.18/24", "a multicast address; choose an address of one machine"),
        (
            "127.0.0.1/24",
            "a loopback address, which never leaves the machine; choose an address of one machine",
        ),
        ("0.0.0.0/24", "the unspecified address; choose an address of one machine"),
    ];
    for (value, rest) in cases {
        assert_eq!(pair_errors(LAN_VIP, value), format!("{LAN_VIP_AT} = \"{value}\": {rest}"));
    }
    assert_eq!(pair_errors(LAN_VIP, "10.1.0.1/32"), "(accepted)");
}

#[test]
fn addresses_written_wrong() {
    let cases = [
        ("::ffff:10.1.0.1/96", "an IPv4 address in the clothes of IPv6; write 10.1.0.1"),
        ("10.1.0.1/7", "a prefix length of 7 is shorter than any subnet; write one of 8 or more"),
        (
            "10.1.0.1",
            "the prefix length is missing; write \"10.1.0.1/LENGTH\" with the length of the subnet",
        ),
        (
            "10.1.0.1/240",
            "not a prefix length (0 to 32 for IPv4, 0 to 128 for IPv6); write ADDRESS/LENGTH, as 10.1.0.1/24 or 2001:db8::1/64",
        ),
        (
            "lan.example/24",
            "not an IP address; write ADDRESS/LENGTH, as 10.1.0.1/24 or 2001:db8::1/64",
        ),
    ];
    for (value, rest) in cases {
        assert_eq!(pair_errors(LAN_VIP, value), format!("{LAN_VIP_AT} = \"{value}\": {rest}"));
    }
}

#[test]
fn the_odd_address_is_named_and_not_its_neighbours() {
    check_pair(&[
        (
            "10.1.0.2/24",
            "10.2.0.2/24",
            "pair.toml:12: interface[1].primary[1] = \"10.2.0.2/24\": not in the subnet 10.1.0.0/24 of this interface; give it an address of that subnet",
        ),
        (
            "10.1.0.3/24",
            "10.1.0.3/16",
            "pair.toml:13: interface[1].secondary[1] = \"10.1.0.3/16\": a prefix length of 16, the others here have 24; write \"10.1.0.3/24\"",
        ),
        (
            "2001:db8:1::1/64",
            "2001:db8:2::1/64",
            "pair.toml:14: interface[1].virtual[2] = \"2001:db8:2::1/64\": not in the subnet 2001:db8:1::/64 of this interface; give it an address of that subnet",
        ),
        (
            "2001:db8:1::1/64",
            "2001:db8:1::/64",
            "pair.toml:14: interface[1].virtual[2] = \"2001:db8:1::/64\": the address of the subnet 2001:db8:1::/64 itself; choose an address of one machine",
        ),
        (
            "10.1.0.3/24",
            "10.1.0.2/24",
            "pair.toml:13: interface[1].secondary[1] = \"10.1.0.2/24\": the same address as interface[1].primary[1] in line 12; each address of the pair must be another one",
        ),
        (
            "10.1.0.2/24",
            "10.1.0.2/32",
            "pair.toml:12: interface[1].primary[1] = \"10.1.0.2/32\": an own address needs the prefix length of its subnet; write \"10.1.0.2/LENGTH\" as the interface has it",
        ),
        (
            "\"10.1.0.3/24\", ",
            "",
            "pair.toml:12: interface[1].primary[1] = \"10.1.0.2/24\": the secondary node has no IPv4 address here; add one to secondary, or remove this one (virtual IPs alone are possible)",
        ),
    ]);
}

#[test]
fn wrong_interfaces() {
    let duplicate = "name = \"lan\"\nvirtual = \"203.0.113.5/29\"";
    check_pair(&[
        (
            "name = \"wan\"",
            "name = \"ha0\"",
            "pair.toml:17: interface[2].name = \"ha0\": this is the HA link, which carries no addresses of the pair; remove this [[interface]] section or choose another [ha_link] interface",
        ),
        (
            "name = \"lan\"",
            "name = \"ha0\"",
            "pair.toml:11: interface[1].watch = true: ha0 is the HA link, which cannot be watched; remove this [[interface]] section; a lost HA link is an alarm, never a failover",
        ),
        (
            "name = \"wan\"\nvirtual = \"203.0.113.5/29\"",
            duplicate,
            "pair.toml:17: interface[2].name = \"lan\": listed already in line 10; merge the two sections",
        ),
        (
            "203.0.113.5/29",
            "10.1.0.1/24",
            "pair.toml:18: interface[2].virtual = \"10.1.0.1/24\": the same address as interface[1].virtual[1] in line 14; each address of the pair must be another one",
        ),
        ("203.0.113.5/29", "fe80::1/64", "(accepted)"),
        ("203.0.113.5/29", "203.0.113.5/32", "(accepted)"),
        (
            "virtual = \"203.0.113.5/29\"",
            "",
            "pair.toml:17: interface[2].name = \"wan\": neither watched nor with a virtual IP, so that it means nothing to the pair; add virtual = \"...\", or watch = true, or remove this section",
        ),
        (
            "virtual = \"203.0.113.5/29\"",
            "virtual = 5",
            "pair.toml:18: interface[2].virtual = 5: a text or a list of texts is needed, not a whole number; write it as \"...\" or [\"...\", \"...\"]",
        ),
        (
            "name = \"wan\"\n",
            "",
            "pair.toml:16: interface[2].name: missing; add 'name = \"lan\"' in [[interface]] (interface name of 1 to 15 letters, digits, '.', '_' and '-', not 'lo')",
        ),
        (
            "interface = \"ha0\"\n",
            "",
            "pair.toml:6: ha_link.interface: missing; add 'interface = \"ha0\"' in [ha_link] (interface name of 1 to 15 letters, digits, '.', '_' and '-', not 'lo')",
        ),
    ]);
}

#[test]
fn wrong_interface_names() {
    for name in ["", "a name", "a/b", "eth0:1", "sixteen-letters-", "lo", "..", "l\u{e4}n"] {
        let rest = "not a usable interface name; interface name of 1 to 15 letters, digits, '.', '_' and '-', not 'lo', as 'ip link' shows it";
        assert_eq!(
            pair_errors("\"wan\"", &format!("\"{name}\"")),
            format!("pair.toml:17: interface[2].name = \"{name}\": {rest}")
        );
    }
}

#[test]
fn a_file_without_interfaces_is_refused() {
    let errors = parse_pair("pair.toml", "pair_id = 1\n[ha_link]\ninterface = \"ha0\"\n")
        .expect_err("no interface");
    let message = "pair.toml:1: interface: missing; add an [[interface]] section for each interface that carries addresses of the pair";
    assert_eq!(errors.to_string(), message);
}

#[test]
fn wrong_targets_and_checks() {
    let with = |line: &str| pair_errors("[ha_link]", &format!("[ping]\n{line}\n[ha_link]"));
    let at = "pair.toml:7: ping.targets";
    let outside = "name a machine outside the pair that answers pings";
    assert_eq!(with("targets = \"10.1.0.254\""), "(accepted)");
    assert_eq!(
        with("targets = [\"10.1.0.1\"]"),
        format!(
            "{at}[1] = \"10.1.0.1\": the pair's own address (interface[1].virtual[1]); {outside}"
        )
    );
    assert_eq!(
        with("targets = [\"10.1.0.2\"]"),
        format!(
            "{at}[1] = \"10.1.0.2\": the pair's own address (interface[1].primary[1]); {outside}"
        )
    );
    assert_eq!(
        with("targets = [\"224.0.0.1\"]"),
        format!("{at}[1] = \"224.0.0.1\": not the address of one other machine; {outside}")
    );
    assert_eq!(
        with("targets = [\"fe80::9\"]"),
        format!(
            "{at}[1] = \"fe80::9\": a link-local address is not unique; use an address with a wider scope"
        )
    );
    assert_eq!(
        with("targets = [\"9.9.9.9\", \"9.9.9.9\"]"),
        format!("{at}[2] = \"9.9.9.9\": named twice; remove one")
    );
    assert_eq!(
        with("targets = [\"dns.example\"]"),
        format!(
            "{at}[1] = \"dns.example\": not an IP address; write one as 10.2.0.254 or 2001:db8::1, without a length"
        )
    );
    let nine = (1..=9).map(|last| format!("\"9.9.9.{last}\"")).collect::<Vec<_>>().join(",");
    assert!(with(&format!("targets = [{nine}]")).ends_with(": 9 entries; 8 are possible"));
    assert_eq!(
        pair_errors("[ha_link]", "[readiness]\nrequire = [\"DNS works\"]\n[ha_link]"),
        "pair.toml:7: readiness.require[1] = \"DNS works\": not a name of a check; 1 to 32 of a-z, 0-9, '.', '_' and '-'"
    );
}

#[test]
fn a_syntax_error_has_its_line() {
    let errors =
        parse_pair("pair.toml", "pair_id = 1\n[ha_link\n").expect_err("no bracket").to_string();
    assert!(
        errors.starts_with("pair.toml:2: ") && errors.contains("see https://toml.io"),
        "{errors}"
    );
    let twice =
        parse_pair("pair.toml", "pair_id = 1\npair_id = 2\n").expect_err("twice").to_string();
    assert!(twice.starts_with("pair.toml:2: ") && twice.contains("duplicate"), "{twice}");
}

#[test]
fn all_errors_come_at_once_in_line_order() {
    let text = PAIR
        .replace("interval = 0.1", "interval = 0")
        .replace("watch = true", "watch = 1")
        .replace("203.0.113.5/29", "203.0.113.5/40")
        + "[boot]\nhold = -1\n";
    let errors = parse_pair("pair.toml", &text).expect_err("four errors");
    let lines: Vec<usize> = errors.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [4, 11, 18, 20], "{errors}");
}

#[test]
fn limits_hold_and_many_errors_are_counted() {
    let mut text = PAIR.replace("virtual = \"203.0.113.5/29\"", "");
    text.push_str("virtual = [");
    for number in 0..crate::ids::MAX_VIRTUAL {
        text.push_str(&format!("\"10.9.{}.{}/16\",\n", number / 200, number % 200 + 1));
    }
    text.push_str("]\n");
    let errors = parse_pair("pair.toml", &text).expect_err("three too many").to_string();
    assert!(
        errors.ends_with(
            "too many virtual IPs in the pair; at most 4096 are possible over all interfaces"
        ),
        "{errors}"
    );

    let wrong = text.replace("/16", "/99");
    let errors = parse_pair("pair.toml", &wrong).expect_err("all wrong");
    assert_eq!(
        (errors.problems.len(), errors.more),
        (MAX_PROBLEMS, crate::ids::MAX_VIRTUAL - MAX_PROBLEMS)
    );

    let long = format!("# {}\n{PAIR}", "x".repeat(MAX_FILE));
    let errors = parse_pair("pair.toml", &long).expect_err("too long").to_string();
    assert!(errors.ends_with("bytes long; at most 1048576 are read"), "{errors}");
}

#[test]
fn the_digest_follows_the_meaning_and_not_the_text() {
    let one = pair(PAIR);
    let same = [
        ("interval = 0.1", "interval = 0.10  # fast\nthreshold = 3.0"),
        ("\"10.1.0.1/24\", \"2001:db8:1::1/64\"", "\"2001:db8:1::1/64\", \"10.1.0.1/24\""),
    ];
    for (from, to) in same {
        assert_eq!(pair(&PAIR.replace(from, to)).digest(), one.digest(), "{to}");
    }
    let other = [
        ("10.1.0.1/24", "10.1.0.9/24"),
        ("= 0.1", "= 0.2"),
        ("watch = true", "watch = false"),
        ("\"wan\"", "\"wan2\""),
    ];
    for (from, to) in other {
        assert_ne!(pair(&PAIR.replace(from, to)).digest(), one.digest(), "{to}");
    }
    // Two versions of the program must agree: change this number only with the frame's version.
    assert_eq!(one.digest(), 14_918_194_518_174_650_541);
}

#[test]
fn a_change_names_what_differs_and_whether_it_can_be_applied_live() {
    let old = pair(PAIR);
    assert!(old.change(&old).is_empty());
    let live = pair(&PAIR.replace("= 0.1", "= 0.2").replace("10.1.0.1/24", "10.1.0.9/24"));
    let change = old.change(&live);
    let keys: Vec<&str> = change.changed.iter().map(|changed| changed.key.as_str()).collect();
    assert_eq!(keys, ["heartbeat.interval", "interface \"lan\".virtual"]);
    assert_eq!(
        (change.changed[0].old.as_str(), change.changed[0].new.as_str()),
        ("0.1 s", "0.2 s")
    );
    assert!(change.is_live());
    for (from, to) in [("pair_id = 1", "pair_id = 2"), ("ha0", "ha1")] {
        let change = old.change(&pair(&PAIR.replace(from, to)));
        assert!(change.changed.len() == 1 && !change.is_live(), "{to}");
    }
    for (from, to) in [
        ("watch = true", "watch = false"),
        ("[ha_link]", "[ping]\ntargets = \"9.9.9.9\"\n[ha_link]"),
    ] {
        let change = old.change(&pair(&PAIR.replace(from, to)));
        assert!(change.changed.len() == 1 && change.is_live(), "{to}");
    }
    let added = pair(&format!("{PAIR}[[interface]]\nname = \"dmz\"\nwatch = true\n"));
    let change = old.change(&added);
    assert!(
        change
            .changed
            .iter()
            .any(|changed| changed.key == "interface \"dmz\".watch" && changed.old == "absent")
    );
    assert!(change.is_live());
}

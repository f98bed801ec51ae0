//! System > High availability, asked as a browser would: settings entered on one node, mistakes
//! at their fields, two administrators at once, who may what, and on and off.

use super::support::{
    Answer, Console, PASSWORD, Switch, console_answers, json, role, with_consoles, with_networks,
};
use crate::support::{Node, Two, ip, wait, wait_telling};

const PAGE: &str = "/high-availability";
/// What the page's form always sends.
const FORM: [(&str, &str); 1] = [("sync.automatic", "yes")];

/// A console where the administrator is signed in.
fn as_anna(node: &Node, address: &str) -> Console {
    let console = Console::of(node, address);
    let signed_in = console.sign_in("anna", PASSWORD);
    assert_eq!(signed_in.status, 303, "{}", signed_in.body);
    console
}

fn with_anna() -> (Two, Console, Switch) {
    let two = with_consoles();
    let switch = with_networks(&two);
    wait("in sync", || two.a.run(&["sync"]).out.contains(": in sync"));
    for (name, role) in [("anna", "administrator"), ("otto", "operator"), ("vera", "viewer")] {
        two.a.typed(&["account", "add", name, "--role", role], PASSWORD);
    }
    let accounts = || two.b.text("etc/twinwall-accounts/accounts.toml").contains("vera");
    let told =
        || [&two.a, &two.b].map(|node| node.text("agent.log") + &node.run(&["sync"]).out).concat();
    wait_telling("the accounts are on the other node", accounts, told);
    let console = as_anna(&two.a, "10.1.0.2");
    (two, console, switch)
}

fn send(console: &Console, what: &str, fields: &[(&str, &str)]) -> Answer {
    console.send(PAGE, &[&[("do", what)], &FORM[..], fields].concat())
}

/// The revision that a page was made from, as its form sends it back.
fn seen(page: &str) -> String {
    let value = page.split("name=\"seen\" value=\"").nth(1).and_then(|it| it.split('"').next());
    value.expect("a revision").replace("&#34;", "\"").replace("&quot;", "\"")
}

fn setting(node: &Node, key: &str, name: &str) -> serde_json::Value {
    json(node, &["ha", "show", "--json"])["settings"][key][name].clone()
}

#[test]
fn settings_entered_on_either_node_are_shown_first_and_then_used_by_both() {
    let (two, here, _switch) = with_anna();
    let page = here.ask(&[PAGE]).body;
    for words in
        ["Prerequisites", "Detection time", "same port", "10.1.0.3/24", "SNMP data from both"]
    {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(page.len() < 40_000, "{}", page.len());
    let interval = [("heartbeat.interval", "0.5"), ("interface.dmz.watch", "yes")];
    let shown = send(&here, "preview", &interval);
    assert_eq!(shown.status, 200);
    for words in ["Apply these changes?", "0.5 s", "dmz: watch", "On gw-b", "while it runs"] {
        assert!(shown.body.contains(words), "{words}\n{}", shown.body);
    }
    assert_eq!(setting(&two.a, "heartbeat", "interval_s"), 1.0, "only looked at");
    let back = send(&here, "edit", &interval);
    assert!(back.body.contains("name=\"heartbeat.interval\" value=\"0.5\""), "{}", back.body);
    let applied = send(&here, "apply", &interval);
    assert_eq!((applied.status, applied.header("location")), (303, Some(PAGE)));
    assert!(here.ask(&[PAGE]).body.contains("is in use on both nodes."));
    for node in [&two.a, &two.b] {
        assert_eq!(setting(node, "heartbeat", "interval_s"), 0.5);
    }
    // The passive node takes settings as well.
    let there = as_anna(&two.b, "10.1.0.3");
    assert_eq!(send(&there, "apply", &[("heartbeat.threshold", "4"), interval[1]]).status, 303);
    wait("both have it", || setting(&two.a, "heartbeat", "threshold") == 4);
    assert_eq!((role(&two.a), role(&two.b)), ("active".to_owned(), "passive".to_owned()));
    assert!(send(&there, "preview", &[interval[1]]).body.contains("Nothing would change"));
}

#[test]
fn what_is_wrong_is_told_at_its_field_and_nothing_that_was_typed_is_lost() {
    let (two, here, _switch) = with_anna();
    let typed = [
        ("heartbeat.interval", "90"),
        ("heartbeat.threshold", "7"),
        ("interface.lan.virtual", "10.1.0.1/24\n10.9.0.1/24"),
        ("interface.wan.virtual", "192.0.2.9/24"),
    ];
    let wrong = send(&here, "preview", &typed);
    assert_eq!(wrong.status, 422);
    for words in [
        "id=\"heartbeat.interval-wrong\"",
        "id=\"interface.lan.virtual-wrong\"",
        "entry 2: &#34;10.9.0.1/24&#34;: not in the subnet 10.1.0.0/24",
        "value=\"90\"",
        "value=\"7\"",
        "10.1.0.1/24\n10.9.0.1/24</textarea>",
        "href=\"#heartbeat.interval\"",
    ] {
        assert!(wrong.body.contains(words), "{words}\n{}", wrong.body);
    }
    // Of an interface whose addresses come from DHCP the reason is told.
    let dhcp = send(&here, "apply", &[("interface.wan.virtual", "192.0.2.9/24")]);
    assert_eq!(dhcp.status, 422);
    assert!(dhcp.body.contains("gets its address from elsewhere"), "{}", dhcp.body);
    let comma = send(&here, "preview", &[("heartbeat.interval", "0,5")]);
    assert!(comma.status == 422 && comma.body.contains("is no number"), "{}", comma.body);
    assert!(
        setting(&two.a, "heartbeat", "interval_s") == 1.0
            && !two.b.text("etc/network/interfaces").contains("192.0.2.9")
    );
}

#[test]
fn two_administrators_at_once_do_not_overwrite_each_other() {
    let (two, here, _switch) = with_anna();
    let before = seen(&here.ask(&[PAGE]).body);
    two.b.good(&["ha", "set", "heartbeat.threshold=5", "heartbeat.interval=0.3"]);
    let typed = [
        ("seen", before.as_str()),
        ("heartbeat.interval", "0.7"),
        ("heartbeat.threshold", "3"),
        ("ping.targets", "192.0.2.1"),
    ];
    for what in ["preview", "apply"] {
        let late = send(&here, what, &typed);
        assert_eq!(late.status, 409, "{what}");
        for words in [
            "changed the settings meanwhile",
            "Missed heartbeats: <span class=\"gone\">3</span> → <strong>5</strong>",
            "name=\"heartbeat.interval\" value=\"0.7\"",
            "id=\"heartbeat.interval-theirs\"",
            "name=\"heartbeat.threshold\" value=\"5\"",
            "192.0.2.1</textarea>",
        ] {
            assert!(late.body.contains(words), "{what}: {words}\n{}", late.body);
        }
    }
    assert_eq!(setting(&two.a, "heartbeat", "interval_s"), 0.3, "nothing was overwritten");
    let now = seen(&here.ask(&[PAGE]).body);
    let again =
        [("seen", now.as_str()), ("heartbeat.interval", "0.7"), ("heartbeat.threshold", "5")];
    assert_eq!(send(&here, "apply", &again).status, 303);
    assert_eq!(setting(&two.b, "heartbeat", "interval_s"), 0.7);
}

#[test]
fn while_a_forced_synchronisation_runs_changes_are_refused_and_what_was_typed_stays() {
    let (two, here, _switch) = with_anna();
    let there = as_anna(&two.b, "10.1.0.3");
    two.b.write("slow", "");
    two.b.write("etc/ethers", "02:00:00:00:00:09 10.1.0.9\n");
    let differs = || two.a.run(&["sync"]).out.contains("changed on gw-b");
    wait("it differs", differs);
    let chosen = [("direction", "push"), ("section-definitions", "on")];
    assert_eq!(here.order("/sync/force", "/sync/force", &chosen).status, 303);
    let typed = [("heartbeat.interval", "0.7")];
    for console in [&here, &there] {
        let runs = || console.ask(&["/sync"]).body.contains("Other changes are refused");
        wait("the synchronisation is validated", runs);
        for what in ["preview", "apply"] {
            let refused = send(console, what, &typed);
            assert_eq!(refused.status, 409, "{what}: {}", refused.body);
            let why = "Not done:</strong> a forced synchronisation by anna";
            assert!(refused.body.contains(why), "{what}: {}", refused.body);
            let kept = "name=\"heartbeat.interval\" value=\"0.7\"";
            assert!(refused.body.contains(kept), "{what}: {}", refused.body);
        }
        let asked = console.order(PAGE, "/high-availability/disable", &[("do", "look")]);
        assert!(asked.body.contains("Not possible now:"), "{}", asked.body);
    }
    assert_eq!(setting(&two.a, "heartbeat", "interval_s"), 1.0, "nothing was changed");
    std::fs::remove_file(two.b.path("slow")).expect("there");
    wait("it has ended", || !here.ask(&["/sync"]).body.contains("Other changes are refused"));
    assert_eq!(send(&here, "apply", &typed).status, 303);
}

#[test]
fn everybody_sees_the_settings_and_only_administrators_change_them() {
    let (two, here, _switch) = with_anna();
    assert!(here.ask(&[PAGE]).body.contains("value=\"preview\">Apply…"));
    for name in ["otto", "vera"] {
        assert_eq!(here.sign_in(name, PASSWORD).status, 303);
        let page = here.ask(&[PAGE]);
        assert!(page.status == 200 && page.body.contains("<fieldset class=\"plain\" disabled>"));
        assert!(!page.body.contains("Apply…") && !page.body.contains("Disable…"), "{name}");
        assert!(!page.body.contains("Restore…") && page.body.contains("Versions of the settings"));
        for (path, what) in [
            (PAGE, "preview"),
            (PAGE, "apply"),
            ("/high-availability/disable", "confirm"),
            ("/high-availability/enable", "look"),
            ("/high-availability/restore", "confirm"),
        ] {
            let fields = [("do", what), ("heartbeat.interval", "0.5"), ("version", "1")];
            let refused = here.order(PAGE, path, &fields);
            assert_eq!(refused.status, 403, "{name} {path} {what}: {}", refused.body);
        }
        assert_eq!(here.ask(&["/high-availability/progress/1"]).status, 403);
    }
    assert_eq!(setting(&two.a, "heartbeat", "interval_s"), 1.0);
}

#[test]
fn a_version_is_put_back_and_high_availability_turned_off_and_on_again() {
    let (two, here, _switch) = with_anna();
    assert_eq!(send(&here, "apply", &[("heartbeat.interval", "0.5")]).status, 303);
    let page = here.ask(&[PAGE]).body;
    let restore = "/high-availability/restore";
    let seen = seen(&page);
    let one = [("version", "1"), ("seen", seen.as_str())];
    let shown = here.order(PAGE, restore, &one);
    assert!(shown.status == 200 && shown.body.contains("Put version 1"), "{}", shown.body);
    assert!(shown.body.contains("<td data-of=\"Now\">0.5 s</td>"), "{}", shown.body);
    let done = here.order(PAGE, restore, &[&[("do", "confirm")], &one[..]].concat());
    assert_eq!(done.status, 303);
    assert!(here.ask(&[PAGE]).body.contains("Applied: revision 3"));
    assert_eq!(setting(&two.b, "heartbeat", "interval_s"), 1.0);
    let late = here.order(PAGE, restore, &[&[("do", "confirm")], &one[..]].concat());
    assert_eq!(late.status, 303);
    assert!(here.ask(&[PAGE]).body.contains("changed the settings meanwhile"), "seen before");
    for (path, question, is_on) in [
        ("/high-availability/disable", "no failover until it is turned on again", false),
        ("/high-availability/enable", "becomes the active one", true),
    ] {
        let asked = here.order(PAGE, path, &[]);
        assert!(asked.status == 200 && asked.body.contains(question), "{}", asked.body);
        let begun = here.order(PAGE, path, &[("do", "confirm")]);
        let progress = begun.header("location").expect("a place").to_owned();
        assert!(begun.status == 303 && progress.starts_with("/high-availability/progress/"));
        wait("it is done", || here.ask(&[&progress]).body.contains("To the dashboard"));
        let end = here.ask(&[&progress]).body;
        assert!(end.contains("<strong>done</strong>"), "{end}");
        let on = |node| json(node, &["ha", "show", "--json"])["settings"]["enabled"] == is_on;
        wait("both say so", || on(&two.a) && on(&two.b));
        let words = if is_on { "<strong>enabled</strong>" } else { "<strong>disabled</strong>" };
        wait("the page says so", || here.ask(&[PAGE]).body.contains(words));
    }
    wait("one serves", || role(&two.a) == "active" && role(&two.b) == "passive");
}

#[test]
fn a_node_without_a_partner_leads_to_the_pairing() {
    let mut two = Two::cabled();
    two.a.with_console(super::support::PROFILE);
    two.a.write(
        "etc/twinwall/node.toml",
        "name = \"gw-a\"\ndesignation = \"primary\"\n[web]\nlisten = \"[::]:8443\"\n",
    );
    ip(&["-n", two.a.namespace(), "addr", "add", "10.1.0.2/24", "dev", "lan"]);
    two.a.start();
    console_answers(&two.a, "10.1.0.2");
    two.a.typed(&["account", "add", "anna", "--role", "administrator"], PASSWORD);
    let here = as_anna(&two.a, "10.1.0.2");
    let page = here.ask(&[PAGE]);
    assert!(
        page.body.contains("href=\"/pairing\"") && !page.body.contains("Apply…"),
        "{}",
        page.body
    );
    assert_eq!(send(&here, "apply", &[("heartbeat.interval", "0.5")]).status, 200);
}

//! `profile`: mistakes in a profile, and what it covers below a root.

use serde_json::Value;

use crate::support::Root;

#[test]
fn the_profile_that_is_built_in_has_no_mistake() {
    let root = Root::new();
    root.run(&["profile", "check"]).assert(0, "No problem found: Debian gateway.\n", "");
    root.run(&["profile", "check", "--json"]).assert(0, "[]\n", "");
}

#[test]
fn the_administrators_own_profile_is_read_first_and_every_mistake_named() {
    let root = Root::new();
    root.write("etc/twinwall/profile.toml", "format = 1\nname = \"mine\"\nmore = 2\n");
    let ran = root.run(&["profile", "check"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines.iter().all(|line| line.starts_with("ROOT/etc/twinwall/profile.toml:")));
    assert!(lines.iter().any(|line| line.contains("more")), "{lines:#?}");
    let ran = root.run(&["profile", "show"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
}

#[test]
fn a_section_shows_what_lies_below_the_root() {
    let root = Root::new();
    std::fs::create_dir_all(root.path("etc/nftables.d")).expect("a directory");
    for file in ["etc/nftables.conf", "etc/nftables.d/definitions.nft", "etc/ethers"] {
        root.write(file, "x\n");
    }
    let ran = root.run(&["profile", "show", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let look: Value = serde_json::from_str(&ran.out).expect("JSON");
    let files = |name: &str| {
        let sections = look["sections"].as_array().expect("a list");
        let section = sections.iter().find(|it| it["section"] == name).expect("the section");
        section["files"].as_u64().expect("a number")
    };
    assert_eq!((files("firewall"), files("definitions"), files("mail")), (1, 2, 0));
    let unvalidated = |name: &str| {
        let sections = look["sections"].as_array().expect("a list");
        sections.iter().any(|it| it["section"] == name && it["unvalidated"] == true)
    };
    assert!(!unvalidated("definitions"), "the validator of its group sees it");
    let shown = root.run(&["profile", "show"]).out;
    assert!(shown.contains("Mail protection (mail)\n  nothing of it on this machine\n"), "{shown}");
}

#[test]
fn logs_reports_and_leases_are_shown_with_what_is_there_of_them() {
    let root = Root::new();
    for folder in ["var/log/kea", "var/lib/reports", "var/lib/misc"] {
        std::fs::create_dir_all(root.path(folder)).expect("a directory");
    }
    root.write("var/log/kea/dhcp4.log", "one\ntwo\n");
    root.write("var/lib/reports/june.pdf", "pdf");
    root.write("var/lib/reports/note.txt", "no report");
    root.write("var/lib/misc/dnsmasq.leases", "");
    let shown = root.run(&["profile", "show"]).out;
    for part in [
        "\nSources of logs (logs)\n  dnsmasq, read as dnsmasq\n    files: /var/log/dnsmasq.log (none \
         on this machine)\n    journal: dnsmasq.service\n",
        "  kea, read as kea\n    files: /var/log/kea/*.log (1 file, 8 bytes)\n    journal: \
         kea-dhcp4-server.service, ",
        "  kernel, read as lines\n    journal: kernel\n",
        "\nReports (reports)\n  appliance: /var/lib/reports (1 file, 3 bytes)\n",
        "\nDHCP leases (leases)\n  dnsmasq: /var/lib/misc/dnsmasq.leases (0 bytes), format dnsmasq, \
         service dnsmasq\n",
        "  kea4: /var/lib/kea/kea-leases4.csv (not on this machine), format kea, service kea-dhcp4\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let look = root.run(&["profile", "show", "--json"]).out;
    let look: Value = serde_json::from_str(&look).expect("JSON");
    assert_eq!((&look["logs"][1]["name"], &look["logs"][1]["found"]), (&"kea".into(), &1.into()));
    assert_eq!(look["reports"][0]["paths"], serde_json::json!(["/var/lib/reports"]));
    assert_eq!(
        (&look["leases"][0]["bytes"], &look["leases"][1]["bytes"]),
        (&0.into(), &Value::Null)
    );
    root.write(
        "etc/twinwall/profile.toml",
        "format = 1\nname = \"bare\"\n[appliance]\nmodel = { file = \"/m\" }\n\
         serial = { file = \"/s\" }\nfirmware = { file = \"/f\" }\n",
    );
    let bare = root.run(&["profile", "show"]).out;
    assert_eq!(bare.matches("\n  the profile names none\n").count(), 3, "{bare}");
}

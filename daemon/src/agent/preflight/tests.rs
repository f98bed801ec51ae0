//! The comparison in a table, and what a node reads of itself from a prepared directory.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use twinwall_core::config::{Prerequisite, parse_pair};

use super::read::{identity, ports};
use super::*;
use crate::agent::machine::Machine;
use crate::agent::profile::parse_profile;

const SECOND: Duration = Duration::from_secs(1);

fn facts() -> Facts {
    let is = |text: &str| Known::Is(text.to_owned());
    let port = |name: &str| Port { name: name.to_owned(), speed: Some(1000), mtu: Some(1500) };
    Facts {
        node: "gw-a".to_owned(),
        release: "1.0.0".to_owned(),
        identity: Identity {
            model: is("FW-200"),
            firmware: is("12.4"),
            registration: Some(is("registered")),
            cpu: is("4 x Fast"),
            memory_kib: Some(8_000_000),
        },
        ports: vec![port("ha0"), port("lan")],
        ha_link: Some(HaPort {
            name: "ha0".to_owned(),
            reaches: Some("ha0".to_owned()),
            strangers: Vec::new(),
        }),
        kernel: Vec::new(),
    }
}

/// Those that failed.
fn failed(here: &Facts, there: &Facts, clock: Duration) -> Vec<Prerequisite> {
    let all = compare(here, Some(there), Some(clock), &[]);
    let wrong = all.iter().filter(|it| it.verdict == Verdict::Failed);
    wrong
        .inspect(|it| assert!(!it.why.is_empty() && !it.what_now.is_empty(), "{it:?}"))
        .map(|it| it.name)
        .collect()
}

#[test]
fn two_equal_nodes_meet_everything() {
    let all = compare(&facts(), Some(&facts()), Some(SECOND), &[]);
    assert!(all.iter().all(|it| it.verdict == Verdict::Good && it.why.is_empty()), "{all:?}");
    assert_eq!(all.len(), Prerequisite::ALL.len());
}

#[test]
fn every_difference_fails_its_prerequisite_and_no_other() {
    type Case = (Prerequisite, fn(&mut Facts));
    let cases: [Case; 17] = [
        (Prerequisite::Model, |it| it.identity.model = Known::Is("FW-300".to_owned())),
        (Prerequisite::Model, |it| it.identity.model = Known::Not("is away".to_owned())),
        (Prerequisite::Cpu, |it| it.identity.cpu = Known::Is("8 x Fast".to_owned())),
        (Prerequisite::Memory, |it| it.identity.memory_kib = Some(7_600_000)),
        (Prerequisite::Memory, |it| it.identity.memory_kib = None),
        (Prerequisite::Interfaces, |it| it.ports.truncate(1)),
        (Prerequisite::Interfaces, |it| it.ports[1].name = "wan".to_owned()),
        (Prerequisite::Interfaces, |it| it.ports[1].speed = Some(100)),
        (Prerequisite::Firmware, |it| it.identity.firmware = Known::Is("12.5".to_owned())),
        (Prerequisite::Registration, |it| it.identity.registration = None),
        (Prerequisite::Registration, |it| {
            it.identity.registration = Some(Known::Not("/etc/licence says nothing".to_owned()));
        }),
        (Prerequisite::Release, |it| it.release = "1.0.1".to_owned()),
        (Prerequisite::HaLink, |it| it.ha_link = None),
        (Prerequisite::HaLink, |it| it.ha_link.as_mut().expect("one").reaches = None),
        (Prerequisite::HaLink, |it| {
            it.ha_link.as_mut().expect("one").reaches = Some("lan".to_owned());
        }),
        (Prerequisite::Mtu, |it| it.ports[0].mtu = Some(9000)),
        (Prerequisite::PairId, |it| {
            it.ha_link.as_mut().expect("one").strangers = vec!["other-a".to_owned()];
        }),
    ];
    for (wanted, change) in cases {
        let mut other = facts();
        change(&mut other);
        assert_eq!(failed(&facts(), &other, SECOND), [wanted], "there");
        assert_eq!(failed(&other, &facts(), SECOND), [wanted], "here");
    }
    assert_eq!(failed(&facts(), &facts(), SECOND * 2), [Prerequisite::Clock]);
}

#[test]
fn what_cannot_be_compared_holds_nothing_up() {
    let cases: [fn(&mut Facts); 4] = [
        |it| it.identity.model = Known::Not("is away".to_owned()),
        |it| it.identity.cpu = Known::Not("is away".to_owned()),
        |it| it.identity.memory_kib = None,
        |it| it.identity.registration = None,
    ];
    for change in cases {
        let (mut here, mut there) = (facts(), facts());
        change(&mut here);
        change(&mut there);
        assert_eq!(failed(&here, &there, SECOND), []);
    }
    // A port without a cable; memory that the firmware sets aside.
    let mut other = facts();
    other.ports[1].speed = None;
    other.identity.memory_kib = Some(7_800_000);
    assert_eq!(failed(&facts(), &other, SECOND), []);
}

#[test]
fn an_override_counts_for_its_own_prerequisite_only() {
    let mut other = facts();
    other.identity.model = Known::Is("FW-300".to_owned());
    other.release = "2".to_owned();
    let overridden = [Prerequisite::Model, Prerequisite::Clock];
    let all = compare(&facts(), Some(&other), Some(SECOND), &overridden);
    let blocking: Vec<_> = all.iter().filter(|it| it.blocks()).map(|it| it.name).collect();
    assert_eq!(blocking, [Prerequisite::Release]);
    let named: Vec<_> = all.iter().filter(|it| it.overridden).map(|it| it.name).collect();
    assert_eq!(named, [Prerequisite::Model], "what is met needs no override");
}

#[test]
fn a_node_that_cannot_be_asked_leaves_everything_open() {
    let all = compare(&facts(), None, None, &[]);
    assert!(all.iter().all(|it| it.verdict == Verdict::Unknown && it.there.is_empty()));
    assert_eq!(all[0].here, "FW-200");
}

#[test]
fn what_the_other_node_says_is_cut_to_its_limits() {
    let mut wild = facts();
    wild.node = "a\u{1b}[2J".to_owned();
    wild.identity.model = Known::Is("m".repeat(10_000));
    wild.ports = vec![wild.ports[0].clone(); 5_000];
    wild.ha_link.as_mut().expect("one").strangers = vec!["x".repeat(9_000); 900];
    let kept = wild.bounded();
    assert_eq!(kept.node, "a[2J");
    let link = kept.ha_link.expect("one");
    assert!(kept.ports.len() == 256 && link.strangers.len() == 8);
    assert!(link.strangers[0].len() == 200);
    assert!(matches!(kept.identity.model, Known::Is(text) if text.len() == 200));
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let name = format!("twinwall-preflight-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        for (file, text) in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().expect("a directory")).expect("made");
            fs::write(file, text).expect("written");
        }
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const CPU: &str = "processor\t: 0\nmodel name\t: Fast CPU @ 2 GHz\nflags\t: a b\n\n\
    processor\t: 1\nmodel name\t: Fast CPU @ 2 GHz\n";

#[test]
fn a_node_reads_of_itself_what_the_profile_names_and_the_kernel_shows() {
    let folder = Folder::new(
        "read",
        &[
            ("sys/class/dmi/id/product_name", "FW-200\n"),
            ("etc/os-release", "VERSION_ID=\"12\"\n"),
            ("etc/licence", "owner 4711\n"),
            ("proc/cpuinfo", CPU),
            ("proc/meminfo", "MemTotal:        2048000 kB\nMemFree: 1 kB\n"),
            ("sys/class/net/eth0/device/vendor", "0x8086\n"),
            ("sys/class/net/eth0/speed", "1000\n"),
            ("sys/class/net/eth0/mtu", "1500\n"),
            ("sys/class/net/ha0/speed", "-1\n"),
            ("sys/class/net/ha0/mtu", "9000\n"),
            ("sys/class/net/docker0/mtu", "1500\n"),
        ],
    );
    let text = "format = 1\nname = \"t\"\n[appliance]\nmodel = { dmi = \"product_name\" }\n\
        serial = { dmi = \"product_serial\" }\nfirmware = { os_release = \"VERSION_ID\" }\n\
        registration = { file = \"/etc/licence\", match = 'owner (\\d+)' }\n";
    let profile = parse_profile("t", text).unwrap_or_else(|errors| panic!("{errors}"));
    let machine = Machine::below(&folder.0);
    let read = identity(&folder.0, &machine, &profile);
    let is = |text: &str| Known::Is(text.to_owned());
    assert_eq!((read.model, read.firmware), (is("FW-200"), is("12")));
    assert_eq!(read.registration, Some(is("registered")), "the number itself stays here");
    assert_eq!((read.cpu, read.memory_kib), (is("2 x Fast CPU @ 2 GHz"), Some(2_048_000)));
    let pair = "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n";
    let pair = parse_pair("pair.toml", pair).expect("right");
    let port = |name: &str, speed, mtu| Port { name: name.to_owned(), speed, mtu };
    let wanted = [port("eth0", Some(1000), Some(1500)), port("ha0", None, Some(9000))];
    assert_eq!(ports(&machine.sys, Some(&pair)), wanted);
    fs::remove_file(folder.0.join("etc/licence")).expect("removed");
    let read = identity(&folder.0, &machine, &profile);
    assert!(matches!(read.registration, Some(Known::Not(why)) if why.contains("licence")));
}

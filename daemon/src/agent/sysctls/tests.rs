//! The plan in tables; then the real kernel in a network namespace of the test's own.

use std::process::Command;

use twinwall_core::config::parse_pair;

use super::note::Old;
use super::*;

const PAIR: &str = "pair_id = 1\n[ha_link]\ninterface = \"ha0\"\n\
    [[interface]]\nname = \"lan.5\"\nprimary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\n\
    virtual = \"10.1.0.1/24\"\n\
    [[interface]]\nname = \"mgmt\"\nwatch = true\nprimary = \"10.3.0.2/24\"\nsecondary = \"10.3.0.3/24\"\n";

fn pair() -> Pair {
    parse_pair("pair.toml", PAIR).unwrap_or_else(|errors| panic!("{errors}"))
}

fn knob(name: &str, wanted: &'static str) -> Knob {
    Knob { name: name.to_owned(), wanted, why: "" }
}

fn note(all: &[(&str, &str, &str)]) -> Note {
    let mut note = Note::default();
    for (name, before, ours) in all {
        let [name, before, ours] = [name, before, ours].map(|text| (*text).to_owned());
        note.add(Old { name, before, ours });
    }
    note
}

#[test]
fn only_interfaces_that_carry_a_virtual_ip_are_set_and_a_dot_in_a_name_is_no_border() {
    let names: Vec<String> = knobs(&pair()).into_iter().map(|knob| knob.name).collect();
    assert_eq!(
        names,
        [
            "net.netfilter.nf_conntrack_tcp_loose",
            "net.netfilter.nf_conntrack_events",
            "net.ipv4.conf.lan/5.promote_secondaries",
        ]
    );
    assert_eq!(plan::file(&names[2]), "net/ipv4/conf/lan.5/promote_secondaries");
}

/// Noted before, value now; noted after, written.
type Case =
    (Option<&'static str>, Option<&'static str>, Option<&'static str>, Option<&'static str>);

#[test]
fn turning_on_notes_the_administrators_value_and_keeps_the_note_true() {
    let cases: [Case; 7] = [
        // Fresh: ours already, another, not there.
        (None, Some("0"), None, None),
        (None, Some("1"), Some("1"), Some("0")),
        (None, None, None, None),
        // Again: ours stands, the boot brought the old one back, somebody chose a third.
        (Some("1"), Some("0"), Some("1"), None),
        (Some("1"), Some("1"), Some("1"), Some("0")),
        (Some("1"), Some("2"), Some("2"), Some("0")),
        // It went away for a while: what was noted is not lost.
        (Some("1"), None, Some("1"), None),
    ];
    for (noted, now, noted_after, written) in cases {
        let before = noted.map_or_else(Note::default, |old| note(&[("a.b", old, "0")]));
        let plan = plan::on(&[knob("a.b", "0")], &before, |_| now.map(str::to_owned));
        let told = format!("noted {noted:?}, now {now:?}");
        assert_eq!(plan.note.before("a.b"), noted_after, "{told}");
        assert_eq!(plan.writes.first().map(|write| write.to.as_str()), written, "{told}");
        assert_eq!(plan.missing.is_empty(), now.is_some(), "{told}");
    }
}

#[test]
fn a_setting_that_is_needed_no_more_gets_its_old_value() {
    let noted = note(&[("gone", "0", "1"), ("stays", "5", "6")]);
    let plan = plan::on(&[knob("stays", "6")], &noted, |name| {
        Some(if name == "gone" { "1" } else { "6" }.to_owned())
    });
    assert_eq!((plan.note.before("gone"), plan.note.before("stays")), (None, Some("5")));
    let writes: Vec<_> = plan.writes.iter().map(|it| (it.name.as_str(), it.to.as_str())).collect();
    assert_eq!(writes, [("gone", "0")]);
}

#[test]
fn turning_off_leaves_what_somebody_else_chose() {
    let noted = note(&[("ours", "1", "0"), ("theirs", "1", "0"), ("gone", "1", "0")]);
    let writes = plan::off(&noted, |name| match name {
        "ours" => Some("0".to_owned()),
        "theirs" => Some("7".to_owned()),
        _ => None,
    });
    let names: Vec<&str> = writes.iter().map(|write| write.name.as_str()).collect();
    assert_eq!(names, ["ours"]);
}

#[test]
fn a_note_that_cannot_be_read_changes_nothing() {
    let folder = Folder::new("broken");
    let place = Sysctls { kernel: folder.0.join("sys"), note: folder.0.join("note.json") };
    fs::write(&place.note, "{").expect("written");
    for error in [place.turn_on(&pair()).err(), place.turn_off().err()] {
        let text = error.expect("refused").to_string();
        assert!(text.contains("note.json") && text.contains("mend it"), "{text}");
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("twinwall-sysctls-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("made");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn sh(command: &str) {
    let status = Command::new("sh").args(["-ec", command]).status().expect("a shell");
    assert!(status.success(), "{command}");
}

/// The whole way on a thread in a network namespace of its own, which ends with it.
#[test]
fn the_kernel_has_what_is_needed_while_it_is_on_and_the_old_values_after() {
    let run = || {
        // SAFETY: a plain system call; the namespace is this thread's alone.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "run this as root");
        sh("ip link add lan.5 type veth peer name far5; ip link add mgmt type veth peer name far0");
        // The modules' settings are there once something tracks connections.
        sh(
            "nft add table inet t; nft 'add chain inet t c { type filter hook input priority 0; }'; \
            nft add rule inet t c ct state new accept",
        );
        let folder = Folder::new("kernel");
        let promote = "/proc/sys/net/ipv4/conf/lan.5/promote_secondaries";
        let loose = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose";
        let value = |path| fs::read_to_string(path).expect("there").trim().to_owned();
        for (path, text) in [(promote, "0"), (loose, "1")] {
            fs::write(path, text).expect("set");
        }
        let kernel = Sysctls::new(Path::new("/proc"), &folder.0);
        let on = kernel.turn_on(&pair()).expect("noted");
        assert_eq!(on.trouble, [""; 0]);
        assert!(on.changed.contains(&"net.netfilter.nf_conntrack_tcp_loose: 1 -> 0".to_owned()));
        assert!(kernel.look(&pair()).iter().all(SysctlView::is_good));
        assert_eq!((value(promote), value(loose)), ("1".to_owned(), "0".to_owned()));
        assert_eq!(kernel.turn_on(&pair()).expect("noted"), Outcome::default(), "again");
        let views = kernel.look(&pair());
        assert_eq!(views[0].before.as_deref(), Some("1"), "the administrator's is shown");
        // A reboot brings the old one back.
        fs::write(loose, "1").expect("set");
        assert_eq!(kernel.turn_on(&pair()).expect("noted").changed.len(), 1);
        sh("ip link del lan.5; ip link add lan.5 type veth peer name far5");
        let off = kernel.turn_off().expect("read");
        assert!(off.trouble.is_empty() && value(loose) == "1" && !folder.0.join(NOTE).exists());
    };
    std::thread::Builder::new().spawn(run).expect("a thread").join().expect("it holds");
}

#[test]
fn a_kernel_without_a_setting_is_told_and_the_others_are_set() {
    let folder = Folder::new("missing");
    let place = Sysctls { kernel: folder.0.join("sys"), note: folder.0.join("note.json") };
    let loose = "sys/net/netfilter/nf_conntrack_tcp_loose";
    fs::create_dir_all(folder.0.join("sys/net/netfilter")).expect("made");
    fs::write(folder.0.join(loose), "1\n").expect("written");
    let outcome = place.turn_on(&pair()).expect("noted");
    assert_eq!((outcome.changed.len(), outcome.trouble.len()), (1, 2));
    assert!(outcome.trouble[0].contains("nf_conntrack_events"), "{:?}", outcome.trouble);
    assert_eq!(fs::read_to_string(folder.0.join(loose)).expect("there"), "0");
}

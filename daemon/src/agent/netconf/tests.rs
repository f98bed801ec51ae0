//! Files as Debian's installer, its documentation and administrators write them, and what
//! an edit makes of them: one line, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Path and content of a file.
type NamedText<'t> = (&'t str, &'t str);

struct Ground(PathBuf);

impl Ground {
    fn new(files: &[(&str, &str)]) -> Ground {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let root =
            std::env::temp_dir().join(format!("twinwall-netconf-{}-{number}", std::process::id()));
        fs::create_dir_all(&root).expect("a folder");
        let ground = Ground(root);
        files.iter().for_each(|(path, text)| ground.write(path, text));
        ground
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn root(&self) -> &Path {
        &self.0
    }

    fn look(&self, interface: &str) -> Option<Found> {
        look(&Files::new(self.root()), interface).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn prefixes(all: &[&str]) -> Vec<Prefix> {
    all.iter().map(|text| text.parse().expect(text)).collect()
}

fn wanted(interface: &str, own: &[&str], gone: &[&str]) -> Wanted {
    let gone = gone.iter().map(|text| text.parse().expect(text)).collect();
    Wanted { interface: interface.to_owned(), own: prefixes(own), gone }
}

const MAIN: &str = "etc/network/interfaces";
const LAN: &str = "etc/systemd/network/10-lan.network";

/// As Debian's installer writes it, with a static second interface.
const INSTALLED: &str = "# This file describes the network interfaces available on your system
# and how to activate them. For more information, see interfaces(5).

source /etc/network/interfaces.d/*

# The loopback network interface
auto lo
iface lo inet loopback

# The primary network interface
allow-hotplug enp1s0
iface enp1s0 inet static
\taddress 10.1.0.1/24
\tgateway 10.1.0.254
\t# dns-* options are implemented by the resolvconf package, if installed
\tdns-nameservers 10.1.0.53
\tdns-search example.org

auto lan
iface lan inet static
    address 192.168.5.1
    netmask 255.255.255.0
iface lan inet6 static
    address 2001:db8:5::1/64
";

/// systemd.network(5)'s first example, with a comment and more addresses.
const NETWORK: &str = "# the inside
[Match]
Name=lan

[Network]
Address=10.1.0.1/24
# the second one
Address=2001:db8:1::1/64
Gateway=10.1.0.254

[Route]
Destination=10.9.0.0/16
Gateway=10.1.0.253
";

#[test]
fn who_configures_an_interface_is_found() {
    let ground =
        Ground::new(&[(MAIN, INSTALLED), (LAN, &NETWORK.replace("Name=lan", "Name=dmz* !"))]);
    let found = ground.look("lan").expect("ifupdown's");
    assert_eq!((found.system, found.file.as_str()), (System::Ifupdown, MAIN));
    assert_eq!(found.addresses, prefixes(&["192.168.5.1/24", "2001:db8:5::1/64"]));
    let found = ground.look("dmz0").expect("networkd's");
    assert_eq!((found.system, found.file.as_str()), (System::Networkd, LAN));
    assert_eq!(found.addresses, prefixes(&["10.1.0.1/24", "2001:db8:1::1/64"]));
    assert_eq!(ground.look("wan"), None);
}

#[test]
fn names_are_matched_as_networkd_does() {
    let cases = [
        ("Name=en*", "enp1s0", true),
        ("Name=eth0 lan", "lan", true),
        ("Name=!lan", "lan", false),
        ("Name=!wan", "lan", true),
        ("Name=eth[0-2]", "eth1", true),
        ("Name=eth[!0-2]", "eth1", false),
        ("Name=eth?\nName=lan", "lan", true),
        ("# Name=lan", "lan", false),
        ("Name=LAN", "lan", false),
    ];
    for (line, interface, is) in cases {
        let text = format!("[Match]\n{line}\n[Network]\nAddress=10.0.0.1/8\n");
        let ground = Ground::new(&[(LAN, &text)]);
        assert_eq!(ground.look(interface).is_some(), is, "{line}");
    }
}

#[test]
fn the_first_file_by_name_counts_and_an_earlier_folder_hides_a_later() {
    let file = |address: &str| format!("[Match]\nName=lan\n[Network]\nAddress={address}\n");
    let ground = Ground::new(&[
        ("etc/systemd/network/20-lan.network", &file("10.0.0.1/8")),
        ("usr/lib/systemd/network/10-lan.network", &file("10.0.0.2/8")),
        ("etc/systemd/network/10-lan.network.d/more.conf", "[Network]\nAddress=10.0.0.4/8\n"),
    ]);
    assert_eq!(
        ground.look("lan").expect("found").addresses,
        prefixes(&["10.0.0.2/8", "10.0.0.4/8"])
    );
    ground.write(LAN, &file("10.0.0.3/8"));
    assert_eq!(
        ground.look("lan").expect("found").addresses,
        prefixes(&["10.0.0.3/8", "10.0.0.4/8"])
    );
    fs::remove_file(ground.root().join(LAN)).expect("gone");
    std::os::unix::fs::symlink("/dev/null", ground.root().join(LAN)).expect("masked");
    assert_eq!(ground.look("lan").expect("found").addresses, prefixes(&["10.0.0.1/8"]));
}

/// File, interface, what it must have and must not, and the lines of the file that become
/// others; `|` parts lines.
type Edit = (&'static str, &'static str, [&'static str; 2], [&'static str; 2]);

const EDITS: [Edit; 12] = [
    // The present address becomes the virtual one, a new own one stands in its place.
    (MAIN, "enp1s0", ["10.1.0.2/24", "10.1.0.1"], ["s 10.1.0.1/24", "s 10.1.0.2/24"]),
    (MAIN, "lan", ["192.168.5.2/24", "192.168.5.1"], ["s 192.168.5.1|", "s 192.168.5.2|"]),
    (
        MAIN,
        "lan",
        ["192.168.5.2/25", "192.168.5.1"],
        [" 192.168.5.1|    netmask 255.255.255.0|", " 192.168.5.2/25|"],
    ),
    (MAIN, "lan", ["2001:db8:5::2/64", "2001:db8:5::1"], ["s 2001:db8:5::1", "s 2001:db8:5::2"]),
    // One more, beside those that are there.
    (
        MAIN,
        "lan",
        ["192.168.5.9/24", ""],
        ["::1/64|", "::1/64||iface lan inet static|    address 192.168.5.9/24|"],
    ),
    // One less: what else the interface has stays.
    (
        MAIN,
        "lan",
        ["", "2001:db8:5::1"],
        ["inet6 static|    address 2001:db8:5::1/64|", "inet6 manual|"],
    ),
    (LAN, "lan", ["10.1.0.2/24", "10.1.0.1"], ["=10.1.0.1/24", "=10.1.0.2/24"]),
    (LAN, "lan", ["10.1.0.7/24", ""], ["::1/64|", "::1/64|Address=10.1.0.7/24|"]),
    (LAN, "lan", ["", "2001:db8:1::1"], ["Address=2001:db8:1::1/64|", ""]),
    (LAN, "lan", ["10.1.0.1/25", ""], ["=10.1.0.1/24", "=10.1.0.1/25"]),
    // Nothing to do.
    (LAN, "lan", ["10.1.0.1/24", "10.1.0.77"], ["", ""]),
    (MAIN, "lan", ["192.168.5.1/24", ""], ["", ""]),
];

#[test]
fn an_edit_changes_its_line_and_nothing_else() {
    for (path, interface, [own, gone], lines) in EDITS {
        let text = if path == MAIN { INSTALLED } else { NETWORK };
        let list = |one: &'static str| if one.is_empty() { vec![] } else { vec![one] };
        let wanted = wanted(interface, &list(own), &list(gone));
        let ground = Ground::new(&[(path, text)]);
        let plan = plan(ground.root(), std::slice::from_ref(&wanted));
        let plan = plan.unwrap_or_else(|error| panic!("{wanted:?}: {error}"));
        let [from, to] = lines.map(|lines| lines.replace('|', "\n"));
        assert!(text.contains(&from), "{from}");
        let expected = text.replacen(&from, &to, 1);
        match plan.as_slice() {
            [] => assert_eq!(expected, text, "{wanted:?}: nothing was changed"),
            [change] => {
                assert_eq!(change.path, path);
                assert_eq!(change.after.as_deref(), Some(expected.as_str()), "{wanted:?}");
            }
            more => panic!("{wanted:?}: {more:?}"),
        }
    }
}

#[test]
fn an_address_in_a_section_of_its_own_goes_with_the_section() {
    let text = "[Match]\nName=lan\n\n[Address]\nAddress=10.1.0.1/24\nLabel=lan:1\n\n[Network]\nAddress=10.1.0.2/24\n";
    let ground = Ground::new(&[(LAN, text)]);
    let plan = plan(ground.root(), &[wanted("lan", &["10.1.0.2/24"], &["10.1.0.1"])]);
    let after = plan.expect("planned").remove(0).after.expect("a text");
    assert_eq!(after, "[Match]\nName=lan\n\n[Network]\nAddress=10.1.0.2/24\n");
}

#[test]
fn several_interfaces_of_one_file_are_one_change() {
    let ground = Ground::new(&[(MAIN, INSTALLED)]);
    let both = [
        wanted("enp1s0", &["10.1.0.2/24"], &["10.1.0.1"]),
        wanted("lan", &["192.168.5.2/24"], &["192.168.5.1"]),
    ];
    let plan = plan(ground.root(), &both).expect("planned");
    let after = plan[0].after.as_deref().expect("a text");
    assert!(plan.len() == 1 && after.contains("10.1.0.2/24") && after.contains("192.168.5.2\n"));
}

#[test]
fn sourced_files_are_followed() {
    let lan = "iface lan inet static\n  address 10.1.0.1/24";
    for (main, path) in [
        ("source /etc/network/interfaces.d/*\n", "etc/network/interfaces.d/lan"),
        ("source interfaces.d/*.cfg\n", "etc/network/interfaces.d/lan.cfg"),
        ("source-directory interfaces.d\n", "etc/network/interfaces.d/lan"),
    ] {
        let ground = Ground::new(&[(MAIN, main), (path, lan)]);
        assert_eq!(ground.look("lan").expect(main).file, path);
        let plan = plan(ground.root(), &[wanted("lan", &["10.1.0.1/24", "10.1.0.2/24"], &[])]);
        let after = plan.expect("planned").remove(0).after.expect("a text");
        assert_eq!(after, format!("{lan}\n\niface lan inet static\n    address 10.1.0.2/24\n"));
    }
}

#[test]
fn a_file_of_our_own_is_written_where_networkd_runs_and_nobody_else_configures() {
    let own = [wanted("lan", &["10.1.0.3/24", "fd00::3/64"], &[])];
    let ground = Ground::new(&[("run/systemd/netif/state", "")]);
    let plan = super::plan(ground.root(), &own).expect("planned").remove(0);
    assert_eq!(
        (plan.path.as_str(), plan.before),
        ("etc/systemd/network/60-twinwall-lan.network", None)
    );
    let after = plan.after.expect("a text");
    assert!(
        after.contains("[Match]\nName=lan\n\n[Network]\nAddress=10.1.0.3/24\nAddress=fd00::3/64\n")
    );
    ground.write(&plan.path, &after);
    assert_eq!(super::plan(ground.root(), &own), Ok(Vec::new()), "done once is done");
}

#[test]
fn what_cannot_be_written_is_refused_with_the_place_and_what_to_do() {
    let as_lan = INSTALLED.replace("enp1s0", "lan");
    let dhcp4 = "[Match]\nName=lan\n[Network]\nDHCP=ipv4\n";
    let by_type = "[Match]\nType=ether\n[Network]\nDHCP=no\n";
    let no_gateway = "[Match]\nName=lan\n[Network]\nAddress=10.1.0.1/24\nGateway=10.1.0.254\n";
    let netplan = ("run/systemd/network/10-netplan-lan.network", NETWORK);
    let up =
        "iface lan inet static\n address 10.1.0.1/24\n up ip addr replace 10.1.0.1/24 dev lan\n";
    let swap = wanted("lan", &["10.1.0.2/24"], &["10.1.0.1"]);
    let alone = wanted("lan", &[], &["10.1.0.1"]);
    let cases: Vec<(Vec<NamedText<'_>>, Wanted, &str)> = vec![
        (
            vec![(LAN, dhcp4)],
            swap.clone(),
            "10-lan.network: DHCP=ipv4), and an address of the pair must be fixed",
        ),
        (vec![(MAIN, "iface lan inet dhcp\n")], swap.clone(), "interfaces:1: dhcp)"),
        (vec![(MAIN, "iface lan inet ppp\n")], swap.clone(), "interfaces:1: ppp)"),
        (vec![], wanted("ppp0", &["10.1.0.2/24"], &[]), "a ppp interface"),
        (
            vec![(LAN, by_type)],
            swap.clone(),
            "10-lan.network:2: whether this file is for lan hangs on Type=",
        ),
        (vec![(LAN, NETWORK), (MAIN, INSTALLED)], swap.clone(), "configured twice"),
        (vec![netplan], swap.clone(), "netplan?"),
        (vec![], swap.clone(), "it has 10.1.0.2/24, and no virtual IP"),
        (
            vec![("run/NetworkManager/x", ""), ("run/systemd/netif/x", "")],
            swap.clone(),
            "(NetworkManager seems to)",
        ),
        (
            vec![(LAN, no_gateway)],
            alone.clone(),
            "10-lan.network: the gateway 10.1.0.254 would not be reached",
        ),
        (vec![(MAIN, &as_lan)], alone, "the gateway 10.1.0.254 would not be set"),
        (vec![(MAIN, up)], swap, "interfaces:3: a command names 10.1.0.1 too"),
    ];
    for (files, wanted, words) in cases {
        let ground = Ground::new(&files);
        let error = plan(ground.root(), &[wanted]).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn dhcp_of_the_other_family_is_no_hindrance() {
    let text = "[Match]\nName=lan\n[Network]\nDHCP=ipv6\nAddress=10.1.0.1/24\n";
    let ground = Ground::new(&[(LAN, text)]);
    let plan = plan(ground.root(), &[wanted("lan", &["10.1.0.2/24"], &["10.1.0.1"])]);
    assert_eq!(plan.map(|plan| plan.len()), Ok(1));
}

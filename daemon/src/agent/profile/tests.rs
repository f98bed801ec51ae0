//! The reference profile, and profiles with mistakes in them.

use super::*;
use crate::agent::manifest::RelPath;

fn reference_profile() -> Profile {
    match parse_profile(REFERENCE_NAME, REFERENCE) {
        Ok(profile) => profile,
        Err(errors) => panic!("{}", problem_texts(&errors)),
    }
}

fn problem_texts(errors: &twinwall_core::config::Errors) -> String {
    errors.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn problems(text: &str) -> String {
    parse_profile("profile.toml", text)
        .map_or_else(|errors| problem_texts(&errors), |_| String::new())
}

fn path(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).expect("a path")
}

const HEAD: &str = "format = 1\nname = \"x\"\n[appliance]\nmodel = { dmi = \"product_name\" }\n\
    serial = { file = \"/etc/serial\" }\nfirmware = { os_release = \"VERSION_ID\" }\n";

#[test]
fn the_reference_profile_covers_all_thirteen_sections() {
    let profile = reference_profile();
    for section in Section::ALL {
        let rules = &profile.sections[&section];
        assert!(!rules.paths.is_empty(), "{section}");
        assert!(
            !rules.apply.is_empty() || rules.group.is_some(),
            "{section} is switched and nobody is told"
        );
    }
}

#[test]
fn each_path_of_the_reference_profile_is_in_one_section_or_stays() {
    let profile = reference_profile();
    for (text, wanted) in [
        ("etc/nftables.conf", Some(Section::Firewall)),
        ("etc/nftables.d/definitions-hosts.nft", Some(Section::Definitions)),
        ("etc/nftables.d/applications.nft", Some(Section::Applications)),
        ("etc/nftables.d/90-last.nft", Some(Section::Firewall)),
        ("etc/suricata/rules/app-chat.rules", Some(Section::Applications)),
        ("etc/suricata/suricata.yaml", Some(Section::Ips)),
        ("etc/swanctl/private/site.pem", Some(Section::Vpn)),
        ("etc/swanctl/private/node-own.pem", None),
        ("etc/ssh/ssh_host_ed25519_key", None),
        ("etc/ssh/sshd_config.d/10-support.conf", Some(Section::Support)),
        ("etc/hosts", None),
        ("etc/machine-id", None),
        ("etc/hostname", None),
        ("etc/mailname", None),
        ("var/lib/snmp/snmpd.conf", None),
        ("etc/twinwall/pair.toml", None),
        ("etc/dnsmasq.d/lan.conf.dpkg-old", None),
        ("etc/systemd/network/10-ha.node-local.network", None),
        ("etc/systemd/network/20-lan.network", Some(Section::Interfaces)),
    ] {
        let covering: Vec<Section> = profile
            .sections
            .iter()
            .filter(|(_, rules)| rules.covers(&path(text)))
            .map(|(section, _)| *section)
            .collect();
        assert_eq!(covering, wanted.into_iter().collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn sections_of_one_group_are_one_unit() {
    let units = reference_profile().units();
    assert_eq!(units.iter().map(Vec::len).sum::<usize>(), 13);
    assert!(units.contains(&vec![Section::Definitions, Section::Firewall]));
    assert!(units.contains(&vec![Section::Ips, Section::Applications]));
}

/// Section, file, its text, and what is shown of it.
const SECRETS: &[(Section, &str, &str, &str)] = &[
    (
        Section::Vpn,
        "etc/swanctl/conf.d/site.conf",
        "ike-1 {\n  secret = \"hunter2\"\n}\n",
        "ike-1 {\n  secret = ******\n}\n",
    ),
    (
        Section::Vpn,
        "etc/wireguard/wg0.conf",
        "[Interface]\nPrivateKey = aGk=\nPort = 1\n",
        "[Interface]\nPrivateKey = ******\nPort = 1\n",
    ),
    (
        Section::Vpn,
        "etc/swanctl/conf.d/one-line.conf",
        "secrets { ike-b { id = x; secret = \"in one line\" } }\n",
        "secrets { ike-b { id = x; secret = ****** } }\n",
    ),
    (Section::Vpn, "etc/wireguard/wg1.conf", "privatekey=aGk=\n", "privatekey=******\n"),
    (
        Section::Vpn,
        "etc/openvpn/server/x.conf",
        "port 1194\n<tls-crypt>\nabc\n</tls-crypt>\n",
        "port 1194\n<tls-crypt>******\n\n</tls-crypt>\n",
    ),
    (
        Section::Users,
        "etc/freeradius/3.0/clients.conf",
        "client x { ipaddr = 192.0.2.1; secret = hidden }\n",
        "client x { ipaddr = 192.0.2.1; secret = ****** }\n",
    ),
    (Section::Mail, "etc/postfix/mysql-users.cf", "password = x y\n", "password = ******\n"),
    (
        Section::Mail,
        "etc/rspamd/local.d/worker.inc",
        "enable_password \"a\";\npassword: \"b\"\n",
        "enable_password ******;\npassword: ******\n",
    ),
    (
        Section::Policies,
        "etc/squid/conf.d/auth.conf",
        "auth_param basic program /usr/lib/squid/basic_ldap_auth -w hidden -b dc=x\n",
        "auth_param basic program /usr/lib/squid/basic_ldap_auth -w ****** -b dc=x\n",
    ),
    (Section::Vpn, "etc/swanctl/private/site.pem", "-----BEGIN", "(secret)\n"),
    (
        Section::Users,
        "etc/freeradius/3.0/users",
        "bob Cleartext-Password := \"x y\"\n",
        "bob Cleartext-Password := ******\n",
    ),
    (Section::System, "etc/snmp/snmpd.conf", "rocommunity geheim\n", "rocommunity ******\n"),
];

#[test]
fn secrets_are_hidden_and_lines_stay_lines() {
    let profile = reference_profile();
    for (section, file, text, shown) in SECRETS {
        let masked = profile.sections[section].masked(&path(file), text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&masked), *shown, "{file}");
    }
}

#[test]
fn hashes_of_accounts_are_hidden_whatever_the_profile_says() {
    let text = format!("{HEAD}[section.users]\npaths = [\"/etc/twinwall-accounts\"]\n");
    let profile = parse_profile("profile.toml", &text).expect("a good profile");
    let (users, file) =
        (&profile.sections[&Section::Users], path("etc/twinwall-accounts/accounts.toml"));
    assert_eq!(users.masked(&file, b"password = 'x'\n"), b"(secret)\n");
    assert!(users.holds_secrets(&file));
}

#[test]
fn services_come_after_those_they_need() {
    let text = format!(
        "{HEAD}[[section.vpn.service]]\nname = \"b\"\nunit = \"b.service\"\nprogram = \"/usr/bin/b\"\n\
         after = [\"a\"]\n[[section.mail.service]]\nname = \"a\"\nunit = \"a.service\"\n\
         program = \"/usr/bin/a\"\n"
    );
    let profile = parse_profile("profile.toml", &text).expect("a good profile");
    let names: Vec<&str> =
        profile.services().into_iter().map(|(_, service)| service.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn each_mistake_is_named_with_its_place() {
    for (tail, wanted) in [
        ("[section.nat]\n", "nat"),
        ("[section.vpn]\npath = []\n", "path"),
        ("[section.vpn]\npaths = [\"etc/x\"]\n", "not an absolute path"),
        ("[section.vpn]\npaths = [\"/etc/../x\"]\n", "'..'"),
        ("[section.vpn]\npaths = [\"/etc/x\"]\n[section.mail]\npaths = [\"/etc/*\"]\n", "etc/x"),
        ("[[section.vpn.apply]]\nrun = []\n", "run"),
        ("[[section.vpn.apply]]\nrun = [\"/usr/bin/x\"]\nlimit = 0\n", "limit"),
        ("[[section.vpn.secret]]\nfiles = [\"/etc/x\"]\nmask = '('\n", "mask"),
        ("[[section.vpn.owner]]\nfiles = [\"/etc/x\"]\nmode = \"9\"\n", "mode"),
        (
            "[[section.vpn.service]]\nname = \"a\"\nunit = \"a.service\"\nprogram = \"/usr/bin/a\"\n\
             after = [\"b\"]\n",
            "after",
        ),
    ] {
        let told = problems(&format!("{HEAD}{tail}"));
        assert!(told.contains(wanted), "{tail}: {told}");
        assert!(told.contains("profile.toml:"), "{tail}: {told}");
    }
    assert_eq!(problems(HEAD), "");
    let told = problems("name = \"x\"\n");
    assert!(told.contains("format") && told.contains("model"), "{told}");
}

//! The form against settings and interfaces, without an agent.

use twinwall_core::config::parse_pair;
use twinwall_core::ids::Designation;

use super::fields::{Fields, Known, ON};
use super::form::Form;
use crate::agent::api::error::Refusal;
use crate::agent::ha::ports::{Elsewhere, Port, PortPair, Ports};
use crate::agent::ha::{HaView, PeerView};
use crate::agent::settings::revision::{Revision, Source, Version};
use crate::agent::settings::{HaSettings, check};

const TEXT: &str = "pair_id = 7\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\n\
    name = \"lan\"\nprimary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n\
    [[interface]]\nname = \"dmz\"\nwatch = true\n";

fn settings() -> HaSettings {
    let pair = parse_pair("pair.toml", TEXT);
    HaSettings::from(&pair.unwrap_or_else(|errors| panic!("{errors}")))
}

fn port(name: &str, addresses: &[&str]) -> Port {
    let dynamic = name.starts_with("dhcp").then(|| Elsewhere {
        v4: true,
        v6: false,
        by: "10-dhcp.network: DHCP=ipv4".to_owned(),
    });
    Port {
        name: name.to_owned(),
        is_up: true,
        carrier: true,
        speed: Some(10_000),
        addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
        dynamic,
    }
}

fn ports() -> Ports {
    let pair = |name: &str, here: &[&str], there: &[&str]| PortPair {
        name: name.to_owned(),
        here: Some(port(name, here)),
        there: Some(port(name, there)),
        reaches: None,
    };
    Ports {
        here: "gw-a".to_owned(),
        there: Some("gw-b".to_owned()),
        away: None,
        ports: vec![
            pair("dhcp0", &["192.0.2.7/24"], &["192.0.2.8/24"]),
            pair("dmz", &["10.2.0.2/24"], &["10.2.0.3/24"]),
            pair("ha0", &[], &[]),
            pair("lan", &["10.1.0.2/24"], &["10.1.0.3/24"]),
            pair("wan", &["203.0.113.2/29"], &[]),
        ],
    }
}

/// The key's field gets this text.
fn put(fields: &mut Fields, key: &str, text: &str) {
    fields.insert(key.to_owned(), text.to_owned());
}

fn with<T>(designation: Designation, look: impl FnOnce(&Known<'_>) -> T) -> T {
    let (settings, ports) = (settings(), ports());
    look(&Known { settings: &settings, ports: &ports, designation: Some(designation) })
}

#[test]
fn what_is_sent_back_as_it_was_filled_in_changes_nothing() {
    with(Designation::Primary, |known| {
        let fields = known.fields();
        assert_eq!(known.settings(&known.sent(&fields)), Ok(settings()));
        // What the primary node has is filled in where nothing is set.
        assert_eq!(fields["interface.wan.primary"], "203.0.113.2/29");
        assert_eq!(fields["interface.dmz.primary"], "10.2.0.2/24");
        assert_eq!(fields["interface.lan.primary"], "10.1.0.2/24");
        assert_eq!(fields["interface.dhcp0.primary"], "", "not what DHCP gave");
        assert!(!fields.contains_key("interface.ha0.primary"));
    });
    with(Designation::Secondary, |known| {
        assert_eq!(known.fields()["interface.dmz.primary"], "10.2.0.3/24", "of the primary");
    });
}

#[test]
fn everything_that_is_typed_arrives() {
    with(Designation::Primary, |known| {
        let mut sent = known.fields();
        put(&mut sent, "heartbeat.interval", " 0.5 ");
        put(&mut sent, "failback.policy", "primary");
        put(&mut sent, "interface.wan.secondary", "203.0.113.3/29");
        put(&mut sent, "interface.wan.virtual", "203.0.113.4/29\r\n 2001:db8::1/64");
        put(&mut sent, "ping.targets", "203.0.113.1, 203.0.113.6");
        put(&mut sent, "sync.logs", ON);
        sent.remove("sync.automatic");
        sent.remove("interface.dmz.watch");
        let new = known.settings(&known.sent(&sent)).expect("readable");
        assert_eq!((new.heartbeat.interval_s, new.failback.hold_s), (0.5, Some(60.0)));
        assert_eq!(new.ping_targets, ["203.0.113.1", "203.0.113.6"]);
        assert!(new.sync.logs && !new.sync.automatic);
        let names: Vec<&str> = new.interfaces.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["lan", "wan"], "of the DMZ nothing is asked any more");
        assert_eq!(new.interfaces[1].primary, ["203.0.113.2/29"]);
        assert_eq!(new.interfaces[1].virtual_ips, ["203.0.113.4/29", "2001:db8::1/64"]);
    });
}

#[test]
fn what_is_no_number_is_told_at_its_field() {
    with(Designation::Primary, |known| {
        let mut sent = known.fields();
        for (key, text) in [
            ("heartbeat.interval", "0,5"),
            ("heartbeat.threshold", "2.5"),
            ("damping.hold", ""),
            ("boot.hold", "NaN"),
        ] {
            put(&mut sent, key, text);
        }
        let wrong = known.settings(&sent).expect_err("not readable");
        let places: Vec<&str> = wrong.iter().map(|it| it.place.as_str()).collect();
        assert_eq!(
            places,
            ["heartbeat.interval", "heartbeat.threshold", "damping.hold", "boot.hold"]
        );
        assert!(wrong[0].message.contains("'0,5' is no number; write seconds, as 0.5"));
    });
}

#[test]
fn the_present_address_becomes_virtual_and_a_new_own_one_that_was_typed_stays() {
    with(Designation::Primary, |known| {
        let mut fields = known.fields();
        known.use_present(&mut fields, "wan").expect("there is one");
        assert_eq!(fields["interface.wan.virtual"], "203.0.113.2/29");
        assert_eq!(fields["interface.wan.primary"], "");
        let mut fields = known.fields();
        put(&mut fields, "interface.wan.primary", "203.0.113.5/29");
        known.use_present(&mut fields, "wan").expect("there is one");
        assert_eq!(fields["interface.wan.primary"], "203.0.113.5/29");
        let again = known.use_present(&mut fields, "wan").expect_err("it is virtual already");
        assert_eq!(again.place, "interface.wan.virtual");
        assert!(known.offers("wan") && known.offers("dmz"));
        assert!(!known.offers("lan") && !known.offers("dhcp0") && !known.offers("none"));
    });
}

fn view() -> HaView {
    let version = Version {
        revision: Revision::of(4, TEXT),
        at_ms: 0,
        who: "ben".to_owned(),
        node: "gw-b".to_owned(),
        source: Source::Entered,
        addresses_by_hand: false,
        note: None,
    };
    HaView {
        node: "gw-a".to_owned(),
        designation: Some(Designation::Primary),
        settings: settings(),
        version,
        detection_s: 3.0,
        kernel: Vec::new(),
        peer: PeerView::default(),
    }
}

#[test]
fn mistakes_stand_at_their_fields_and_above_them() {
    with(Designation::Primary, |known| {
        let view = view();
        let mut fields = known.fields();
        put(&mut fields, "interface.lan.virtual", "10.1.0.1/24\n10.9.0.1/24");
        let form = Form::of(known, &view, fields, true);
        let details = [
            ("interface.lan.virtual[2]", "not in the subnet"),
            ("interface.wan.name", "gone"),
            ("readiness.require", "unknown"),
        ];
        let details = details
            .into_iter()
            .flat_map(|(place, message)| check::at(place.to_owned(), message.to_owned()).details);
        let refusal = Refusal { details: details.collect(), ..Refusal::invalid("no") };
        let form = form.refused(&refusal);
        assert_eq!(form.wrong("interface.lan.virtual"), ["entry 2: not in the subnet"]);
        assert_eq!(form.wrong("interface.wan"), ["gone"]);
        assert_eq!(form.described("interface.lan.virtual", ""), "interface.lan.virtual-wrong");
        let anchors: Vec<Option<&str>> =
            form.mistakes.iter().map(|it| it.anchor.as_deref()).collect();
        assert_eq!(anchors, [Some("interface.lan.virtual"), Some("interface.wan"), None]);
        assert_eq!(form.detection(), "3 s");
    });
}

#[test]
fn an_interface_with_addresses_from_elsewhere_says_so() {
    with(Designation::Primary, |known| {
        let view = view();
        let form = Form::of(known, &view, known.fields(), true);
        let row = form.rows.iter().find(|row| row.name == "dhcp0").expect("listed");
        let why = row.dynamic.as_deref().expect("a reason");
        assert!(
            why.contains("its IPv4 address from elsewhere") && why.contains("DHCP=ipv4"),
            "{why}"
        );
        assert!(row.open, "IPv6 is free");
        let names: Vec<&str> = form.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["lan", "dmz", "dhcp0", "wan"]);
        let links: Vec<&str> = form.links.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(links, ["ha0", "dhcp0", "wan"], "no interface of the pair");
    });
}

//! The seeds of the agent's decoders are what their names say: a fuzzer that begins with
//! refused inputs finds little.

use std::fs;
use std::path::Path;

use twinwall::agent::calls::Frame;
use twinwall::agent::channel::decode_greeting;
use twinwall::agent::digest::Digest;
use twinwall::agent::engine::delta;
use twinwall::agent::exchange::message::Message;
use twinwall::agent::finder::decode_announcement;
use twinwall::agent::identity::Certificate;
use twinwall::agent::logs::parse::{Format, parse_line};
use twinwall::agent::manifest::Manifest;
use twinwall::agent::pairing::message::{decode_clear, decode_sealed};
use twinwall::agent::snmp::ber::decode_answer;
use twinwall::snmp::agentx::{decode_header, decode_pdu};
use twinwall_flows::message::decode_message;
use twinwall_flows::position::Kept;
use twinwall_fuzz::engine::known;
use twinwall_fuzz::pairing::agreed_after;

fn seed(target: &str, name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target).join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn good_seeds_are_taken() {
    let frames = ["report", "take", "taking", "about", "settings", "state", "facts", "refused"];
    for name in frames {
        let read = Frame::decode(&seed("agent_frame", name));
        assert!(read.is_ok(), "{name}: {read:?}");
    }
    for name in ["hello", "proof", "refused", "versions"] {
        assert!(decode_clear(&seed("pairing_clear", name)).is_ok(), "{name}");
    }
    for name in ["card", "terms", "stopped"] {
        assert!(decode_sealed(&seed("pairing_sealed", name)).is_ok(), "{name}");
    }
    assert!(decode_announcement(&seed("finder_announcement", "inviting")).is_ok());
    assert!(decode_greeting(&seed("channel_greeting", "flows")).is_ok());
    for name in ["hello", "batch", "ack", "digests", "compared", "sweep_begin", "caught_up"] {
        assert!(decode_message(&seed("flows_message", name)).is_ok(), "{name}");
    }
    assert!(Kept::decode(&seed("flows_place", "kept")).is_some());
    for name in ["leases_asked", "part_asked", "part", "reports", "history"] {
        let read = Message::decode(&seed("exchange_message", name));
        assert!(read.is_ok(), "{name}: {read:?}");
    }
    assert!(decode_answer(&seed("snmp_answer", "every_kind")).is_some());
    for name in ["get_next_in_context", "get_bulk", "response", "little_endian"] {
        let seed = seed("snmp_agentx", name);
        let (header, content) = seed.split_first_chunk().expect("a header");
        let header = decode_header(header).expect("a header");
        assert!(decode_pdu(&header, content).is_ok(), "{name}");
    }
    assert!(Certificate::decode(&seed("pairing_certificate", "of_a_node")).is_ok());
    assert_eq!(Manifest::decode(&seed("manifest", "four_entries")), Ok(known()));
    for name in ["dnsmasq", "kea", "isc_dhcp", "strongswan", "openvpn", "wireguard"] {
        let line = seed("log_line", name);
        let text = std::str::from_utf8(&line[13..]).expect("text");
        let hint = Format::ALL.get(usize::from(line[0])).copied();
        let parsed = parse_line(text, hint, 1_796_032_805_000_000, 3_600);
        assert!(parsed.fields.is_some(), "{name}");
    }
    let empty = Manifest::default();
    let gone = delta::apply(&known(), &seed("manifest_delta", "all_gone"), empty.digest());
    assert_eq!(gone, Ok(empty));
    let mut journal = seed("apply_journal", "one_section");
    journal.extend(Digest::of(&journal).0);
    assert!(twinwall::agent::apply::Record::decode(&journal).is_some());
}

#[test]
fn the_conversation_that_nobody_disturbs_ends_in_a_pair() {
    let agreed = agreed_after(&seed("pairing_talk", "to_the_end"));
    assert!(agreed.iter().all(Option::is_some));
    let changed = agreed_after(&seed("pairing_talk", "a_changed_proof"));
    assert!(changed.iter().all(Option::is_none));
}

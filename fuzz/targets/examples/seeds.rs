//! Writes the seeds of the frame targets and a recorded core anew: `cargo run
//! -p twinwall-fuzz --example seeds`. Needed after a change of the layout only.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use twinwall_core::api::Input;
use twinwall_core::beat::{Beat, Leaving, RoleWord};
use twinwall_core::ids::{BootId, Designation, PathId};
use twinwall_core::time::Moment;
use twinwall_core::wire::MAX_FRAME;
use twinwall_core::wire::content::{BODY_LENGTH, encode};
use twinwall_fuzz::recording;
use twinwall_fuzz::wire::{beat, session, settled};
use twinwall_guard::frames::neighbour::{
    Gratuitous, arp_request, gratuitous_arp, solicitation, unsolicited_advertisement,
};
use twinwall_guard::rtnetlink::Mac;

fn main() -> std::io::Result<()> {
    for (name, content) in contents() {
        write("beat_content", name, &content)?;
        write("wire_sealed", name, &content)?;
    }
    for (name, frame) in neighbours() {
        write("neighbour", name, &frame)?;
    }
    for (name, input) in frames() {
        write("wire_receive", name, &input)?;
    }
    // What the bytes mean stands in src/wire/exchange.rs.
    let scripts: [(&str, &[u8]); 4] = [
        ("restart_each", &[0, 3, 2, 1, 1, 3, 2, 0, 0, 3]),
        ("replay_after_restart", &[0, 3, 2, 1, 6, 0, 6, 1, 1, 3, 6, 2, 6, 3, 6, 4, 0, 1, 3]),
        ("damaged_frames", &[0, 3, 7, 0, 5, 1, 7, 1, 20, 0, 7, 3, 100, 127, 1, 3]),
        ("lost_proof", &[0, 3, 2, 1, 1, 4, 0, 4, 0, 5, 0, 3, 1, 3]),
    ];
    for (name, script) in scripts {
        write("wire_exchange", name, script)?;
    }
    let core = serde_json::to_string(&recording::core())?;
    let begun = Input { at: Moment::ZERO, event: None, start: Some(core) };
    write("recording", "core", serde_json::to_string(&begun)?.as_bytes())
}

fn contents() -> Vec<(&'static str, Vec<u8>)> {
    let encoded = |beat: &Beat| {
        let mut out = [0; BODY_LENGTH];
        encode(beat, &mut out);
        out.to_vec()
    };
    let passive = encoded(&beat(1));
    let leaving = Beat {
        role: RoleWord::Active,
        leaving: Some(Leaving::Shutdown),
        wants_answer: true,
        ..beat(u64::MAX)
    };
    let mut extended = passive.clone();
    extended.extend([2, 3, 0, 0, 0, 9, 0]);
    let mut takes_key = passive.clone();
    takes_key.extend([1, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    let mut gateways = passive.clone();
    gateways.extend([3, 4, 0, 0b111, 0, 0b101]);
    let mut gateways_cut = passive.clone();
    gateways_cut.extend([3, 3, 0, 1, 0]);
    let mut unknown = passive.clone();
    unknown.extend([0x80, 0]);
    vec![
        ("passive", passive.clone()),
        ("leaving", encoded(&leaving)),
        ("extended", extended),
        ("takes_key", takes_key),
        ("gateways", gateways),
        ("gateways_cut", gateways_cut),
        ("must_understand", unknown),
        ("short", passive[..BODY_LENGTH - 1].to_vec()),
    ]
}

fn neighbours() -> Vec<(&'static str, Vec<u8>)> {
    let mac = Mac([2, 0, 0, 0, 0, 9]);
    let v4 = Ipv4Addr::new(10, 1, 0, 2);
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2);
    vec![
        ("arp_reply", gratuitous_arp(mac, v4, Gratuitous::Reply).to_vec()),
        ("arp_request", arp_request(mac, Ipv4Addr::UNSPECIFIED, v4).to_vec()),
        ("advertisement", unsolicited_advertisement(mac, v6, true).to_vec()),
        ("solicitation", solicitation(mac, Ipv6Addr::UNSPECIFIED, v6).to_vec()),
    ]
}

/// Inputs of `wire_receive`: path and session in the first byte, then the frame.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let (mut primary, _) = settled();
    let mut fresh = session(Designation::Primary, BootId([3; 16]));
    let mut out = [0; MAX_FRAME];
    let mut seeds = Vec::new();
    for (name, first, path) in [("beat", 0, 0), ("beat_lan", 0x10, 1), ("beat_crossed", 0, 1)] {
        let length =
            primary.seal_beat(PathId(path), &beat(2), &mut out).expect("a settled session");
        seeds.push((name, [&[first], &out[..length]].concat()));
    }
    for (name, first) in [("hello_settled", 0), ("hello_fresh", 1)] {
        let length = primary.hello(PathId::HA, &mut out);
        seeds.push((name, [&[first], &out[..length]].concat()));
    }
    let length = fresh.hello(PathId::HA, &mut out);
    seeds.push(("hello_new_run", [&[0], &out[..length]].concat()));
    seeds
}

fn write(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}

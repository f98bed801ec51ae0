//! What the agent reads of the cable and of its peer before the engine sees it, and its
//! journal.

use std::net::IpAddr;
use std::sync::LazyLock;

use twinwall::agent::apply::Record;
use twinwall::agent::calls::{Frame, FrameError, MAX_CALL, Reply};
use twinwall::agent::channel::{FrameKind, Greeting, MAX_FRAME, decode_greeting, decode_header};
use twinwall::agent::digest::Digest;
use twinwall::agent::finder::{MAX_ANNOUNCEMENT, decode_announcement};
use twinwall::agent::translate::{AddressPair, Translator};

/// A datagram to the finder. What is taken can be shown on a terminal and is sent the same.
pub fn announcement(data: &[u8]) {
    let Ok(said) = decode_announcement(data) else { return };
    assert!(data.len() <= MAX_ANNOUNCEMENT);
    assert!(!said.node.chars().any(char::is_control), "{:?}", said.node);
    assert!(!said.interface.chars().any(char::is_control), "{:?}", said.interface);
    assert_eq!(decode_announcement(&said.encode()), Ok(said));
}

/// A frame of the control stream: a statement, a question or an answer.
pub fn frame(data: &[u8]) {
    let Ok(frame) = Frame::decode(data) else { return };
    if let Frame::Reply { answer: Ok(Reply::Facts(facts)), .. } = &frame {
        let bounded = facts.as_ref().clone().bounded();
        assert_eq!(bounded.clone().bounded(), bounded, "cut once is cut");
    }
    match frame.encode() {
        Ok(bytes) => assert_eq!(Frame::decode(&bytes), Ok(frame)),
        // JSON can be written shorter than we write it.
        Err(error) => assert_eq!(error, FrameError::TooLong, "of at most {MAX_CALL}"),
    }
}

/// The first frame's content.
pub fn greeting(data: &[u8]) {
    let Ok(greeting) = decode_greeting(data) else { return };
    for text in [&greeting.node, &greeting.release, &greeting.run] {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    assert!(greeting.versions.least <= greeting.versions.most);
    assert_eq!(decode_greeting(&written(&greeting)), Ok(greeting));
}

fn written(greeting: &Greeting) -> Vec<u8> {
    serde_json::to_vec(greeting).expect("what was read can be written")
}

/// What comes out of TLS, cut at its headers; each kind of content goes to its decoder.
pub fn stream(mut data: &[u8]) {
    while let Some((header, rest)) = data.split_first_chunk() {
        let Ok((kind, length)) = decode_header(header) else { return };
        assert!(length <= MAX_FRAME);
        let Some((content, rest)) = rest.split_at_checked(length) else { return };
        match kind {
            FrameKind::Greeting => greeting(content),
            FrameKind::Message => frame(content),
            FrameKind::Alive => assert!(content.is_empty()),
        }
        data = rest;
    }
}

/// A content of the peer on its way to this node's disk, and one of this disk on its way to
/// the peer: what is taken leads back.
pub fn translated(data: &[u8]) {
    static TRANSLATOR: LazyLock<Translator> = LazyLock::new(|| {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let pair = |interface: &str, own: &str, peer: &str| AddressPair {
            interface: interface.to_owned(),
            own: address(own),
            peer: address(peer),
        };
        Translator::new(vec![
            pair("lan", "10.1.0.2", "10.1.0.3"),
            pair("lan", "2001:db8::2", "2001:db8::3"),
            pair("wan", "192.0.2.2", "192.0.2.3"),
        ])
        .expect("good pairs")
    });
    if let Ok(local) = TRANSLATOR.to_local(data) {
        assert_eq!(TRANSLATOR.to_canonical(&local).expect("it was verified"), data);
    }
    if let Ok(canonical) = TRANSLATOR.to_canonical(data) {
        let local = TRANSLATOR.to_local(&canonical).expect("what was marked can be read");
        let again = TRANSLATOR.to_canonical(&local).expect("and marked again");
        assert_eq!(again, canonical);
    }
}

/// A journal that a start finds, with the digest that belongs to it.
pub fn journal(data: &[u8]) {
    let mut bytes = data.to_vec();
    bytes.extend(Digest::of(data).0);
    let Some(record) = Record::decode(&bytes) else { return };
    let again = record.encode().expect("what was read can be written");
    assert_eq!(Record::decode(&again), Some(record));
}

//! Translation: what counts as an address, both directions, and the promise that what
//! is written to a disk is read back as the same canonical content.

use super::*;

fn pair(interface: &str, own: &str, peer: &str) -> AddressPair {
    let parse = |text: &str| text.parse().unwrap();
    AddressPair { interface: interface.to_owned(), own: parse(own), peer: parse(peer) }
}

/// One node, and its peer, for which own and peer are the other way round.
fn nodes() -> (Translator, Translator) {
    let here = vec![
        pair("lan", "10.1.0.2", "10.1.0.3"),
        pair("lan", "2001:db8:1::2", "2001:db8:1::3"),
        pair("wan", "192.0.2.5", "192.0.2.6"),
        pair("wan", "fe80::5", "fe80::6"),
    ];
    let turn = |it: &AddressPair| AddressPair { own: it.peer, peer: it.own, ..it.clone() };
    let there = here.iter().map(turn).collect();
    (Translator::new(here).unwrap(), Translator::new(there).unwrap())
}

fn across(text: &str) -> String {
    let (here, there) = nodes();
    let canonical = here.to_canonical(text.as_bytes()).unwrap().into_owned();
    let local = there.to_local(&canonical).unwrap().into_owned();
    assert_eq!(there.to_canonical(&local).unwrap(), canonical);
    String::from_utf8(local).unwrap()
}

#[test]
fn own_and_peer_change_places_on_the_other_node() {
    for (here, there) in [
        ("Address=10.1.0.2/24\n", "Address=10.1.0.3/24\n"),
        ("peer 10.1.0.3.", "peer 10.1.0.2."),
        ("listen 10.1.0.2:80;", "listen 10.1.0.3:80;"),
        ("inet:10.1.0.2", "inet:10.1.0.3"),
        ("dhcp-range=10.1.0.2-10.1.0.9", "dhcp-range=10.1.0.3-10.1.0.9"),
        ("10.1.0.2,10.1.0.3", "10.1.0.3,10.1.0.2"),
        ("[2001:db8:1::2]:443", "[2001:db8:1::3]:443"),
        ("2001:DB8:1:0:0:0:0:2", "2001:db8:1::3"),
        ("2001:0db8:0001::0.0.0.2/64", "2001:db8:1::3/64"),
        ("listen:2001:db8:1::2", "listen:2001:db8:1::3"),
        ("fe80::5%wan", "fe80::6%wan"),
        ("::ffff:10.1.0.2", "::ffff:10.1.0.3"),
        ("64:ff9b::10.1.0.2", "64:ff9b::10.1.0.3"),
        ("ip saddr { 10.1.0.2, 192.0.2.6 } accept", "ip saddr { 10.1.0.3, 192.0.2.5 } accept"),
        ("\"10.1.0.2\"", "\"10.1.0.3\""),
        ("a=10.1.0.2:", "a=10.1.0.3:"),
    ] {
        assert_eq!(across(here), there, "{here}");
    }
}

#[test]
fn what_only_looks_like_an_address_stays() {
    for text in [
        "10.1.0.20",
        "110.1.0.2",
        "10.1.0.2.example.net",
        "x10.1.0.2",
        "10.1.0.2x",
        "v10.1.0.2_1",
        "10.1.0.2.5",
        "10.1.0.1/24",
        "2001:db8:1::20",
        "2001:db8:1::2:1",
        "a2001:db8:1::2",
        "2001:db8:1::2z",
        "2.0.1.10.in-addr.arpa",
        "10.01.0.2",
        "",
        "no address\nat all\n",
        "2001:db8:1::",
        "deadbeef 12:34:56:78:9a:bc",
    ] {
        assert_eq!(across(text), text);
        let (here, _) = nodes();
        assert_eq!(here.to_canonical(text.as_bytes()), Ok(Cow::Borrowed(text.as_bytes())));
    }
}

#[test]
fn a_file_that_is_no_text_stays_as_it_is() {
    let (here, there) = nodes();
    let binary = b"\x7fELF\0\0 10.1.0.2 \0\xff";
    let canonical = here.to_canonical(binary).unwrap();
    assert_eq!(&*canonical, binary);
    assert_eq!(&*there.to_local(&canonical).unwrap(), binary);
}

#[test]
fn marks_on_a_disk_are_refused() {
    let (here, _) = nodes();
    assert_eq!(here.to_canonical(b"a \0own lan 0\0 b"), Err(TranslateError::Marked));
}

#[test]
fn a_peer_with_other_settings_is_refused() {
    let (here, _) = nodes();
    let unknown = here.to_local(b"a \0own dmz 0\0 b").unwrap_err();
    assert_eq!(unknown, TranslateError::Unknown("own dmz 0".to_owned()));
    assert_eq!(here.to_local(b"a 10.1.0.3 b"), Err(TranslateError::NotCanonical));
    assert_eq!(here.to_local(b"1\0own lan 0\0"), Err(TranslateError::NotCanonical));
    assert_eq!(
        Translator::default().to_local(b"a 10.1.0.3 b").as_deref(),
        Ok(&b"a 10.1.0.3 b"[..])
    );
}

#[test]
fn pairs_that_cannot_be_told_apart_are_refused() {
    let twice = vec![pair("lan", "10.1.0.2", "10.1.0.3"), pair("wan", "fe80::1", "10.1.0.2")];
    assert!(matches!(Translator::new(twice), Err(PairError::Families(..))));
    let twice = vec![pair("lan", "10.1.0.2", "10.1.0.3"), pair("wan", "10.9.0.1", "10.1.0.2")];
    assert!(matches!(Translator::new(twice), Err(PairError::Twice(_))));
    assert!(matches!(
        Translator::new(vec![pair("l n", "10.1.0.2", "10.1.0.3")]),
        Err(PairError::Interface(_))
    ));
    let (here, there) = nodes();
    assert_ne!(here.fingerprint(), there.fingerprint());
    let again: Translator = serde_json::from_str(&serde_json::to_string(&here).unwrap()).unwrap();
    assert_eq!(again, here);
}

/// Texts put together from pieces that touch in every way: whatever is accepted for the
/// disk leads back to the same canonical content, and nothing brings it down.
#[test]
fn canonical_to_local_to_canonical_is_the_same_for_any_mixture() {
    let pieces: [&[u8]; 18] = [
        b"10.1.0.2",
        b"10.1.0.3",
        b"2001:db8:1::2",
        b"FE80::5",
        b":",
        b".",
        b"-",
        b" ",
        b"1",
        b"f",
        b"z",
        b"\0",
        b"own lan 0",
        b"peer wan 1",
        b"\0own lan 0\0",
        b"\0peer lan 1\0",
        b"/24",
        b"\xff",
    ];
    let (here, there) = nodes();
    let (mut seed, mut accepted) = (1_u64, 0);
    for _ in 0..200_000 {
        let mut content = Vec::new();
        for _ in 0..=seed >> 61 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            content.extend_from_slice(pieces[(seed >> 33) as usize % pieces.len()]);
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if let Ok(canonical) = here.to_canonical(&content) {
            let local = there.to_local(&canonical);
            if let Ok(local) = local {
                accepted += 1;
                assert_eq!(there.to_canonical(&local).unwrap(), canonical, "{content:?}");
            }
        }
        if let Ok(local) = here.to_local(&content) {
            assert_eq!(here.to_canonical(&local).unwrap(), content, "{content:?}");
        }
    }
    assert!(accepted > 50_000, "{accepted}");
}

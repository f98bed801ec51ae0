//! The codec against messages as snmpd 5.9 wrote and took them, and against damaged ones.

use super::*;
use crate::agent::snmp::value::Value;

fn oid(text: &str) -> Oid {
    text.parse().expect("a name")
}

/// A message as snmpd would write it.
fn message(kind: u8, flags: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, kind, flags, 0];
    for number in [5u32, 7, 9, content.len() as u32] {
        let number = if flags & 0x10 == 0 { number.to_le_bytes() } else { number.to_be_bytes() };
        bytes.extend(number);
    }
    bytes.extend(content);
    bytes
}

fn read(bytes: &[u8]) -> Result<(Header, Said), Wrong> {
    let (header, content) = bytes.split_first_chunk::<HEADER>().ok_or(Wrong::Broken)?;
    let header = decode_header(header)?;
    Ok((header, decode_pdu(&header, content)?))
}

/// What snmpd 5.9.3 sent for `snmpgetnext` on sysDescr in the context gw-b.
const GET_NEXT: [u8; 40] = [
    0, 0, 0, 4, b'g', b'w', b'-', b'b', 2, 2, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 4, 0, 0, 0, 0, 0, 0, 1,
    0, 0, 0, 3, 0, 0, 0, 6, 0, 0, 0, 2,
];

#[test]
fn a_question_of_snmpd_is_read_in_either_byte_order() {
    let (header, said) = read(&message(6, 0x18, &GET_NEXT)).expect("read");
    assert_eq!((header.session, header.transaction, header.packet), (5, 7, 9));
    let range = Range { start: oid("1.3.6.1.2.1.1"), inclusive: true, end: oid("1.3.6.2") };
    assert_eq!(said, Said::GetNext { context: "gw-b".to_owned(), ranges: vec![range] });
    let little = [1, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0];
    let (header, said) = read(&message(5, 0, &little)).expect("read");
    assert_eq!((header.network_order, header.packet), (false, 9));
    let range = Range { start: oid("1.3.6.1.2.3"), inclusive: false, end: Oid::default() };
    assert_eq!(said, Said::Get { context: String::new(), ranges: vec![range] });
}

#[test]
fn a_bulk_question_says_how_many_of_what() {
    let mut content = vec![0, 1, 0, 10];
    content.extend([0, 2, 0, 0, 0, 0, 0, 0]);
    let (_, said) = read(&message(7, 0x10, &content)).expect("read");
    let Said::GetBulk { single, repetitions, ranges, .. } = said else { panic!("{said:?}") };
    assert_eq!((single, repetitions, ranges.len()), (1, 10, 1));
}

#[test]
fn damaged_messages_are_refused() {
    let good = message(6, 0x18, &GET_NEXT);
    for end in HEADER..good.len() {
        let cut = read(&good[..end]);
        // A question that ends between two ranges is a shorter one.
        assert!(cut.is_err() || end == HEADER + 8, "{end}: {cut:?}");
    }
    assert_eq!(read(&message(99, 0x10, &[])), Err(Wrong::Kind(99)));
    let mut other = good.clone();
    other[0] = 2;
    assert_eq!(read(&other), Err(Wrong::Version(2)));
    let mut long = good.clone();
    long[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(read(&long), Err(Wrong::TooLong(u32::MAX as usize)));
    assert_eq!(read(&message(6, 0x10, &[200, 1, 0, 0])), Err(Wrong::Broken));
    let many = [0; 8].repeat(MAX_RANGES + 1);
    assert_eq!(read(&message(6, 0x10, &many)), Err(Wrong::Broken));
}

#[test]
fn what_goes_out_is_what_snmpd_took() {
    let numbers = Numbers { session: 5, transaction: 0, packet: 2 };
    let below = oid("1.3.6.1");
    let bytes = encode(&Order::Register { context: "gw-b", below: &below }, numbers);
    let mut content = vec![0, 0, 0, 4, b'g', b'w', b'-', b'b', 0, 127, 0, 0, 4, 0, 0, 0];
    content.extend([1u32, 3, 6, 1].iter().flat_map(|arc| arc.to_be_bytes()));
    assert_eq!(bytes[..3], [1, 3, 0x18]);
    assert_eq!(bytes[16..20], (content.len() as u32).to_be_bytes());
    assert_eq!(bytes[HEADER..], content);
    let varbinds = [(oid("1.3"), Value::text("abcde")), (oid("1.4"), Value::Counter64(1 << 40))];
    let order = Order::Response { error: 0, index: 0, varbinds: &varbinds };
    let bytes = encode(&order, numbers);
    let mut content = vec![0, 0, 0, 0, 0, 0, 0, 0];
    content.extend([0, 4, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3]);
    content.extend([0, 0, 0, 5, b'a', b'b', b'c', b'd', b'e', 0, 0, 0]);
    content.extend([0, 70, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4]);
    content.extend([0, 0, 1, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[HEADER..], content);
}

#[test]
fn a_range_holds_what_lies_in_it() {
    let range = |inclusive, end: &str| Range { start: oid("1.3.5"), inclusive, end: oid(end) };
    assert!(range(true, "").holds(&oid("1.3.5")) && !range(false, "").holds(&oid("1.3.5")));
    assert!(range(false, "1.4").holds(&oid("1.3.5.1")));
    assert!(!range(false, "1.3.6").holds(&oid("1.3.6")));
}

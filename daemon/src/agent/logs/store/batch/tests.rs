//! Batches as they are written and read, whole and spoiled.

use super::*;

fn packed(raw: &[u8], first: u64, next: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let content =
        Content { kind: Kind::Lines, source: "dhcp", mark: b"mark", raw, first, next, read_us: 9 };
    Packer::new().expect("zstd").pack(&content, &mut out);
    out
}

#[test]
fn lines_come_back_with_their_numbers_packed_or_not() {
    let many: Vec<u8> = (0..500).flat_map(|it| format!("line {it}\n").into_bytes()).collect();
    for (raw, next) in [(b"one\n\ntwo\xff\n".to_vec(), 8), (many, 505)] {
        let bytes = packed(&raw, 5, next);
        let read = batch(&bytes).expect("whole");
        assert_eq!((read.source(), read.mark()), (&b"dhcp"[..], &b"mark"[..]));
        let lines = read.lines().expect("lines");
        let back: Vec<u8> =
            lines.iter().flat_map(|(_, line)| [line, &b"\n"[..]].concat()).collect();
        assert_eq!((back, lines[0].0, lines.last().map(|it| it.0)), (raw, 5, Some(next - 1)));
    }
    assert!(packed(&b"the same again\n".repeat(100), 0, 100).len() < 200);
}

#[test]
fn no_byte_of_a_batch_can_change_or_be_missing_unnoticed() {
    let bytes = packed(b"one\ntwo\n", 5, 7);
    for at in 0..bytes.len() {
        assert!(batch(&bytes[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1 << bit;
            assert!(batch(&wrong).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_batch_that_lies_about_its_lines_is_refused_and_unpacks_to_no_more_than_it_says() {
    assert_eq!(batch(&packed(b"one\n", 5, 7)).expect("whole").lines(), Err(BatchError::Wrong));
    assert_eq!(batch(&packed(b"one", 5, 6)).expect("whole").lines(), Err(BatchError::Wrong));
    let mut bomb = packed(&vec![b'\n'; MAX_RAW], 0, MAX_RAW as u64);
    bomb[44..48].copy_from_slice(&10_u32.to_le_bytes());
    let before_body = head(&packed(b"x\n", 0, 1)).expect("a head").before_body();
    set_numbers(&mut bomb, 0, 10, before_body);
    assert_eq!(batch(&bomb).expect("whole").lines(), Err(BatchError::Wrong));
}

#[test]
fn other_numbers_leave_the_rest_as_it_is() {
    let bytes = packed(b"one\ntwo\n", 5, 7);
    let mut out = Vec::new();
    renumber(&batch(&bytes).expect("whole"), 105, &mut out);
    let read = batch(&out).expect("whole");
    assert_eq!((read.head.first, read.head.next), (105, 107));
    assert_eq!(read.lines().expect("lines")[1], (106, b"two".to_vec()));
}

//! SNMPv2c as far as a reader of one's own snmpd needs it (RFC 3416, RFC 1901): the three
//! questions that read, and the answer. BER with definite lengths (X.690). `ask` sends and
//! receives; nothing here opens a socket. What comes is foreign bytes: bounded and checked.

use super::value::{Binding, MAX_ARCS, MAX_BYTES, Oid, Value};

/// Bindings in one answer at the most: more than any question here asks for.
pub const MAX_BINDINGS: usize = 256;

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const NULL: u8 = 0x05;
const NAME: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const ADDRESS: u8 = 0x40;
const COUNTER: u8 = 0x41;
const GAUGE: u8 = 0x42;
const TICKS: u8 = 0x43;
const OPAQUE: u8 = 0x44;
const COUNTER64: u8 = 0x46;
const NO_OBJECT: u8 = 0x80;
const NO_INSTANCE: u8 = 0x81;
const END: u8 = 0x82;
const GET: u8 = 0xa0;
const RESPONSE: u8 = 0xa2;
const GET_BULK: u8 = 0xa5;
/// SNMPv2c.
const VERSION: i32 = 1;

/// A question to an SNMP agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// The values of these.
    Get(&'a [Oid]),
    /// What comes after each of these, so many of each.
    Bulk(&'a [Oid], u16),
}

/// What an agent answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The question's number.
    pub number: i32,
    /// Why it could not, as RFC 3416 numbers it; 0 where it could.
    pub error: i32,
    /// The values.
    pub bindings: Vec<Binding>,
}

/// The message for a question.
pub fn encode(community: &[u8], number: i32, question: &Question<'_>) -> Vec<u8> {
    let (tag, names, second, third) = match question {
        Question::Get(names) => (GET, *names, 0, 0),
        Question::Bulk(names, repetitions) => (GET_BULK, *names, 0, i32::from(*repetitions)),
    };
    let mut bindings = Vec::new();
    for name in names {
        let mut binding = Vec::new();
        put(&mut binding, NAME, &name_bytes(name));
        put(&mut binding, NULL, &[]);
        put(&mut bindings, SEQUENCE, &binding);
    }
    let mut pdu = Vec::new();
    for number in [number, second, third] {
        put(&mut pdu, INTEGER, &integer_bytes(number));
    }
    put(&mut pdu, SEQUENCE, &bindings);
    let mut inside = Vec::new();
    put(&mut inside, INTEGER, &integer_bytes(VERSION));
    put(&mut inside, OCTETS, community);
    put(&mut inside, tag, &pdu);
    let mut message = Vec::new();
    put(&mut message, SEQUENCE, &inside);
    message
}

fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    let length = content.len();
    match length {
        0..=0x7f => out.push(length as u8),
        _ => {
            let bytes = length.to_be_bytes();
            let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
            out.push(0x80 | (bytes.len() - first) as u8);
            out.extend_from_slice(&bytes[first..]);
        }
    }
    out.extend_from_slice(content);
}

fn integer_bytes(number: i32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    // The shortest form: no leading byte that only repeats the sign.
    let surplus = bytes
        .windows(2)
        .take_while(|two| {
            (two[0] == 0 && two[1] & 0x80 == 0) || (two[0] == 0xff && two[1] & 0x80 != 0)
        })
        .count();
    bytes[surplus..].to_vec()
}

fn name_bytes(name: &Oid) -> Vec<u8> {
    let arcs = name.arcs();
    let (first, second) = (arcs.first().copied().unwrap_or(0), arcs.get(1).copied().unwrap_or(0));
    let mut out = Vec::new();
    put_arc(&mut out, first.saturating_mul(40).saturating_add(second));
    arcs.iter().skip(2).for_each(|arc| put_arc(&mut out, *arc));
    out
}

fn put_arc(out: &mut Vec<u8>, arc: u32) {
    let groups = (32 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        out.push((arc >> (7 * group)) as u8 & 0x7f | more);
    }
}

/// Reads a message that may be an answer; none where it is anything else.
pub fn decode_answer(bytes: &[u8]) -> Option<Answer> {
    let mut message = Reader(bytes).inside(SEQUENCE)?;
    if message.integer()? != VERSION {
        return None;
    }
    let _community = message.take(OCTETS)?;
    let mut pdu = message.inside(RESPONSE)?;
    let number = pdu.integer()?;
    let error = pdu.integer()?;
    let _index = pdu.integer()?;
    let mut list = pdu.inside(SEQUENCE)?;
    let mut bindings = Vec::new();
    while !list.0.is_empty() {
        if bindings.len() == MAX_BINDINGS {
            return None;
        }
        let mut one = list.inside(SEQUENCE)?;
        let name = name_of(one.take(NAME)?)?;
        let (tag, content) = one.next()?;
        bindings.push(Binding { name, value: value_of(tag, content)? });
    }
    Some(Answer { number, error, bindings })
}

fn value_of(tag: u8, content: &[u8]) -> Option<Value> {
    let short = || (content.len() <= MAX_BYTES).then(|| content.to_vec());
    let narrow = || u32::try_from(unsigned(content)?).ok();
    Some(match tag {
        INTEGER => Value::Integer(integer(content)?),
        OCTETS => Value::Bytes(short()?),
        NULL => Value::Null,
        NAME => Value::Name(name_of(content)?),
        ADDRESS => Value::Address(content.try_into().ok()?),
        COUNTER => Value::Counter(narrow()?),
        GAUGE => Value::Gauge(narrow()?),
        TICKS => Value::Ticks(narrow()?),
        OPAQUE => Value::Opaque(short()?),
        COUNTER64 => Value::Counter64(unsigned(content)?),
        NO_OBJECT => Value::NoObject,
        NO_INSTANCE => Value::NoInstance,
        END => Value::End,
        _ => return None,
    })
}

fn integer(content: &[u8]) -> Option<i32> {
    let first = *content.first()?;
    if content.len() > 4 {
        return None;
    }
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    Some(content.iter().fold(sign, |number, byte| number << 8 | i32::from(*byte)))
}

/// One byte more than the number has, where its first bit is set.
fn unsigned(content: &[u8]) -> Option<u64> {
    let content = match content {
        [] => return None,
        [0, rest @ ..] if rest.len() <= 8 => rest,
        all if all.len() <= 8 => all,
        _ => return None,
    };
    Some(content.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn name_of(content: &[u8]) -> Option<Oid> {
    let mut arcs: Vec<u32> = Vec::new();
    let mut arc: u32 = 0;
    let mut open = false;
    for byte in content {
        arc = arc.checked_mul(128)?.checked_add(u32::from(byte & 0x7f))?;
        open = byte & 0x80 != 0;
        if open {
            continue;
        }
        match arcs.is_empty() {
            true => {
                let first = (arc / 40).min(2);
                arcs.extend([first, arc - 40 * first]);
            }
            false => arcs.push(arc),
        }
        if arcs.len() > MAX_ARCS {
            return None;
        }
        arc = 0;
    }
    (!open && !arcs.is_empty()).then(|| Oid::of(&arcs))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes.iter().fold(0usize, |all, byte| all << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
    }

    fn inside(&mut self, wanted: u8) -> Option<Reader<'a>> {
        self.take(wanted).map(Reader)
    }

    fn integer(&mut self) -> Option<i32> {
        integer(self.take(INTEGER)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as snmpd would write it.
    fn answer(number: i32, bindings: &[(&str, u8, &[u8])]) -> Vec<u8> {
        let mut list = Vec::new();
        for (name, tag, content) in bindings {
            let mut one = Vec::new();
            put(&mut one, NAME, &name_bytes(&name.parse().expect("a name")));
            put(&mut one, *tag, content);
            put(&mut list, SEQUENCE, &one);
        }
        let mut pdu = Vec::new();
        for number in [number, 0, 0] {
            put(&mut pdu, INTEGER, &integer_bytes(number));
        }
        put(&mut pdu, SEQUENCE, &list);
        let mut inside = Vec::new();
        put(&mut inside, INTEGER, &[1]);
        put(&mut inside, OCTETS, b"public");
        put(&mut inside, RESPONSE, &pdu);
        let mut message = Vec::new();
        put(&mut message, SEQUENCE, &inside);
        message
    }

    #[test]
    fn a_question_is_what_other_implementations_send() {
        let name = ["1.3.6.1.2.1.1.3.0".parse().expect("a name")];
        let bytes = encode(b"public", 5, &Question::Get(&name));
        let expected = [
            0x30, 0x26, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x19, 2, 1, 5, 2,
            1, 0, 2, 1, 0, 0x30, 0x0e, 0x30, 0x0c, 6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0, 5, 0,
        ];
        assert_eq!(bytes, expected);
        let bulk = encode(b"x", 200, &Question::Bulk(&name, 32));
        assert!(bulk.windows(10).any(|it| it == [2, 2, 0, 200, 2, 1, 0, 2, 1, 32]), "{bulk:?}");
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let cases: [(u8, &[u8], Value); 13] = [
            (INTEGER, &[0xff], Value::Integer(-1)),
            (INTEGER, &[0x01, 0x00], Value::Integer(256)),
            (OCTETS, b"lan", Value::Bytes(b"lan".to_vec())),
            (NAME, &[0x2b, 6, 1, 0x86, 0x8d, 0x1f], Value::Name(Oid::of(&[1, 3, 6, 1, 99999]))),
            (ADDRESS, &[10, 1, 0, 2], Value::Address([10, 1, 0, 2])),
            (COUNTER, &[0, 0xff, 0xff, 0xff, 0xff], Value::Counter(u32::MAX)),
            (GAUGE, &[7], Value::Gauge(7)),
            (TICKS, &[1, 0], Value::Ticks(256)),
            (
                COUNTER64,
                &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                Value::Counter64(u64::MAX),
            ),
            (NULL, &[], Value::Null),
            (NO_OBJECT, &[], Value::NoObject),
            (NO_INSTANCE, &[], Value::NoInstance),
            (END, &[], Value::End),
        ];
        for (tag, content, value) in cases {
            let bytes = answer(300, &[("1.3.6.1.2.1.1.3.0", tag, content)]);
            let read = decode_answer(&bytes).expect("an answer");
            assert_eq!((read.number, read.error), (300, 0));
            assert_eq!(read.bindings[0].value, value);
            assert_eq!(read.bindings[0].name.to_string(), "1.3.6.1.2.1.1.3.0");
        }
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_no_answer() {
        let good = answer(1, &[("1.3.6.1.2.1.1.3.0", COUNTER, &[1, 2, 3])]);
        for end in 0..good.len() {
            assert_eq!(decode_answer(&good[..end]), None, "{end} of {} bytes", good.len());
        }
        let wide = answer(1, &[("1.3.6.1.2.1.1.3.0", COUNTER, &[1, 0, 0, 0, 0])]);
        assert_eq!(decode_answer(&wide), None, "a counter of 33 bits");
        let many = vec![("1.3.6.1.2.1.1.3.0", NULL, &[][..]); MAX_BINDINGS + 1];
        assert_eq!(decode_answer(&answer(1, &many)), None);
        assert!(decode_answer(&answer(1, &many[1..])).is_some());
    }

    #[test]
    fn names_of_every_size_survive_the_way_there_and_back() {
        for text in ["1.3", "1.3.6.1.4.1.32473.1.2.3.127.128.16383.16384", "2.100.4294967295"] {
            let name: Oid = text.parse().expect("a name");
            assert_eq!(name_of(&name_bytes(&name)), Some(name), "{text}");
        }
    }
}

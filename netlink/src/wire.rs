//! Netlink messages as bytes: a writer for attributes, and readers that never
//! look past what they were given. Pure; the kernel's answers are read here only.

/// Length of nlmsghdr.
pub const HEADER: usize = 16;
/// Length of nfgenmsg, which follows it in every nfnetlink message.
const GENERIC: usize = 4;
/// Length of nlattr.
const ATTRIBUTE: usize = 4;
/// An attribute that contains attributes.
const NESTED: u16 = 0x8000;
/// The bits of an attribute's type that are not flags.
const TYPE_MASK: u16 = 0x3fff;

/// Appends attributes to a message.
#[derive(Debug)]
pub struct Writer<'a>(
    /// Where they are put.
    pub &'a mut Vec<u8>,
);

impl Writer<'_> {
    /// One attribute of plain bytes.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; ATTRIBUTE]);
        self.0.extend_from_slice(value);
        self.close(start, kind);
    }

    /// A string with the NUL that the kernel expects.
    pub fn string(&mut self, kind: u16, value: &str) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; ATTRIBUTE]);
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
        self.close(start, kind);
    }

    /// A 16-bit number in network order.
    pub fn be16(&mut self, kind: u16, value: u16) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// A 32-bit number in network order, as netfilter wants them.
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// A 64-bit number in network order.
    pub fn be64(&mut self, kind: u16, value: u64) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// An attribute that contains what `fill` writes.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Writer<'_>)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; ATTRIBUTE]);
        fill(&mut Writer(self.0));
        self.close(start, kind | NESTED);
    }

    /// Attributes written elsewhere.
    pub fn raw(&mut self, attributes: &[u8]) {
        self.0.extend_from_slice(attributes);
    }

    fn close(&mut self, start: usize, kind: u16) {
        let length = u16::try_from(self.0.len() - start).expect("an attribute is far below 64 kB");
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

/// Appends one nfnetlink message to `out`.
pub fn message(
    out: &mut Vec<u8>,
    head: Head,
    family: u8,
    resource: u16,
    fill: impl FnOnce(&mut Writer<'_>),
) {
    let [high, low] = resource.to_be_bytes();
    message_with(out, head, &[family, 0, high, low], fill);
}

/// Appends one message whose attributes follow the structure `fixed`.
pub fn message_with(
    out: &mut Vec<u8>,
    head: Head,
    fixed: &[u8],
    fill: impl FnOnce(&mut Writer<'_>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&head.kind.to_ne_bytes());
    out.extend_from_slice(&head.flags.to_ne_bytes());
    out.extend_from_slice(&head.sequence.to_ne_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(fixed);
    fill(&mut Writer(out));
    let length = u32::try_from(out.len() - start).expect("a message is far below 4 GB");
    out[start..start + 4].copy_from_slice(&length.to_ne_bytes());
}

/// The fields of nlmsghdr that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Type.
    pub kind: u16,
    /// Flags.
    pub flags: u16,
    /// Sequence number.
    pub sequence: u32,
}

/// One message as received.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its header.
    pub head: Head,
    /// Port of the socket that caused it.
    pub port: u32,
    /// What follows nlmsghdr.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The attributes after nfgenmsg; none when the message is too short for it.
    pub fn attributes(&self) -> Attributes<'a> {
        self.attributes_after(GENERIC)
    }

    /// The attributes after a structure of `fixed` bytes; none when the message is too short.
    pub fn attributes_after(&self, fixed: usize) -> Attributes<'a> {
        Attributes(self.payload.get(fixed..).unwrap_or_default())
    }

    /// What an NLMSG_ERROR says: 0 for done, else the error number; `None` when it is cut.
    pub fn errno(&self) -> Option<i32> {
        ne32(self.payload, 0).map(|code| code.cast_signed().wrapping_neg())
    }

    /// Address family in nfgenmsg.
    pub fn family(&self) -> Option<u8> {
        self.payload.first().copied()
    }
}

/// The messages in one datagram; ends at the first that is malformed.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a>(
    /// What is left of it.
    pub &'a [u8],
);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let bytes = self.0;
        let length = usize::try_from(ne32(bytes, 0)?).ok()?;
        if length < HEADER || length > bytes.len() {
            return None;
        }
        let head =
            Head { kind: ne16(bytes, 4)?, flags: ne16(bytes, 6)?, sequence: ne32(bytes, 8)? };
        let message = Message { head, port: ne32(bytes, 12)?, payload: &bytes[HEADER..length] };
        self.0 = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    }
}

/// Attributes in a row; ends at the first that is malformed.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(
    /// What is left of them.
    pub &'a [u8],
);

impl<'a> Attributes<'a> {
    /// The first attribute of this type.
    pub fn get(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// The attributes inside the first attribute of this type; none if it is absent.
    pub fn nested(self, kind: u16) -> Attributes<'a> {
        Attributes(self.get(kind).unwrap_or_default())
    }

    /// The first byte.
    pub fn byte(self, kind: u16) -> Option<u8> {
        self.get(kind)?.first().copied()
    }

    /// A number in network order.
    pub fn be16(self, kind: u16) -> Option<u16> {
        self.get(kind)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// A number in network order.
    pub fn be32(self, kind: u16) -> Option<u32> {
        self.get(kind)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// A number in network order.
    pub fn be64(self, kind: u16) -> Option<u64> {
        self.get(kind)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// A string up to its NUL or its end; `None` when absent or not UTF-8.
    pub fn string(self, kind: u16) -> Option<&'a str> {
        let bytes = self.get(kind)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..end]).ok()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let bytes = self.0;
        let length = usize::from(ne16(bytes, 0)?);
        if length < ATTRIBUTE || length > bytes.len() {
            return None;
        }
        let kind = ne16(bytes, 2)? & TYPE_MASK;
        self.0 = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, &bytes[ATTRIBUTE..length]))
    }
}

fn ne16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|found| u16::from_ne_bytes(*found))
}

/// A 32-bit number in host order at an offset; `None` past the end.
pub fn ne32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|found| u32::from_ne_bytes(*found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<u8> {
        let mut out = Vec::new();
        let head = Head { kind: 0xa03, flags: 5, sequence: 77 };
        message(&mut out, head, 5, 10, |w| {
            w.string(1, "twinwall");
            w.nest(4, |w| w.be32(2, 0xfffffc18));
            w.be64(9, 42);
        });
        out
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = example();
        let read: Vec<_> = Messages(&bytes).collect();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].head, Head { kind: 0xa03, flags: 5, sequence: 77 });
        assert_eq!(read[0].family(), Some(5));
        let attributes = read[0].attributes();
        assert_eq!(attributes.string(1), Some("twinwall"));
        assert_eq!(attributes.nested(4).be32(2), Some(0xfffffc18));
        assert_eq!(attributes.be64(9), Some(42));
        assert_eq!(attributes.nested(4).be64(2), None, "it has four bytes");
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_survived() {
        let whole = example();
        for end in 0..whole.len() {
            assert_eq!(Messages(&whole[..end]).count(), 0, "a cut message is no message");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 3, 4, 15, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                for found in Messages(&bytes) {
                    let attributes = found.attributes();
                    let _ =
                        (attributes.string(1), attributes.nested(4).be32(2), attributes.be64(9));
                    assert!(attributes.count() <= 8);
                }
            }
        }
    }
}

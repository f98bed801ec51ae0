//! One rule of nf_tables as bytes, built from the few expressions that the gate and the
//! flows need; knows nothing of what the rules are for.

use std::time::Duration;

use super::consts::{
    CMP_EQ, CMP_NEQ, CT_DREG, CT_EVENTMASK, CT_KEY, CT_SREG, CT_STATE, DATA_VALUE, DATA_VERDICT,
    DYNSET_DELETE, DYNSET_UPDATE, EXPR_DATA, EXPR_NAME, LIST_ELEM, META_L4PROTO, META_MARK,
    META_NFPROTO, META_PKTTYPE, META_PROTOCOL, PAYLOAD_LL, PAYLOAD_NETWORK, PAYLOAD_TRANSPORT,
    REG_1, REG_VERDICT, VERDICT_CHAIN, VERDICT_CODE, VERDICT_DROP,
};
use crate::wire::Writer;

/// A rule: its expressions as nf_tables wants them, and a comment that tells
/// people what it is for and us whether it is still what we wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// For people, at most [`MAX_ABOUT`] bytes.
    about: String,
    expressions: Vec<u8>,
}

/// Longest text of a comment; nft allows 128 bytes with its NUL, and ten are the hash's.
const MAX_ABOUT: usize = 110;
/// Type of a comment in what nft keeps beside a rule or a table.
const COMMENT: u8 = 0;

impl Rule {
    /// A rule that does nothing yet.
    pub fn new(about: impl Into<String>) -> Rule {
        let about = about.into();
        debug_assert!(about.len() <= MAX_ABOUT, "{about}");
        Rule { about, expressions: Vec::new() }
    }

    /// The expressions.
    pub fn expressions(&self) -> &[u8] {
        &self.expressions
    }

    /// The text for people.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The comment with a hash of the expressions, in the form in which nft shows it.
    pub fn userdata(&self) -> Vec<u8> {
        comment(&format!("{} #{:08x}", self.about, fold(&self.expressions)))
    }

    fn expression(mut self, name: &str, fill: impl FnOnce(&mut Writer<'_>)) -> Rule {
        Writer(&mut self.expressions).nest(LIST_ELEM, |w| {
            w.string(EXPR_NAME, name);
            w.nest(EXPR_DATA, fill);
        });
        self
    }

    fn meta(self, key: u32) -> Rule {
        self.expression("meta", |w| {
            w.be32(1, REG_1);
            w.be32(2, key);
        })
    }

    /// What was loaded last compares so with `value`, else the rule ends.
    #[must_use]
    pub fn compare(self, operation: u32, value: &[u8]) -> Rule {
        self.expression("cmp", |w| {
            w.be32(1, REG_1);
            w.be32(2, operation);
            w.nest(3, |w| w.bytes(DATA_VALUE, value));
        })
    }

    /// The packet's mark is this one.
    #[must_use]
    pub fn mark(self, mark: u32) -> Rule {
        self.meta(META_MARK).compare(CMP_EQ, &mark.to_ne_bytes())
    }

    /// The packet's EtherType as the kernel holds it compares so.
    #[must_use]
    pub fn protocol(self, operation: u32, ethertype: u16) -> Rule {
        self.meta(META_PROTOCOL).compare(operation, &ethertype.to_be_bytes())
    }

    /// The frame was sent to this interface's own MAC.
    #[must_use]
    pub fn for_our_mac(self) -> Rule {
        self.meta(META_PKTTYPE).compare(CMP_EQ, &[libc::PACKET_HOST])
    }

    /// The EtherType in the frame itself. Unlike the kernel's notion it differs
    /// for a frame with a VLAN tag, which belongs to another interface.
    #[must_use]
    pub fn frame_is(self, ethertype: u16) -> Rule {
        self.load(PAYLOAD_LL, 12, 2).compare(CMP_EQ, &ethertype.to_be_bytes())
    }

    /// Loads bytes from the network header on.
    #[must_use]
    pub fn network(self, offset: u32, length: u32) -> Rule {
        self.load(PAYLOAD_NETWORK, offset, length)
    }

    fn load(self, base: u32, offset: u32, length: u32) -> Rule {
        self.expression("payload", |w| {
            w.be32(1, REG_1);
            w.be32(2, base);
            w.be32(3, offset);
            w.be32(4, length);
        })
    }

    /// Keeps only the bits of `mask` of what was loaded last.
    #[must_use]
    pub fn masked(self, mask: &[u8]) -> Rule {
        let zero = vec![0; mask.len()];
        self.expression("bitwise", |w| {
            w.be32(1, REG_1);
            w.be32(2, REG_1);
            w.be32(3, mask.len() as u32);
            w.nest(4, |w| w.bytes(DATA_VALUE, mask));
            w.nest(5, |w| w.bytes(DATA_VALUE, &zero));
        })
    }

    /// What was loaded last is in the set.
    #[must_use]
    pub fn in_set(self, set: &str) -> Rule {
        self.lookup(set, 0)
    }

    /// What was loaded last is not in the set.
    #[must_use]
    pub fn not_in_set(self, set: &str) -> Rule {
        self.lookup(set, 1)
    }

    fn lookup(self, set: &str, flags: u32) -> Rule {
        self.expression("lookup", |w| {
            w.string(1, set);
            w.be32(2, REG_1);
            w.be32(5, flags);
        })
    }

    /// The packet belongs to this transport protocol.
    #[must_use]
    pub fn transport(self, protocol: u8) -> Rule {
        self.meta(META_L4PROTO).compare(CMP_EQ, &[protocol])
    }

    /// The packet belongs to any transport protocol but this.
    #[must_use]
    pub fn transport_other_than(self, protocol: u8) -> Rule {
        self.meta(META_L4PROTO).compare(CMP_NEQ, &[protocol])
    }

    /// Any of these bits of the byte at `offset` of the transport header is set.
    #[must_use]
    pub fn transport_bits(self, offset: u32, bits: u8) -> Rule {
        self.load(PAYLOAD_TRANSPORT, offset, 1).masked(&[bits]).compare(CMP_NEQ, &[0])
    }

    /// Any of these bits of the packet's connection tracking state is set.
    #[must_use]
    pub fn ct_state(self, bits: u32) -> Rule {
        self.expression("ct", |w| {
            w.be32(CT_DREG, REG_1);
            w.be32(CT_KEY, CT_STATE);
        })
        .masked(&bits.to_ne_bytes())
        .compare(CMP_NEQ, &[0; 4])
    }

    /// Of this packet's flow only these events are told.
    #[must_use]
    pub fn ct_events(self, mask: u32) -> Rule {
        self.expression("immediate", |w| {
            w.be32(1, REG_1);
            w.nest(2, |w| w.bytes(DATA_VALUE, &mask.to_ne_bytes()));
        })
        .expression("ct", |w| {
            w.be32(CT_KEY, CT_EVENTMASK);
            w.be32(CT_SREG, REG_1);
        })
    }

    /// Loads the kernel's family of the packet: the same for all of one table of netdev.
    #[must_use]
    pub fn nfproto(self) -> Rule {
        self.meta(META_NFPROTO)
    }

    /// Puts what was loaded last into the set for `timeout` from now, whether or not it is there.
    #[must_use]
    pub fn update(self, set: &str, timeout: Duration) -> Rule {
        let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.dynset(set, DYNSET_UPDATE, |w| w.be64(6, timeout))
    }

    /// Takes what was loaded last out of the set.
    #[must_use]
    pub fn delete(self, set: &str) -> Rule {
        self.dynset(set, DYNSET_DELETE, |_| {})
    }

    fn dynset(self, set: &str, operation: u32, more: impl FnOnce(&mut Writer<'_>)) -> Rule {
        self.expression("dynset", |w| {
            w.string(1, set);
            w.be32(3, operation);
            w.be32(4, REG_1);
            more(w);
        })
    }

    /// Counts what came so far.
    #[must_use]
    pub fn count(self) -> Rule {
        self.expression("counter", |_| {})
    }

    /// Ends with this verdict.
    #[must_use]
    pub fn verdict(self, code: i32) -> Rule {
        self.branch(code, None)
    }

    /// Drops the packet; for an order that is how it is taken.
    #[must_use]
    pub fn drop(self) -> Rule {
        self.verdict(VERDICT_DROP)
    }

    /// Goes on in another chain; `code` says whether it comes back.
    #[must_use]
    pub fn branch(self, code: i32, chain: Option<&str>) -> Rule {
        self.expression("immediate", |w| {
            w.be32(1, REG_VERDICT);
            w.nest(2, |w| {
                w.nest(DATA_VERDICT, |w| {
                    w.be32(VERDICT_CODE, code.cast_unsigned());
                    if let Some(chain) = chain {
                        w.string(VERDICT_CHAIN, chain);
                    }
                });
            });
        })
    }
}

/// A comment in the form in which nft keeps and shows it.
pub fn comment(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len() + 1).expect("comments are shorter than 128 bytes");
    let mut bytes = vec![COMMENT, length];
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    bytes
}

/// FNV-1a, folded to 32 bits: notices that a rule was replaced, no more.
fn fold(bytes: &[u8]) -> u32 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) as u32 ^ hash as u32
}

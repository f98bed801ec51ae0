//! Bytes of rtnetlink messages: requests are written into one buffer that is used
//! again and again, answers are read in place. Nothing here allocates in steady
//! state, and nothing trusts a length that it did not check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::names::{InterfaceName, Mac};

const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;

pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;
pub(crate) const NLM_F_REQUEST: u16 = 0x1;
pub(crate) const NLM_F_ACK: u16 = 0x4;
pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;
pub(crate) const NLM_F_REPLACE: u16 = 0x100;
pub(crate) const NLM_F_CREATE: u16 = 0x400;
pub(crate) const NLM_F_DUMP: u16 = 0x300;

pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_DELLINK: u16 = 17;
pub(crate) const RTM_GETLINK: u16 = 18;
pub(crate) const RTM_NEWADDR: u16 = 20;
pub(crate) const RTM_DELADDR: u16 = 21;
pub(crate) const RTM_GETADDR: u16 = 22;

pub(crate) const IFA_ADDRESS: u16 = 1;
pub(crate) const IFA_LOCAL: u16 = 2;
pub(crate) const IFA_CACHEINFO: u16 = 6;
pub(crate) const IFA_FLAGS: u16 = 8;
pub(crate) const IFA_PROTO: u16 = 11;

pub(crate) const IFA_F_SECONDARY: u32 = 0x01;
pub(crate) const IFA_F_NODAD: u32 = 0x02;
pub(crate) const IFA_F_OPTIMISTIC: u32 = 0x04;
pub(crate) const IFA_F_DADFAILED: u32 = 0x08;
pub(crate) const IFA_F_TENTATIVE: u32 = 0x40;
pub(crate) const IFA_F_NOPREFIXROUTE: u32 = 0x200;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_LINKINFO: u16 = 18;
pub(crate) const IFLA_EXT_MASK: u16 = 29;
const IFLA_INFO_KIND: u16 = 1;
/// Leaves the counters out of an answer on a link: they are most of its bytes.
pub(crate) const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

/// Requests that go to the kernel in one send.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    begin: usize,
}

impl Batch {
    pub(crate) fn with_capacity(bytes: usize) -> Batch {
        Batch { bytes: Vec::with_capacity(bytes), begin: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Begins a message; [`Batch::finish`] must follow.
    pub(crate) fn begin(&mut self, kind: u16, flags: u16, sequence: u32) {
        self.begin = self.bytes.len();
        self.put(&0u32.to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(&(flags | NLM_F_REQUEST).to_ne_bytes());
        self.put(&sequence.to_ne_bytes());
        self.put(&0u32.to_ne_bytes());
    }

    /// `struct ifaddrmsg`; flags go into `IFA_FLAGS`, which has room for all of them.
    pub(crate) fn address_header(&mut self, family: u8, length: u8, index: u32) {
        self.put(&[family, length, 0, 0]);
        self.put(&index.to_ne_bytes());
    }

    /// `struct ifinfomsg` that asks for the link with this index, 0 for by name.
    pub(crate) fn link_header(&mut self, index: u32) {
        self.put(&[0; 4]);
        self.put(&index.to_ne_bytes());
        self.put(&[0; 8]);
    }

    pub(crate) fn attribute(&mut self, kind: u16, payload: &[u8]) {
        let length = u16::try_from(ATTRIBUTE_HEADER + payload.len()).unwrap_or(u16::MAX);
        self.put(&length.to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(payload);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    pub(crate) fn interface_name(&mut self, name: &InterfaceName) {
        let mut text = [0; libc::IFNAMSIZ];
        let bytes = name.bytes();
        text[..bytes.len()].copy_from_slice(bytes);
        self.attribute(IFLA_IFNAME, &text[..=bytes.len()]);
    }

    pub(crate) fn ip(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.attribute(kind, &address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    /// Writes the message's length into its header.
    pub(crate) fn finish(&mut self) {
        let length = u32::try_from(self.bytes.len() - self.begin).unwrap_or(u32::MAX);
        self.bytes[self.begin..self.begin + 4].copy_from_slice(&length.to_ne_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

/// One message of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) body: &'a [u8],
}

impl Message<'_> {
    /// The error number of an acknowledgement, 0 for success.
    pub(crate) fn errno(&self) -> i32 {
        u32_at(self.body, 0).map_or(libc::EPROTO, |code| code.cast_signed().wrapping_neg())
    }
}

/// The messages of one datagram; ends at the first that does not fit.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let body = bytes.get(HEADER..length)?;
        let message = Message {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            body,
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(message)
    })
}

/// The attributes of a message after its fixed header; ends at the first that does not fit.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const KIND: u16 = 0x3fff;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let attribute = (u16_at(bytes, 2)? & KIND, bytes.get(ATTRIBUTE_HEADER..length)?);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(attribute)
    })
}

/// An address as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressRecord {
    pub(crate) index: u32,
    pub(crate) address: IpAddr,
    pub(crate) length: u8,
    pub(crate) flags: u32,
    /// `IFA_PROTO`: who added it; 0 when nobody said.
    pub(crate) tag: u8,
    /// Remaining life in seconds, `u32::MAX` for ever.
    pub(crate) valid_s: u32,
}

/// Reads the body of `RTM_NEWADDR` or `RTM_DELADDR`.
pub(crate) fn parse_address(body: &[u8]) -> Option<AddressRecord> {
    let family = i32::from(*body.first()?);
    let mut record = AddressRecord {
        index: u32_at(body, 4)?,
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        length: *body.get(1)?,
        flags: u32::from(*body.get(2)?),
        tag: 0,
        valid_s: u32::MAX,
    };
    let (mut local, mut address) = (None, None);
    for (kind, payload) in attributes(body.get(8..)?) {
        match kind {
            IFA_LOCAL => local = ip(family, payload),
            IFA_ADDRESS => address = ip(family, payload),
            IFA_FLAGS => record.flags = u32_at(payload, 0)?,
            IFA_PROTO => record.tag = *payload.first()?,
            IFA_CACHEINFO => record.valid_s = u32_at(payload, 4)?,
            _ => {}
        }
    }
    record.address = local.or(address)?;
    Some(record)
}

/// A link as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkRecord {
    pub(crate) index: u32,
    pub(crate) name: InterfaceName,
    pub(crate) mac: Option<Mac>,
    /// Set up by the administrator and with carrier.
    pub(crate) up: bool,
    /// The device below, for kinds whose carrier only follows it: VLAN, macvlan and the like.
    pub(crate) lower: Option<u32>,
}

/// Reads the body of `RTM_NEWLINK` or `RTM_DELLINK`.
pub(crate) fn parse_link(body: &[u8]) -> Option<LinkRecord> {
    let needed = (libc::IFF_UP | libc::IFF_LOWER_UP).cast_unsigned();
    let (index, flags) = (u32_at(body, 4)?, u32_at(body, 8)?);
    let (mut name, mut mac, mut below, mut follows) = (None, None, None, false);
    for (kind, payload) in attributes(body.get(16..)?) {
        match kind {
            IFLA_IFNAME => name = InterfaceName::from_kernel(payload),
            IFLA_ADDRESS => mac = payload.try_into().ok().map(Mac),
            IFLA_LINK => below = u32_at(payload, 0),
            IFLA_LINKINFO => follows = follows_lower(payload),
            _ => {}
        }
    }
    let lower = if follows { below } else { None };
    Some(LinkRecord { index, name: name?, mac, up: flags & needed == needed, lower })
}

/// Whether a link of this kind gets its carrier from the device that `IFLA_LINK` names.
/// (A veth has that attribute too; there it names the other end.)
fn follows_lower(link_info: &[u8]) -> bool {
    const KINDS: [&[u8]; 5] = [b"vlan", b"macvlan", b"macvtap", b"ipvlan", b"ipvtap"];
    attributes(link_info)
        .filter(|(kind, _)| *kind == IFLA_INFO_KIND)
        .any(|(_, name)| KINDS.contains(&name.strip_suffix(b"\0").unwrap_or(name)))
}

fn ip(family: i32, payload: &[u8]) -> Option<IpAddr> {
    match family {
        libc::AF_INET => {
            <[u8; 4]>::try_from(payload).ok().map(|octets| Ipv4Addr::from(octets).into())
        }
        libc::AF_INET6 => {
            <[u8; 16]>::try_from(payload).ok().map(|octets| Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_message() -> Batch {
        let mut batch = Batch::default();
        batch.begin(RTM_NEWADDR, NLM_F_ACK, 7);
        batch.address_header(libc::AF_INET as u8, 24, 3);
        batch.ip(IFA_LOCAL, "10.0.0.1".parse().unwrap());
        batch.attribute(IFA_FLAGS, &0x201u32.to_ne_bytes());
        batch.attribute(IFA_PROTO, &[9]);
        batch.finish();
        batch
    }

    #[test]
    fn what_is_written_is_read_back() {
        let batch = address_message();
        let all: Vec<_> = messages(batch.bytes()).collect();
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].kind, all[0].flags, all[0].sequence),
            (RTM_NEWADDR, NLM_F_ACK | NLM_F_REQUEST, 7)
        );
        let record = parse_address(all[0].body).unwrap();
        assert_eq!((record.index, record.length, record.flags, record.tag), (3, 24, 0x201, 9));
        assert_eq!(record.address, "10.0.0.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn a_message_cut_short_anywhere_is_ignored_or_read_without_its_tail() {
        let batch = address_message();
        for end in 0..batch.bytes().len() {
            assert_eq!(messages(&batch.bytes()[..end]).count(), 0, "cut at {end}");
        }
        let body = &batch.bytes()[HEADER..];
        for end in 0..body.len() {
            let _ = parse_address(&body[..end]);
            let _ = parse_link(&body[..end]);
        }
    }

    #[test]
    fn lengths_that_lie_end_the_reading() {
        for length in [0u32, 1, 15, 17, u32::MAX] {
            let mut bytes = address_message().bytes().to_vec();
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert!(messages(&bytes).count() <= 1, "length {length}");
        }
        assert_eq!(attributes(&[0, 0, 0, 0, 0, 0, 0, 0]).count(), 0);
        assert_eq!(attributes(&[3, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[0xff, 0xff, 1, 0, 1]).count(), 0);
    }

    #[test]
    fn an_address_of_the_wrong_size_is_no_address() {
        let mut batch = Batch::default();
        batch.begin(RTM_NEWADDR, 0, 1);
        batch.address_header(libc::AF_INET6 as u8, 24, 3);
        batch.ip(IFA_LOCAL, "10.0.0.1".parse().unwrap());
        batch.finish();
        assert_eq!(
            messages(batch.bytes()).next().and_then(|message| parse_address(message.body)),
            None
        );
    }

    #[test]
    fn a_veth_end_does_not_follow_its_other_end() {
        let kind = |name: &[u8]| {
            let mut info = Batch::default();
            info.attribute(IFLA_INFO_KIND, name);
            follows_lower(info.bytes())
        };
        assert!(kind(b"vlan\0") && kind(b"macvlan\0") && kind(b"vlan"));
        assert!(!kind(b"veth\0") && !kind(b"") && !kind(b"vlanx"));
    }
}

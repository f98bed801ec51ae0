//! What the table must look like for a [`GateSpec`]: sets, chains, rules. Pure;
//! called by `table`, which makes the kernel's table equal to it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use twinwall_netlink::nft::Rule;
use twinwall_netlink::nft::consts::{
    CMP_EQ, CMP_GTE, CMP_LT, CMP_LTE, CMP_NEQ, HOOK_EGRESS, HOOK_INGRESS, VERDICT_ACCEPT,
    VERDICT_GOTO, VERDICT_JUMP, VERDICT_RETURN,
};

use super::GateSpec;
use super::found::Hook;
use super::ladder::{ARMED, FORWARD_AFTER_CLOSE, Ladder, ORDER_ETHERTYPE, Order};

/// Set that lives while the node may answer for the VIPs.
pub(super) const ANSWER: &str = "answer";
/// Set that lives while the node may forward for the pair.
pub(super) const FORWARD: &str = "forward";
/// Set that lives while the next order to open or renew is good.
pub(super) const ARMED_SET: &str = "armed";
/// Chain that lets pass only while the node may answer.
pub(super) const ANSWERING: &str = "answering";
/// Chain that lets pass only while the node may forward.
pub(super) const FORWARDING: &str = "forwarding";

const VIP4: &str = "vip4";
const VIP6: &str = "vip6";
const OWN4: &str = "own4";
const OWN6: &str = "own6";
const SERVICE_IN: &str = "service_in";
const SERVICE_OUT: &str = "service_out";

/// Where an order's frame carries the number of its arming: offset and length.
const ARMING: (u32, u32) = (0, 4);

/// Before any chain of an administrator, flowtables included, which forward on their own.
const PRIORITY: i32 = -1000;
/// An expired element counts until the kernel's collector, which needs the same
/// lock as every transaction, has taken it away: room for minutes of armings.
pub(super) const LIVE_SET_SIZE: u32 = 65_535;

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// ARP's first six bytes for Ethernet and IPv4 (RFC 826).
const ARP_ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
/// Next header of ICMPv6, and its types of neighbour discovery (RFC 4861).
const ICMPV6: u8 = 58;
const ROUTER_SOLICITATION: u8 = 133;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;

/// The whole table.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The sets.
    pub(super) sets: Vec<Set>,
    /// The chains, those that others jump to first.
    pub(super) chains: Vec<Chain>,
}

/// What is in a set.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Put there by orders, with a timeout; none of our business.
    Lease,
    /// These keys, and no others.
    Keys(BTreeSet<Vec<u8>>),
}

/// A set.
#[derive(Debug)]
pub(super) struct Set {
    /// Its name.
    pub(super) name: &'static str,
    /// What nft calls the type of its key.
    pub(super) key_type: u32,
    /// Bytes of its key.
    pub(super) key_len: u32,
    /// What is in it.
    pub(super) content: Content,
}

/// A chain.
#[derive(Debug)]
pub(super) struct Chain {
    /// Its name.
    pub(super) name: String,
    /// Where it hangs, if it is a base chain.
    pub(super) hook: Option<Hook>,
    /// Its rules in order.
    pub(super) rules: Vec<Rule>,
}

/// The table for `spec`, with chains for those interfaces that `exists` knows.
pub(super) fn table(spec: &GateSpec, exists: impl Fn(&str) -> bool) -> Wanted {
    let mut chains = vec![
        chain(
            ANSWERING,
            gate(ANSWER, "answers for the pair dropped: this node's lease to answer is over"),
        ),
        chain(
            FORWARDING,
            gate(FORWARD, "traffic of the pair dropped: this node's lease to forward is over"),
        ),
        chain(SERVICE_IN, service_in()),
        chain(SERVICE_OUT, service_out()),
        base("orders".to_owned(), HOOK_EGRESS, "lo", orders(spec)),
    ];
    for name in spec.interfaces.iter().filter(|name| exists(name)) {
        for (prefix, number, target) in
            [("in", HOOK_INGRESS, SERVICE_IN), ("out", HOOK_EGRESS, SERVICE_OUT)]
        {
            let rule = Rule::new("to the gate").branch(VERDICT_JUMP, Some(target));
            chains.push(base(format!("{prefix}_{name}"), number, name, vec![rule]));
        }
    }
    Wanted { sets: sets(spec), chains }
}

fn chain(name: &str, rules: Vec<Rule>) -> Chain {
    Chain { name: name.to_owned(), hook: None, rules }
}

fn base(name: String, number: u32, device: &str, rules: Vec<Rule>) -> Chain {
    Chain {
        name,
        hook: Some(Hook { number, priority: PRIORITY, device: device.to_owned() }),
        rules,
    }
}

/// nft's numbers for the types of keys, so that `nft list` shows them as people read them.
fn sets(spec: &GateSpec) -> Vec<Set> {
    let lease = |name, key_type, key_len| Set { name, key_type, key_len, content: Content::Lease };
    let keys = |name, four: bool, addresses: &[IpAddr]| {
        let keys =
            addresses.iter().filter(|address| address.is_ipv4() == four).map(octets).collect();
        let (key_type, key_len) = if four { (7, 4) } else { (8, 16) };
        Set { name, key_type, key_len, content: Content::Keys(keys) }
    };
    vec![
        lease(ANSWER, 2, 1),
        lease(FORWARD, 2, 1),
        lease(ARMED_SET, 4, 4),
        keys(VIP4, true, &spec.virtual_ips),
        keys(VIP6, false, &spec.virtual_ips),
        keys(OWN4, true, &spec.own),
        keys(OWN6, false, &spec.own),
    ]
}

fn octets(address: &IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}

/// Passes while the set lives, else counts and drops. The one key of the lease sets is
/// the packet's family: a constant here, so that nobody's mark is touched.
fn gate(set: &str, about: &str) -> Vec<Rule> {
    vec![
        Rule::new("lease alive").nfproto().in_set(set).verdict(VERDICT_RETURN),
        Rule::new(about).count().drop(),
    ]
}

/// Egress of `lo`. A rule that takes an order drops its frame: that is the answer.
///
/// Armings are kept under the number that their frame carries. Under one key, as
/// the lease, they would pile up in one bucket of the kernel's hash table until its
/// collector comes, once a second, and beyond sixteen the kernel refuses more.
fn orders(spec: &GateSpec) -> Vec<Rule> {
    let marked = |about: &str, order: Order| Rule::new(about).mark(order.mark());
    let mut rules = vec![
        Rule::new("not an order").protocol(CMP_NEQ, ORDER_ETHERTYPE).verdict(VERDICT_ACCEPT),
        marked("close", Order::Close)
            .network(ARMING.0, ARMING.1)
            .delete(ARMED_SET)
            .nfproto()
            .delete(ANSWER)
            .delete(FORWARD)
            .drop(),
        marked("close answer", Order::CloseAnswer)
            .network(ARMING.0, ARMING.1)
            .delete(ARMED_SET)
            .nfproto()
            .delete(ANSWER),
        marked("close answer: forward on", Order::CloseAnswer)
            .nfproto()
            .in_set(FORWARD)
            .update(FORWARD, FORWARD_AFTER_CLOSE)
            .drop(),
        marked("arm", Order::Arm).network(ARMING.0, ARMING.1).update(ARMED_SET, ARMED).drop(),
        marked("ask answer", Order::AskAnswer).nfproto().in_set(ANSWER).drop(),
        marked("ask table", Order::AskTable).drop(),
    ];
    let lengths: BTreeSet<u32> = [Some(spec.lease), spec.old_lease]
        .into_iter()
        .flatten()
        .flat_map(|lease| Ladder::new(lease).rungs().to_vec())
        .collect();
    for ms in lengths.into_iter().rev() {
        let life = Duration::from_millis(u64::from(ms));
        let armed = |about: &str, order: Order| {
            marked(about, order).network(ARMING.0, ARMING.1).in_set(ARMED_SET).nfproto()
        };
        let both = |rule: Rule| rule.update(ANSWER, life).update(FORWARD, life).drop();
        let renew = armed(&format!("renew {ms} ms"), Order::Renew(ms));
        rules.push(both(renew.in_set(ANSWER).in_set(FORWARD)));
        rules.push(both(armed(&format!("open {ms} ms"), Order::Open(ms))));
    }
    rules
}

/// What comes in on a service interface.
fn service_in() -> Vec<Rule> {
    let v4 = |about: &str| Rule::new(about).frame_is(ETHERTYPE_IPV4);
    let v6 = |about: &str| Rule::new(about).frame_is(ETHERTYPE_IPV6);
    vec![
        to_gate(arp("ARP for a VIP").network(24, 4).in_set(VIP4), ANSWERING),
        to_gate(v4("IPv4 to a VIP").network(16, 4).in_set(VIP4), FORWARDING),
        to_gate(
            v4("IPv4 in transit")
                .for_our_mac()
                .network(16, 4)
                .not_in_set(OWN4)
                // Multicast and broadcast in a unicast frame concern the node itself.
                .compare(CMP_LT, &[224, 0, 0, 0]),
            FORWARDING,
        ),
        to_gate(
            nd("NS for a VIP")
                .compare(CMP_EQ, &[NEIGHBOUR_SOLICITATION])
                .network(48, 16)
                .in_set(VIP6),
            ANSWERING,
        ),
        to_gate(v6("IPv6 to a VIP").network(24, 16).in_set(VIP6), FORWARDING),
        to_gate(
            v6("IPv6 in transit")
                .for_our_mac()
                .network(24, 16)
                .not_in_set(OWN6)
                .compare(CMP_LT, &first_two(0xff00))
                .masked(&first_two(0xffc0))
                .compare(CMP_NEQ, &first_two(0xfe80)),
            FORWARDING,
        ),
    ]
}

/// What goes out on a service interface.
fn service_out() -> Vec<Rule> {
    let v4 = |about: &str| Rule::new(about).frame_is(ETHERTYPE_IPV4);
    let v6 = |about: &str| Rule::new(about).frame_is(ETHERTYPE_IPV6);
    vec![
        to_gate(arp("ARP from a VIP").network(14, 4).in_set(VIP4), ANSWERING),
        to_gate(v4("IPv4 from a VIP").network(12, 4).in_set(VIP4), FORWARDING),
        to_gate(
            nd("NA from a VIP")
                .compare(CMP_EQ, &[NEIGHBOUR_ADVERTISEMENT])
                .network(48, 16)
                .in_set(VIP6),
            ANSWERING,
        ),
        // All of neighbour discovery can teach a neighbour the sender's MAC.
        to_gate(
            nd("neighbour discovery from a VIP")
                .compare(CMP_GTE, &[ROUTER_SOLICITATION])
                .compare(CMP_LTE, &[REDIRECT])
                .network(8, 16)
                .in_set(VIP6),
            ANSWERING,
        ),
        to_gate(v6("IPv6 from a VIP").network(8, 16).in_set(VIP6), FORWARDING),
    ]
}

/// ARP for Ethernet and IPv4; others are not touched.
fn arp(about: &str) -> Rule {
    Rule::new(about).frame_is(ETHERTYPE_ARP).network(0, 6).compare(CMP_EQ, &ARP_ETHERNET_IPV4)
}

/// ICMPv6 right behind the IPv6 header, with its type loaded. RFC 6980 forbids
/// fragments here, and the kernel sends no extension headers.
fn nd(about: &str) -> Rule {
    Rule::new(about)
        .frame_is(ETHERTYPE_IPV6)
        .network(6, 1)
        .compare(CMP_EQ, &[ICMPV6])
        .network(40, 1)
}

fn to_gate(rule: Rule, chain: &str) -> Rule {
    rule.branch(VERDICT_GOTO, Some(chain))
}

/// An IPv6 address of which only the first two bytes are not zero.
fn first_two(value: u16) -> [u8; 16] {
    let mut address = [0; 16];
    address[..2].copy_from_slice(&value.to_be_bytes());
    address
}

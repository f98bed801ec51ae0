//! What the kernel's table looks like, taken from the messages of a dump. Pure;
//! called by `look`, and by `watch` for the table that a notice is about. What
//! does not parse counts as absent, and is then put right.

use std::collections::BTreeMap;
use std::time::Duration;

use twinwall_netlink::nft::consts::{
    ANY_TABLE, CHAIN_HOOK, CHAIN_NAME, COUNTER_PACKETS, DATA_VALUE, DEVICE_NAME, ELEM_EXPIRATION,
    ELEM_KEY, ELEM_LIST_ELEMENTS, ELEM_LIST_SET, EXPR_DATA, EXPR_NAME, HOOK_DEVICE, HOOK_DEVICES,
    HOOK_NUMBER, HOOK_PRIORITY, LIST_ELEM, MSG_NEWCHAIN, MSG_NEWRULE, MSG_NEWSET, MSG_NEWSETELEM,
    MSG_NEWTABLE, NFPROTO_NETDEV, RULE_CHAIN, RULE_EXPRESSIONS, RULE_USERDATA, SET_FLAGS,
    SET_KEY_LEN, SET_NAME, TABLE_FLAGS, TABLE_OWNER,
};
use twinwall_netlink::number::SUBSYS_NFTABLES;
use twinwall_netlink::wire::{Attributes, Message};

/// The keys of a set, each with the time left if it has a timeout.
pub(super) type Elements = BTreeMap<Vec<u8>, Option<Duration>>;

/// The table itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FoundTable {
    /// Its flags.
    pub(super) flags: u32,
    /// The port of its owner, if it has one.
    pub(super) owner: Option<u32>,
}

/// Where a base chain hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    /// Ingress or egress.
    pub(super) number: u32,
    /// Its place among other chains there.
    pub(super) priority: i32,
    /// The interface.
    pub(super) device: String,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FoundRule {
    /// Its comment.
    pub(super) userdata: Vec<u8>,
    /// Packets that its counter saw, if it has one.
    pub(super) packets: Option<u64>,
}

/// One set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FoundSet {
    /// Its flags.
    pub(super) flags: u32,
    /// Bytes of its key.
    pub(super) key_len: u32,
    /// What is in it.
    pub(super) elements: Elements,
}

/// Everything in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The table, if it is there.
    pub(super) table: Option<FoundTable>,
    /// Chains with their hook, if they have one.
    pub(super) chains: BTreeMap<String, Option<Hook>>,
    /// Rules of each chain in order.
    pub(super) rules: BTreeMap<String, Vec<FoundRule>>,
    /// The sets.
    pub(super) sets: BTreeMap<String, FoundSet>,
}

impl Found {
    /// Takes in one message of the kernel, if it is about the table `name`.
    pub(super) fn take(&mut self, message: &Message<'_>, name: &str) {
        if table_of(message) != Some(name) || message.head.kind >> 8 != SUBSYS_NFTABLES {
            return;
        }
        let attributes = message.attributes();
        match message.head.kind & 0xff {
            MSG_NEWTABLE => self.table = Some(table(attributes)),
            MSG_NEWCHAIN => self.take_chain(attributes),
            MSG_NEWRULE => self.take_rule(attributes),
            MSG_NEWSET => self.take_set(attributes),
            MSG_NEWSETELEM => self.take_elements(attributes),
            _ => {}
        }
    }

    fn take_chain(&mut self, chain: Attributes<'_>) {
        let Some(name) = chain.string(CHAIN_NAME) else { return };
        let hook = chain.get(CHAIN_HOOK).map(|bytes| hook(Attributes(bytes)));
        self.chains.insert(name.to_owned(), hook);
    }

    fn take_rule(&mut self, rule: Attributes<'_>) {
        let Some(chain) = rule.string(RULE_CHAIN) else { return };
        let packets = rule
            .nested(RULE_EXPRESSIONS)
            .filter(|(kind, _)| *kind == LIST_ELEM)
            .map(|(_, bytes)| Attributes(bytes))
            .find(|expression| expression.string(EXPR_NAME) == Some("counter"))
            .and_then(|counter| counter.nested(EXPR_DATA).be64(COUNTER_PACKETS));
        let userdata = rule.get(RULE_USERDATA).unwrap_or_default().to_vec();
        self.rules.entry(chain.to_owned()).or_default().push(FoundRule { userdata, packets });
    }

    fn take_set(&mut self, set: Attributes<'_>) {
        let Some(name) = set.string(SET_NAME) else { return };
        let there = self.sets.entry(name.to_owned()).or_default();
        there.flags = set.be32(SET_FLAGS).unwrap_or(0);
        there.key_len = set.be32(SET_KEY_LEN).unwrap_or(0);
    }

    fn take_elements(&mut self, list: Attributes<'_>) {
        let Some(set) = list.string(ELEM_LIST_SET).and_then(|name| self.sets.get_mut(name)) else {
            return;
        };
        for (_, bytes) in list.nested(ELEM_LIST_ELEMENTS).filter(|(kind, _)| *kind == LIST_ELEM) {
            let element = Attributes(bytes);
            if let Some(key) = element.nested(ELEM_KEY).get(DATA_VALUE) {
                let left = element.be64(ELEM_EXPIRATION).map(Duration::from_millis);
                set.elements.insert(key.to_vec(), left);
            }
        }
    }
}

/// The name of the table that a message is about, if it is one of netdev.
pub(super) fn table_of<'a>(message: &Message<'a>) -> Option<&'a str> {
    (message.family() == Some(NFPROTO_NETDEV))
        .then(|| message.attributes().string(ANY_TABLE))
        .flatten()
}

fn table(table: Attributes<'_>) -> FoundTable {
    FoundTable {
        flags: table.be32(TABLE_FLAGS).unwrap_or(0),
        owner: table.be32(TABLE_OWNER).filter(|port| *port != 0),
    }
}

/// A chain on several devices, or none, is not one of ours and equals nothing wanted.
fn hook(hook: Attributes<'_>) -> Hook {
    let devices: Vec<&str> = hook
        .nested(HOOK_DEVICES)
        .filter(|(kind, _)| *kind == DEVICE_NAME)
        .filter_map(|(_, bytes)| bytes.split(|byte| *byte == 0).next())
        .filter_map(|bytes| std::str::from_utf8(bytes).ok())
        .collect();
    let device = match (devices.as_slice(), hook.string(HOOK_DEVICE)) {
        ([one], _) => (*one).to_owned(),
        ([], Some(one)) => one.to_owned(),
        _ => String::new(),
    };
    Hook {
        number: hook.be32(HOOK_NUMBER).unwrap_or(u32::MAX),
        priority: hook.be32(HOOK_PRIORITY).unwrap_or(0).cast_signed(),
        device,
    }
}

#[cfg(test)]
mod tests {
    use twinwall_netlink::number::NLM_F_CREATE;
    use twinwall_netlink::wire::{self, Head, Messages, Writer};

    use super::*;

    fn say(out: &mut Vec<u8>, kind: u16, table: &str, fill: impl FnOnce(&mut Writer<'_>)) {
        let head = Head { kind: SUBSYS_NFTABLES << 8 | kind, flags: NLM_F_CREATE, sequence: 1 };
        wire::message(out, head, NFPROTO_NETDEV, 0, |w| {
            w.string(ANY_TABLE, table);
            fill(w);
        });
    }

    fn dump() -> Vec<u8> {
        let mut out = Vec::new();
        say(&mut out, MSG_NEWTABLE, "t", |w| w.be32(TABLE_FLAGS, 6));
        say(&mut out, MSG_NEWCHAIN, "t", |w| {
            w.string(CHAIN_NAME, "in_eth0");
            w.nest(CHAIN_HOOK, |w| {
                w.be32(HOOK_PRIORITY, (-1000i32).cast_unsigned());
                w.nest(HOOK_DEVICES, |w| w.string(DEVICE_NAME, "eth0"));
            });
        });
        say(&mut out, MSG_NEWSET, "t", |w| w.string(SET_NAME, "answer"));
        say(&mut out, MSG_NEWSET, "other", |w| w.string(SET_NAME, "stranger"));
        say(&mut out, MSG_NEWSETELEM, "t", |w| {
            w.string(ELEM_LIST_SET, "answer");
            w.nest(ELEM_LIST_ELEMENTS, |w| {
                w.nest(LIST_ELEM, |w| {
                    w.nest(ELEM_KEY, |w| w.bytes(DATA_VALUE, &[5]));
                    w.be64(ELEM_EXPIRATION, 84);
                });
            });
        });
        out
    }

    fn read(bytes: &[u8]) -> Found {
        let mut found = Found::default();
        Messages(bytes).for_each(|message| found.take(&message, "t"));
        found
    }

    #[test]
    fn a_dump_is_read() {
        let found = read(&dump());
        assert_eq!(found.table, Some(FoundTable { flags: 6, owner: None }));
        let hook = found.chains["in_eth0"].as_ref().expect("a base chain");
        assert_eq!((hook.priority, hook.device.as_str()), (-1000, "eth0"));
        assert_eq!(found.sets.keys().collect::<Vec<_>>(), ["answer"]);
        assert_eq!(found.sets["answer"].elements[&vec![5]], Some(Duration::from_millis(84)));
    }

    #[test]
    fn a_damaged_dump_is_survived() {
        let whole = dump();
        for end in 0..whole.len() {
            read(&whole[..end]);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 4, 5, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                assert!(read(&bytes).sets.len() <= 2);
            }
        }
    }
}

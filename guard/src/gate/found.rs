//! What the kernel's table looks like, read from nf_tables dumps. Called by
//! `table`. Every answer is taken apart with bounds checks; what does not parse
//! counts as absent, and is then put right.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::consts::{
    ANY_TABLE, CHAIN_HOOK, CHAIN_NAME, DATA_VALUE, DEVICE_NAME, ELEM_EXPIRATION, ELEM_KEY,
    ELEM_LIST_ELEMENTS, ELEM_LIST_SET, EXPR_DATA, EXPR_NAME, HOOK_DEVICE, HOOK_DEVICES,
    HOOK_NUMBER, HOOK_PRIORITY, LIST_ELEM, MSG_GETCHAIN, MSG_GETRULE, MSG_GETSET, MSG_GETSETELEM,
    MSG_GETTABLE, NFPROTO_NETDEV, RULE_CHAIN, RULE_EXPRESSIONS, RULE_USERDATA, SET_FLAGS,
    SET_KEY_LEN, SET_NAME, TABLE_FLAGS, TABLE_NAME, TABLE_OWNER, TABLE_USERDATA,
};
use super::netlink::Netlink;
use super::wanted::Hook;
use super::wire::{Attributes, Message, Writer};

/// The keys of a set, each with the time left if it has a timeout.
pub(super) type Elements = BTreeMap<Vec<u8>, Option<Duration>>;

/// The table itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FoundTable {
    /// Its flags.
    pub(super) flags: u32,
    /// The port of its owner, if it has one.
    pub(super) owner: Option<u32>,
    /// Its comment.
    pub(super) userdata: Vec<u8>,
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

/// Reads the table `name`.
pub(super) fn read(netlink: &mut Netlink, name: &str) -> io::Result<Found> {
    let Some(table) = table(netlink, name)? else {
        return Ok(Found::default());
    };
    let in_table = |w: &mut Writer<'_>| w.string(ANY_TABLE, name);
    let mut found: Found = netlink.dump(MSG_GETCHAIN, in_table, |found: &mut Found, message| {
        read_chain(message, name, &mut found.chains);
    })?;
    found.rules =
        netlink.dump(MSG_GETRULE, in_table, |rules, message| read_rule(message, name, rules))?;
    found.sets =
        netlink.dump(MSG_GETSET, in_table, |sets, message| read_set(message, name, sets))?;
    for (set_name, set) in &mut found.sets {
        set.elements = elements(netlink, name, set_name)?;
    }
    found.table = Some(table);
    Ok(found)
}

/// The table alone, without what is in it.
pub(super) fn table(netlink: &mut Netlink, name: &str) -> io::Result<Option<FoundTable>> {
    match netlink.get(MSG_GETTABLE, |w| w.string(TABLE_NAME, name), read_table) {
        Ok(table) => Ok(Some(table)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The elements of one set; none when the set is not there.
pub(super) fn elements(netlink: &mut Netlink, table: &str, set: &str) -> io::Result<Elements> {
    let which = |w: &mut Writer<'_>| {
        w.string(ANY_TABLE, table);
        w.string(ELEM_LIST_SET, set);
    };
    match netlink.dump(MSG_GETSETELEM, which, read_elements) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(Elements::new()),
        other => other,
    }
}

/// The name of the table that a message is about, if it is one of netdev.
pub(super) fn table_of<'a>(message: &Message<'a>) -> Option<&'a str> {
    (message.family() == Some(NFPROTO_NETDEV))
        .then(|| message.attributes().string(ANY_TABLE))
        .flatten()
}

fn read_table(message: &Message<'_>) -> FoundTable {
    let attributes = message.attributes();
    FoundTable {
        flags: attributes.be32(TABLE_FLAGS).unwrap_or(0),
        owner: attributes.be32(TABLE_OWNER).filter(|port| *port != 0),
        userdata: attributes.get(TABLE_USERDATA).unwrap_or_default().to_vec(),
    }
}

fn read_chain(message: &Message<'_>, table: &str, chains: &mut BTreeMap<String, Option<Hook>>) {
    let attributes = message.attributes();
    let (Some(name), true) = (attributes.string(CHAIN_NAME), table_of(message) == Some(table))
    else {
        return;
    };
    let hook = attributes.get(CHAIN_HOOK).map(|bytes| read_hook(Attributes(bytes)));
    chains.insert(name.to_owned(), hook);
}

/// A chain on several devices, or none, is not one of ours and equals nothing wanted.
fn read_hook(hook: Attributes<'_>) -> Hook {
    let devices = names(hook.nested(HOOK_DEVICES));
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

fn names(devices: Attributes<'_>) -> Vec<&str> {
    devices
        .filter(|(kind, _)| *kind == DEVICE_NAME)
        .filter_map(|(_, bytes)| bytes.split(|byte| *byte == 0).next())
        .filter_map(|bytes| std::str::from_utf8(bytes).ok())
        .collect()
}

fn read_rule(message: &Message<'_>, table: &str, rules: &mut BTreeMap<String, Vec<FoundRule>>) {
    let attributes = message.attributes();
    let (Some(chain), true) = (attributes.string(RULE_CHAIN), table_of(message) == Some(table))
    else {
        return;
    };
    let packets = attributes
        .nested(RULE_EXPRESSIONS)
        .filter(|(kind, _)| *kind == LIST_ELEM)
        .map(|(_, bytes)| Attributes(bytes))
        .find(|expression| expression.string(EXPR_NAME) == Some("counter"))
        .and_then(|counter| counter.nested(EXPR_DATA).be64(2));
    let userdata = attributes.get(RULE_USERDATA).unwrap_or_default().to_vec();
    rules.entry(chain.to_owned()).or_default().push(FoundRule { userdata, packets });
}

fn read_set(message: &Message<'_>, table: &str, sets: &mut BTreeMap<String, FoundSet>) {
    let attributes = message.attributes();
    let (Some(name), true) = (attributes.string(SET_NAME), table_of(message) == Some(table)) else {
        return;
    };
    let set = FoundSet {
        flags: attributes.be32(SET_FLAGS).unwrap_or(0),
        key_len: attributes.be32(SET_KEY_LEN).unwrap_or(0),
        elements: Elements::new(),
    };
    sets.insert(name.to_owned(), set);
}

fn read_elements(elements: &mut Elements, message: &Message<'_>) {
    for (_, bytes) in
        message.attributes().nested(ELEM_LIST_ELEMENTS).filter(|(kind, _)| *kind == LIST_ELEM)
    {
        let element = Attributes(bytes);
        if let Some(key) = element.nested(ELEM_KEY).get(DATA_VALUE) {
            elements.insert(key.to_vec(), element.be64(ELEM_EXPIRATION).map(Duration::from_millis));
        }
    }
}

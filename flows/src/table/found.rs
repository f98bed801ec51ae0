//! The flows' table as the kernel has it.

use std::io;

use twinwall_netlink::nft::Nft;
use twinwall_netlink::nft::consts::{
    ANY_TABLE, CHAIN_HOOK, CHAIN_NAME, HOOK_NUMBER, HOOK_PRIORITY, MSG_GETCHAIN, MSG_GETRULE,
    MSG_GETTABLE, RULE_CHAIN, RULE_USERDATA, TABLE_FLAGS, TABLE_OWNER,
};
use twinwall_netlink::wire::{Message, Writer};

use super::{Chain, TABLE, TRIES, is_about_it};

/// The table as the kernel has it.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) table: Option<FoundTable>,
    pub(super) chains: Vec<Chain>,
    /// Chain and comment of each rule, in order.
    pub(super) rules: Vec<(String, Vec<u8>)>,
}

#[derive(Debug)]
pub(super) struct FoundTable {
    pub(super) flags: u32,
    /// The netlink port of its owner.
    pub(super) owner: Option<u32>,
}

impl Found {
    /// Looks until nobody changed anything meanwhile.
    pub(super) fn look(nft: &mut Nft) -> io::Result<Found> {
        for _ in 0..TRIES {
            let mut found = Found::default();
            if found.take_all(nft)? {
                return Ok(found);
            }
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "the tables changed during every look"))
    }

    /// One look; `false` when the tables changed meanwhile.
    fn take_all(&mut self, nft: &mut Nft) -> io::Result<bool> {
        let named = |w: &mut Writer<'_>| w.string(ANY_TABLE, TABLE);
        let table = &mut self.table;
        let got = nft.get(MSG_GETTABLE, named, |message| {
            let attributes = message.attributes();
            *table = Some(FoundTable {
                flags: attributes.be32(TABLE_FLAGS).unwrap_or(0),
                owner: attributes.be32(TABLE_OWNER).filter(|port| *port != 0),
            });
        });
        match got {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(true),
            other => other?,
        }
        let chains = &mut self.chains;
        let rules = &mut self.rules;
        let whole = nft.list(MSG_GETCHAIN, named, |message| {
            chains.extend(chain(message));
        })? && nft.list(MSG_GETRULE, named, |message| {
            rules.extend(rule(message));
        })?;
        self.chains.sort();
        self.rules.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(whole)
    }
}

fn chain(message: &Message<'_>) -> Option<Chain> {
    let attributes = message.attributes();
    is_about_it(message).then_some(())?;
    let hook = attributes.nested(CHAIN_HOOK);
    let priority = hook.be32(HOOK_PRIORITY).unwrap_or(0).cast_signed();
    let number = hook.be32(HOOK_NUMBER).unwrap_or(u32::MAX);
    Some((attributes.string(CHAIN_NAME)?.to_owned(), number, priority))
}

fn rule(message: &Message<'_>) -> Option<(String, Vec<u8>)> {
    let attributes = message.attributes();
    is_about_it(message).then_some(())?;
    let userdata = attributes.get(RULE_USERDATA).unwrap_or_default().to_vec();
    Some((attributes.string(RULE_CHAIN)?.to_owned(), userdata))
}

//! The changes that make the kernel's table equal to the wanted one, as one
//! transaction. Pure; called by `table`. Live elements of the lease are never
//! touched unless the table must be built anew.

use std::collections::BTreeSet;
use std::time::Duration;

use twinwall_netlink::nft::consts::{
    ANY_TABLE, CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TYPE, DATA_VALUE, DESC_SIZE, ELEM_KEY,
    ELEM_LIST_ELEMENTS, ELEM_LIST_SET, ELEM_TIMEOUT, HOOK_DEVICE, HOOK_NUMBER, HOOK_PRIORITY,
    LIST_ELEM, MSG_DELCHAIN, MSG_DELRULE, MSG_DELSETELEM, MSG_DELTABLE, MSG_NEWCHAIN, MSG_NEWRULE,
    MSG_NEWSET, MSG_NEWSETELEM, MSG_NEWTABLE, NFPROTO_NETDEV, RULE_CHAIN, RULE_EXPRESSIONS,
    RULE_USERDATA, SET_DESC, SET_F_EVAL, SET_F_TIMEOUT, SET_FLAGS, SET_ID, SET_KEY_LEN,
    SET_KEY_TYPE, SET_NAME, TABLE_F_PERSIST, TABLE_FLAGS, TABLE_NAME, TABLE_USERDATA,
    VERDICT_ACCEPT,
};
use twinwall_netlink::nft::{Batch, Rule, comment};
use twinwall_netlink::number::{NLM_F_APPEND, NLM_F_CREATE};

use super::TABLE;
use super::found::{Elements, Found, FoundTable, Hook};
use super::wanted::{ANSWER, Chain, Content, FORWARD, LIVE_SET_SIZE, Set, Wanted};

/// Elements in one message: far below the 64 kB that an attribute can hold.
const ELEMENTS_AT_ONCE: usize = 512;

/// What must be done.
#[derive(Debug)]
pub(super) struct Plan {
    /// The changes; none when all is as wanted.
    pub(super) batch: Batch,
    /// The same for people.
    pub(super) repaired: Vec<String>,
    /// The table is made, for the first time or anew.
    pub(super) created: bool,
    /// A dead predecessor's table is taken over.
    pub(super) adopted: bool,
}

/// Compares. `flags` are the table's flags wanted where a table is made.
pub(super) fn plan(found: &Found, wanted: &Wanted, flags: u32) -> Plan {
    let mut plan = Plan {
        batch: Batch::new(NFPROTO_NETDEV),
        repaired: Vec::new(),
        created: false,
        adopted: false,
    };
    let nothing = Found::default();
    let found = match &found.table {
        None => {
            plan.repaired.push("the table was not there".to_owned());
            &nothing
        }
        Some(table) => match unusable(found, table, wanted, flags) {
            Some(why) => {
                plan.repaired.push(format!("the table had to be built anew: {why}"));
                del_table(&mut plan.batch);
                &nothing
            }
            None => found,
        },
    };
    plan.table(found, flags);
    plan.remove_chains(found, wanted);
    for (set, number) in wanted.sets.iter().zip(1..) {
        if !found.sets.contains_key(set.name) {
            plan.note(found, || format!("set {} was not there", set.name));
            new_set(&mut plan.batch, set, number);
        }
    }
    for chain in wanted.chains.iter().filter(|chain| !is_there(found, chain)) {
        plan.note(found, || format!("chain {} was not there", chain.name));
        new_chain(&mut plan.batch, chain);
    }
    for chain in &wanted.chains {
        plan.rules(found, chain);
    }
    for set in &wanted.sets {
        plan.elements(found, set);
    }
    plan
}

/// Removes the table with all that is in it.
pub(super) fn del_table(batch: &mut Batch) {
    batch.add(MSG_DELTABLE, 0, "delete the table".to_owned(), |w| w.string(TABLE_NAME, TABLE));
}

/// Makes the table, or changes its flags.
pub(super) fn new_table(batch: &mut Batch, name: &str, flags: u32) {
    let about = comment("lease of this node in a high-availability pair; see man twinwall-guard");
    batch.add(
        MSG_NEWTABLE,
        NLM_F_CREATE,
        format!("make table netdev {name} with flags {flags}"),
        |w| {
            w.string(TABLE_NAME, name);
            w.be32(TABLE_FLAGS, flags);
            w.bytes(TABLE_USERDATA, &about);
        },
    );
}

/// Makes a base chain in table `table`.
pub(super) fn new_base_chain(batch: &mut Batch, table: &str, name: &str, hook: &Hook) {
    let what = format!("bind chain {name} to interface {}", hook.device);
    batch.add(MSG_NEWCHAIN, NLM_F_CREATE, what, |w| {
        w.string(ANY_TABLE, table);
        w.string(CHAIN_NAME, name);
        w.string(CHAIN_TYPE, "filter");
        w.be32(CHAIN_POLICY, VERDICT_ACCEPT.cast_unsigned());
        w.nest(CHAIN_HOOK, |w| {
            w.be32(HOOK_NUMBER, hook.number);
            w.be32(HOOK_PRIORITY, hook.priority.cast_unsigned());
            w.string(HOOK_DEVICE, &hook.device);
        });
    });
}

/// Why the table cannot be changed into the wanted one, if it cannot.
fn unusable(found: &Found, table: &FoundTable, wanted: &Wanted, flags: u32) -> Option<String> {
    if table.flags & TABLE_F_PERSIST < flags & TABLE_F_PERSIST {
        return Some("it was made without protection".to_owned());
    }
    let set = wanted.sets.iter().find(|set| {
        found
            .sets
            .get(set.name)
            .is_some_and(|f| f.key_len != set.key_len || f.flags != set_flags(set))
    });
    if let Some(set) = set {
        return Some(format!("set {} is of another kind", set.name));
    }
    let chain = wanted.chains.iter().find(|chain| {
        chain.hook.is_none() && found.chains.get(&chain.name).is_some_and(Option::is_some)
    });
    chain.map(|chain| format!("chain {} is of another kind", chain.name))
}

/// Whether the chain is there and bound as wanted.
fn is_there(found: &Found, chain: &Chain) -> bool {
    found.chains.get(&chain.name).is_some_and(|hook| *hook == chain.hook)
}

impl Plan {
    /// Notes a repair of a table that was there; in a new table everything is new.
    fn note(&mut self, found: &Found, what: impl FnOnce() -> String) {
        if found.table.is_some() {
            self.repaired.push(what());
        }
    }

    fn table(&mut self, found: &Found, flags: u32) {
        match &found.table {
            None => {
                self.created = true;
                new_table(&mut self.batch, TABLE, flags);
            }
            // Without protection a persistent orphan serves as well as a plain table.
            Some(table) if flags == 0 && table.flags == TABLE_F_PERSIST => {}
            Some(table) if table.flags == flags => {}
            Some(table) => {
                self.adopted = table.flags == TABLE_F_PERSIST;
                self.repaired.push(format!("the table's flags were {}, not {flags}", table.flags));
                new_table(&mut self.batch, TABLE, flags);
            }
        }
    }

    /// Chains that are not wanted, or bound elsewhere. First all their rules, which may jump to each other.
    fn remove_chains(&mut self, found: &Found, wanted: &Wanted) {
        let keep: BTreeSet<&str> = wanted
            .chains
            .iter()
            .filter(|chain| is_there(found, chain))
            .map(|c| c.name.as_str())
            .collect();
        let gone: Vec<&String> =
            found.chains.keys().filter(|name| !keep.contains(name.as_str())).collect();
        for name in &gone {
            self.repaired.push(format!("chain {name} was not wanted so"));
            del_rules(&mut self.batch, name);
        }
        for chain in
            wanted.chains.iter().filter(|chain| is_there(found, chain) && !same_rules(found, chain))
        {
            del_rules(&mut self.batch, &chain.name);
        }
        for name in &gone {
            self.batch.add(MSG_DELCHAIN, 0, format!("delete chain {name}"), |w| {
                w.string(ANY_TABLE, TABLE);
                w.string(CHAIN_NAME, name);
            });
        }
    }

    /// All rules of a chain, unless they are there in this order.
    fn rules(&mut self, found: &Found, chain: &Chain) {
        if is_there(found, chain) && same_rules(found, chain) {
            return;
        }
        if is_there(found, chain) {
            self.note(found, || format!("chain {} had other rules", chain.name));
        }
        for rule in &chain.rules {
            new_rule(&mut self.batch, &chain.name, rule);
        }
    }

    fn elements(&mut self, found: &Found, set: &Set) {
        let Content::Keys(wanted) = &set.content else { return };
        let none = Elements::new();
        let there = found.sets.get(set.name).map_or(&none, |set| &set.elements);
        let gone: Vec<&[u8]> =
            there.keys().filter(|key| !wanted.contains(*key)).map(Vec::as_slice).collect();
        let new: Vec<&[u8]> =
            wanted.iter().filter(|key| !there.contains_key(*key)).map(Vec::as_slice).collect();
        if !gone.is_empty() || !new.is_empty() {
            self.note(found, || {
                format!("set {}: {} added, {} removed", set.name, new.len(), gone.len())
            });
        }
        change_elements(&mut self.batch, MSG_DELSETELEM, 0, set.name, &gone);
        change_elements(&mut self.batch, MSG_NEWSETELEM, NLM_F_CREATE, set.name, &new);
    }
}

fn same_rules(found: &Found, chain: &Chain) -> bool {
    let there = found.rules.get(&chain.name).map_or(&[][..], Vec::as_slice);
    there.iter().map(|rule| &rule.userdata).eq(chain
        .rules
        .iter()
        .map(Rule::userdata)
        .collect::<Vec<_>>()
        .iter())
}

fn set_flags(set: &Set) -> u32 {
    match set.content {
        Content::Lease => SET_F_TIMEOUT | SET_F_EVAL,
        Content::Keys(_) => 0,
    }
}

fn new_set(batch: &mut Batch, set: &Set, number: u32) {
    batch.add(MSG_NEWSET, NLM_F_CREATE, format!("make set {}", set.name), |w| {
        w.string(ANY_TABLE, TABLE);
        w.string(SET_NAME, set.name);
        w.be32(SET_FLAGS, set_flags(set));
        w.be32(SET_KEY_TYPE, set.key_type);
        w.be32(SET_KEY_LEN, set.key_len);
        w.be32(SET_ID, number);
        if set.content == Content::Lease {
            w.nest(SET_DESC, |w| w.be32(DESC_SIZE, LIVE_SET_SIZE));
        }
    });
}

fn new_chain(batch: &mut Batch, chain: &Chain) {
    match &chain.hook {
        Some(hook) => new_base_chain(batch, TABLE, &chain.name, hook),
        None => batch.add(MSG_NEWCHAIN, NLM_F_CREATE, format!("make chain {}", chain.name), |w| {
            w.string(ANY_TABLE, TABLE);
            w.string(CHAIN_NAME, &chain.name);
        }),
    }
}

fn new_rule(batch: &mut Batch, chain: &str, rule: &Rule) {
    let what = format!("add rule '{}' to chain {chain}", rule.about());
    batch.add(MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, what, |w| {
        w.string(ANY_TABLE, TABLE);
        w.string(RULE_CHAIN, chain);
        w.nest(RULE_EXPRESSIONS, |w| w.raw(rule.expressions()));
        w.bytes(RULE_USERDATA, &rule.userdata());
    });
}

fn del_rules(batch: &mut Batch, chain: &str) {
    batch.add(MSG_DELRULE, 0, format!("empty chain {chain}"), |w| {
        w.string(ANY_TABLE, TABLE);
        w.string(RULE_CHAIN, chain);
    });
}

impl Plan {
    /// Opens both gates in the same transaction, for a node that served before it had a gate.
    pub(super) fn open(&mut self, lease: Duration) {
        let ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        for set in [ANSWER, FORWARD] {
            self.batch.add(MSG_NEWSETELEM, NLM_F_CREATE, format!("open the gate {set}"), |w| {
                w.string(ANY_TABLE, TABLE);
                w.string(ELEM_LIST_SET, set);
                w.nest(ELEM_LIST_ELEMENTS, |w| {
                    w.nest(LIST_ELEM, |w| {
                        // The key of both gates: what `meta nfproto` gives in a netdev table.
                        w.nest(ELEM_KEY, |w| w.bytes(DATA_VALUE, &[NFPROTO_NETDEV]));
                        w.be64(ELEM_TIMEOUT, ms);
                    });
                });
            });
        }
    }
}

fn change_elements(batch: &mut Batch, kind: u16, flags: u16, set: &str, keys: &[&[u8]]) {
    for some in keys.chunks(ELEMENTS_AT_ONCE) {
        batch.add(kind, flags, format!("change {} addresses of set {set}", some.len()), |w| {
            w.string(ANY_TABLE, TABLE);
            w.string(ELEM_LIST_SET, set);
            w.nest(ELEM_LIST_ELEMENTS, |w| {
                for key in some {
                    w.nest(LIST_ELEM, |w| w.nest(ELEM_KEY, |w| w.bytes(DATA_VALUE, key)));
                }
            });
        });
    }
}

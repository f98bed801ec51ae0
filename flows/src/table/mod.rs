//! Table `inet twinwall_flows`: which events the kernel makes for which flows, and that
//! packets that belong to no known flow are dropped rather than answered. On both nodes
//! while high availability is on.
//!
//! It is protected as the guard's gate is (owner and persist, Linux 6.9), so that
//! `nft flush ruleset` spares it; else it is made anew when it is gone.

mod found;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use twinwall_netlink::nft::consts::{
    ANY_TABLE, CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TYPE, HOOK_NUMBER, HOOK_PRIORITY,
    INET_FORWARD, INET_INPUT, INET_OUTPUT, INET_PREROUTING, MSG_DELTABLE, MSG_NEWCHAIN,
    MSG_NEWRULE, MSG_NEWTABLE, NFPROTO_INET, RULE_CHAIN, RULE_EXPRESSIONS, RULE_USERDATA,
    TABLE_F_OWNER, TABLE_F_PERSIST, TABLE_FLAGS, TABLE_NAME, TABLE_USERDATA, VERDICT_ACCEPT,
};
use twinwall_netlink::nft::{Batch, Nft, Refused, Rule, comment};
use twinwall_netlink::number::{GROUP_NFTABLES, NLM_F_APPEND, NLM_F_CREATE};
use twinwall_netlink::socket::{REQUEST_ROOM, Socket};
use twinwall_netlink::wire::{Message, Messages};

use crate::tuple::protocol;
use found::Found;

/// Name of the table.
pub const TABLE: &str = "twinwall_flows";

/// Behind connection tracking (-200), before what administrators usually do (-150 and later).
const EVENTS_PRIORITY: i32 = -180;
/// Before the administrator's filters, which may answer with a reset.
const INVALID_PRIORITY: i32 = -20;
/// How often the table is tried again when it changed under the change.
const TRIES: u32 = 4;
/// Notices read at once.
const NOTICES_AT_ONCE: usize = 4096;
/// `ct state invalid`, as nf_tables numbers it.
const STATE_INVALID: u32 = 1;
/// RST among TCP's flags, which are byte 13 of its header.
const TCP_RESET: u8 = 4;

// Events (IPCT_* of `linux/netfilter/nf_conntrack_common.h`), as bits.
const NEW: u32 = 1;
const RELATED: u32 = 1 << 1;
const DESTROY: u32 = 1 << 2;
const ASSURED: u32 = 1 << 4;
const PROTOINFO: u32 = 1 << 5;
const HELPER: u32 = 1 << 6;
const MARK: u32 = 1 << 7;
const SEQADJ: u32 = 1 << 8;
const LABEL: u32 = 1 << 10;
/// What is told of every flow.
const ALWAYS: u32 = RELATED | DESTROY | ASSURED | HELPER | MARK | SEQADJ | LABEL;

/// What [`EventTable::ensure`] found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ensured {
    /// What was not as wanted and now is, for people; empty when all was well.
    pub repaired: Vec<String>,
    /// The table did not exist.
    pub created: bool,
    /// It survives `nft flush ruleset`.
    pub persistent: bool,
}

/// Why the table is not as it must be.
#[derive(Debug)]
pub enum TableError {
    /// It belongs to a process that still runs.
    Owned {
        /// The netlink port of that process, usually its process id.
        port: u32,
    },
    /// The kernel refused.
    Refused {
        /// What.
        what: String,
        /// Its answer.
        error: io::Error,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableError::Owned { port } => write!(
                f,
                "flows: table inet {TABLE} belongs to a running process (netlink port {port}); \
                 stop the other agent first"
            ),
            TableError::Refused { what, error } => {
                write!(f, "flows: the kernel refused to {what}: {error}; will be tried again")
            }
        }
    }
}

impl std::error::Error for TableError {}

impl From<Refused> for TableError {
    fn from(Refused { what, error }: Refused) -> TableError {
        TableError::Refused { what, error }
    }
}

/// The table in the network namespace of the thread that opened this. Dropping it leaves
/// the table, if it is protected. Each call may wait for other programs' transactions.
#[derive(Debug)]
pub struct EventTable {
    nft: Nft,
    notices: Socket,
    persist: bool,
}

impl EventTable {
    /// Asks the kernel what it can do; changes nothing.
    ///
    /// # Errors
    /// What the kernel says to the sockets; it wants CAP_NET_ADMIN.
    pub fn open() -> io::Result<EventTable> {
        let mut nft = Nft::open(NFPROTO_INET)?;
        let notices = Socket::open(libc::NETLINK_NETFILTER, REQUEST_ROOM)?;
        notices.join(GROUP_NFTABLES)?;
        let mut trial = Batch::new(NFPROTO_INET);
        add_table(&mut trial, "twinwall-flows-trial", TABLE_F_OWNER | TABLE_F_PERSIST);
        let persist = nft.check(&trial).is_ok();
        Ok(EventTable { nft, notices, persist })
    }

    /// Makes the table as it must be; may be called at any time and any number of times.
    ///
    /// # Errors
    /// [`TableError`]; then it is as it was.
    pub fn ensure(&mut self) -> Result<Ensured, TableError> {
        let mut tries = 1;
        loop {
            let (batch, ensured) = self.plan()?;
            match self.nft.commit(&batch) {
                Ok(()) => return Ok(ensured),
                Err(refused) if changed_meanwhile(&refused) && tries < TRIES => tries += 1,
                Err(refused) => return Err(refused.into()),
            }
        }
    }

    /// Takes the table away.
    ///
    /// # Errors
    /// Why it is still there. A table that does not exist is taken away.
    pub fn remove(&mut self) -> Result<(), TableError> {
        remove(&mut self.nft)
    }

    /// Takes away the table that a dead predecessor left.
    ///
    /// # Errors
    /// As [`EventTable::remove`]; that there is no nf_tables is none.
    pub fn remove_leftover() -> Result<(), TableError> {
        Nft::open(NFPROTO_INET).map_or(Ok(()), |mut nft| remove(&mut nft))
    }

    /// Reads notices without waiting. `true`: somebody else changed the table, or notices
    /// were lost; ensure it. Poll the descriptor of this value, and ensure the table once a
    /// minute too.
    pub fn changed(&mut self) -> bool {
        let own = self.nft.port();
        let mut changed = false;
        for _ in 0..NOTICES_AT_ONCE {
            match self.notices.receive_now() {
                Ok(bytes) => {
                    changed |= Messages(bytes).any(|m| m.port != own && is_about_it(&m));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return changed,
                // Lost notices may have been about the table.
                Err(_) => changed = true,
            }
        }
        true
    }

    /// The table is left as it is, or made anew as a whole: nothing in it has a state.
    fn plan(&mut self) -> Result<(Batch, Ensured), TableError> {
        let unreadable = |error| TableError::Refused { what: "show its table".to_owned(), error };
        let found = Found::look(&mut self.nft).map_err(unreadable)?;
        let flags = if self.persist { TABLE_F_OWNER | TABLE_F_PERSIST } else { 0 };
        let mut ensured = Ensured { persistent: self.persist, ..Ensured::default() };
        let mut batch = Batch::new(NFPROTO_INET);
        let Some(table) = &found.table else {
            ensured.created = true;
            ensured.repaired.push("the table was not there".to_owned());
            add_all(&mut batch, flags);
            return Ok((batch, ensured));
        };
        let port = self.nft.port();
        if let Some(owner) = table.owner.filter(|owner| *owner != port) {
            return Err(TableError::Owned { port: owner });
        }
        let protected = !self.persist || table.flags == flags;
        if found.chains != wanted_chains() || found.rules != wanted_rules() {
            ensured.repaired.push("the table had other chains or rules".to_owned());
            batch.add(MSG_DELTABLE, 0, "delete the table".to_owned(), |w| {
                w.string(TABLE_NAME, TABLE);
            });
            add_all(&mut batch, flags);
        } else if !protected {
            ensured.repaired.push("the table was not protected by this process".to_owned());
            add_table(&mut batch, TABLE, flags);
        }
        Ok((batch, ensured))
    }
}

/// Readable when somebody changed any table.
impl AsFd for EventTable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notices.as_fd()
    }
}

fn remove(nft: &mut Nft) -> Result<(), TableError> {
    let mut batch = Batch::new(NFPROTO_INET);
    batch.add(MSG_DELTABLE, 0, "delete the table".to_owned(), |w| w.string(TABLE_NAME, TABLE));
    match nft.commit(&batch) {
        Err(refused) if !refused.is(libc::ENOENT) => Err(refused.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn changed_meanwhile(refused: &Refused) -> bool {
    [libc::ENOENT, libc::EEXIST, libc::EBUSY, libc::EINTR, libc::EAGAIN]
        .iter()
        .any(|errno| refused.is(*errno))
}

fn is_about_it(message: &Message<'_>) -> bool {
    message.family() == Some(NFPROTO_INET) && message.attributes().string(ANY_TABLE) == Some(TABLE)
}

/// A base chain: name, hook, priority.
type Chain = (String, u32, i32);

/// Events of a flow are chosen where its first packet comes from: outside, or this node.
fn chains() -> Vec<(&'static str, u32, i32, Vec<Rule>)> {
    vec![
        ("prerouting", INET_PREROUTING, EVENTS_PRIORITY, events()),
        ("output", INET_OUTPUT, EVENTS_PRIORITY, events()),
        ("forward", INET_FORWARD, INVALID_PRIORITY, vec![invalid().count().drop()]),
        (
            "input",
            INET_INPUT,
            INVALID_PRIORITY,
            vec![invalid().transport_other_than(protocol::TCP).count().drop()],
        ),
        (
            "resets",
            INET_OUTPUT,
            INVALID_PRIORITY,
            vec![invalid().transport(protocol::TCP).transport_bits(13, TCP_RESET).count().drop()],
        ),
    ]
}

/// Of TCP and SCTP what begins and ends a connection is a change of state; of the others
/// it is the first packet.
fn events() -> Vec<Rule> {
    let connection = |about: &str, protocol: u8| {
        Rule::new(about).transport(protocol).ct_events(ALWAYS | PROTOINFO).verdict(VERDICT_ACCEPT)
    };
    vec![
        connection("events of TCP", protocol::TCP),
        connection("events of SCTP", protocol::SCTP),
        Rule::new("events of all others").ct_events(ALWAYS | NEW),
    ]
}

/// A packet of a flow that is not known yet is not translated back, so it may come to this
/// node itself, whose answer would end the connection. Of TCP it is the answer that is
/// dropped: dropping what comes in would also stall this node's own connections from
/// before tracking began, an administrator's among them.
fn invalid() -> Rule {
    Rule::new("a flow not known yet stalls and is not reset").ct_state(STATE_INVALID)
}

fn wanted_chains() -> Vec<Chain> {
    let mut wanted: Vec<Chain> = chains()
        .into_iter()
        .map(|(name, hook, priority, _)| (name.to_owned(), hook, priority))
        .collect();
    wanted.sort();
    wanted
}

fn wanted_rules() -> Vec<(String, Vec<u8>)> {
    let of_chain = |(name, _, _, rules): (&str, u32, i32, Vec<Rule>)| {
        rules.iter().map(|rule| (name.to_owned(), rule.userdata())).collect::<Vec<_>>()
    };
    let mut wanted: Vec<_> = chains().into_iter().flat_map(of_chain).collect();
    // The order of rules within a chain counts, that of the chains does not.
    wanted.sort_by(|a, b| a.0.cmp(&b.0));
    wanted
}

fn add_all(batch: &mut Batch, flags: u32) {
    add_table(batch, TABLE, flags);
    for (name, hook, priority, rules) in chains() {
        batch.add(MSG_NEWCHAIN, NLM_F_CREATE, format!("make chain {name}"), |w| {
            w.string(ANY_TABLE, TABLE);
            w.string(CHAIN_NAME, name);
            w.string(CHAIN_TYPE, "filter");
            w.be32(CHAIN_POLICY, VERDICT_ACCEPT.cast_unsigned());
            w.nest(CHAIN_HOOK, |w| {
                w.be32(HOOK_NUMBER, hook);
                w.be32(HOOK_PRIORITY, priority.cast_unsigned());
            });
        });
        for rule in rules {
            let what = format!("add rule '{}' to chain {name}", rule.about());
            batch.add(MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, what, |w| {
                w.string(ANY_TABLE, TABLE);
                w.string(RULE_CHAIN, name);
                w.nest(RULE_EXPRESSIONS, |w| w.raw(rule.expressions()));
                w.bytes(RULE_USERDATA, &rule.userdata());
            });
        }
    }
}

fn add_table(batch: &mut Batch, name: &str, flags: u32) {
    let about = comment("events of connections for the other node of a pair; see man twinwall");
    let what = format!("make table inet {name} with flags {flags}");
    batch.add(MSG_NEWTABLE, NLM_F_CREATE, what, |w| {
        w.string(TABLE_NAME, name);
        w.be32(TABLE_FLAGS, flags);
        w.bytes(TABLE_USERDATA, &about);
    });
}

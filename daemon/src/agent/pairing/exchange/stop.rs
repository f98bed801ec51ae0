//! Why a conversation ended before its end, in words that say what to do. Each side finds
//! its own reason or is told the other's; what comes before the proof of the code may be
//! anybody's word and is shown as such.

use std::fmt;

use crate::agent::pairing::message::{Clear, Reason, VERSIONS};

/// The end of a conversation, and what is still said to the other node.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// The last message, if there is one.
    pub say: Option<Vec<u8>>,
    /// Why.
    pub stop: Stop,
}

impl Ended {
    /// Nothing more is said.
    pub(super) fn silently(stop: Stop) -> Box<Ended> {
        Box::new(Ended { say: None, stop })
    }

    /// The other node is told the reason, in the clear.
    pub(super) fn refusing(reason: Reason) -> Box<Ended> {
        let say = Some(Clear::Refused(reason.clone()).encode());
        Box::new(Ended { say, stop: Stop::Found(reason) })
    }
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// This node turned the other away.
    Found(Reason),
    /// The other node turned this one away.
    Refused(Reason),
    /// It said what is no message, or out of turn.
    Malformed,
    /// A sealed message that does not open: changed, repeated or left out on the way.
    Forged,
    /// It did not prove that it has the code.
    NotProved,
    /// It said nothing for as long as it may.
    Silent,
    /// The connection broke.
    Lost(String),
    /// It could not go on, and said why.
    OtherStopped(String),
    /// This node could not write what was agreed on.
    NotKept(String),
    /// Its settings cannot be used here.
    Unusable(String),
    /// All was written here, and then no last word came.
    NoLastWord,
}

const AGAIN: &str = "begin again: 'twinwall pair invite' there, 'twinwall pair join' here";

impl fmt::Display for Stop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Found(reason) => found(reason, out),
            Stop::Refused(reason) => refused(reason, out),
            Stop::Malformed => out.write_str(
                "the other node said what this release does not understand; bring both to one \
                 release, and make sure that nobody else is on the HA link",
            ),
            Stop::Forged => out.write_str(
                "a message was changed or repeated on its way; make sure that nobody else is on \
                 the HA link, then begin again with a new invitation",
            ),
            Stop::NotProved => out.write_str(
                "the other node does not have the code: it was typed wrong, or somebody pretends \
                 to be that node; look at the cable, then begin again with a new invitation",
            ),
            Stop::Silent => {
                write!(
                    out,
                    "the other node said nothing for {} s; look at the cable and at the command \
                     there, then begin again",
                    super::PATIENCE.as_secs()
                )
            }
            Stop::Lost(error) => {
                write!(out, "the connection to the other node broke ({error}); {AGAIN}")
            }
            Stop::OtherStopped(why) => write!(out, "the other node stopped: {why}"),
            Stop::NotKept(why) => write!(out, "what was agreed on could not be written: {why}"),
            Stop::Unusable(why) => write!(out, "the other node's settings cannot be used: {why}"),
            Stop::NoLastWord => out.write_str(
                "this node has all it needs, but the other one did not say that it has; look at \
                 'twinwall pair status' there: if it is not paired, begin again with a new \
                 invitation",
            ),
        }
    }
}

impl std::error::Error for Stop {}

/// This node's own finding.
fn found(reason: &Reason, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match reason {
        Reason::Versions { .. } => {
            write!(
                out,
                "it does not pair by version {VERSIONS}, this node's; bring both to one release"
            )
        }
        Reason::Interface { interface } => {
            write!(out, "wrong port cabled: here it is {interface}, there another one")
        }
        Reason::Clone {} => out.write_str(CLONE),
        Reason::Busy {} => out.write_str("others are being talked to"),
        Reason::Used {} => out.write_str("the code was used by another node"),
        Reason::Expired {} => out.write_str("the invitation is over"),
        Reason::WrongCode { left: 0 } => out.write_str("wrong code, the last attempt"),
        Reason::WrongCode { left } => write!(out, "wrong code; attempts left: {left}"),
        Reason::Malformed {} => out.write_str("what it said is no message"),
    }
}

const CLONE: &str = "the other node has this node's own certificate: one disk was cloned from the \
                     other; remove etc/twinwall/identity on one of them, start its agent again, \
                     and begin again";

/// The other node's word.
fn refused(reason: &Reason, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match reason {
        Reason::Versions { versions, release } => write!(
            out,
            "the other node (twinwall {release}) pairs by version {versions}, this one (twinwall \
             {}) by {VERSIONS}; bring both to one release",
            env!("CARGO_PKG_VERSION")
        ),
        Reason::Interface { interface } => write!(
            out,
            "wrong port cabled: the other node expects {interface}, and this one came by another; \
             the HA link must have the same name on both"
        ),
        Reason::Clone {} => out.write_str(CLONE),
        Reason::Busy {} => out.write_str(
            "the other node talks to others that want to join; try again in a few seconds",
        ),
        Reason::Used {} => write!(out, "another node used the code already; {AGAIN}"),
        Reason::Expired {} => write!(out, "the invitation is over (ten minutes); {AGAIN}"),
        Reason::WrongCode { left: 0 } => {
            write!(out, "wrong code, and that was the last attempt; {AGAIN}")
        }
        Reason::WrongCode { left } => {
            write!(out, "wrong code; attempts left: {left}; look at it again on the other node")
        }
        Reason::Malformed {} => out.write_str(
            "the other node did not understand this one; bring both to one release, and make sure \
             that nobody else is on the HA link",
        ),
    }
}

//! Addresses of HA interfaces in configuration files. What lies on a node's disk names
//! its own address and its peer's; the canonical content, which is compared, kept and
//! sent, has a mark in their place, so that equal contents mean equal settings. Called
//! by the scan and the writer for the files that a profile names. It touches no disk.
//!
//! A mark is `NUL own|peer SPACE interface SPACE number NUL`; the number counts the
//! interface's addresses as they stand in the settings. Text has no NUL of its own.

mod literal;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::agent::digest::Digest;

/// Largest file in bytes in which addresses are translated: it is held in memory.
pub const MAX_TRANSLATED: u64 = 8 << 20;

/// The two addresses that stand for each other on the two nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressPair {
    /// The interface, named alike on both nodes.
    pub interface: String,
    /// This node's own address there.
    pub own: IpAddr,
    /// The peer's, of the same family.
    pub peer: IpAddr,
}

/// Knows every pair of addresses. The default knows none and changes nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<AddressPair>", into = "Vec<AddressPair>")]
pub struct Translator {
    pairs: Vec<AddressPair>,
    marks: BTreeMap<IpAddr, Vec<u8>>,
    addresses: BTreeMap<Vec<u8>, IpAddr>,
}

/// Pairs of addresses that cannot be told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairError {
    /// This address stands in more than one place.
    Twice(IpAddr),
    /// One of the two is IPv4, the other IPv6.
    Families(IpAddr, IpAddr),
    /// An interface's name that no mark can hold.
    Interface(String),
}

/// Why a content cannot be translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TranslateError {
    /// A file on the disk has marks in it.
    Marked,
    /// A mark for an address that this node's settings do not have.
    Unknown(String),
    /// A content that names an address in place of its mark: the nodes' settings differ.
    NotCanonical,
}

impl Translator {
    /// Takes the pairs in the order of the settings, which is the same on both nodes.
    pub fn new(pairs: Vec<AddressPair>) -> Result<Translator, PairError> {
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        let (mut marks, mut addresses) = (BTreeMap::new(), BTreeMap::new());
        for pair in &pairs {
            if pair.own.is_ipv4() != pair.peer.is_ipv4() {
                return Err(PairError::Families(pair.own, pair.peer));
            }
            if pair.interface.is_empty() || pair.interface.contains(['\0', ' ']) {
                return Err(PairError::Interface(pair.interface.clone()));
            }
            let number = numbers.entry(&pair.interface).or_default();
            for (whose, address) in [("own", pair.own), ("peer", pair.peer)] {
                let mark = format!("{whose} {} {number}", pair.interface).into_bytes();
                if marks.insert(address, mark.clone()).is_some() {
                    return Err(PairError::Twice(address));
                }
                addresses.insert(mark, address);
            }
            *number += 1;
        }
        Ok(Translator { pairs, marks, addresses })
    }

    /// The pairs that it knows.
    pub fn pairs(&self) -> &[AddressPair] {
        &self.pairs
    }

    /// Changes whenever the canonical content of a file could.
    pub fn fingerprint(&self) -> Digest {
        let lines: Vec<String> = self
            .pairs
            .iter()
            .map(|pair| format!("{} {} {}\n", pair.interface, pair.own, pair.peer))
            .collect();
        Digest::of(lines.concat().as_bytes())
    }

    /// From what lies on this node's disk. A file with a NUL is no text and stays as it is.
    pub fn to_canonical<'a>(&self, local: &'a [u8]) -> Result<Cow<'a, [u8]>, TranslateError> {
        if local.contains(&0) {
            let marked = pieces(local).is_some();
            return if marked { Err(TranslateError::Marked) } else { Ok(Cow::Borrowed(local)) };
        }
        let mut out = Vec::new();
        let mut copied = 0;
        let known = |address: &IpAddr| self.marks.contains_key(address);
        for (range, address) in literal::addresses(local, known) {
            let Some(mark) = self.marks.get(&address) else { continue };
            out.extend_from_slice(&local[copied..range.start]);
            out.push(0);
            out.extend_from_slice(mark);
            out.push(0);
            copied = range.end;
        }
        if copied == 0 {
            return Ok(Cow::Borrowed(local));
        }
        out.extend_from_slice(&local[copied..]);
        Ok(Cow::Owned(out))
    }

    /// To what shall lie on this node's disk. What comes out leads back to the same
    /// canonical content, or it is refused.
    pub fn to_local<'a>(&self, canonical: &'a [u8]) -> Result<Cow<'a, [u8]>, TranslateError> {
        let Some(pieces) = pieces(canonical) else {
            // No text, then, and never translated; or text without a mark.
            return self.verified(Cow::Borrowed(canonical), canonical);
        };
        let mut out = Vec::with_capacity(canonical.len());
        for (index, piece) in pieces.into_iter().enumerate() {
            if index % 2 == 0 {
                out.extend_from_slice(piece);
                continue;
            }
            let unknown = || TranslateError::Unknown(String::from_utf8_lossy(piece).into_owned());
            let address = self.addresses.get(piece).ok_or_else(unknown)?;
            out.extend_from_slice(address.to_string().as_bytes());
        }
        self.verified(Cow::Owned(out), canonical)
    }

    fn verified<'a>(
        &self,
        local: Cow<'a, [u8]>,
        canonical: &[u8],
    ) -> Result<Cow<'a, [u8]>, TranslateError> {
        if self.to_canonical(&local)? == canonical {
            Ok(local)
        } else {
            Err(TranslateError::NotCanonical)
        }
    }
}

/// Text and marks in turn, if there are marks and nothing else between NULs.
fn pieces(content: &[u8]) -> Option<Vec<&[u8]>> {
    let pieces: Vec<&[u8]> = content.split(|byte| *byte == 0).collect();
    let marks = pieces.iter().skip(1).step_by(2);
    (pieces.len() > 1 && pieces.len() % 2 == 1 && marks.clone().all(|mark| is_mark(mark)))
        .then_some(pieces)
}

fn is_mark(piece: &[u8]) -> bool {
    let words: Vec<&[u8]> = piece.split(|byte| *byte == b' ').collect();
    match words.as_slice() {
        [b"own" | b"peer", interface, number] => {
            !interface.is_empty() && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

impl PartialEq for Translator {
    fn eq(&self, other: &Translator) -> bool {
        self.pairs == other.pairs
    }
}

impl Eq for Translator {}

impl TryFrom<Vec<AddressPair>> for Translator {
    type Error = PairError;

    fn try_from(pairs: Vec<AddressPair>) -> Result<Translator, PairError> {
        Translator::new(pairs)
    }
}

impl From<Translator> for Vec<AddressPair> {
    fn from(translator: Translator) -> Vec<AddressPair> {
        translator.pairs
    }
}

impl fmt::Display for PairError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PairError::Twice(address) => write!(
                out,
                "{address} is given to more than one interface or node; each needs its own, so that \
                 it can be translated"
            ),
            PairError::Families(own, peer) => {
                write!(out, "{own} and {peer} cannot stand for each other: one is IPv4, one IPv6")
            }
            PairError::Interface(name) => write!(out, "'{name}' cannot be an interface's name"),
        }
    }
}

impl std::error::Error for PairError {}

impl fmt::Display for TranslateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TranslateError::Marked => out.write_str(
                "holds twinwall's own marks for addresses; write the addresses themselves",
            ),
            TranslateError::Unknown(mark) => write!(
                out,
                "names an address ('{mark}') that this node's HA settings do not have; \
                 bring both nodes to the same settings first"
            ),
            TranslateError::NotCanonical => out.write_str(
                "names an address that this node's HA settings translate and the sender's do not; \
                 bring both nodes to the same settings first",
            ),
        }
    }
}

impl std::error::Error for TranslateError {}

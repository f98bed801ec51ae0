//! What two nodes that pair say to each other: in the clear until the code is proved, sealed
//! after that. JSON, so that later versions can add what this one passes over. The machines
//! in `exchange` say and hear it; nothing here decides.

use serde::{Deserialize, Serialize};
use twinwall_core::ids::Designation;
use zeroize::Zeroizing;

use crate::agent::channel::Versions;
use crate::agent::digest::Digest;

/// Versions of the pairing that this release speaks.
pub const VERSIONS: Versions = Versions { least: 1, most: 1 };
/// Longest message in bytes before the code is proved: anybody may send one.
pub const MAX_CLEAR: usize = 2048;
/// Longest sealed message in bytes: the settings of the largest pair, written as JSON.
pub const MAX_SEALED: usize = 4 << 20;
/// Longest name of a node or release in bytes, so that it can be shown anywhere.
const MAX_NAME: usize = 64;
/// Longest interface name that the kernel takes.
const MAX_INTERFACE: usize = 15;
/// Bytes of a message of the key agreement: the side, and a point of the curve.
pub(super) const PAKE_BYTES: usize = 33;
/// Bytes of a proof of the code: HMAC-SHA256.
pub(super) const PROOF_BYTES: usize = 32;

/// A message that anybody could have sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Clear {
    /// Who I am and my part of the key agreement; the first one of each side.
    Hello(Hello),
    /// I have the code.
    Proof {
        /// HMAC over all that was said so far, in hexadecimal.
        proof: String,
    },
    /// No, and why.
    Refused(Reason),
}

/// Who somebody says that he is. All of it is proved together with the code, since the
/// proof covers the very bytes of both hellos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The side that he takes.
    pub side: Side,
    /// What he speaks.
    pub versions: Versions,
    /// Version of his product.
    pub release: String,
    /// His name for people.
    pub node: String,
    /// The interface by which he speaks, as he calls it.
    pub interface: String,
    /// Of his certificate, which he sends once the code is proved.
    pub certificate: Digest,
    /// His part of the key agreement, in hexadecimal.
    pub pake: String,
}

/// Which end somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Shows the code.
    Inviter,
    /// Takes it.
    Joiner,
}

/// Why somebody is turned away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// Nothing that both speak.
    Versions {
        /// What the refusing side speaks.
        versions: Versions,
        /// Version of its product.
        release: String,
    },
    /// The ports that are cabled have different names.
    Interface {
        /// Name on the refusing side.
        interface: String,
    },
    /// Both have one key: a cloned disk.
    Clone {},
    /// Others are being talked to.
    Busy {},
    /// The code was used by somebody else.
    Used {},
    /// The code is too old.
    Expired {},
    /// It is another code.
    WrongCode {
        /// How many more wrong ones the invitation bears.
        left: u8,
    },
    /// What came was no message, or not the one whose turn it was.
    Malformed {},
}

/// A message under the agreed keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Sealed {
    /// The joiner shows its certificate.
    Card {
        /// DER in hexadecimal.
        certificate: String,
    },
    /// The inviter shows its own, and says what the pair shall be.
    Terms {
        /// DER in hexadecimal.
        certificate: String,
        /// The joiner's part in the pair.
        designation: Designation,
        /// Text of pair.toml.
        settings: String,
    },
    /// The joiner has it on its disk.
    Kept {},
    /// The inviter as well: the two are a pair.
    Paired {},
    /// One of them could not.
    Stopped {
        /// Why, for people.
        why: String,
    },
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads a message of anybody.
///
/// # Errors
/// When it is too long, no message, or has texts that cannot be shown.
pub fn decode_clear(bytes: &[u8]) -> Result<Clear, Malformed> {
    if bytes.len() > MAX_CLEAR {
        return Err(Malformed);
    }
    let read: Clear = serde_json::from_slice(bytes).map_err(|_| Malformed)?;
    let good = match &read {
        Clear::Hello(hello) => hello.is_good(),
        Clear::Proof { proof } => proof.len() == 2 * PROOF_BYTES,
        Clear::Refused(Reason::Versions { versions, release }) => {
            versions.least <= versions.most && shown(release, MAX_NAME)
        }
        Clear::Refused(Reason::Interface { interface }) => shown(interface, MAX_INTERFACE),
        Clear::Refused(_) => true,
    };
    if good { Ok(read) } else { Err(Malformed) }
}

/// Reads a message that came sealed: of the node that has the code.
///
/// # Errors
/// When it is no message.
pub fn decode_sealed(bytes: &[u8]) -> Result<Sealed, Malformed> {
    serde_json::from_slice(bytes).map_err(|_| Malformed)
}

impl Hello {
    fn is_good(&self) -> bool {
        self.versions.least <= self.versions.most
            && shown(&self.release, MAX_NAME)
            && shown(&self.node, MAX_NAME)
            && shown(&self.interface, MAX_INTERFACE)
            && self.pake.len() == 2 * PAKE_BYTES
    }
}

/// Whether a text of a stranger can be shown on a terminal.
fn shown(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && !text.chars().any(char::is_control)
}

impl Clear {
    /// The message as bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a message has only texts and numbers")
    }
}

impl Sealed {
    /// The message as bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a message has only texts and numbers")
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads hexadecimal digits of at most `limit` bytes.
pub(super) fn unhex(text: &str, limit: usize) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() / 2 > limit {
        return None;
    }
    let digit = |at: u8| char::from(at).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
    bytes.collect::<Option<Vec<u8>>>().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            side: Side::Joiner,
            versions: VERSIONS,
            release: "0.1.0".to_owned(),
            node: "gw-b".to_owned(),
            interface: "ha0".to_owned(),
            certificate: Digest::of(b"b"),
            pake: "42".repeat(PAKE_BYTES),
        }
    }

    #[test]
    fn messages_survive_and_may_say_more_than_we_know() {
        let all = [
            Clear::Hello(hello()),
            Clear::Proof { proof: "0".repeat(64) },
            Clear::Refused(Reason::WrongCode { left: 2 }),
            Clear::Refused(Reason::Busy {}),
        ];
        for said in all {
            assert_eq!(decode_clear(&said.encode()), Ok(said.clone()));
            let text = String::from_utf8(said.encode()).expect("JSON is text");
            let more = text.replacen('{', r#"{"later":7,"#, 1);
            assert_eq!(decode_clear(more.as_bytes()), Ok(said));
        }
    }

    #[test]
    fn malformed_messages_are_refused() {
        let bell = Hello { node: "\u{7}".to_owned(), ..hello() };
        let long = Hello { interface: "x".repeat(16), ..hello() };
        let short = Hello { pake: "42".repeat(32), ..hello() };
        let backwards = Hello { versions: Versions { least: 2, most: 1 }, ..hello() };
        let nameless = Hello { node: String::new(), ..hello() };
        for wrong in [bell, long, short, backwards, nameless] {
            assert_eq!(decode_clear(&Clear::Hello(wrong).encode()), Err(Malformed));
        }
        let oversized = [b' '; MAX_CLEAR + 1];
        for wrong in [&b""[..], b"{}", b"[]", b"\xff", &oversized] {
            assert_eq!(decode_clear(wrong), Err(Malformed));
        }
    }

    #[test]
    fn hexadecimal_is_read_back_within_its_limit() {
        let bytes = [0, 1, 0xab, 0xff];
        assert_eq!(unhex(&hex(&bytes), 4).as_deref(), Some(&bytes.to_vec()));
        for wrong in ["abc", "zz", "+1", "0011223344"] {
            assert_eq!(unhex(wrong, 4), None, "{wrong}");
        }
    }
}

//! What the two nodes say about logs, over a connection of their own. Each reads its own store
//! for the other: the other says from which number it wants lines, gets batches as they lie on
//! the disk, and says up to which number they are durable there. Both ways at once, each way as
//! if the other were not there. Values and bytes only.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::agent::logs::store::{BatchError, MAX_BATCH};

/// Version of these messages.
pub(super) const VERSION: u8 = 1;
/// Longest word in bytes.
const MAX_WORD: usize = 4096;
/// First byte of a message.
const WORD: u8 = 0;
const BATCHES: u8 = 1;
/// Batches in one message are at most as many bytes, unless one alone is more: so that the
/// connection is never busy for long with one message.
pub(super) const A_MESSAGE: usize = 128 << 10;

// A batch fits into a frame of the channel, whatever it holds.
const _: () = assert!(MAX_BATCH < crate::agent::channel::MAX_FRAME);

/// Whatever is no batch. The numbers are always those of the lines' own node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "word")]
pub enum Word {
    /// The first of each end: what it has.
    Hello {
        /// Of these messages.
        version: u8,
        /// Which store: 32 hexadecimal digits. One that was lost has another.
        store: String,
        /// Number of its oldest line.
        first: u64,
    },
    /// The answer to it: lines from this number on are wanted.
    Want {
        /// The number.
        from: u64,
    },
    /// Lines below this number are durable here.
    Kept {
        /// The number.
        next: u64,
    },
    /// How far the sender is, about once a second.
    Newest {
        /// Number of its next line.
        next: u64,
        /// How far the copy is behind, as it sees it.
        lag_ms: u64,
    },
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'m> {
    /// A word.
    Word(Word),
    /// Batches, one after the other.
    Batches(&'m [u8]),
}

/// What no honest node of this version says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// No word, or of another kind.
    Unknown,
    /// Batches that cannot be read.
    Batch(BatchError),
    /// Lines that do not follow the last ones.
    Order,
    /// Another version.
    Version(u8),
}

impl fmt::Display for MessageError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = "bring both nodes to one release";
        match self {
            MessageError::Unknown => {
                write!(out, "the other node says what this release does not know; {both}")
            }
            MessageError::Batch(error) => write!(out, "from the other node: {error}"),
            MessageError::Order => out.write_str("the other node's lines are not in order"),
            MessageError::Version(version) => {
                write!(out, "the other node speaks version {version} about logs; {both}")
            }
        }
    }
}

impl std::error::Error for MessageError {}

impl From<BatchError> for MessageError {
    fn from(error: BatchError) -> MessageError {
        MessageError::Batch(error)
    }
}

/// Reads a message.
///
/// # Errors
/// When it is none.
pub fn decode_message(bytes: &[u8]) -> Result<Message<'_>, MessageError> {
    match bytes.split_first() {
        Some((&WORD, word)) if word.len() <= MAX_WORD => {
            let word = serde_json::from_slice(word).map_err(|_| MessageError::Unknown)?;
            if let Word::Hello { store, .. } = &word
                && (store.len() != 32 || !store.bytes().all(|byte| byte.is_ascii_hexdigit()))
            {
                return Err(MessageError::Unknown);
            }
            Ok(Message::Word(word))
        }
        Some((&BATCHES, batches)) => Ok(Message::Batches(batches)),
        Some(_) | None => Err(MessageError::Unknown),
    }
}

/// A word as a message.
pub(super) fn encode_word(word: &Word) -> Vec<u8> {
    let mut out = vec![WORD];
    out.extend(serde_json::to_vec(word).expect("texts and numbers"));
    out
}

/// The beginning of a message of batches.
pub(super) fn begin_batches() -> Vec<u8> {
    let mut out = Vec::with_capacity(A_MESSAGE);
    out.push(BATCHES);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_and_nonsense_is_refused() {
        for word in [
            Word::Hello { version: 1, store: "0f".repeat(16), first: 7 },
            Word::Want { from: u64::MAX },
            Word::Kept { next: 3 },
            Word::Newest { next: 9, lag_ms: 12 },
        ] {
            assert_eq!(decode_message(&encode_word(&word)), Ok(Message::Word(word)));
        }
        assert_eq!(decode_message(b"\x01abc"), Ok(Message::Batches(b"abc")));
        let path = Word::Hello { version: 1, store: "../../../etc/passwd".to_owned(), first: 0 };
        for wrong in [&b""[..], b"\x02", b"\x00{", b"\x00{\"word\":\"x\"}", &encode_word(&path)] {
            assert_eq!(decode_message(wrong), Err(MessageError::Unknown));
        }
    }
}

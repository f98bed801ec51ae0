//! What the agents say over the reports' connection: questions and answers, each with a number.
//! A message is a kind, the length of its head, the head as JSON, and bytes. What does not fit
//! these limits ends the connection: no honest peer sends it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::agent::channel::MAX_FRAME;
use crate::agent::history::Record;
use crate::agent::leases::Piece;
use crate::agent::reports::Listed;

/// Kind byte of a question.
const QUESTION: u8 = 0;
/// Kind byte of an answer.
const ANSWER: u8 = 1;
/// Kind and length.
const FIXED: usize = 5;
/// Bytes of a file in one answer: beside a head, far below what a frame may have.
pub const MAX_PART: usize = 256 << 10;

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// Which reports do you have?
    Reports {},
    /// Bytes of one of them.
    Part {
        /// Its path, as the list named it.
        path: String,
        /// The version that the list named.
        version: String,
        /// From where.
        offset: u64,
    },
    /// What changed in your leases since the last question of this connection?
    Leases {
        /// All of them: what was said before is forgotten.
        anew: bool,
    },
    /// What do you know of this time?
    History {
        /// Milliseconds since 1970 (UTC).
        from_ms: u64,
        /// The same.
        to_ms: u64,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// To [`Ask::Reports`].
    Reports {
        /// The reports.
        files: Vec<Listed>,
        /// Others that it leaves out: too long, too many, or with a name that cannot be told. An
        /// older release does not say.
        #[serde(default)]
        left_out: u64,
    },
    /// To [`Ask::Part`]; the bytes follow. None of them: that was the end.
    Part {},
    /// To [`Ask::Leases`].
    Leases {
        /// What changed; empty when nothing did for a while.
        pieces: Vec<Piece>,
        /// Names of the files whose service is left alone there. An older release does not say.
        #[serde(default)]
        left_alone: Vec<String>,
    },
    /// To [`Ask::History`].
    History {
        /// What is known, the oldest first.
        records: Vec<Record>,
    },
    /// It cannot be answered.
    Refused {
        /// Why, for people.
        why: String,
    },
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A question.
    Question {
        /// Its number; the answer has the same.
        number: u64,
        /// What is asked.
        ask: Ask,
    },
    /// An answer.
    Answer {
        /// The question's number.
        number: u64,
        /// What is answered.
        told: Told,
        /// What follows its head.
        bytes: Vec<u8>,
    },
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// Cut off, too long, or with a length that lies.
    Length,
    /// A kind that nobody knows.
    Kind,
    /// A head that cannot be read.
    Head,
    /// It would be longer than a frame may be.
    TooLong,
}

impl fmt::Display for MessageError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            MessageError::Length => "a message of the other node is cut off, or its length lies",
            MessageError::Kind => "a message of the other node is of a kind not known here",
            MessageError::Head => "a message of the other node cannot be read",
            MessageError::TooLong => "a message would be longer than the connection takes",
        })
    }
}

impl std::error::Error for MessageError {}

#[derive(Serialize, Deserialize)]
struct Question {
    number: u64,
    ask: Ask,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    number: u64,
    told: Told,
}

impl Message {
    /// Its bytes.
    ///
    /// # Errors
    /// When it is longer than a frame may be.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let (kind, head, bytes) = match self {
            Message::Question { number, ask } => {
                let head = Question { number: *number, ask: ask.clone() };
                (QUESTION, serde_json::to_vec(&head), &[][..])
            }
            Message::Answer { number, told, bytes } => {
                let head = Answer { number: *number, told: told.clone() };
                (ANSWER, serde_json::to_vec(&head), &bytes[..])
            }
        };
        let head = head.map_err(|_| MessageError::Head)?;
        let length = u32::try_from(head.len()).map_err(|_| MessageError::TooLong)?;
        if FIXED + head.len() + bytes.len() > MAX_FRAME {
            return Err(MessageError::TooLong);
        }
        let mut all = Vec::with_capacity(FIXED + head.len() + bytes.len());
        all.push(kind);
        all.extend_from_slice(&length.to_be_bytes());
        all.extend_from_slice(&head);
        all.extend_from_slice(bytes);
        Ok(all)
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Message, MessageError> {
        let (kind, rest) = bytes.split_first().ok_or(MessageError::Length)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(MessageError::Length)?;
        let length =
            usize::try_from(u32::from_be_bytes(*length)).map_err(|_| MessageError::Length)?;
        if length > rest.len() || bytes.len() > MAX_FRAME {
            return Err(MessageError::Length);
        }
        let (head, bytes) = rest.split_at(length);
        match *kind {
            QUESTION if !bytes.is_empty() => Err(MessageError::Length),
            QUESTION => {
                let read: Question =
                    serde_json::from_slice(head).map_err(|_| MessageError::Head)?;
                Ok(Message::Question { number: read.number, ask: read.ask })
            }
            ANSWER => {
                let read: Answer = serde_json::from_slice(head).map_err(|_| MessageError::Head)?;
                let bytes = bytes.to_vec();
                Ok(Message::Answer { number: read.number, told: read.told, bytes })
            }
            _unknown => Err(MessageError::Kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_reports_is_read_whether_it_says_what_it_leaves_out_or_not() {
        for (text, wanted) in [
            (r#"{"told":"reports","files":[]}"#, 0),
            (r#"{"told":"reports","files":[],"left_out":7,"newer":1}"#, 7),
        ] {
            let told: Told = serde_json::from_str(text).expect("read");
            assert_eq!(told, Told::Reports { files: Vec::new(), left_out: wanted });
        }
    }

    #[test]
    fn what_is_written_is_read_and_a_length_that_lies_is_not() {
        let ask = Ask::Part { path: "/a".to_owned(), version: "1".to_owned(), offset: 7 };
        let question = Message::Question { number: 3, ask };
        let answer = Message::Answer { number: 3, told: Told::Part {}, bytes: vec![1, 2, 3] };
        for message in [question, answer] {
            let bytes = message.encode().expect("short");
            assert_eq!(Message::decode(&bytes), Ok(message));
            for cut in 0..bytes.len().min(12) {
                assert!(Message::decode(&bytes[..cut]).is_err(), "{cut}");
            }
            let mut lying = bytes.clone();
            lying[1] = 0xff;
            assert_eq!(Message::decode(&lying), Err(MessageError::Length));
            let mut other = bytes;
            other[0] = 9;
            assert_eq!(Message::decode(&other), Err(MessageError::Kind));
        }
        let long = Message::Answer { number: 1, told: Told::Part {}, bytes: vec![0; MAX_FRAME] };
        assert_eq!(long.encode(), Err(MessageError::TooLong));
    }
}

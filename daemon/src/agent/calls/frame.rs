//! What one frame of the control stream holds: a statement of the synchronisation, a
//! question, or an answer. JSON, so that a newer agent's extra answers can be read.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::question::{Call, Reply};
use crate::agent::api::error::Refusal;
use crate::agent::engine::message::{Message, MessageError};

/// Longest question or answer in bytes: the settings of the largest pair.
pub const MAX_CALL: usize = 512 << 10;

const STATEMENT: u8 = b's';
const OTHER: u8 = b'c';

/// One frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// For the synchronisation.
    Statement(Message),
    /// A question with a number that the asking node gave.
    Call {
        /// Its number.
        number: u64,
        /// What is asked.
        call: Call,
    },
    /// The answer to the question of this number.
    Reply {
        /// The question's number.
        number: u64,
        /// What came of it.
        answer: Result<Reply, Refusal>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Written {
    Ask(u64, Call),
    Answer(u64, Reply),
    Refuse(u64, Refusal),
}

/// Why bytes are no frame, or a frame cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Longer than [`MAX_CALL`].
    TooLong,
    /// Empty, or of an unknown kind.
    Kind,
    /// No JSON of a known form.
    Unknown(String),
    /// A statement that is none.
    Statement(MessageError),
}

impl fmt::Display for FrameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooLong => {
                write!(out, "a question or answer of more than {MAX_CALL} bytes")
            }
            FrameError::Kind => out.write_str("a frame of an unknown kind"),
            FrameError::Unknown(why) => write!(
                out,
                "a question or answer that is not understood ({why}); bring both nodes to one \
                 release"
            ),
            FrameError::Statement(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for FrameError {}

impl Frame {
    /// Its bytes.
    ///
    /// # Errors
    /// When it is longer than the other node takes.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut bytes = vec![OTHER];
        let written = match self {
            Frame::Statement(message) => {
                bytes[0] = STATEMENT;
                bytes.extend(message.encode());
                return Ok(bytes);
            }
            Frame::Call { number, call } => Written::Ask(*number, call.clone()),
            Frame::Reply { number, answer: Ok(reply) } => Written::Answer(*number, reply.clone()),
            Frame::Reply { number, answer: Err(refusal) } => {
                Written::Refuse(*number, refusal.clone())
            }
        };
        serde_json::to_writer(&mut bytes, &written)
            .map_err(|error| FrameError::Unknown(error.to_string()))?;
        if bytes.len() > MAX_CALL { Err(FrameError::TooLong) } else { Ok(bytes) }
    }

    /// Reads what the other node sent.
    ///
    /// # Errors
    /// When it is too long or not understood.
    pub fn decode(bytes: &[u8]) -> Result<Frame, FrameError> {
        let (kind, rest) = bytes.split_first().ok_or(FrameError::Kind)?;
        match *kind {
            STATEMENT => Message::decode(rest).map(Frame::Statement).map_err(FrameError::Statement),
            OTHER if bytes.len() > MAX_CALL => Err(FrameError::TooLong),
            OTHER => {
                let written = serde_json::from_slice(rest)
                    .map_err(|error| FrameError::Unknown(error.to_string()))?;
                Ok(match written {
                    Written::Ask(number, call) => Frame::Call { number, call },
                    Written::Answer(number, reply) => Frame::Reply { number, answer: Ok(reply) },
                    Written::Refuse(number, refusal) => {
                        Frame::Reply { number, answer: Err(refusal) }
                    }
                })
            }
            _ => Err(FrameError::Kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::calls::About;
    use crate::agent::engine::message::Report;

    #[test]
    fn what_is_sent_is_what_is_read() {
        let about = About {
            name: "gw-a".to_owned(),
            designation: None,
            release: "1.0.0".to_owned(),
            role: None,
            role_held: None,
            held_ms: None,
            why: None,
            firmware: None,
            unix_ms: 5,
            conditions: Vec::new(),
        };
        let frames = [
            Frame::Statement(Message::Report(Report::default())),
            Frame::Call { number: 1, call: Call::About {} },
            Frame::Reply { number: 1, answer: Ok(Reply::About(about)) },
            Frame::Reply { number: 2, answer: Err(Refusal::conflict("not now")) },
        ];
        for frame in frames {
            assert_eq!(Frame::decode(&frame.encode().expect("short")), Ok(frame));
        }
    }

    #[test]
    fn what_is_no_frame_is_named() {
        assert_eq!(Frame::decode(b""), Err(FrameError::Kind));
        assert_eq!(Frame::decode(b"x{}"), Err(FrameError::Kind));
        assert!(matches!(Frame::decode(b"s{}"), Err(FrameError::Statement(_))));
        let unknown: [&[u8]; 3] = [
            b"c{}",
            br#"c{"ask":[1,{"call":"format_the_disk"}]}"#,
            br#"c{"ask":[1,{"call":"about","more":1}]}"#,
        ];
        for bytes in unknown {
            let text = String::from_utf8_lossy(bytes);
            assert!(matches!(Frame::decode(bytes), Err(FrameError::Unknown(_))), "{text}");
        }
        let mut long = b"c".to_vec();
        long.resize(MAX_CALL + 1, b' ');
        assert_eq!(Frame::decode(&long), Err(FrameError::TooLong));
        let huge = Refusal::conflict("x".repeat(MAX_CALL));
        assert_eq!(
            Frame::Reply { number: 1, answer: Err(huge) }.encode(),
            Err(FrameError::TooLong)
        );
    }
}

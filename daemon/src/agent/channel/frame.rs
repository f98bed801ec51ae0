//! How messages stand in the byte stream: a header of five bytes, then the content.
//! The pumps read and write with it; it allocates nothing.

use std::fmt;

use super::MAX_FRAME;

/// Bytes of a header: content length (4, big-endian), kind (1).
pub(super) const HEADER: usize = 5;

const GREETING: u8 = 1;
const MESSAGE: u8 = 2;
const ALIVE: u8 = 3;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// The first one of each end: see [`super::Greeting`].
    Greeting,
    /// A message of the stream's users.
    Message,
    /// Nothing but a sign of life; empty.
    Alive,
}

/// A header that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Longer than [`MAX_FRAME`], or a sign of life with content.
    Length(u32),
    /// A kind that this version does not know.
    Kind(u8),
}

impl fmt::Display for FrameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Length(length) => {
                write!(
                    out,
                    "the peer sent a frame of {length} bytes; at most {MAX_FRAME} are taken"
                )
            }
            FrameError::Kind(kind) => {
                write!(
                    out,
                    "the peer sent a frame of unknown kind {kind}; bring both to one release"
                )
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// The header of a frame with so many bytes of content, at most [`MAX_FRAME`].
pub(super) fn encode_header(kind: FrameKind, length: usize) -> [u8; HEADER] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let kind = match kind {
        FrameKind::Greeting => GREETING,
        FrameKind::Message => MESSAGE,
        FrameKind::Alive => ALIVE,
    };
    [a, b, c, d, kind]
}

/// Reads a header: the kind, and how many bytes of content follow.
///
/// # Errors
/// When no honest peer of this version sends it. The stream cannot be read on.
pub fn decode_header(header: &[u8; 5]) -> Result<(FrameKind, usize), FrameError> {
    let [a, b, c, d, kind] = *header;
    let said = u32::from_be_bytes([a, b, c, d]);
    let length = usize::try_from(said).unwrap_or(usize::MAX);
    let kind = match kind {
        GREETING => FrameKind::Greeting,
        MESSAGE => FrameKind::Message,
        ALIVE => FrameKind::Alive,
        unknown => return Err(FrameError::Kind(unknown)),
    };
    let limit = match kind {
        FrameKind::Greeting => super::hello::MAX_GREETING,
        FrameKind::Message => MAX_FRAME,
        FrameKind::Alive => 0,
    };
    if length > limit { Err(FrameError::Length(said)) } else { Ok((kind, length)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_and_too_much_is_refused() {
        for (kind, length) in
            [(FrameKind::Message, MAX_FRAME), (FrameKind::Alive, 0), (FrameKind::Greeting, 99)]
        {
            assert_eq!(decode_header(&encode_header(kind, length)), Ok((kind, length)));
        }
        let long = encode_header(FrameKind::Message, MAX_FRAME + 1);
        assert_eq!(decode_header(&long), Err(FrameError::Length(MAX_FRAME as u32 + 1)));
        assert_eq!(decode_header(&[0xff, 0xff, 0xff, 0xff, 2]), Err(FrameError::Length(u32::MAX)));
        assert_eq!(decode_header(&[0, 0, 0, 1, 3]), Err(FrameError::Length(1)));
        assert_eq!(decode_header(&[0, 0, 0, 0, 9]), Err(FrameError::Kind(9)));
    }
}

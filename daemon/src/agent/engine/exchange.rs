//! What one node asks of the other's store, and how it is answered: questions in JSON,
//! answers as frames of bytes that form one stream. Whoever wants a configuration
//! fetches it; nobody can send what was not asked for. The same on both nodes.
//!
//! An answer's frame is one byte (more follows, last, not here, refused) and its part of
//! the stream. Contents come as records: digest 32 bytes, length u64 big-endian, bytes.

use std::fmt;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::delta::{self, DeltaError};
use crate::agent::digest::{DIGEST_BYTES, Digest};
use crate::agent::manifest::{MAX_ENCODED, Manifest};
use crate::agent::store::{Batch, Store, StoreError};

/// Bytes of an answer's frame: large enough for full speed, small enough not to delay.
pub const FRAME: usize = 256 << 10;
/// Most contents asked for at once: their digests fill one frame.
pub const MAX_CONTENTS: usize = 2048;

const MORE: u8 = 0;
const LAST: u8 = 1;
const NOT_HERE: u8 = 2;
const REFUSED: u8 = 3;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// A manifest, told as changes since one that the asker has.
    Manifest {
        /// Which.
        digest: Digest,
        /// The one that the asker has; none for the whole.
        base: Option<Digest>,
    },
    /// Contents, in this order.
    Contents {
        /// Which, at most [`MAX_CONTENTS`].
        digests: Vec<Digest>,
    },
}

/// Takes one frame to the asker; fails when it is gone or does not take it in time.
pub type Send<'a> = dyn FnMut(&[u8]) -> io::Result<()> + 'a;

/// The asker's side: sends a question, waits for frames. The channel has one; tests have
/// another.
pub trait Line {
    /// Sends one frame.
    ///
    /// # Errors
    /// When the other end is gone or does not take it in time.
    fn send(&mut self, frame: &[u8]) -> io::Result<()>;

    /// Waits for one frame.
    ///
    /// # Errors
    /// When the other end is gone or says nothing in time.
    fn receive(&mut self) -> io::Result<Vec<u8>>;
}

/// Why something could not be fetched.
#[derive(Debug)]
pub enum FetchError {
    /// There is no line to the other node.
    NoLine,
    /// The line broke.
    Line(io::Error),
    /// The other node does not have it any more; its state has moved on.
    NotHere,
    /// The other node refused, in its words.
    Refused(String),
    /// The answer is not what was asked for.
    Nonsense(&'static str),
    /// The delta does not fit.
    Delta(DeltaError),
    /// This node's store.
    Store(StoreError),
}

impl fmt::Display for FetchError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::NoLine => out.write_str("the other node's agent cannot be reached"),
            FetchError::Line(error) => write!(out, "the other node stopped answering: {error}"),
            FetchError::NotHere => out.write_str("the other node has changed it meanwhile"),
            FetchError::Refused(why) => write!(out, "the other node refused: {why}"),
            FetchError::Nonsense(what) => write!(out, "the other node's answer is wrong: {what}"),
            FetchError::Delta(error) => error.fmt(out),
            FetchError::Store(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for FetchError {}

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> FetchError {
        FetchError::Line(error)
    }
}

impl From<StoreError> for FetchError {
    fn from(error: StoreError) -> FetchError {
        FetchError::Store(error)
    }
}

/// Answers one question from the store.
///
/// # Errors
/// Only those of the line; what cannot be answered is said to the asker.
pub fn answer(store: &Store, question: &[u8], send: &mut Send<'_>) -> io::Result<()> {
    let ask = match serde_json::from_slice(question) {
        Ok(ask) => ask,
        Err(error) => return refuse(send, &format!("question not understood: {error}")),
    };
    match ask {
        Ask::Manifest { digest, base } => match told(store, &digest, base) {
            Ok(bytes) => {
                let mut frames = Frames::new(send);
                frames.write_all(&bytes)?;
                frames.finish()
            }
            Err(StoreError::Missing(_)) => send(&[NOT_HERE]),
            Err(error) => refuse(send, &error.to_string()),
        },
        Ask::Contents { digests } if digests.len() > MAX_CONTENTS => {
            refuse(send, &format!("{} contents at once, at most {MAX_CONTENTS}", digests.len()))
        }
        Ask::Contents { digests } if !digests.iter().all(|digest| store.has(digest)) => {
            send(&[NOT_HERE])
        }
        Ask::Contents { digests } => send_contents(store, &digests, send),
    }
}

fn told(store: &Store, digest: &Digest, base: Option<Digest>) -> Result<Vec<u8>, StoreError> {
    let base = match base {
        Some(base) => store.manifest(&base)?,
        None => Manifest::default(),
    };
    Ok(delta::encode(&base, &store.manifest(digest)?))
}

fn send_contents(store: &Store, digests: &[Digest], send: &mut Send<'_>) -> io::Result<()> {
    let mut frames = Frames::new(send);
    for digest in digests {
        let mut content = store.open_content(digest).map_err(io::Error::other)?;
        frames.write_all(&digest.0)?;
        frames.write_all(&content.length.to_be_bytes())?;
        // A damaged content ends the line in the middle: the asker keeps nothing of it.
        io::copy(&mut content.bytes, &mut frames)?;
    }
    frames.finish()
}

fn refuse(send: &mut Send<'_>, why: &str) -> io::Result<()> {
    let mut frame = vec![REFUSED];
    frame.extend_from_slice(why.as_bytes());
    send(&frame)
}

/// Cuts a stream into frames.
struct Frames<'a, 'b> {
    send: &'a mut Send<'b>,
    frame: Vec<u8>,
}

impl<'a, 'b> Frames<'a, 'b> {
    fn new(send: &'a mut Send<'b>) -> Frames<'a, 'b> {
        Frames { send, frame: vec![MORE] }
    }

    fn finish(mut self) -> io::Result<()> {
        self.frame[0] = LAST;
        (self.send)(&self.frame)
    }
}

impl Write for Frames<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.frame.len() == FRAME {
            (self.send)(&self.frame)?;
            self.frame.truncate(1);
        }
        let fits = bytes.len().min(FRAME - self.frame.len());
        self.frame.extend_from_slice(&bytes[..fits]);
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fetches a manifest. `base` is one that this node has and the other probably too.
///
/// # Errors
/// When the line breaks, or what comes is not that manifest.
pub fn fetch_manifest(
    line: &mut dyn Line,
    digest: Digest,
    base: Option<(Digest, &Manifest)>,
) -> Result<Manifest, FetchError> {
    let fetched = fetch_delta(line, digest, base);
    match (fetched, base) {
        // The other node forgot the base; the whole always works if it is there at all.
        (Err(FetchError::NotHere), Some(_)) => fetch_delta(line, digest, None),
        (fetched, _) => fetched,
    }
}

fn fetch_delta(
    line: &mut dyn Line,
    digest: Digest,
    base: Option<(Digest, &Manifest)>,
) -> Result<Manifest, FetchError> {
    ask(line, &Ask::Manifest { digest, base: base.map(|(digest, _)| digest) })?;
    let mut bytes = Vec::new();
    let mut stream = Answer::begin(line)?;
    Read::take(&mut stream, MAX_ENCODED as u64 + 1).read_to_end(&mut bytes)?;
    stream.end()?;
    let empty = Manifest::default();
    let base = base.map_or(&empty, |(_, manifest)| manifest);
    delta::apply(base, &bytes, digest).map_err(FetchError::Delta)
}

/// Fetches contents with the lengths that their manifest says into a batch, at most
/// [`MAX_CONTENTS`]; `progress` hears the bytes of each one as it is complete.
///
/// # Errors
/// When the line breaks, or what comes is not what was asked for.
pub fn fetch_contents(
    line: &mut dyn Line,
    wanted: &[(Digest, u64)],
    batch: &mut Batch<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), FetchError> {
    let digests = wanted.iter().map(|(digest, _)| *digest).collect();
    ask(line, &Ask::Contents { digests })?;
    let mut stream = Answer::begin(line)?;
    for (digest, size) in wanted {
        let mut head = [0; DIGEST_BYTES + 8];
        stream.read_exact(&mut head)?;
        let (name, length) = head.split_at(DIGEST_BYTES);
        if name != digest.0 {
            return Err(FetchError::Nonsense("another content than the one asked for"));
        }
        let length = u64::from_be_bytes(length.try_into().unwrap_or_default());
        if length != *size {
            return Err(FetchError::Nonsense("a content of another length than its manifest says"));
        }
        let (found, taken) = batch.put_reader(&mut Read::take(&mut stream, length))?;
        if found != *digest || taken != length {
            return Err(FetchError::Nonsense("a content that does not match its digest"));
        }
        progress(length);
    }
    stream.end()
}

fn ask(line: &mut dyn Line, ask: &Ask) -> Result<(), FetchError> {
    let question = serde_json::to_vec(ask).map_err(|error| FetchError::Line(error.into()))?;
    Ok(line.send(&question)?)
}

/// The stream of an answer.
struct Answer<'a> {
    line: &'a mut dyn Line,
    frame: Vec<u8>,
    at: usize,
    last: bool,
}

impl<'a> Answer<'a> {
    fn begin(line: &'a mut dyn Line) -> Result<Answer<'a>, FetchError> {
        let frame = line.receive()?;
        match frame.first() {
            Some(&MORE) => Ok(Answer { line, frame, at: 1, last: false }),
            Some(&LAST) => Ok(Answer { line, frame, at: 1, last: true }),
            Some(&NOT_HERE) => Err(FetchError::NotHere),
            Some(&REFUSED) => {
                Err(FetchError::Refused(String::from_utf8_lossy(&frame[1..]).into_owned()))
            }
            Some(_) | None => Err(FetchError::Nonsense("a frame of an unknown kind")),
        }
    }

    /// The stream must end here.
    fn end(mut self) -> Result<(), FetchError> {
        match self.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(FetchError::Nonsense("more than was asked for")),
        }
    }
}

impl Read for Answer<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.frame.len() && !self.last {
            self.frame = self.line.receive()?;
            self.at = 1;
            self.last = match self.frame.first() {
                Some(&MORE) => false,
                Some(&LAST) => true,
                Some(_) | None => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a broken-off answer"));
                }
            };
        }
        let length = out.len().min(self.frame.len() - self.at);
        out[..length].copy_from_slice(&self.frame[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;

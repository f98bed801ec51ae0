//! The first frame of each end: which versions it speaks, which stream this is to be,
//! who it is. It travels inside TLS, so nobody can talk two ends down to an older version.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Stream;

/// Versions of the protocol above TLS that this release speaks.
pub const VERSIONS: Versions = Versions { least: 1, most: 1 };
/// Longest greeting in bytes.
pub(super) const MAX_GREETING: usize = 4096;
/// Longest name of a node or version in bytes, so that it can be shown anywhere.
const MAX_NAME: usize = 64;

/// A range of versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The oldest.
    pub least: u16,
    /// The newest.
    pub most: u16,
}

impl fmt::Display for Versions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most {
            write!(out, "{}", self.most)
        } else {
            write!(out, "{} to {}", self.least, self.most)
        }
    }
}

/// What an end says of itself. Keys that a later version adds are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// What it speaks.
    pub versions: Versions,
    /// What the connection is for; the dialler says it, the other repeats it.
    pub stream: Stream,
    /// The node's name for people.
    pub node: String,
    /// The product's version there.
    pub release: String,
    /// This run of the agent: 32 hexadecimal digits drawn at its start.
    pub run: String,
}

/// Why a greeting is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelloError {
    /// It cannot be read.
    Malformed,
    /// No version is common to both.
    Versions {
        /// What the peer speaks.
        theirs: Versions,
        /// The product's version there.
        release: String,
    },
    /// The answer is for another stream than was asked for.
    Stream(Stream),
}

impl fmt::Display for HelloError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HelloError::Malformed => {
                out.write_str("the peer's greeting cannot be read; bring both to one release")
            }
            HelloError::Versions { theirs, release } => write!(
                out,
                "the peer (twinwall {release}) speaks version {theirs} of the channel, this node \
                 {VERSIONS}; bring both to one release"
            ),
            HelloError::Stream(stream) => {
                write!(out, "the peer answered for {stream}; bring both to one release")
            }
        }
    }
}

impl std::error::Error for HelloError {}

/// Reads a greeting.
///
/// # Errors
/// When it is too long, no greeting, or holds a name that cannot be shown.
pub fn decode_greeting(bytes: &[u8]) -> Result<Greeting, HelloError> {
    if bytes.len() > MAX_GREETING {
        return Err(HelloError::Malformed);
    }
    let read: Greeting = serde_json::from_slice(bytes).map_err(|_| HelloError::Malformed)?;
    let shown = |text: &str| text.len() <= MAX_NAME && !text.chars().any(char::is_control);
    let named = [&read.node, &read.release, &read.run].into_iter().all(|text| shown(text));
    if named && read.versions.least <= read.versions.most {
        Ok(read)
    } else {
        Err(HelloError::Malformed)
    }
}

impl Greeting {
    /// The greeting as bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a greeting has only texts and numbers")
    }

    /// The newest version that both speak.
    pub(super) fn common(&self) -> Result<u16, HelloError> {
        let most = self.versions.most.min(VERSIONS.most);
        if most >= self.versions.least.max(VERSIONS.least) {
            return Ok(most);
        }
        Err(HelloError::Versions { theirs: self.versions, release: self.release.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(least: u16, most: u16) -> Greeting {
        Greeting {
            versions: Versions { least, most },
            stream: Stream::Flows,
            node: "gw-a".to_owned(),
            release: "0.1.0".to_owned(),
            run: "0".repeat(32),
        }
    }

    #[test]
    fn a_greeting_survives_and_may_say_more_than_we_know() {
        let said = greeting(1, 3);
        assert_eq!(decode_greeting(&said.encode()), Ok(said.clone()));
        let text = String::from_utf8(said.encode()).expect("JSON is text");
        let more = text.replacen('{', r#"{"compression":"zstd","#, 1);
        assert_eq!(decode_greeting(more.as_bytes()), Ok(said));
    }

    #[test]
    fn the_newest_common_version_is_taken_and_none_is_an_error() {
        assert_eq!(greeting(1, 7).common(), Ok(1));
        let wrong = greeting(2, 7).common().expect_err("nothing in common");
        assert!(wrong.to_string().contains("speaks version 2 to 7 of the channel, this node 1"));
    }

    #[test]
    fn malformed_greetings_are_refused() {
        let long = Greeting { node: "x".repeat(65), ..greeting(1, 1) };
        let bell = Greeting { release: "\u{7}".to_owned(), ..greeting(1, 1) };
        let backwards = greeting(2, 1);
        for wrong in [long, bell, backwards] {
            assert_eq!(decode_greeting(&wrong.encode()), Err(HelloError::Malformed));
        }
        for wrong in [&b""[..], b"{}", b"[]", &[b' '; MAX_GREETING + 1], b"\xff"] {
            assert_eq!(decode_greeting(wrong), Err(HelloError::Malformed));
        }
    }
}

//! What a node calls out on the HA link: who it is, by which interface, and whether it
//! invites. Anybody on the cable can write one, so it decides nothing: it says whom to
//! dial, and what to tell an operator who plugged in the wrong cable.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::agent::digest::Digest;

/// Version of the form; one of another version is passed over.
pub const VERSION: u16 = 1;
/// Longest announcement in bytes.
pub const MAX_ANNOUNCEMENT: usize = 1024;
/// Longest name of a node in bytes.
const MAX_NAME: usize = 64;
/// Longest name of an interface in bytes (`IFNAMSIZ` less its end mark).
const MAX_INTERFACE: usize = 15;

/// One announcement. Fields that a later version adds are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// [`VERSION`].
    pub version: u16,
    /// This run of the agent, drawn at its start: tells a clone of the disk from an echo.
    pub run: u64,
    /// Digest of the node's certificate.
    pub certificate: Digest,
    /// The interface by which it leaves.
    pub interface: String,
    /// The node's name for people.
    pub node: String,
    /// The pair it belongs to.
    pub pair_id: Option<u16>,
    /// The TCP port of an open invitation.
    pub inviting: Option<u16>,
}

/// Why bytes are no announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnnouncementError {
    /// Longer than [`MAX_ANNOUNCEMENT`].
    TooLong,
    /// Not of the known form.
    Unknown(String),
    /// Of another version.
    Version(u16),
    /// A name that is too long or not printable.
    Name,
}

impl fmt::Display for AnnouncementError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnnouncementError::TooLong => {
                write!(out, "an announcement of more than {MAX_ANNOUNCEMENT} bytes")
            }
            AnnouncementError::Unknown(why) => write!(out, "no announcement: {why}"),
            AnnouncementError::Version(version) => {
                write!(out, "an announcement of version {version}; this node knows {VERSION}")
            }
            AnnouncementError::Name => out.write_str("an announcement with an unusable name"),
        }
    }
}

impl std::error::Error for AnnouncementError {}

impl Announcement {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Text and numbers only: this JSON cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Reads what came from the network.
///
/// # Errors
/// When it is no announcement of this version.
pub fn decode_announcement(bytes: &[u8]) -> Result<Announcement, AnnouncementError> {
    if bytes.len() > MAX_ANNOUNCEMENT {
        return Err(AnnouncementError::TooLong);
    }
    let said: Announcement = serde_json::from_slice(bytes)
        .map_err(|error| AnnouncementError::Unknown(error.to_string()))?;
    if said.version != VERSION {
        return Err(AnnouncementError::Version(said.version));
    }
    let good = |name: &str, limit: usize| {
        !name.is_empty() && name.len() <= limit && !name.chars().any(char::is_control)
    };
    let names = good(&said.node, MAX_NAME) && good(&said.interface, MAX_INTERFACE);
    if names { Ok(said) } else { Err(AnnouncementError::Name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement() -> Announcement {
        Announcement {
            version: VERSION,
            run: 7,
            certificate: Digest::of(b"certificate"),
            interface: "ha0".to_owned(),
            node: "gw-a".to_owned(),
            pair_id: Some(3),
            inviting: None,
        }
    }

    #[test]
    fn what_is_sent_is_what_is_read_and_more_is_passed_over() {
        let said = announcement();
        assert_eq!(decode_announcement(&said.encode()), Ok(said.clone()));
        let text = String::from_utf8(said.encode()).expect("text");
        let newer = text.replacen('{', "{\"later\":true,", 1);
        assert_eq!(decode_announcement(newer.as_bytes()), Ok(said));
    }

    #[test]
    fn what_is_no_announcement_is_named() {
        let with = |change: fn(&mut Announcement)| {
            let mut said = announcement();
            change(&mut said);
            decode_announcement(&said.encode())
        };
        assert_eq!(with(|it| it.version = 2), Err(AnnouncementError::Version(2)));
        assert_eq!(with(|it| it.node = "a\u{1b}[2J".to_owned()), Err(AnnouncementError::Name));
        assert_eq!(with(|it| it.interface = "x".repeat(16)), Err(AnnouncementError::Name));
        assert_eq!(with(|it| it.node = String::new()), Err(AnnouncementError::Name));
        assert!(matches!(decode_announcement(b"{}"), Err(AnnouncementError::Unknown(_))));
        let long = vec![b' '; MAX_ANNOUNCEMENT + 1];
        assert_eq!(decode_announcement(&long), Err(AnnouncementError::TooLong));
    }
}

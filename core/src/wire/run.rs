//! One run of the peer, with the keys that it shares with one run of this node.
//! Held by the session.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305};

use super::content::KeyTag;
use super::frame::{Header, TAG_LENGTH};
use super::window::Window;
use crate::ids::{BootId, MAX_PATHS, Sequence};

/// One run of the peer, as seen from one run of this node.
pub(super) struct Run {
    pub(super) boot: BootId,
    /// Number of the first hello that we sent after this run was known to exist.
    /// No earlier run of the peer can have heard it, or a later one.
    pub(super) since: u64,
    pub(super) ciphers: Ciphers,
    /// By the key that is taken as well.
    pub(super) also: Option<Ciphers>,
    pub(super) windows: [Window; MAX_PATHS],
    /// What the newest of its beats said.
    pub(super) said: Said,
}

/// What a run of the peer says of its keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// The beat's number: of frames that overtake each other the newest counts.
    pub(super) sequence: Sequence,
    /// Which of our keys sealed it.
    pub(super) uses: Under,
    /// The second key that it takes.
    pub(super) takes: Option<KeyTag>,
}

impl Default for Said {
    fn default() -> Said {
        Said { sequence: Sequence(0), uses: Under::Key, takes: None }
    }
}

/// The two directions of one run under one pair key.
pub(super) struct Ciphers {
    pub(super) seal: ChaCha20Poly1305,
    pub(super) open: ChaCha20Poly1305,
}

/// Which of the keys opened something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Under {
    /// The one in use.
    Key,
    /// The one that is taken as well.
    Also,
}

impl Run {
    /// Decrypts into `plain`, if `body` is authentic under one of the keys; the length.
    pub(super) fn open(
        &self,
        header: &Header,
        body: &[u8],
        plain: &mut [u8],
    ) -> Option<(usize, Under)> {
        let own = self.ciphers.open(header, body, plain).map(|length| (length, Under::Key));
        own.or_else(|| {
            let length = self.also.as_ref()?.open(header, body, plain)?;
            Some((length, Under::Also))
        })
    }
}

impl Ciphers {
    fn open(&self, header: &Header, body: &[u8], plain: &mut [u8]) -> Option<usize> {
        let (sealed, tag) = body.split_last_chunk::<TAG_LENGTH>()?;
        let buffer = InOutBuf::new(sealed, plain.get_mut(..sealed.len())?).ok()?;
        let nonce = header.nonce().into();
        self.open.decrypt_inout_detached(&nonce, &header.encode(), buffer, &(*tag).into()).ok()?;
        Some(sealed.len())
    }
}

//! One run of the peer, with the keys that it shares with one run of this node.
//! Held by the session.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305};

use super::frame::{Header, TAG_LENGTH};
use super::window::Window;
use crate::ids::{BootId, MAX_PATHS};

/// One run of the peer, as seen from one run of this node.
pub(super) struct Run {
    pub(super) boot: BootId,
    /// Number of the first hello that we sent after this run was known to exist.
    /// No earlier run of the peer can have heard it, or a later one.
    pub(super) since: u64,
    pub(super) seal: ChaCha20Poly1305,
    pub(super) open: ChaCha20Poly1305,
    pub(super) windows: [Window; MAX_PATHS],
}

impl Run {
    /// Decrypts into `plain` and gives the length, if `body` is authentic.
    pub(super) fn open(&self, header: &Header, body: &[u8], plain: &mut [u8]) -> Option<usize> {
        let (sealed, tag) = body.split_last_chunk::<TAG_LENGTH>()?;
        let buffer = InOutBuf::new(sealed, plain.get_mut(..sealed.len())?).ok()?;
        let nonce = header.nonce().into();
        self.open.decrypt_inout_detached(&nonce, &header.encode(), buffer, &(*tag).into()).ok()?;
        Some(sealed.len())
    }
}

//! The pair's key and the keys derived from it. Made by the guard from the key
//! file, used by the session; it never prints a key and overwrites it in the end.
//!
//! The pair key is 32 bytes (256 bits). HKDF-SHA256 makes from it one 32-byte
//! HMAC-SHA256 key for hellos, and per pair of boot ids one 32-byte
//! ChaCha20-Poly1305 key for each direction.

use std::fmt;

use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use hkdf::hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::content::KeyTag;
use crate::config::{KEY_BYTES, KeyFile};
use crate::ids::{BootId, Designation};

/// Bytes of every key derived: HMAC-SHA256 and ChaCha20-Poly1305 take 32 both.
const KEY_LENGTH: usize = 32;
/// HKDF salt: names this use, so that the same bytes used elsewhere give other keys.
const SALT: &[u8] = b"twinwall heartbeat 1";

/// The key that both nodes of a pair hold. Forgotten (overwritten) when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct PairKey(Zeroizing<[u8; KEY_BYTES]>);

impl PairKey {
    /// Takes what [`parse_key`](crate::config::parse_key) read. The bytes must once
    /// have come from the system's random source.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> PairKey {
        PairKey(Zeroizing::new(bytes))
    }

    /// The source of the keys of this pair.
    pub(super) fn root(&self) -> KeyRoot {
        KeyRoot(Hkdf::new(Some(SALT), self.0.as_slice()))
    }
}

impl fmt::Debug for PairKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairKey(secret)")
    }
}

/// The keys that a node holds: mostly one. While keys are being changed it takes a second
/// one from the peer as well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PairKeys {
    /// In use: frames are sealed with it.
    pub key: PairKey,
    /// Taken from the peer as well.
    pub also: Option<PairKey>,
}

impl PairKeys {
    /// The names of both, as text that may be shown: by them a file is compared with the keys
    /// that a guard holds.
    pub fn tags(&self) -> Vec<String> {
        let tag = |key: &PairKey| KeyTag::of(&key.root()).to_string();
        std::iter::once(&self.key).chain(&self.also).map(tag).collect()
    }
}

impl From<&KeyFile> for PairKeys {
    fn from(file: &KeyFile) -> PairKeys {
        PairKeys { key: PairKey::from_bytes(file.key), also: file.also.map(PairKey::from_bytes) }
    }
}

/// All that a session keeps of one pair key.
pub(super) struct Keyed {
    pub(super) root: KeyRoot,
    pub(super) hello_mac: Hmac<Sha256>,
    /// Tells it from others.
    name: Zeroizing<[u8; KEY_LENGTH]>,
    /// The same for the peer.
    pub(super) tag: KeyTag,
}

impl Keyed {
    pub(super) fn new(key: &PairKey, pair_id: u16) -> Keyed {
        let root = key.root();
        let name = root.expand(&[b"name"]);
        let tag = KeyTag::of(&root);
        Keyed { hello_mac: root.hello_mac(pair_id), root, name, tag }
    }

    pub(super) fn is_of(&self, other: &Keyed) -> bool {
        self.name == other.name
    }
}

impl KeyTag {
    fn of(root: &KeyRoot) -> KeyTag {
        KeyTag(*root.expand(&[b"tag"]).first_chunk().expect("it has 32 bytes"))
    }
}

/// HKDF after its extract step; what a session keeps instead of the pair key.
pub(super) struct KeyRoot(Hkdf<Sha256>);

impl KeyRoot {
    /// The keyed MAC that authenticates hellos.
    pub(super) fn hello_mac(&self, pair_id: u16) -> Hmac<Sha256> {
        let key = self.expand(&[b"hello", &pair_id.to_be_bytes()]);
        hkdf::hmac::KeyInit::new_from_slice(key.as_slice()).expect("HMAC takes a key of any length")
    }

    /// The cipher for beats from `sender` to its peer while both are in these runs.
    pub(super) fn beat_cipher(
        &self,
        pair_id: u16,
        boot_primary: BootId,
        boot_secondary: BootId,
        sender: Designation,
    ) -> ChaCha20Poly1305 {
        let from = match sender {
            Designation::Primary => b"from primary  ",
            Designation::Secondary => b"from secondary",
        };
        let info: [&[u8]; 5] =
            [b"beat ", &pair_id.to_be_bytes(), &boot_primary.0, &boot_secondary.0, from];
        let key = self.expand(&info);
        ChaCha20Poly1305::new(&(*key).into())
    }

    fn expand(&self, info: &[&[u8]]) -> Zeroizing<[u8; KEY_LENGTH]> {
        let mut key = Zeroizing::new([0u8; KEY_LENGTH]);
        self.0
            .expand_multi_info(info, key.as_mut_slice())
            .expect("32 bytes are one block of HKDF-SHA256");
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_use_has_its_own_key() {
        let root = PairKey::from_bytes([3; 32]).root();
        let info: [&[&[u8]]; 3] =
            [&[b"hello", b"\0\x01"], &[b"beat ", b"\0\x01"], &[b"hello", b"\0\x02"]];
        let keys = info.map(|info| *root.expand(info));
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    }
}

//! The pair's key and the keys derived from it. Called by the guard to read the
//! key file's text and by the session; it never keeps a key longer than its owner.
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

use crate::ids::{BootId, Designation};

/// Bytes of every key.
const KEY_LENGTH: usize = 32;
/// HKDF salt: names this use, so that the same bytes used elsewhere give other keys.
const SALT: &[u8] = b"twinwall heartbeat 1";

/// The key that both nodes of a pair hold. Forgotten (overwritten) when dropped.
#[derive(Clone)]
pub struct PairKey(Zeroizing<[u8; KEY_LENGTH]>);

impl PairKey {
    /// Takes 32 bytes, which must come from the system's random source.
    pub fn from_bytes(bytes: [u8; KEY_LENGTH]) -> PairKey {
        PairKey(Zeroizing::new(bytes))
    }

    /// Reads the text of a key file: 64 hex digits and, if you like, white space
    /// around them.
    ///
    /// # Errors
    /// What is wrong with the text, without repeating any of it.
    pub fn parse_hex(text: &str) -> Result<PairKey, KeyError> {
        let digits = text.trim_ascii();
        if digits.is_empty() {
            return Err(KeyError::Empty);
        }
        let mut bytes = Zeroizing::new([0u8; KEY_LENGTH]);
        for (position, digit) in digits.chars().enumerate() {
            let Some(value) = digit.to_digit(16).and_then(|value| u8::try_from(value).ok()) else {
                return Err(KeyError::NotHex { position: position + 1 });
            };
            if let Some(byte) = bytes.get_mut(position / 2) {
                *byte = *byte << 4 | value;
            }
        }
        if digits.len() != 2 * KEY_LENGTH {
            return Err(KeyError::Length { digits: digits.len() });
        }
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(KeyError::Constant);
        }
        Ok(PairKey(bytes))
    }

    /// The text of a key file: 64 hex digits and a newline.
    pub fn to_file_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_LENGTH + 1));
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 0xf] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        text.push('\n');
        text
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

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Nothing in it.
    Empty,
    /// A character that is not a hex digit.
    NotHex {
        /// Which one, from 1.
        position: usize,
    },
    /// Too few or too many digits.
    Length {
        /// How many there are.
        digits: usize,
    },
    /// The same byte throughout: somebody's placeholder.
    Constant,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Empty => f.write_str("the key is empty")?,
            KeyError::NotHex { position } => {
                write!(f, "character {position} of the key is not a hex digit (0-9, a-f)")?;
            }
            KeyError::Length { digits } => {
                write!(f, "the key has {digits} hex digits instead of 64")?
            }
            KeyError::Constant => {
                f.write_str("the key is one byte repeated, which anybody can guess")?
            }
        }
        f.write_str("; make one with `twinwall keygen` and copy the file to both nodes")
    }
}

impl std::error::Error for KeyError {}

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

    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn a_key_file_comes_back_and_upper_case_is_welcome() {
        let key = PairKey::parse_hex(DIGITS).unwrap();
        assert_eq!(key.0[..4], [0, 1, 2, 3]);
        assert_eq!(key.to_file_text().as_str(), format!("{DIGITS}\n"));
        let typed = format!("  {}\r\n", DIGITS.to_uppercase());
        assert_eq!(*PairKey::parse_hex(&typed).unwrap().0, *key.0);
    }

    #[test]
    fn wrong_keys_say_what_is_wrong() {
        let longer = format!("{DIGITS}00");
        let table = [
            ("", "the key is empty"),
            (" \n", "the key is empty"),
            (&DIGITS[1..], "the key has 63 hex digits instead of 64"),
            (longer.as_str(), "the key has 66 hex digits instead of 64"),
            ("0001 02", "character 5 of the key is not a hex digit (0-9, a-f)"),
            ("schlüssel", "character 1 of the key is not a hex digit (0-9, a-f)"),
            (&"ab".repeat(32), "the key is one byte repeated, which anybody can guess"),
        ];
        for (text, message) in table {
            let error = PairKey::parse_hex(text).expect_err(text).to_string();
            assert!(error.starts_with(message), "{text:?}: {error}");
            assert!(error.contains("twinwall keygen"), "{error}");
        }
    }

    #[test]
    fn every_use_has_its_own_key() {
        let root = PairKey::from_bytes([3; 32]).root();
        let info: [&[&[u8]]; 3] =
            [&[b"hello", b"\0\x01"], &[b"beat ", b"\0\x01"], &[b"hello", b"\0\x02"]];
        let keys = info.map(|info| *root.expand(info));
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    }
}

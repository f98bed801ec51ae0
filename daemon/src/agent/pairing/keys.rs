//! The key agreement of a pairing and what follows from it: the proofs of the code, the keys
//! under which both talk on, and the new heartbeat key. SPAKE2 (RFC 9382) gives two nodes
//! with the same code the same key; a wrong code gives different keys and no error, which
//! only the proofs show.
//!
//! Everything is derived from the agreed key *and* the bytes of both hellos: whoever changes
//! a version, a name or a certificate on the way has changed all keys.

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use hkdf::hmac::{Hmac, Mac};
use sha2::Sha256;
use spake2::{Ed25519Group, Identity, Password, Spake2};
use twinwall_core::config::KEY_BYTES;
use zeroize::Zeroizing;

use super::code::Code;
use super::message::{Malformed, PAKE_BYTES, PROOF_BYTES, Side};

/// HKDF salt: names this use.
const SALT: &[u8] = b"twinwall pairing 1";
/// What each side is called in the agreement, so that nobody can be answered with his own
/// message.
const INVITER: &[u8] = b"twinwall inviter";
const JOINER: &[u8] = b"twinwall joiner";

/// One side's part of the agreement, before the other's came.
pub(super) struct Agreement {
    side: Side,
    started: Spake2<Ed25519Group>,
}

impl Agreement {
    /// Begins; the bytes are for the other side.
    pub(super) fn start(side: Side, code: &Code) -> (Agreement, [u8; PAKE_BYTES]) {
        let password = Password::new(code.password());
        let (inviter, joiner) = (Identity::new(INVITER), Identity::new(JOINER));
        let (started, said) = match side {
            Side::Inviter => Spake2::start_a(&password, &inviter, &joiner),
            Side::Joiner => Spake2::start_b(&password, &inviter, &joiner),
        };
        let said = said.try_into().expect("SPAKE2 on this curve says 33 bytes");
        (Agreement { side, started }, said)
    }

    /// The keys, whether or not the codes were the same.
    ///
    /// # Errors
    /// When the other side's part is no point of the curve, or of this side.
    pub(super) fn finish(self, theirs: &[u8], hellos: &Hellos<'_>) -> Result<Keys, Malformed> {
        let shared = Zeroizing::new(self.started.finish(theirs).map_err(|_| Malformed)?);
        let source = Hkdf::<Sha256>::new(Some(SALT), &shared);
        let lengths =
            [hellos.inviter.len(), hellos.joiner.len()].map(|it| (it as u64).to_be_bytes());
        let expand = |purpose: &[u8]| {
            let info = [purpose, &lengths[0], hellos.inviter, &lengths[1], hellos.joiner];
            let mut key = Zeroizing::new([0; 32]);
            let whole = source.expand_multi_info(&info, key.as_mut_slice());
            whole.expect("32 bytes are one block of HKDF-SHA256");
            key
        };
        let (from_inviter, from_joiner) = (expand(b"from inviter"), expand(b"from joiner"));
        let proofs = [expand(b"proof of inviter"), expand(b"proof of joiner")];
        let (ours, theirs, own, other) = match self.side {
            Side::Inviter => (&from_inviter, &from_joiner, 0, 1),
            Side::Joiner => (&from_joiner, &from_inviter, 1, 0),
        };
        Ok(Keys {
            own_proof: mac(&proofs[own]),
            their_proof: mac(&proofs[other]),
            line: Line {
                seal: ChaCha20Poly1305::new(&(**ours).into()),
                open: ChaCha20Poly1305::new(&(**theirs).into()),
                sealed: 0,
                opened: 0,
            },
            heartbeat: expand(b"heartbeat"),
        })
    }
}

fn mac(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// The very bytes of both hellos.
pub(super) struct Hellos<'a> {
    pub(super) inviter: &'a [u8],
    pub(super) joiner: &'a [u8],
}

/// What an agreement gave. Worth something only after the proof of the other side.
pub(super) struct Keys {
    own_proof: Hmac<Sha256>,
    their_proof: Hmac<Sha256>,
    line: Line,
    heartbeat: Zeroizing<[u8; KEY_BYTES]>,
}

impl Keys {
    /// Shows the other side that this one has the code.
    pub(super) fn proof(&self) -> [u8; PROOF_BYTES] {
        self.own_proof.clone().finalize().into_bytes().into()
    }

    /// Whether the other side has it; takes as long for every wrong proof.
    pub(super) fn proves(&self, proof: &[u8]) -> bool {
        self.their_proof.clone().verify_slice(proof).is_ok()
    }

    /// After the proof: the sealed line, and the heartbeat key of the new pair.
    pub(super) fn into_parts(self) -> (Line, Zeroizing<[u8; KEY_BYTES]>) {
        (self.line, self.heartbeat)
    }
}

/// Seals and opens messages in their order: none can be left out, repeated or moved.
pub(super) struct Line {
    seal: ChaCha20Poly1305,
    open: ChaCha20Poly1305,
    sealed: u64,
    opened: u64,
}

impl Line {
    /// The next message for the other side.
    pub(super) fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        let nonce = nonce(self.sealed);
        self.sealed += 1;
        self.seal.encrypt(&nonce, plain).expect("a message is shorter than the cipher's limit")
    }

    /// The next message of the other side; only the next one opens.
    pub(super) fn open(&mut self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let plain = self.open.decrypt(&nonce(self.opened), sealed).ok()?;
        self.opened += 1;
        Some(Zeroizing::new(plain))
    }
}

/// A nonce for each message of a key.
fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(codes: [&str; 2], hellos: [&Hellos<'_>; 2]) -> [Keys; 2] {
        let code = |at: usize| codes[at].parse::<Code>().expect("a code");
        let (inviter, a) = Agreement::start(Side::Inviter, &code(0));
        let (joiner, b) = Agreement::start(Side::Joiner, &code(1));
        let keys = [inviter.finish(&b, hellos[0]), joiner.finish(&a, hellos[1])];
        keys.map(|keys| keys.expect("both are points"))
    }

    const HELLOS: Hellos<'static> = Hellos { inviter: b"a", joiner: b"b" };

    #[test]
    fn one_code_gives_one_key_and_another_gives_another() {
        let [inviter, joiner] = agree(["ABCD-EFGH"; 2], [&HELLOS; 2]);
        assert!(inviter.proves(&joiner.proof()) && joiner.proves(&inviter.proof()));
        assert!(!inviter.proves(&inviter.proof()), "nobody is proved by his own words");
        assert_eq!(inviter.heartbeat, joiner.heartbeat);
        let [inviter, joiner] = agree(["ABCD-EFGH", "ABCD-EFGJ"], [&HELLOS; 2]);
        assert!(!inviter.proves(&joiner.proof()) && !joiner.proves(&inviter.proof()));
        assert_ne!(inviter.heartbeat, joiner.heartbeat);
    }

    #[test]
    fn who_changes_a_hello_on_the_way_changes_the_keys() {
        let shifted = Hellos { inviter: b"ab", joiner: b"" };
        let [inviter, joiner] = agree(["ABCD-EFGH"; 2], [&HELLOS, &shifted]);
        assert!(!inviter.proves(&joiner.proof()) && !joiner.proves(&inviter.proof()));
    }

    #[test]
    fn an_own_part_or_no_point_is_refused() {
        let code = "ABCD-EFGH".parse().expect("a code");
        let start = || Agreement::start(Side::Inviter, &code);
        let (_, own) = start();
        for wrong in [&own[..], &[0x42; PAKE_BYTES], &[0xff; PAKE_BYTES], b"", &own[..32]] {
            assert!(start().0.finish(wrong, &HELLOS).is_err());
        }
    }

    #[test]
    fn a_line_opens_each_message_once_and_in_order() {
        let [inviter, joiner] = agree(["ABCD-EFGH"; 2], [&HELLOS; 2]);
        let ((mut inviter, _), (mut joiner, _)) = (inviter.into_parts(), joiner.into_parts());
        let (first, second) = (inviter.seal(b"first"), inviter.seal(b"second"));
        assert!(joiner.open(&second).is_none(), "not its turn");
        assert!(inviter.open(&first).is_none(), "one's own message is not the peer's");
        assert_eq!(joiner.open(&first).as_deref(), Some(&b"first".to_vec()));
        assert!(joiner.open(&first).is_none(), "replayed");
        let mut changed = second.clone();
        changed[0] ^= 1;
        assert!(joiner.open(&changed).is_none());
        assert_eq!(joiner.open(&second).as_deref(), Some(&b"second".to_vec()));
    }
}

//! Secrets that this node makes: random, shown once, kept as hashes. They are long enough
//! that a fast hash protects them.

use rustix::rand::{GetRandomFlags, getrandom};

use super::super::api::error::Refusal;

/// Random bytes in one.
const BYTES: usize = 32;
/// What the hash is for: a secret of another use has another one.
const CONTEXT: &str = "twinwall 2026 accounts: a secret that is shown once";

/// One secret.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A new one, 256 bits in hex after a prefix that says what it is.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn new(prefix: &str) -> Result<Secret, Refusal> {
        Secret::of(prefix, &random::<BYTES>()?)
    }

    /// A shorter one that a person can type: 80 bits in groups.
    ///
    /// # Errors
    /// As [`Secret::new`].
    pub fn to_type() -> Result<Secret, Refusal> {
        let digits = Secret::of("", &random::<10>()?)?.0;
        let groups: Vec<&str> = (0..5).map(|at| &digits[at * 4..at * 4 + 4]).collect();
        Ok(Secret(groups.join("-")))
    }

    fn of(prefix: &str, bytes: &[u8]) -> Result<Secret, Refusal> {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Secret(format!("{prefix}{hex}")))
    }

    /// The text that is shown once.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> String {
        Secret::hash_of(&self.0)
    }

    /// What would be kept of this one.
    pub fn hash_of(text: &str) -> String {
        let key = blake3::derive_key(CONTEXT, text.as_bytes());
        blake3::Hash::from(key).to_hex().to_string()
    }
}

fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    let got = getrandom(&mut bytes, GetRandomFlags::empty());
    got.map(|_| bytes).map_err(|error| Refusal::machine(format!("asking for randomness: {error}")))
}

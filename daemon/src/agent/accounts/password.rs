//! Passwords: what is taken as one, and their Argon2id hashes (RFC 9106) as PHC strings.
//! Both functions take tens of milliseconds and 9 MiB: for threads that may, one at a time.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rustix::rand::{GetRandomFlags, getrandom};

use super::super::api::error::{Code, Detail, Refusal};

/// Shortest password in characters (NIST SP 800-63B-4 asks for 15 without a second factor,
/// and 8 with one; between them lies what people keep).
const MIN: usize = 12;
/// Longest in bytes: hashing a longer one only costs time.
const MAX: usize = 256;

/// Memory in KiB and passes over it: as hard to guess as 19 MiB and two passes (OWASP's Password
/// Storage Cheat Sheet names both), and small beside the rest of the console's process.
const COST: (u32, u32) = (9216, 4);

/// Compared with when there is no such account, so that nobody learns of it by a watch.
/// Of a random password that nobody knows.
pub const DUMMY_HASH: &str = "$argon2id$v=19$m=9216,t=4,p=1$dHdpbndhbGwtZHVtbXktMQ$\
    mJ8vYw0cVh3m1C3m2m1qKq1yq3p0m8o2s4t6u8w0y2A";

/// The hash of a password that is about to be set for `name`.
///
/// # Errors
/// When it is too short, too long, or the name itself.
pub fn hash(name: &str, password: &str) -> Result<String, Refusal> {
    if let Some(wrong) = wrong(name, password) {
        let details = vec![Detail { place: "password".to_owned(), message: wrong.clone() }];
        return Err(Refusal { code: Code::Invalid, message: wrong, details });
    }
    let mut salt = [0; 16];
    let hashed = getrandom(&mut salt, GetRandomFlags::empty())
        .map_err(|error| error.to_string())
        .and_then(|_| hash_with(password, &salt).map_err(|error| error.to_string()));
    hashed
        .map(|hash| hash.to_string())
        .map_err(|error| Refusal::machine(format!("hashing the password: {error}")))
}

fn hash_with(password: &str, salt: &[u8]) -> argon2::password_hash::Result<PasswordHash> {
    let params = Params::new(COST.0, COST.1, 1, None)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_with_salt(password.as_bytes(), salt)
}

fn wrong(name: &str, password: &str) -> Option<String> {
    let characters = password.chars().count();
    if characters < MIN {
        Some(format!("a password has at least {MIN} characters; this one has {characters}"))
    } else if password.len() > MAX {
        Some(format!("a password has at most {MAX} bytes"))
    } else if password == name || password.chars().all(|one| password.starts_with(one)) {
        Some("this password is the first to be guessed; choose another one".to_owned())
    } else {
        None
    }
}

/// Whether the password is the one behind the hash, which says what it cost.
pub fn verify(password: &str, hash: &str) -> bool {
    password.len() <= MAX && Argon2::default().verify_password(password.as_bytes(), hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other_one_is() {
        let one = hash("anna", "correct horse battery").expect("a hash");
        let two = hash("anna", "correct horse battery").expect("a hash");
        assert!(one.starts_with("$argon2id$v=19$m=9216,t=4,p=1$") && one != two, "{one}");
        assert!(verify("correct horse battery", &one) && verify("correct horse battery", &two));
        assert!(!verify("correct horse batterz", &one) && !verify("", &one));
        let before: PasswordHash = Argon2::default()
            .hash_password_with_salt(b"of another cost", &[7; 16])
            .expect("a hash");
        assert!(
            verify("of another cost", &before.to_string()) && !verify("other", &before.to_string())
        );
        assert!(!verify("anything", "no hash") && !verify("anything", DUMMY_HASH));
    }

    #[test]
    fn what_is_guessed_first_is_no_password() {
        for (name, password) in
            [("anna", "short"), ("administrator1", "administrator1"), ("anna", "aaaaaaaaaaaaaaaa")]
        {
            assert!(hash(name, password).is_err_and(|it| it.code == Code::Invalid), "{password}");
        }
        assert!(hash("anna", &"ab".repeat(200)).is_err());
    }

    #[test]
    fn the_hash_of_nobody_takes_as_long_as_any_other() {
        assert!(PasswordHash::new(DUMMY_HASH).is_ok());
    }
}

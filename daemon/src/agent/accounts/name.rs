//! What an account or a token may be called: what is safe in every place where it is shown
//! or written, and cannot be mistaken for another one.

use super::super::api::error::{Code, Detail, Refusal};

/// Longest name.
const MAX: usize = 32;

/// Refuses a name that cannot be one; `field` is its place in the request.
///
/// # Errors
/// What a name looks like.
pub fn check_name(field: &str, name: &str) -> Result<(), Refusal> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let good = (1..=MAX).contains(&name.len())
        && name.bytes().all(|byte| letter(byte) || b"._-".contains(&byte))
        && name.bytes().next().is_some_and(letter);
    if good {
        return Ok(());
    }
    let message = format!(
        "a name has 1 to {MAX} of the characters a-z 0-9 . _ - and begins with a letter or a digit"
    );
    let details = vec![Detail { place: field.to_owned(), message: message.clone() }];
    Err(Refusal { code: Code::Invalid, message, details })
}

//! The pair's key as a text file: 64 hexadecimal digits on one line. Written by
//! `twinwall keygen`, read by the guard and `twinwall check`.

use super::errors::{Errors, Place, Report};

/// Length of the heartbeats' key in bytes.
pub const KEY_BYTES: usize = 32;
/// What to do about any unusable key.
const REMEDY: &str =
    "write a key with 'twinwall keygen' on one node and copy the file to the other";

/// Reads the text of the key file; `file` is its name for the errors. The errors
/// never repeat what the file holds.
///
/// # Errors
/// When the text is anything but 64 hexadecimal digits, or a key of one repeated byte.
pub fn parse_key(file: &str, text: &str) -> Result<[u8; KEY_BYTES], Errors> {
    let mut report = Report::new(file, "");
    let digits = text.trim_ascii();
    let mut key = [0; KEY_BYTES];
    let wrong = if digits.len() != 2 * KEY_BYTES {
        Some(format!("{} characters instead of {} hexadecimal digits", digits.len(), 2 * KEY_BYTES))
    } else if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Some("something other than hexadecimal digits".to_owned())
    } else {
        for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = pair.iter().fold(0, |byte, digit| byte << 4 | nibble(*digit));
        }
        let repeated = key.iter().all(|byte| *byte == key[0]);
        repeated.then(|| "one byte repeated, which is no secret".to_owned())
    };
    if let Some(wrong) = wrong {
        report.add(&Place { line: 0, key: String::new(), value: None }, wrong, REMEDY);
    }
    report.finish(Some(key))
}

/// The text of a key file.
pub fn key_text(key: &[u8; KEY_BYTES]) -> String {
    let mut text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    text
}

/// The value of a hexadecimal digit.
const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10) & 0x0f,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file() {
        let key: [u8; KEY_BYTES] = std::array::from_fn(|at| (at * 37 + 11) as u8);
        let text = key_text(&key);
        assert_eq!(parse_key("pair.key", &text), Ok(key));
        assert_eq!(parse_key("pair.key", &text.to_uppercase()), Ok(key));
    }

    #[test]
    fn a_wrong_key_file_says_why_and_never_what_it_holds() {
        let remedy =
            "; write a key with 'twinwall keygen' on one node and copy the file to the other";
        let cases = [
            (String::new(), "pair.key: 0 characters instead of 64 hexadecimal digits"),
            ("secret".to_owned(), "pair.key: 6 characters instead of 64 hexadecimal digits"),
            ("z".repeat(64), "pair.key: something other than hexadecimal digits"),
            ("0".repeat(64), "pair.key: one byte repeated, which is no secret"),
        ];
        for (text, wrong) in cases {
            let errors = parse_key("pair.key", &text).expect_err("must be refused");
            assert_eq!(errors.to_string(), format!("{wrong}{remedy}"));
        }
    }
}

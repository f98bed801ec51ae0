//! The pair's key as a text file: 64 hexadecimal digits on a line, and while keys are being
//! changed a second key on the next line. Written by `twinwall keygen` and the agent, read by
//! the guard and `twinwall check`.

use std::fmt;

use super::errors::{Errors, Place, Report};

/// Length of the heartbeats' key in bytes.
pub const KEY_BYTES: usize = 32;
/// What to do about any unusable key.
const REMEDY: &str =
    "write a key with 'twinwall keygen' on one node and copy the file to the other";

/// The same while keys are being changed.
const LINES: &str = "keep the key in use on the first line, and the one that is taken as well on \
                     the second or none";

/// What a key file holds.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The key in use: heartbeats are sealed with it.
    pub key: [u8; KEY_BYTES],
    /// Another key under which the peer's heartbeats are taken too, while keys are changed.
    pub also: Option<[u8; KEY_BYTES]>,
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile(secret)")
    }
}

/// Reads the text of the key file; `file` is its name for the errors. The errors
/// never repeat what the file holds.
///
/// # Errors
/// When a line is anything but 64 hexadecimal digits, or a key of one repeated byte; when
/// there is none, or more than two, or one key twice.
pub fn parse_key(file: &str, text: &str) -> Result<KeyFile, Errors> {
    let mut report = Report::new(file, "");
    let mut lines = text.trim_ascii().lines();
    let mut keys = || lines.next().map(|line| read_key(line.trim_ascii()));
    let read = match (keys(), keys(), keys()) {
        (_, _, Some(_)) => Err("more than two lines".to_owned()),
        (None, _, _) => read_key("").map(|key| KeyFile { key, also: None }),
        (Some(key), also, None) => both(key, also),
    };
    let remedy = if text.trim_ascii().lines().count() > 1 { LINES } else { REMEDY };
    let read = read.map_err(|wrong| {
        report.add(&Place { line: 0, key: String::new(), value: None }, wrong, remedy);
    });
    report.finish(read.ok())
}

type Key = Result<[u8; KEY_BYTES], String>;

fn both(key: Key, also: Option<Key>) -> Result<KeyFile, String> {
    let (key, also) = (key?, also.transpose().map_err(|wrong| format!("second line: {wrong}"))?);
    match also == Some(key) {
        true => Err("one key on both lines".to_owned()),
        false => Ok(KeyFile { key, also }),
    }
}

fn read_key(digits: &str) -> Key {
    let mut key = [0; KEY_BYTES];
    if digits.len() != 2 * KEY_BYTES {
        let expected = 2 * KEY_BYTES;
        return Err(format!(
            "{} characters instead of {expected} hexadecimal digits",
            digits.len()
        ));
    }
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("something other than hexadecimal digits".to_owned());
    }
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = pair.iter().fold(0, |byte, digit| byte << 4 | nibble(*digit));
    }
    match key.iter().all(|byte| *byte == key[0]) {
        true => Err("one byte repeated, which is no secret".to_owned()),
        false => Ok(key),
    }
}

/// The text of a file with one key.
pub fn key_text(key: &[u8; KEY_BYTES]) -> String {
    let mut text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    text
}

impl KeyFile {
    /// Its text.
    pub fn text(&self) -> String {
        let also = self.also.as_ref().map(key_text);
        key_text(&self.key) + also.as_deref().unwrap_or_default()
    }
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
        let one = KeyFile { key, also: None };
        let two = KeyFile { key, also: Some(key.map(|byte| !byte)) };
        assert_eq!(one.text(), key_text(&key));
        for file in [one, two] {
            let text = file.text();
            assert_eq!(parse_key("pair.key", &text), Ok(file.clone()));
            assert_eq!(parse_key("pair.key", &text.to_uppercase()), Ok(file.clone()));
            assert_eq!(parse_key("pair.key", &text.replace('\n', "\r\n")), Ok(file));
        }
    }

    #[test]
    fn a_wrong_key_file_says_why_and_never_what_it_holds() {
        let good = key_text(&std::array::from_fn(|at| at as u8));
        let cases = [
            (
                format!("{good}secret"),
                "pair.key: second line: 6 characters instead of 64 hexadecimal digits",
            ),
            (good.repeat(2), "pair.key: one key on both lines"),
            (good.repeat(3), "pair.key: more than two lines"),
            (String::new(), "pair.key: 0 characters instead of 64 hexadecimal digits"),
            ("secret".to_owned(), "pair.key: 6 characters instead of 64 hexadecimal digits"),
            ("z".repeat(64), "pair.key: something other than hexadecimal digits"),
            ("0".repeat(64), "pair.key: one byte repeated, which is no secret"),
        ];
        for (text, wrong) in cases {
            let errors = parse_key("pair.key", &text).expect_err("must be refused");
            let remedy = if text.lines().count() > 1 { LINES } else { REMEDY };
            assert_eq!(errors.to_string(), format!("{wrong}; {remedy}"));
        }
    }
}

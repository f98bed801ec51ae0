//! What a step writes: read as it comes, so that it never waits for us, and kept in
//! part. Used by the runner only.

use std::collections::VecDeque;
use std::time::Duration;

use super::{MAX_OUTPUT, QUOTED_LINE, QUOTED_LINES};

const HALF: usize = MAX_OUTPUT / 2;

/// Both outputs of a step and its time.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) stdout: Kept,
    pub(super) stderr: Kept,
    pub(super) took: Duration,
}

/// The beginning and the end of one output.
#[derive(Debug, Default)]
pub(super) struct Kept {
    first: Vec<u8>,
    last: VecDeque<u8>,
    dropped: u64,
}

impl Kept {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(HALF - self.first.len()));
        self.first.extend_from_slice(first);
        self.last.extend(rest);
        let surplus = self.last.len().saturating_sub(HALF);
        self.last.drain(..surplus);
        self.dropped += surplus as u64;
    }

    /// All that was kept; a line in the middle says how much was not.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.first;
        if self.dropped > 0 {
            bytes.extend_from_slice(format!("\n[{} bytes left out]\n", self.dropped).as_bytes());
        }
        bytes.extend(self.last);
        bytes
    }

    fn lines(&self) -> Vec<String> {
        let mut bytes = self.first.clone();
        bytes.extend(&self.last);
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> =
            text.lines().map(str::trim_end).filter(|it| !it.is_empty()).collect();
        lines[lines.len().saturating_sub(QUOTED_LINES)..].iter().map(|line| short(line)).collect()
    }
}

/// The last lines of standard error, or of standard output if there are none.
pub(super) fn tail(written: &Written) -> Vec<String> {
    let lines = written.stderr.lines();
    if lines.is_empty() { written.stdout.lines() } else { lines }
}

/// Digits of a hexadecimal key, and signs of one in base64, at the least.
const KEY: (usize, usize) = (32, 20);

fn without_keys(line: &str) -> String {
    let part_of = |it: char| it.is_ascii_alphanumeric() || matches!(it, '+' | '/' | '=');
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(begin) = rest.find(part_of) {
        let end = rest[begin..].find(|it| !part_of(it)).map_or(rest.len(), |at| begin + at);
        let word = &rest[begin..end];
        shown.push_str(&rest[..begin]);
        // `Name=key` without blanks: the name stays.
        let named = word.split_once('=').filter(|(_, value)| value.len() > 2);
        let value = named.map_or(word, |(_, value)| value);
        if is_key(value) {
            shown.push_str(&word[..word.len() - value.len()]);
            shown.push_str("******");
        } else {
            shown.push_str(word);
        }
        rest = &rest[end..];
    }
    shown + rest
}

fn is_key(word: &str) -> bool {
    let all = |good: fn(&char) -> bool| word.chars().all(|it| good(&it));
    let any = |good: fn(&char) -> bool| word.chars().any(|it| good(&it));
    let hexadecimal = word.len() >= KEY.0 && all(char::is_ascii_hexdigit);
    let mixed =
        any(char::is_ascii_digit) && any(char::is_ascii_uppercase) && any(char::is_ascii_lowercase);
    hexadecimal || (word.len() >= KEY.1 && mixed)
}

/// A line cut to its limit, with nothing in it that moves a terminal's cursor, and without what
/// looks like a key: a program that does not understand a line says the whole of it.
fn short(line: &str) -> String {
    let line = &without_keys(line);
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let mut end = line.len().min(QUOTED_LINE);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let cut = if end < line.len() { "…" } else { "" };
    line[..end].chars().map(visible).chain(cut.chars()).collect()
}

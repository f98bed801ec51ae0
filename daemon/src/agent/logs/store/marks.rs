//! How far each source was read, as it is written into batches and, of all sources at once, at
//! the beginning of each segment: so that only the newest segment must be read at a start.
//! The sources make and read the marks; here they are kept by source and key.

use std::collections::BTreeMap;

use super::batch::{MAX_MARK, MAX_NAME};

/// Most marks of all sources, so that the state of all of them fits into one batch.
pub const MAX_MARKS: usize = 1024;

/// Whose mark it is, and what it is about: one of the source's files, or its place in the journal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MarkKey {
    source: String,
    about: Vec<u8>,
}

/// A mark as bytes: the length of what it is about, that, and how far.
pub(in crate::agent::logs) fn encode(about: &[u8], how_far: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let length = u8::try_from(about.len()).expect("some numbers");
    out.push(length);
    out.extend(about);
    out.extend(how_far);
    debug_assert!(out.len() <= MAX_MARK, "marks are short");
}

fn decode(mark: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = mark.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// The marks of all sources; the last one about a thing holds.
#[derive(Clone, Debug, Default)]
pub(in crate::agent::logs) struct Marks(BTreeMap<MarkKey, Vec<u8>>);

impl Marks {
    /// Takes in the mark of a batch. One that cannot be read was not written here.
    pub(in crate::agent::logs) fn take(&mut self, source: &[u8], mark: &[u8]) {
        let (Ok(source), Some((about, how_far))) = (std::str::from_utf8(source), decode(mark))
        else {
            return;
        };
        let key = MarkKey { source: source.to_owned(), about: about.to_vec() };
        if self.0.len() < MAX_MARKS || self.0.contains_key(&key) {
            self.0.insert(key, how_far.to_vec());
        }
    }

    /// How many there are.
    pub(in crate::agent::logs) fn count(&self) -> usize {
        self.0.len()
    }

    /// Forgets one.
    pub(in crate::agent::logs) fn remove(&mut self, source: &str, about: &[u8]) {
        self.0.remove(&MarkKey { source: source.to_owned(), about: about.to_vec() });
    }

    /// All marks of a source: what they are about, and how far.
    pub(in crate::agent::logs) fn of<'m>(
        &'m self,
        source: &'m str,
    ) -> impl Iterator<Item = (&'m [u8], &'m [u8])> {
        let mine = self.0.iter().filter(move |(key, _)| key.source == source);
        mine.map(|(key, how_far)| (key.about.as_slice(), how_far.as_slice()))
    }

    /// All of them as the body of a state.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut mark = Vec::new();
        for (key, how_far) in &self.0 {
            encode(&key.about, how_far, &mut mark);
            let name = u8::try_from(key.source.len()).unwrap_or(0);
            let length = u16::try_from(mark.len()).unwrap_or(0);
            out.push(name);
            out.extend(length.to_le_bytes());
            out.extend(key.source.as_bytes());
            out.extend(&mark);
        }
        out
    }

    /// Reads the body of a state; what cannot be read ends it.
    pub(super) fn decode(mut bytes: &[u8]) -> Marks {
        let mut marks = Marks::default();
        while let [name, low, high, rest @ ..] = bytes {
            let (name, mark) = (usize::from(*name), usize::from(u16::from_le_bytes([*low, *high])));
            let Some((source, rest)) = rest.split_at_checked(name.min(MAX_NAME)) else { break };
            let Some((mark, rest)) = rest.split_at_checked(mark) else { break };
            marks.take(source, mark);
            bytes = rest;
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mark_about_a_thing_holds_and_survives_the_state() {
        let mut marks = Marks::default();
        let mut mark = Vec::new();
        for (source, about, how_far) in
            [("a", b"1", b"10"), ("a", b"2", b"20"), ("b", b"1", b"30"), ("a", b"1", b"11")]
        {
            encode(about, how_far, &mut mark);
            marks.take(source.as_bytes(), &mark);
        }
        marks.remove("a", b"2");
        let back = Marks::decode(&marks.encode());
        let of =
            |source| back.of(source).map(|(a, b)| (a.to_vec(), b.to_vec())).collect::<Vec<_>>();
        assert_eq!(of("a"), [(b"1".to_vec(), b"11".to_vec())]);
        assert_eq!(of("b"), [(b"1".to_vec(), b"30".to_vec())]);
        let whole = marks.encode();
        for cut in 0..whole.len() {
            // Whatever is left is read without a panic.
            let _ = Marks::decode(&whole[..cut]);
        }
    }
}

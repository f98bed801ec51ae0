//! How far a file was read, and how it is known again: by its first bytes and by those before
//! that place. A file that was renamed, copied or packed still has them there; one that was cut
//! off and begun anew, or that only got the number of another one (inode), has not. Values only.

/// Bytes before the place that are compared: a line or two, with its time in it.
pub(super) const PRINT: usize = 128;
/// First bytes that are compared: less than a line, since a copy may end behind the first one.
pub(super) const HEAD: usize = 64;
/// Where its kind stands in what a mark is about.
const GENERATION: u8 = b'g';
/// The place of a file of which nothing is to be read, however long it is.
pub(super) const ENDLESS: u64 = u64::MAX;

/// The bytes before a place, as a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Print {
    length: u8,
    hash: u64,
}

impl Print {
    /// Of what was read so far, of which only the end matters.
    pub(super) fn of(read: &[u8]) -> Print {
        let tail = &read[read.len().saturating_sub(PRINT)..];
        let length = u8::try_from(tail.len()).expect("a short end");
        Print { length, hash: hash(tail) }
    }

    /// How many bytes it is of; none of a file of which nothing was read.
    pub(super) fn length(self) -> usize {
        usize::from(self.length)
    }

    /// Whether these are the bytes.
    pub(super) fn is_of(self, tail: &[u8]) -> bool {
        tail.len() == self.length() && (tail.is_empty() || hash(tail) == self.hash)
    }
}

/// The first bytes of a file, as they are: a copy may have fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head(Vec<u8>);

impl Head {
    /// Nothing but zeros is a hole, which tells nothing.
    pub(super) fn of(bytes: &[u8]) -> Head {
        let first = &bytes[..bytes.len().min(HEAD)];
        Head(if first.iter().all(|byte| *byte == 0) { Vec::new() } else { first.to_vec() })
    }

    /// How many there are.
    pub(super) fn length(&self) -> usize {
        self.0.len()
    }

    /// Whether a file with these bytes begins in the same way, as far as it has any.
    pub(super) fn is_like(&self, bytes: &[u8]) -> bool {
        self.0.is_empty() || !bytes.is_empty() && self.0.starts_with(bytes)
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// A file as the system knows it, as long as it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId {
    /// The file system.
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileId {
    pub(super) fn of(seen: &std::fs::Metadata) -> FileId {
        use std::os::unix::fs::MetadataExt;
        FileId { device: seen.dev(), inode: seen.ino() }
    }
}

/// What a mark is about: one of the generations of a source's logs, numbered as they came, so
/// that a file with the number (inode) of an earlier one is never taken for it.
pub(super) fn about(number: u64) -> [u8; 9] {
    let mut about = [GENERATION; 9];
    about[1..].copy_from_slice(&number.to_le_bytes());
    about
}

/// The generation that a mark is about, if it is about one.
pub(super) fn number_of(about: &[u8]) -> Option<u64> {
    let [GENERATION, number @ ..] = about else { return None };
    number.try_into().ok().map(u64::from_le_bytes)
}

/// How far a file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HowFar {
    /// Behind what was read. [`ENDLESS`]: nothing of it is to be read.
    pub(super) offset: u64,
    /// The first bytes.
    pub(super) head: Head,
    /// The bytes before the place.
    pub(super) tail: Print,
    /// When it had been written last then, in microseconds since 1970.
    pub(super) written_us: u64,
    /// It was rotated, and read to its end: nothing is missing should it be gone.
    pub(super) done: bool,
    /// Which file it was then.
    pub(super) id: FileId,
    /// The path of its log, relative to the root.
    pub(super) path: Vec<u8>,
}

impl HowFar {
    /// Where the bytes of the print begin.
    pub(super) fn tail_at(&self) -> u64 {
        self.offset - self.tail.length() as u64
    }

    /// Whether anything tells it from other files.
    pub(super) fn is_known(&self) -> bool {
        self.offset > 0
    }

    /// On by what was read: `read` begins with the bytes of the tail.
    pub(super) fn pass(&mut self, read: &[u8]) {
        if self.tail_at() == 0 {
            self.head = Head::of(read);
        }
        self.offset += (read.len() - self.tail.length()) as u64;
        (self.tail, self.done) = (Print::of(read), false);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(43 + HEAD + self.path.len());
        out.extend(self.offset.to_le_bytes());
        out.push(u8::try_from(self.head.length()).expect("some bytes"));
        out.extend(&self.head.0);
        out.push(self.tail.length);
        out.extend(self.tail.hash.to_le_bytes());
        out.extend(self.written_us.to_le_bytes());
        out.push(u8::from(self.done));
        out.extend(self.id.device.to_le_bytes());
        out.extend(self.id.inode.to_le_bytes());
        out.extend(&self.path);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<HowFar> {
        let (offset, rest) = number(bytes)?;
        let (head, rest) = head(rest)?;
        let (tail, rest) = print(rest)?;
        let (written_us, rest) = number(rest)?;
        let (done, rest) = rest.split_first()?;
        let (device, rest) = number(rest)?;
        let (inode, path) = number(rest)?;
        let id = FileId { device, inode };
        let whole = offset >= tail.length() as u64;
        let (done, path) = (*done == 1, path.to_vec());
        whole.then_some(HowFar { offset, head, tail, written_us, done, id, path })
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*number), rest))
}

fn head(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (head, rest) = rest.split_at_checked(usize::from(*length).min(HEAD))?;
    Some((Head(head.to_vec()), rest))
}

fn print(bytes: &[u8]) -> Option<(Print, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (hash, rest) = number(rest)?;
    (usize::from(*length) <= PRINT).then_some((Print { length: *length, hash }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_survives_and_nonsense_is_none() {
        let how_far = HowFar {
            offset: 1000,
            head: Head::of(&[6; 500]),
            tail: Print::of(&[7; 500]),
            written_us: 5,
            done: true,
            id: FileId { device: 3, inode: 4 },
            path: b"var/x".to_vec(),
        };
        assert_eq!(HowFar::decode(&how_far.encode()), Some(how_far.clone()));
        assert_eq!(how_far.tail_at(), 872);
        assert_eq!(number_of(&about(77)), Some(77));
        assert_eq!(number_of(b"j0"), None);
        for cut in 0..43 + HEAD {
            assert_eq!(HowFar::decode(&how_far.encode()[..cut]), None);
        }
        // More before the place than there can be.
        let wrong = HowFar { offset: 5, ..how_far };
        assert_eq!(HowFar::decode(&wrong.encode()), None);
    }

    #[test]
    fn a_print_is_of_these_bytes_only() {
        let print = Print::of(b"one\ntwo\n");
        assert!(
            print.is_of(b"one\ntwo\n") && !print.is_of(b"one\ntwp\n") && !print.is_of(b"two\n")
        );
        assert_eq!(Print::of(&[1; 200]).length(), PRINT);
        assert!(Print::of(b"").is_of(b"") && Print::default().is_of(b""));
        let head = Head::of(b"one\ntwo\n");
        assert!(head.is_like(b"one\n") && head.is_like(b"one\ntwo\n"));
        assert!(!head.is_like(b"") && !head.is_like(b"two\n") && !head.is_like(b"one\ntwo\nx"));
        assert_eq!(Head::of(&[0; 200]), Head::default());
    }

    #[test]
    fn the_first_bytes_are_those_of_the_file_however_it_is_read() {
        let text: Vec<u8> = (0..=255).collect();
        let mut whole = HowFar::default();
        whole.pass(&text);
        let mut parts = HowFar::default();
        for end in [10, 50, 130, 131, 256] {
            let from = usize::try_from(parts.tail_at()).expect("small");
            parts.pass(&text[from..end]);
        }
        assert_eq!(parts, whole);
        assert_eq!((whole.offset, whole.head), (256, Head::of(&text)));
    }
}

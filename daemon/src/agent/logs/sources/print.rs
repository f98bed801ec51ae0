//! How far a file was read, and how it is known again: by the bytes before that place. A file
//! that was renamed, copied or packed still has them there; one that was cut off and begun anew,
//! or that only got the number of another one (inode), has not. Values only.

/// Bytes before the place that are compared: a line or two, with its time in it.
pub(super) const PRINT: usize = 128;
/// Where its kind stands in what a mark is about.
const FILE: u8 = b'f';

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

fn hash(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// A file as the system knows it, as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

    /// What a mark of this file is about.
    pub(super) fn about(self) -> [u8; 17] {
        let mut about = [FILE; 17];
        about[1..9].copy_from_slice(&self.device.to_le_bytes());
        about[9..].copy_from_slice(&self.inode.to_le_bytes());
        about
    }

    /// The file that a mark is about, if it is about one.
    pub(super) fn from_about(about: &[u8]) -> Option<FileId> {
        let [FILE, numbers @ ..] = about else { return None };
        let (device, inode) = numbers.split_first_chunk::<8>()?;
        let inode = inode.try_into().ok()?;
        Some(FileId { device: u64::from_le_bytes(*device), inode: u64::from_le_bytes(inode) })
    }
}

/// How far a file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HowFar {
    pub(super) offset: u64,
    pub(super) print: Print,
    /// When it had been written last then, in microseconds since 1970.
    pub(super) written_us: u64,
    /// It was rotated, and read to its end: nothing is missing should it be gone.
    pub(super) done: bool,
    /// Where it was live, relative to the root.
    pub(super) path: Vec<u8>,
}

impl HowFar {
    /// Where the bytes of the print begin.
    pub(super) fn print_at(&self) -> u64 {
        self.offset - self.print.length() as u64
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(26 + self.path.len());
        out.extend(self.offset.to_le_bytes());
        out.push(self.print.length);
        out.extend(self.print.hash.to_le_bytes());
        out.extend(self.written_us.to_le_bytes());
        out.push(u8::from(self.done));
        out.extend(&self.path);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<HowFar> {
        let (offset, rest) = bytes.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first()?;
        let (hash, rest) = rest.split_first_chunk::<8>()?;
        let (written_us, rest) = rest.split_first_chunk::<8>()?;
        let (done, path) = rest.split_first()?;
        let print = Print { length: *length, hash: u64::from_le_bytes(*hash) };
        let offset = u64::from_le_bytes(*offset);
        let whole = offset >= print.length() as u64 && print.length() <= PRINT;
        let written_us = u64::from_le_bytes(*written_us);
        let done = *done == 1;
        whole.then(|| HowFar { offset, print, written_us, done, path: path.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_survives_and_nonsense_is_none() {
        let how_far = HowFar {
            offset: 1000,
            print: Print::of(&[7; 500]),
            written_us: 5,
            done: true,
            path: b"var/x".to_vec(),
        };
        assert_eq!(HowFar::decode(&how_far.encode()), Some(how_far.clone()));
        assert_eq!(how_far.print_at(), 872);
        let id = FileId { device: 3, inode: 4 };
        assert_eq!(FileId::from_about(&id.about()), Some(id));
        assert_eq!(FileId::from_about(b"j0"), None);
        for cut in 0..26 {
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
    }
}

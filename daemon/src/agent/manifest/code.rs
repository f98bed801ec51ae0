//! The one way to write a manifest down: its digest, the store and the wire use it. The
//! reader accepts only what the writer would have written, so that equal digests mean
//! equal manifests.
//!
//! Layout, numbers big-endian: `TWM1`, count u32, then for each entry in the order of
//! paths: path (u16 length, bytes), mode u16, user, group, kind u8 and what it needs.
//! An owner is 0 and a name (u8 length, bytes) or 1 and a number u32. Kinds: 0 file
//! (size u64, digest 32 bytes), 1 directory, 2 symlink (u16 length, target).

use std::collections::BTreeMap;
use std::fmt;

use super::{Entry, Kind, MAX_ENTRIES, MAX_OWNER, MAX_TARGET, Manifest, Owner, RelPath};
use crate::agent::digest::{DIGEST_BYTES, Digest};

const MAGIC: &[u8] = b"TWM1";
const OWNER_NAME: u8 = 0;
const OWNER_NUMBER: u8 = 1;
const KIND_FILE: u8 = 0;
const KIND_DIRECTORY: u8 = 1;
const KIND_SYMLINK: u8 = 2;
/// Highest permission bits.
const MODE_BITS: u16 = 0o7777;

/// Longest encoded manifest in bytes that is read: [`MAX_ENTRIES`] of 200 bytes.
pub const MAX_ENCODED: usize = 100 << 20;

/// Why bytes are no manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They end too early, or go on after the end.
    Length,
    /// They begin as something else, or as a later version of this layout.
    Magic,
    /// More entries than [`MAX_ENTRIES`], or more bytes than [`MAX_ENCODED`].
    TooMany,
    /// A path that leads elsewhere, or out of order, or twice.
    Path,
    /// An owner, mode, kind or target that the writer never writes.
    Entry,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            DecodeError::Length => "the manifest is cut off or too long",
            DecodeError::Magic => "no manifest of a version known here",
            DecodeError::TooMany => "the manifest has more entries than are allowed",
            DecodeError::Path => "the manifest has a path that is not allowed",
            DecodeError::Entry => "the manifest has an entry that is not allowed",
        })
    }
}

impl std::error::Error for DecodeError {}

impl Manifest {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.entries.len() * 96);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(self.entries.len() as u32).to_be_bytes());
        for (path, entry) in &self.entries {
            put_bytes(&mut bytes, path.as_bytes());
            bytes.extend_from_slice(&entry.mode.to_be_bytes());
            put_owner(&mut bytes, &entry.user);
            put_owner(&mut bytes, &entry.group);
            match &entry.kind {
                Kind::File { size, content } => {
                    bytes.push(KIND_FILE);
                    bytes.extend_from_slice(&size.to_be_bytes());
                    bytes.extend_from_slice(&content.0);
                }
                Kind::Directory => bytes.push(KIND_DIRECTORY),
                Kind::Symlink { target } => {
                    bytes.push(KIND_SYMLINK);
                    put_bytes(&mut bytes, target);
                }
            }
        }
        bytes
    }

    /// The digest of its bytes: what the two nodes compare.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// Reads what [`Manifest::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Manifest, DecodeError> {
        if bytes.len() > MAX_ENCODED {
            return Err(DecodeError::TooMany);
        }
        let mut reader = Reader { rest: bytes };
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(DecodeError::Magic);
        }
        let count = u32::from_be_bytes(reader.array()?) as usize;
        if count > MAX_ENTRIES {
            return Err(DecodeError::TooMany);
        }
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let path =
                reader.bytes().and_then(|it| RelPath::new(it).map_err(|_| DecodeError::Path))?;
            if entries.last_key_value().is_some_and(|(last, _)| *last >= path) {
                return Err(DecodeError::Path);
            }
            entries.insert(path, reader.entry()?);
        }
        if reader.rest.is_empty() { Ok(Manifest { entries }) } else { Err(DecodeError::Length) }
    }
}

/// Length and bytes. Paths and targets are shorter than 64 KiB by their own limits.
fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn put_owner(out: &mut Vec<u8>, owner: &Owner) {
    match owner {
        Owner::Name(name) => {
            out.extend_from_slice(&[OWNER_NAME, name.len() as u8]);
            out.extend_from_slice(name.as_bytes());
        }
        Owner::Number(number) => {
            out.push(OWNER_NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Length)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Length)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }

    fn owner(&mut self) -> Result<Owner, DecodeError> {
        match self.byte()? {
            OWNER_NAME => {
                let length = usize::from(self.byte()?);
                let name =
                    std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::Entry)?;
                let fits = (1..=MAX_OWNER).contains(&name.len()) && !name.contains('\0');
                fits.then(|| Owner::Name(name.to_owned())).ok_or(DecodeError::Entry)
            }
            OWNER_NUMBER => Ok(Owner::Number(u32::from_be_bytes(self.array()?))),
            _ => Err(DecodeError::Entry),
        }
    }

    fn entry(&mut self) -> Result<Entry, DecodeError> {
        let mode = u16::from_be_bytes(self.array()?);
        let user = self.owner()?;
        let group = self.owner()?;
        let kind = match self.byte()? {
            KIND_FILE => {
                let size = u64::from_be_bytes(self.array()?);
                Kind::File { size, content: Digest(self.array::<DIGEST_BYTES>()?) }
            }
            KIND_DIRECTORY => Kind::Directory,
            KIND_SYMLINK => {
                let target = self.bytes()?.to_vec();
                if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) {
                    return Err(DecodeError::Entry);
                }
                Kind::Symlink { target }
            }
            _ => return Err(DecodeError::Entry),
        };
        let allowed = if matches!(kind, Kind::Symlink { .. }) { 0 } else { MODE_BITS };
        if mode & !allowed != 0 {
            return Err(DecodeError::Entry);
        }
        Ok(Entry { kind, mode, user, group })
    }
}

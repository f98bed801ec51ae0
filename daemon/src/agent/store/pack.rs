//! Packs: files that hold many contents, so that five thousand small files cost one
//! fsync instead of five thousand. A pack is written under a temporary name, made
//! durable, renamed, and never changed afterwards.
//!
//! Layout, numbers big-endian: `TWP1`; records (digest 32 bytes, form u8, raw length
//! u64, stored length u64, stored bytes); index (for each record digest and offset
//! u64); then offset of the index u64, count u32, BLAKE3 of index, offset and count,
//! `1PWT`. Form 0 is plain, 1 zstd.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::agent::digest::{DIGEST_BYTES, Digest};

const MAGIC: &[u8; 4] = b"TWP1";
const END: &[u8; 4] = b"1PWT";
const RECORD: usize = DIGEST_BYTES + 1 + 8 + 8;
const INDEX_ENTRY: usize = DIGEST_BYTES + 8;
const FOOTER: usize = 8 + 4 + DIGEST_BYTES + 4;
const FORM_PLAIN: u8 = 0;
const FORM_ZSTD: u8 = 1;
/// Shorter contents gain nothing from compression.
const WORTH_COMPRESSING: usize = 128;
/// zstd's own default; higher levels cost time on the way to the peer.
const LEVEL: i32 = 3;
/// Contents up to this length are compressed in memory, longer ones as a stream.
pub(super) const IN_MEMORY: usize = 1 << 20;
/// Read at once: the head of a record with all of a small file in it.
const FIRST_READ: usize = 4096;
/// Most records of one pack, so that a damaged count cannot fill memory.
const MAX_RECORDS: u32 = 4_000_000;

/// Where a content lies in a pack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: u64,
}

/// Why a file is no pack.
#[derive(Debug)]
pub(super) enum BadPack {
    /// The disk would not say.
    Io(io::Error),
    /// Cut off or changed.
    Damaged,
}

impl From<io::Error> for BadPack {
    fn from(error: io::Error) -> BadPack {
        BadPack::Io(error)
    }
}

/// A pack being written. Nothing of it counts before [`PackWriter::finish`].
pub(super) struct PackWriter {
    file: io::BufWriter<File>,
    at: u64,
    index: Vec<(Digest, u64)>,
    compressor: zstd::bulk::Compressor<'static>,
}

impl PackWriter {
    /// Begins a pack in this empty file.
    pub(super) fn new(file: File) -> io::Result<PackWriter> {
        let mut file = io::BufWriter::with_capacity(1 << 18, file);
        file.write_all(MAGIC)?;
        let compressor = zstd::bulk::Compressor::new(LEVEL)?;
        Ok(PackWriter { file, at: MAGIC.len() as u64, index: Vec::new(), compressor })
    }

    /// Number of contents so far.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Writes one content that fits in memory.
    pub(super) fn put(&mut self, digest: Digest, bytes: &[u8]) -> io::Result<()> {
        let mut form = FORM_PLAIN;
        let mut packed = Vec::new();
        if bytes.len() >= WORTH_COMPRESSING {
            packed = self.compressor.compress(bytes)?;
            if packed.len() < bytes.len() {
                form = FORM_ZSTD;
            }
        }
        let stored = if form == FORM_ZSTD { &packed } else { bytes };
        self.file.write_all(&record(&digest, form, bytes.len() as u64, stored.len() as u64))?;
        self.file.write_all(stored)?;
        self.index.push((digest, self.at));
        self.at += (RECORD + stored.len()) as u64;
        Ok(())
    }

    /// Writes a content of any length; its digest is known only afterwards.
    pub(super) fn put_stream(&mut self, source: &mut dyn Read) -> io::Result<(Digest, u64)> {
        let begin = self.at;
        self.file.write_all(&[0; RECORD])?;
        let body = begin + RECORD as u64;
        let mut hasher = blake3::Hasher::new();
        let mut raw = 0;
        let mut encoder = zstd::stream::write::Encoder::new(&mut self.file, LEVEL)?;
        let mut buffer = vec![0; 1 << 17];
        loop {
            let length = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(&buffer[..length]);
            encoder.write_all(&buffer[..length])?;
            raw += length as u64;
        }
        encoder.finish()?;
        let end = self.file.stream_position()?;
        let digest = Digest(*hasher.finalize().as_bytes());
        self.file.get_ref().write_all_at(&record(&digest, FORM_ZSTD, raw, end - body), begin)?;
        self.index.push((digest, begin));
        self.at = end;
        Ok((digest, raw))
    }

    /// Takes back what a broken-off [`PackWriter::put_stream`] left.
    pub(super) fn forget_tail(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.seek(SeekFrom::Start(self.at))?;
        self.file.get_ref().set_len(self.at)
    }

    /// Writes the index and makes everything durable.
    pub(super) fn finish(mut self) -> io::Result<Vec<(Digest, Place)>> {
        let mut tail = Vec::with_capacity(self.index.len() * INDEX_ENTRY + FOOTER);
        for (digest, offset) in &self.index {
            tail.extend_from_slice(&digest.0);
            tail.extend_from_slice(&offset.to_be_bytes());
        }
        tail.extend_from_slice(&self.at.to_be_bytes());
        tail.extend_from_slice(&(self.index.len() as u32).to_be_bytes());
        let sum = Digest::of(&tail);
        tail.extend_from_slice(&sum.0);
        tail.extend_from_slice(END);
        self.file.write_all(&tail)?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(self.index.into_iter().map(|(digest, offset)| (digest, Place { offset })).collect())
    }
}

fn record(digest: &Digest, form: u8, raw: u64, stored: u64) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    bytes[..DIGEST_BYTES].copy_from_slice(&digest.0);
    bytes[DIGEST_BYTES] = form;
    bytes[DIGEST_BYTES + 1..DIGEST_BYTES + 9].copy_from_slice(&raw.to_be_bytes());
    bytes[DIGEST_BYTES + 9..].copy_from_slice(&stored.to_be_bytes());
    bytes
}

/// Reads the index of a pack.
pub(super) fn read_index(path: &Path) -> Result<Vec<(Digest, Place)>, BadPack> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let room = length.checked_sub((MAGIC.len() + FOOTER) as u64).ok_or(BadPack::Damaged)?;
    let mut footer = [0; FOOTER];
    file.read_exact_at(&mut footer, length - FOOTER as u64)?;
    let (numbers, rest) = footer.split_at(12);
    let (sum, end) = rest.split_at(DIGEST_BYTES);
    let begin = u64::from_be_bytes(first(numbers));
    let count = u32::from_be_bytes(first(&numbers[8..]));
    let size = u64::from(count) * INDEX_ENTRY as u64;
    let fits = begin.checked_add(size) == Some(room + MAGIC.len() as u64);
    if end != END || count > MAX_RECORDS || !fits {
        return Err(BadPack::Damaged);
    }
    let mut index = vec![0; size as usize + 12];
    file.read_exact_at(&mut index, begin)?;
    if Digest::of(&index).0 != sum {
        return Err(BadPack::Damaged);
    }
    let entries = index[..size as usize].chunks_exact(INDEX_ENTRY);
    Ok(entries
        .map(|entry| {
            let place = Place { offset: u64::from_be_bytes(first(&entry[DIGEST_BYTES..])) };
            (Digest(first(entry)), place)
        })
        .collect())
}

/// The first `N` bytes; the callers cut slices that are long enough.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

/// A content that is open for reading.
pub struct Content {
    /// Its length in bytes.
    pub length: u64,
    /// Its bytes. Reading fails at the end if they are not those that the digest names.
    pub bytes: Box<dyn Read + Send>,
}

/// Opens a content. A short one is read and checked at once, with one call to the disk;
/// a long one is checked at its end.
pub(super) fn read(pack: &File, place: Place, digest: Digest) -> io::Result<Content> {
    let mut first_bytes = [0; FIRST_READ];
    let got = read_some_at(pack, &mut first_bytes, place.offset)?;
    let Some((head, body)) = first_bytes[..got].split_first_chunk::<RECORD>() else {
        return Err(damaged(digest));
    };
    if head[..DIGEST_BYTES] != digest.0 {
        return Err(damaged(digest));
    }
    let form = head[DIGEST_BYTES];
    let length = u64::from_be_bytes(first(&head[DIGEST_BYTES + 1..]));
    let stored = u64::from_be_bytes(first(&head[DIGEST_BYTES + 9..]));
    if length.max(stored) > IN_MEMORY as u64 {
        let bytes = stream(pack.try_clone()?, place, digest, (form, length, stored))?;
        return Ok(Content { length, bytes });
    }
    // Both lengths are at most IN_MEMORY.
    let (length, stored) = (length as usize, stored as usize);
    let bytes = match body.get(..stored) {
        Some(body) => unpack(form, body, length, digest)?,
        None => {
            let mut body = vec![0; stored];
            pack.read_exact_at(&mut body, place.offset + RECORD as u64)?;
            unpack(form, &body, length, digest)?
        }
    };
    Ok(Content { length: length as u64, bytes: Box::new(io::Cursor::new(bytes)) })
}

fn read_some_at(pack: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < bytes.len() {
        match pack.read_at(&mut bytes[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// A short content from its stored bytes.
fn unpack(form: u8, stored: &[u8], length: usize, digest: Digest) -> io::Result<Vec<u8>> {
    thread_local! {
        static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> =
            const { RefCell::new(None) };
    }
    let bytes = match form {
        FORM_PLAIN => stored.to_vec(),
        FORM_ZSTD => ZSTD.with_borrow_mut(|zstd| {
            let zstd = match zstd {
                Some(zstd) => zstd,
                None => zstd.insert(zstd::bulk::Decompressor::new()?),
            };
            zstd.decompress(stored, length)
        })?,
        _ => return Err(damaged(digest)),
    };
    if bytes.len() == length && Digest::of(&bytes) == digest {
        Ok(bytes)
    } else {
        Err(damaged(digest))
    }
}

/// Opens a long content. The file's position is shared with its clones, so it reads by
/// offset.
fn stream(
    pack: File,
    place: Place,
    digest: Digest,
    (form, length, stored): (u8, u64, u64),
) -> io::Result<Box<dyn Read + Send>> {
    let at = place.offset + RECORD as u64;
    let bytes = io::BufReader::with_capacity(capacity(stored), At { pack, at }.take(stored));
    let body: Box<dyn Read + Send> = match form {
        FORM_PLAIN => Box::new(bytes),
        FORM_ZSTD => Box::new(zstd::stream::read::Decoder::with_buffer(bytes)?),
        _ => return Err(damaged(digest)),
    };
    Ok(Box::new(Verified { body, digest, left: length, hasher: blake3::Hasher::new() }))
}

/// Reads on from a place in a file.
struct At {
    pack: File,
    at: u64,
}

impl Read for At {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = self.pack.read_at(out, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

fn capacity(stored: u64) -> usize {
    usize::try_from(stored).unwrap_or(usize::MAX).clamp(512, 1 << 17)
}

fn damaged(digest: Digest) -> io::Error {
    let text = format!("content {} in the store is damaged", digest.short());
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Passes bytes on and compares their digest at the end.
struct Verified {
    body: Box<dyn Read + Send>,
    digest: Digest,
    left: u64,
    hasher: blake3::Hasher,
}

impl Read for Verified {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let length = self.body.read(out)?;
        self.hasher.update(&out[..length]);
        let over = length as u64 > self.left;
        self.left = self.left.saturating_sub(length as u64);
        let ended = length == 0;
        let wrong = ended && (self.left > 0 || self.hasher.finalize().as_bytes() != &self.digest.0);
        if over || wrong { Err(damaged(self.digest)) } else { Ok(length) }
    }
}

//! Putting contents in: one pack a batch, all or nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use super::pack::{self, PackWriter};
use super::{Store, StoreError, disk, sync_parent};
use crate::agent::digest::Digest;
use crate::agent::manifest::Manifest;

/// Contents on their way into the store. Without [`Batch::commit`] nothing stays.
pub struct Batch<'a> {
    pub(super) store: &'a Store,
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) writer: Option<PackWriter>,
    /// What this batch brings.
    pub(super) fresh: BTreeSet<Digest>,
    /// Whether it brings what the store has already, to replace it.
    pub(super) again: bool,
}

/// Bytes of what most files of a configuration do not exceed.
const SMALL: usize = 8 << 10;

impl Batch<'_> {
    /// Puts in a content that is in memory.
    pub fn put(&mut self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if self.knows(&digest) {
            return Ok(digest);
        }
        let written = match &mut self.writer {
            Some(writer) => writer.put(digest, bytes),
            None => Ok(()),
        };
        written.map_err(disk("writing", &self.path))?;
        self.fresh.insert(digest);
        Ok(digest)
    }

    /// Puts in a content of any length; gives its digest and length.
    pub fn put_reader(&mut self, source: &mut dyn Read) -> Result<(Digest, u64), StoreError> {
        // Room for most files at once: a small one is two calls of the kernel.
        let mut head = Vec::with_capacity(SMALL);
        let limit = pack::IN_MEMORY as u64 + 1;
        Read::take(&mut *source, limit)
            .read_to_end(&mut head)
            .map_err(disk("reading for", &self.path))?;
        if head.len() <= pack::IN_MEMORY {
            return Ok((self.put(&head)?, head.len() as u64));
        }
        let Some(writer) = &mut self.writer else {
            return Ok((Digest::of(b""), 0));
        };
        let streamed = writer.put_stream(&mut head.as_slice().chain(source));
        if streamed.is_err() {
            writer.forget_tail().map_err(disk("writing", &self.path))?;
        }
        let (digest, length) = streamed.map_err(disk("writing", &self.path))?;
        self.fresh.insert(digest);
        Ok((digest, length))
    }

    /// Whether the content is in the store or in this batch.
    pub fn knows(&self, digest: &Digest) -> bool {
        self.fresh.contains(digest) || (!self.again && self.store.has(digest))
    }

    /// Commits with the manifest that will name these contents: what is written anyway is made
    /// durable together. Where there is nothing to write this writes nothing.
    ///
    /// # Errors
    /// As [`Batch::commit`].
    pub fn commit_with(mut self, manifest: &Manifest) -> Result<(), StoreError> {
        if self.writer.as_ref().is_some_and(|writer| writer.len() > 0) {
            self.put(&manifest.encode())?;
        }
        self.commit()
    }

    /// Makes everything durable and visible, all or nothing.
    pub fn commit(mut self) -> Result<(), StoreError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        if writer.len() == 0 {
            return fs::remove_file(&self.path).map_err(disk("removing", &self.path));
        }
        let index = writer.finish().map_err(disk("writing", &self.path))?;
        let path = self.store.pack_path(self.number);
        let renamed = fs::rename(&self.path, &path).and_then(|()| sync_parent(&path));
        renamed.map_err(disk("writing", &path))?;
        let mut inside = self.store.inside();
        for (digest, place) in index {
            let home = (self.number, place);
            if self.again {
                inside.contents.insert(digest, home);
            } else {
                inside.contents.entry(digest).or_insert(home);
            }
        }
        Ok(())
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            // What stays after a failure here is removed at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

//! Brings sections of the other node into this node's store: manifests first, then the
//! contents that are not here yet. Called by the worker before anything is staged; what
//! cannot be fetched fails alone.

use std::collections::BTreeMap;

use super::exchange::{self, FetchError, Line, MAX_CONTENTS};
use crate::agent::digest::Digest;
use crate::agent::manifest::{Kind, Manifest};
use crate::agent::section::Section;
use crate::agent::store::{Store, StoreError};

/// Most bytes of one section: a peer cannot fill the disk with one.
pub const MAX_SECTION: u64 = 4 << 30;
/// Most bytes fetched between two commits to the store: what a broken line costs.
const PORTION: u64 = 64 << 20;

/// A section that is wanted, and one that this node has and the other probably too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub section: Section,
    /// Its manifest.
    pub manifest: Digest,
    /// What this node has of it.
    pub base: Option<Digest>,
}

/// Fetches one section as a whole; `progress` hears percents of its bytes.
///
/// # Errors
/// In words; what arrived stays in the store until it is collected.
pub fn fetch(
    line: &mut dyn Line,
    store: &Store,
    wanted: Wanted,
    progress: &mut dyn FnMut(u8),
) -> Result<Manifest, FetchError> {
    let manifest = manifest(line, store, wanted)?;
    let mut missing = missing(store, &manifest);
    let all: u64 = missing.iter().map(|(_, size)| size).sum();
    if all > MAX_SECTION {
        return Err(FetchError::Nonsense("a section of more than 4 GiB"));
    }
    let (mut done, mut told) = (0_u64, 0);
    while !missing.is_empty() {
        let portion = take_portion(&mut missing);
        let mut batch = store.batch()?;
        exchange::fetch_contents(line, &portion, &mut batch, &mut |bytes| {
            done += bytes;
            let percent = u8::try_from(done * 100 / all.max(1)).unwrap_or(100);
            if percent != told {
                told = percent;
                progress(percent);
            }
        })?;
        match missing.is_empty() {
            true => batch.commit_with(&manifest)?,
            false => batch.commit()?,
        }
    }
    Ok(manifest)
}

fn manifest(line: &mut dyn Line, store: &Store, wanted: Wanted) -> Result<Manifest, FetchError> {
    match store.manifest(&wanted.manifest) {
        Ok(known) => return Ok(known),
        Err(StoreError::Missing(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let base = wanted.base.and_then(|digest| Some((digest, store.manifest(&digest).ok()?)));
    let base = base.as_ref().map(|(digest, manifest)| (*digest, manifest));
    exchange::fetch_manifest(line, wanted.manifest, base)
}

/// What the store does not have, each content once, with its size.
fn missing(store: &Store, manifest: &Manifest) -> Vec<(Digest, u64)> {
    let file = |kind: &Kind| match kind {
        Kind::File { size, content } => Some((*content, *size)),
        Kind::Directory | Kind::Symlink { .. } => None,
    };
    let all: BTreeMap<Digest, u64> =
        manifest.iter().filter_map(|(_, entry)| file(&entry.kind)).collect();
    all.into_iter().filter(|(digest, _)| !store.has(digest)).collect()
}

/// Some of them: at least one, else as many as [`MAX_CONTENTS`] and [`PORTION`] allow.
fn take_portion(missing: &mut Vec<(Digest, u64)>) -> Vec<(Digest, u64)> {
    let mut bytes = 0_u64;
    let fits = missing.iter().take(MAX_CONTENTS).take_while(|(_, size)| {
        let first = bytes == 0;
        bytes = bytes.saturating_add(*size).max(1);
        first || bytes <= PORTION
    });
    let count = fits.count().max(1);
    missing.drain(..count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_bounded_and_lose_nothing() {
        let digest = |number: u64| Digest::of(&number.to_be_bytes());
        let sizes = [PORTION * 3, 1, PORTION / 2, PORTION / 2, PORTION, 0, 5];
        let mut missing: Vec<(Digest, u64)> =
            sizes.into_iter().enumerate().map(|(at, size)| (digest(at as u64), size)).collect();
        let all = missing.clone();
        let mut portions = Vec::new();
        while !missing.is_empty() {
            portions.push(take_portion(&mut missing));
        }
        assert_eq!(portions.concat(), all);
        for portion in &portions {
            let bytes: u64 = portion.iter().map(|(_, size)| size).sum();
            assert!(portion.len() == 1 || bytes <= PORTION + 1, "{portion:?}");
        }
        let mut many: Vec<(Digest, u64)> = (0..5000).map(|at| (digest(at), 1)).collect();
        assert_eq!(take_portion(&mut many).len(), MAX_CONTENTS);
        let mut empty: Vec<(Digest, u64)> = (0..9).map(|at| (digest(at), 0)).collect();
        assert_eq!(take_portion(&mut empty).len(), 9);
    }
}

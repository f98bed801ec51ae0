//! A manifest told by what changed since another one that both nodes hold. One file of
//! five thousand changed: some hundred bytes instead of half a megabyte.
//!
//! Layout, numbers big-endian: count u32 of removed paths, each u16 length and bytes,
//! then a manifest with the entries that are new or changed. What comes out is checked
//! against its digest, so a delta cannot yield anything but the manifest meant.

use std::fmt;

use crate::agent::digest::Digest;
use crate::agent::manifest::{Change, DecodeError, MAX_ENTRIES, Manifest, RelPath};

/// Why a delta does not yield the manifest that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaError {
    /// It is cut off, or names a path that is not allowed.
    Malformed,
    /// The manifest in it is not allowed.
    Manifest(DecodeError),
    /// Together with the base it yields another manifest than the announced one.
    OtherDigest,
}

impl fmt::Display for DeltaError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeltaError::Malformed => out.write_str("the list of changes cannot be read"),
            DeltaError::Manifest(error) => error.fmt(out),
            DeltaError::OtherDigest => {
                out.write_str("the list of changes does not lead to the announced version")
            }
        }
    }
}

impl std::error::Error for DeltaError {}

/// The way from `base` to `newer`.
pub fn encode(base: &Manifest, newer: &Manifest) -> Vec<u8> {
    let mut gone = Vec::new();
    let mut put = Manifest::default();
    for change in base.changes(newer) {
        match change {
            Change::Removed(path, _) => gone.push(path),
            Change::Added(path, entry) | Change::Modified(path, _, entry) => {
                put.insert(path.clone(), entry.clone());
            }
        }
    }
    let mut bytes = (gone.len() as u32).to_be_bytes().to_vec();
    for path in gone {
        // Paths are shorter than 64 KiB by their own limit.
        bytes.extend_from_slice(&(path.as_bytes().len() as u16).to_be_bytes());
        bytes.extend_from_slice(path.as_bytes());
    }
    bytes.extend_from_slice(&put.encode());
    bytes
}

/// Goes the way from `base` and checks that it led to `digest`.
///
/// # Errors
/// When the bytes are no delta, or lead elsewhere.
pub fn apply(base: &Manifest, bytes: &[u8], digest: Digest) -> Result<Manifest, DeltaError> {
    let (count, mut rest) = number(bytes)?;
    if count > MAX_ENTRIES {
        return Err(DeltaError::Malformed);
    }
    let mut manifest = base.clone();
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(DeltaError::Malformed)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (path, after) = after.split_at_checked(length).ok_or(DeltaError::Malformed)?;
        manifest.remove(&RelPath::new(path).map_err(|_| DeltaError::Malformed)?);
        rest = after;
    }
    for (path, entry) in Manifest::decode(rest).map_err(DeltaError::Manifest)?.iter() {
        manifest.insert(path.clone(), entry.clone());
    }
    if manifest.digest() == digest { Ok(manifest) } else { Err(DeltaError::OtherDigest) }
}

fn number(bytes: &[u8]) -> Result<(usize, &[u8]), DeltaError> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(DeltaError::Malformed)?;
    Ok((u32::from_be_bytes(*head) as usize, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::manifest::{Entry, Kind, Owner};

    fn manifest(files: &[(&str, &str)]) -> Manifest {
        let root = || Owner::Name("root".to_owned());
        let entry = |content: &str| Entry {
            kind: Kind::File { size: 1, content: Digest::of(content.as_bytes()) },
            mode: 0o600,
            user: root(),
            group: root(),
        };
        let path = |text: &str| RelPath::new(text.as_bytes()).expect("a good path");
        files.iter().map(|(name, content)| (path(name), entry(content))).collect()
    }

    #[test]
    fn a_delta_leads_from_any_manifest_to_any_other() {
        let all = [
            manifest(&[]),
            manifest(&[("a", "1"), ("b", "1"), ("c/d", "1")]),
            manifest(&[("a", "2"), ("c/d", "1"), ("e", "1")]),
        ];
        for base in &all {
            for newer in &all {
                let bytes = encode(base, newer);
                assert_eq!(apply(base, &bytes, newer.digest()).as_ref(), Ok(newer));
            }
        }
    }

    #[test]
    fn from_another_base_it_is_refused() {
        let (old, new) = (manifest(&[("a", "1")]), manifest(&[("a", "1"), ("b", "1")]));
        let bytes = encode(&old, &new);
        let other = manifest(&[("x", "1")]);
        assert_eq!(apply(&other, &bytes, new.digest()), Err(DeltaError::OtherDigest));
    }

    #[test]
    fn broken_bytes_are_refused() {
        let (old, new) = (manifest(&[("a", "1"), ("b", "1")]), manifest(&[("b", "2")]));
        let bytes = encode(&old, &new);
        for cut in 0..bytes.len() {
            assert!(apply(&old, &bytes[..cut], new.digest()).is_err(), "cut at {cut}");
        }
        let mut outside = bytes.clone();
        outside[6] = b'/';
        assert_eq!(apply(&old, &outside, new.digest()), Err(DeltaError::Malformed));
        let endless = u32::MAX.to_be_bytes();
        assert_eq!(apply(&old, &endless, new.digest()), Err(DeltaError::Malformed));
    }

    #[test]
    fn one_change_of_thousands_is_told_in_few_bytes() {
        let names: Vec<String> = (0..5000).map(|number| format!("etc/file-{number}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        let old = manifest(&files);
        let mut changed = files.clone();
        changed[2500].1 = "2";
        assert!(encode(&old, &manifest(&changed)).len() < 200);
    }
}

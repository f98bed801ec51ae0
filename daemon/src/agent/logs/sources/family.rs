//! A log and the files that it became by rotation: those beside it whose names are its own with
//! a number or a date, packed or not. Names and times only; whoever asks compares the contents.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::content::is_packed;
use super::print::FileId;
use super::tracked::written_us;

/// Files of one family that are looked at, the newest: more were not rotated away while nobody
/// looked.
const MAX_FAMILY: usize = 64;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    /// When it was written last, in microseconds since 1970.
    pub(super) written_us: u64,
    pub(super) length: u64,
}

/// Listings of a directory until two are alike: names change while logs are rotated.
const LISTINGS: u32 = 5;

/// The family of this file, the oldest first as their names say (times may be those of whole
/// seconds) and the file itself last, if it is there.
///
/// # Errors
/// The disk's, and that names change without an end.
pub(super) fn family(path: &Path) -> io::Result<Vec<Member>> {
    let mut members = list(path)?;
    for _ in 0..LISTINGS {
        let again = list(path)?;
        if have_same_names(&again, &members) {
            return Ok(again);
        }
        members = again;
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "the names change all the time"))
}

/// Whether the same files have the same names.
pub(super) fn have_same_names(one: &[Member], other: &[Member]) -> bool {
    let names = |all: &[Member]| -> Vec<(PathBuf, FileId)> {
        all.iter().map(|member| (member.path.clone(), member.id)).collect()
    };
    names(one) == names(other)
}

/// The same without making sure that the names were those of one moment.
///
/// # Errors
/// The disk's.
pub(super) fn list(path: &Path) -> io::Result<Vec<Member>> {
    let (Some(directory), Some(base_name)) = (path.parent(), path.file_name()) else {
        return Ok(Vec::new());
    };
    let base = base_name.as_encoded_bytes();
    let mut members = Vec::new();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(members),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let (name, live) = (entry.file_name(), entry.file_name() == base_name);
        if !live && !is_rotated(base, name.as_encoded_bytes()) {
            continue;
        }
        // One that went away meanwhile is no member.
        let Ok(seen) = entry.metadata() else { continue };
        if seen.is_file() {
            let (id, written_us, length) = (FileId::of(&seen), written_us(&seen), seen.len());
            members.push(Member { path: entry.path(), id, written_us, length });
        }
    }
    members.sort_by_key(|member| (member.path == path, age(base, &member.path)));
    members.drain(..members.len().saturating_sub(MAX_FAMILY));
    Ok(members)
}

/// What orders the family from the oldest on: dates upwards, then numbers downwards; of a file
/// and what it is packed into, the packed one first.
fn age(base: &[u8], path: &Path) -> (Vec<u8>, Reverse<u64>, bool) {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let plain = plain(name);
    let stem = base.iter().rposition(|byte| *byte == b'.').map_or(base, |dot| &base[..dot]);
    let count = plain.strip_prefix(base).or_else(|| plain.strip_prefix(stem)).unwrap_or(plain);
    let digits: Vec<u8> = count.iter().copied().filter(u8::is_ascii_digit).collect();
    let number = String::from_utf8_lossy(&digits).parse().unwrap_or(0);
    let is_date = digits.len() >= 6;
    let (date, number) = if is_date { (count.to_vec(), 0) } else { (b"~".to_vec(), number) };
    (date, Reverse(number), name == plain)
}

/// The name without what says that it is packed.
pub(super) fn plain(name: &[u8]) -> &[u8] {
    match is_packed(name) {
        true => &name[..name.iter().rposition(|byte| *byte == b'.').unwrap_or(name.len())],
        false => name,
    }
}

/// Whether a file became of another one by rotation, by their paths.
pub(super) fn is_of(base: &Path, path: &Path) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().as_encoded_bytes().to_vec();
    base.parent() == path.parent() && is_rotated(&name(base), &name(path))
}

/// Whether a file of this name is what `base` became: `base` or its stem with numbers or a date
/// behind, as logrotate (`.1`, `-20260131`, with `extension` before it) and others write them.
fn is_rotated(base: &[u8], name: &[u8]) -> bool {
    let plain = plain(name);
    if plain == base {
        // Packed under its own name.
        return name != base;
    }
    if let Some(rest) = plain.strip_prefix(base) {
        return is_count(rest) || rest == b".old";
    }
    let dot = base.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
    let Some((stem, extension)) = dot.map(|dot| base.split_at(dot)) else { return false };
    let between = plain.strip_prefix(stem).and_then(|rest| rest.strip_suffix(extension));
    between.is_some_and(is_count)
}

/// A separator, then digits with more of them.
fn is_count(text: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_digit() || b".-_T:".contains(byte);
    matches!(text, [b'.' | b'-' | b'_', rest @ ..]
        if rest.iter().any(u8::is_ascii_digit) && rest.iter().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_in_the_order_of_its_names() {
        let mut names = [
            "x.log.1",
            "x.log.10.gz",
            "x.log.2",
            "x.log.2.gz",
            "x-20260201.log",
            "x.log-20260131.gz",
        ];
        names.sort_by_key(|name| age(b"x.log", Path::new(name)));
        assert_eq!(
            names,
            [
                "x.log-20260131.gz",
                "x-20260201.log",
                "x.log.10.gz",
                "x.log.2.gz",
                "x.log.2",
                "x.log.1"
            ]
        );
    }

    #[test]
    fn names_of_rotated_files_are_known_and_no_others() {
        for name in [
            "x.log.1",
            "x.log.10.gz",
            "x.log-20260131",
            "x.log-20260131.gz",
            "x.log-20260131-1700000000.zst",
            "x-20260131.log",
            "x.1.log",
            "x.1.log.gz",
            "x.log.old",
            "x.log.gz",
            "x.log.2026-01-31T10:00:00",
        ] {
            assert!(is_rotated(b"x.log", name.as_bytes()), "{name}");
        }
        for name in [
            "x.log",
            "x.logs",
            "x.log.d",
            "x.audit.log",
            "y.log.1",
            "x",
            "x.log.",
            "x.log.1.tmp",
            "x.log1",
        ] {
            assert!(!is_rotated(b"x.log", name.as_bytes()), "{name}");
        }
        assert!(is_rotated(b"messages", b"messages.1") && !is_rotated(b"messages", b"messagesx"));
    }
}

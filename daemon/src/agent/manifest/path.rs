//! A path below the root that cannot leave it by its own spelling. Symlinks on the disk
//! are the writer's to guard against.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Longest path in bytes (Linux `PATH_MAX`, less the leading slash and the final NUL).
pub const MAX_PATH: usize = 4094;
/// Longest component in bytes (Linux `NAME_MAX`).
const MAX_NAME: usize = 255;

/// A path relative to the root: any bytes but NUL, without a leading slash, without
/// empty, `.` or `..` components. Ordered by components, so that a directory comes
/// right before what is in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RelPath(Box<[u8]>);

/// Why bytes are no [`RelPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// Nothing, or nothing between two slashes.
    Empty,
    /// Longer than [`MAX_PATH`], or a component longer than 255 bytes.
    TooLong,
    /// A `.` or `..` component, which could lead elsewhere.
    Dots,
    /// A NUL byte.
    Nul,
}

impl fmt::Display for PathError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            PathError::Empty => "a path with an empty component",
            PathError::TooLong => "a path longer than Linux allows",
            PathError::Dots => "a path with '.' or '..' in it",
            PathError::Nul => "a path with a NUL byte",
        })
    }
}

impl std::error::Error for PathError {}

impl RelPath {
    /// Checks these bytes.
    pub fn new(bytes: &[u8]) -> Result<RelPath, PathError> {
        if bytes.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        if bytes.contains(&0) {
            return Err(PathError::Nul);
        }
        for name in bytes.split(|byte| *byte == b'/') {
            match name {
                b"" => return Err(PathError::Empty),
                b"." | b".." => return Err(PathError::Dots),
                name if name.len() > MAX_NAME => return Err(PathError::TooLong),
                _ => {}
            }
        }
        Ok(RelPath(bytes.into()))
    }

    /// The bytes, without a leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same as a path of the standard library, still relative.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The directory it lies in; `None` right below the root.
    pub fn parent(&self) -> Option<RelPath> {
        let slash = self.0.iter().rposition(|byte| *byte == b'/')?;
        Some(RelPath(self.0[..slash].into()))
    }

    /// The path of `name` in this directory.
    pub fn join(&self, name: &[u8]) -> Result<RelPath, PathError> {
        let mut bytes = self.0.to_vec();
        bytes.push(b'/');
        bytes.extend_from_slice(name);
        RelPath::new(&bytes)
    }

    /// Whether it is `directory` or lies below it.
    pub fn is_within(&self, directory: &RelPath) -> bool {
        let rest = self.0.strip_prefix(&*directory.0);
        rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &RelPath) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &RelPath) -> std::cmp::Ordering {
        // Component by component is the same as byte by byte with the slash below all others.
        let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
        match self.0.iter().zip(&other.0).find(|(one, two)| one != two) {
            Some((one, two)) => rank(*one).cmp(&rank(*two)),
            None => self.0.len().cmp(&other.0.len()),
        }
    }
}

/// For people: with the leading slash, and what is not text shown as escapes.
impl fmt::Display for RelPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("/")?;
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                if letter.is_control() || letter == '\\' {
                    write!(out, "{}", letter.escape_default())?;
                } else {
                    write!(out, "{letter}")?;
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(out, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "\"{self}\"")
    }
}

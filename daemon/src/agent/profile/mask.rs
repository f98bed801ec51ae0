//! What nobody sees in a diff: passwords, pre-shared keys, private keys.

use std::ops::Range;

use regex::bytes::Regex;

use super::pattern::Patterns;
use crate::agent::accounts;

/// What stands in the place of a secret.
const MASK: &[u8] = b"******";
/// What stands in the place of a file that is a secret as a whole.
const WHOLE: &[u8] = b"(secret)\n";

/// A secret in some files.
#[derive(Clone, Debug)]
pub struct Secret {
    /// The files.
    pub files: Patterns,
    /// What to hide: the first group of the expression, or all that it matches when it has
    /// none. Without an expression the whole file is secret.
    pub mask: Option<Regex>,
}

impl super::Rules {
    /// The content of a file of this section with every secret hidden. Lines stay lines, so
    /// that a diff of two such texts still says where they differ.
    pub fn masked(&self, path: &crate::agent::manifest::RelPath, content: &[u8]) -> Vec<u8> {
        let Some(mut hidden) = self.hidden(path, content) else { return WHOLE.to_vec() };
        hidden.sort_by_key(|range| range.start);
        let mut text = Vec::with_capacity(content.len());
        let mut at = 0;
        for range in hidden {
            if range.end > at {
                text.extend(&content[at..range.start.max(at)]);
                text.extend(MASK);
                let breaks = content[range.start.max(at)..range.end].iter();
                text.extend(breaks.filter(|byte| **byte == b'\n'));
                at = range.end;
            }
        }
        text.extend(&content[at..]);
        text
    }

    /// What is hidden of a file of this section; all of it where the whole file is secret.
    pub fn secrets_in<'a>(
        &self,
        path: &crate::agent::manifest::RelPath,
        content: &'a [u8],
    ) -> Vec<&'a [u8]> {
        match self.hidden(path, content) {
            None => vec![content],
            Some(ranges) => ranges.into_iter().map(|range| &content[range]).collect(),
        }
    }

    /// Where its secrets are; none where the whole file is one.
    fn hidden(
        &self,
        path: &crate::agent::manifest::RelPath,
        content: &[u8],
    ) -> Option<Vec<Range<usize>>> {
        if is_secret(path) {
            return None;
        }
        let mut hidden: Vec<Range<usize>> = Vec::new();
        for secret in self.secrets.iter().filter(|secret| secret.files.matches(path)) {
            for found in secret.mask.as_ref()?.captures_iter(content) {
                let part = found.get(1).or(found.get(0));
                hidden.extend(part.map(|part| part.range()).filter(|range| !range.is_empty()));
            }
        }
        Some(hidden)
    }

    /// Whether anything of this file may be hidden.
    pub fn holds_secrets(&self, path: &crate::agent::manifest::RelPath) -> bool {
        is_secret(path) || self.secrets.iter().any(|secret| secret.files.matches(path))
    }
}

/// The hashes of passwords and tokens: hidden whatever a profile says.
fn is_secret(path: &crate::agent::manifest::RelPath) -> bool {
    let folder = accounts::FOLDER.as_bytes();
    path.as_bytes().strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

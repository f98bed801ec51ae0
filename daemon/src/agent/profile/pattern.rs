//! Which paths a rule speaks of. A small language on purpose: what a pattern can match is
//! then plain enough that two sections which claim one path are found before any file is.

use std::fmt;

use crate::agent::manifest::RelPath;
use crate::agent::tree::Globs;

/// Longest pattern in bytes.
pub(super) const MAX_PATTERN: usize = 512;
/// Most alternatives that the braces of one pattern may stand for.
pub(super) const MAX_ALTERNATIVES: usize = 64;

/// A path below the root, possibly with wildcards: `*` and `?` within a name, `**` for any
/// number of names, `{a,b}` for one or the other. A directory that matches brings everything
/// in it: `/etc/x` and `/etc/x/**` mean the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    text: String,
}

/// Why a text is no [`Pattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// Without a leading slash.
    Relative,
    /// An empty name, `.` or `..` in it, or a slash at its end.
    Dots,
    /// `**` beside other letters, at the beginning, or with `*` in the first name.
    TooWide,
    /// A bracket, a backslash, or braces that do not match, are nested or hold a slash.
    Syntax,
    /// Too long, or braces that stand for too many.
    TooLong,
}

impl fmt::Display for PatternError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            PatternError::Relative => "not an absolute path",
            PatternError::Dots => "with an empty name, '.' or '..' in it, or a '/' at its end",
            PatternError::TooWide => "with '**' beside other letters, or a wildcard in its first name",
            PatternError::Syntax => "with '[', '\\' or a control character, or braces that are not closed, nested or around a '/'",
            PatternError::TooLong => "too long",
        })
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Checks a pattern as it stands in a profile: absolute.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        let bare = text.strip_prefix('/').ok_or(PatternError::Relative)?;
        if text.len() > MAX_PATTERN {
            return Err(PatternError::TooLong);
        }
        if text.chars().any(|letter| letter.is_control() || ['[', ']', '\\'].contains(&letter)) {
            return Err(PatternError::Syntax);
        }
        let alternatives = alternatives(bare)?;
        for name in alternatives.iter().flat_map(|one| one.split('/')) {
            match name {
                "" | "." | ".." => return Err(PatternError::Dots),
                "**" => {}
                name if name.contains("**") => return Err(PatternError::TooWide),
                _ => {}
            }
        }
        let first = bare.split('/').next().unwrap_or_default();
        if first.contains(['*', '?', '{']) {
            return Err(PatternError::TooWide);
        }
        Ok(Pattern { text: bare.to_owned() })
    }

    /// Relative to the root, as the scanner wants it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same without braces.
    pub(super) fn plain(&self) -> Vec<String> {
        // Checked when it was made.
        alternatives(&self.text).unwrap_or_default()
    }

    /// The directories, or the file, below which everything lies that it can match, one for each
    /// of its alternatives.
    pub(in crate::agent) fn plain_bases(&self) -> Vec<String> {
        let base = |text: &String| {
            let wild = text.find(['*', '?']);
            let end = wild.map_or(text.len(), |at| text[..at].rfind('/').unwrap_or(0));
            text[..end].to_owned()
        };
        self.plain().iter().map(base).collect()
    }

    /// The path, if there is no wildcard in it.
    pub fn literal(&self) -> Option<RelPath> {
        let wild = self.text.contains(['*', '?', '{']);
        if wild { None } else { RelPath::new(self.text.as_bytes()).ok() }
    }

    /// The directory below which everything lies that it can match.
    pub fn base(&self) -> &str {
        let wild = self.text.find(['*', '?', '{']).unwrap_or(self.text.len());
        let end =
            if wild == self.text.len() { wild } else { self.text[..wild].rfind('/').unwrap_or(0) };
        &self.text[..end]
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "/{}", self.text)
    }
}

/// What a text with braces stands for.
fn alternatives(text: &str) -> Result<Vec<String>, PatternError> {
    let mut all = vec![String::new()];
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, tail) = rest.split_at(open);
        let inner = tail.strip_prefix('{').ok_or(PatternError::Syntax)?;
        let (inner, after) = inner.split_once('}').ok_or(PatternError::Syntax)?;
        if inner.contains(['{', '/']) {
            return Err(PatternError::Syntax);
        }
        let words: Vec<&str> = inner.split(',').collect();
        if all.len() * words.len() > MAX_ALTERNATIVES {
            return Err(PatternError::TooLong);
        }
        let longer = |start: &String| {
            words.iter().map(|word| format!("{start}{before}{word}")).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
        rest = after;
    }
    for one in &mut all {
        one.push_str(rest);
    }
    Ok(all)
}

/// A list of patterns that is matched as one.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    list: Vec<Pattern>,
    globs: Globs,
}

impl Patterns {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Pattern> {
        self.list.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them matches the path, or a directory above it.
    pub fn matches(&self, path: &RelPath) -> bool {
        self.globs.match_path(path)
    }

    /// As a walk from the root wants them.
    pub(in crate::agent) fn globs(&self) -> &Globs {
        &self.globs
    }

    /// All of them without braces, absolute, as [`crate::agent::tree::Lists`] takes them.
    pub fn texts(&self) -> Vec<String> {
        let plain = self.list.iter().flat_map(Pattern::plain);
        plain.map(|text| format!("/{text}")).collect()
    }

    /// These and others.
    #[must_use]
    pub fn and(&self, others: &Patterns) -> Patterns {
        self.list.iter().chain(&others.list).cloned().collect()
    }
}

impl FromIterator<Pattern> for Patterns {
    fn from_iter<I: IntoIterator<Item = Pattern>>(patterns: I) -> Patterns {
        let list: Vec<Pattern> = patterns.into_iter().collect();
        let mut patterns = Patterns { list, globs: Globs::default() };
        patterns.globs =
            Globs::new(&patterns.texts()).expect("what is a pattern here is one for the scan");
        patterns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let patterns: Patterns = Pattern::new(pattern).into_iter().collect();
        patterns.matches(&RelPath::new(path.as_bytes()).expect("a path"))
    }

    #[test]
    fn a_pattern_matches_names_and_whole_trees() {
        for (pattern, path, expected) in [
            ("/etc/hosts", "etc/hosts", true),
            ("/etc/hosts", "etc/hosts.d", false),
            ("/etc/*.conf", "etc/a.conf", true),
            ("/etc/*.conf", "etc/a/b.conf", false),
            ("/etc/?.conf", "etc/ab.conf", false),
            ("/etc/x/**", "etc/x", true),
            ("/etc/x/**", "etc/x/a/b", true),
            ("/etc/x/**", "etc/xa", false),
            ("/etc/**/a", "etc/a", true),
            ("/etc/**/a", "etc/x/y/a", true),
            ("/etc/{a,b}.{x,y}", "etc/b.x", true),
            ("/etc/{a,b}.{x,y}", "etc/c.x", false),
            ("/etc/a{,.d}/**", "etc/a/1", true),
            ("/etc/a{,.d}/**", "etc/a.d", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let long = format!("/{}", "a".repeat(MAX_PATTERN));
        let many = format!("/etc/{}", "{a,b}".repeat(7));
        for (text, why) in [
            ("etc/hosts", PatternError::Relative),
            ("", PatternError::Relative),
            ("/", PatternError::Dots),
            ("/etc//x", PatternError::Dots),
            ("/etc/", PatternError::Dots),
            ("/etc/../x", PatternError::Dots),
            ("/etc/{..,a}/x", PatternError::Dots),
            ("/**", PatternError::TooWide),
            ("/e*/x", PatternError::TooWide),
            ("/etc/a**", PatternError::TooWide),
            ("/etc/[ab]", PatternError::Syntax),
            ("/etc/\\*", PatternError::Syntax),
            ("/etc/{a", PatternError::Syntax),
            ("/etc/a}", PatternError::Syntax),
            ("/etc/{a,{b,c}}", PatternError::Syntax),
            ("/etc/{a/b,c}", PatternError::Syntax),
            ("/etc/a\nb", PatternError::Syntax),
            (long.as_str(), PatternError::TooLong),
            (many.as_str(), PatternError::TooLong),
        ] {
            assert_eq!(Pattern::new(text), Err(why), "{text}");
        }
    }

    #[test]
    fn the_base_of_a_pattern_holds_all_that_it_matches() {
        for (pattern, base) in [
            ("/etc/hosts", "etc/hosts"),
            ("/etc/x/*.conf", "etc/x"),
            ("/etc/x/**", "etc/x"),
            ("/etc/x{a,b}/c", "etc"),
        ] {
            assert_eq!(Pattern::new(pattern).expect("a pattern").base(), base);
        }
    }
}

//! Patterns of paths as they stand in a profile, matched component by component, so
//! that a walk knows before it opens a directory whether anything in it can match.
//! Used by [`super::scope`] and by the sources of logs; it never touches a disk.

use std::ffi::CString;
use std::fmt;

use crate::agent::manifest::RelPath;

/// Longest pattern in bytes.
const MAX_PATTERN: usize = 1024;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobError {
    /// The pattern as it stands in the profile.
    pub pattern: String,
    /// What is wrong with it, and what to write.
    pub wrong: &'static str,
}

impl fmt::Display for GlobError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "'{}': {}", self.pattern, self.wrong)
    }
}

impl std::error::Error for GlobError {}

/// What one component of a path must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Any number of components, none included: `**`.
    Depth,
    /// Exactly this name.
    Name(Vec<u8>),
    /// A name with wildcards in it.
    Wild(Vec<Token>),
}

/// A piece of a name with wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This byte.
    Byte(u8),
    /// One character; one byte where the name is no text.
    One,
    /// Any number of bytes, none included.
    Star,
    /// One of these ASCII characters, or with `true` none of them.
    Class(bool, Vec<(u8, u8)>),
}

/// Several patterns, matched at once.
#[derive(Clone, Debug, Default)]
pub struct Globs {
    patterns: Vec<Vec<Part>>,
}

/// How far each pattern has come on the way from the root: pattern, parts matched.
pub(in crate::agent) type Positions = Vec<(u32, u32)>;

impl Globs {
    /// Takes patterns as they stand in a profile.
    ///
    /// # Errors
    /// The first one that is none.
    pub fn new(patterns: &[String]) -> Result<Globs, GlobError> {
        let parse = |pattern: &String| {
            parse(pattern).map_err(|wrong| GlobError { pattern: pattern.clone(), wrong })
        };
        Ok(Globs { patterns: patterns.iter().map(parse).collect::<Result<_, _>>()? })
    }

    /// Whether one of them matches the path, or a directory above it.
    pub fn match_path(&self, path: &RelPath) -> bool {
        let mut at = self.start();
        path.as_bytes().split(|byte| *byte == b'/').any(|name| {
            at = self.advance(&at, name);
            self.ends(&at)
        })
    }

    /// The positions at the root.
    pub(in crate::agent) fn start(&self) -> Positions {
        let mut at = Positions::new();
        for pattern in 0..self.patterns.len() {
            self.stand(&mut at, pattern as u32, 0);
        }
        at
    }

    /// The positions one component further down.
    pub(in crate::agent) fn advance(&self, at: &Positions, name: &[u8]) -> Positions {
        let mut next = Positions::new();
        for (pattern, part) in at {
            match self.patterns[*pattern as usize].get(*part as usize) {
                Some(Part::Depth) => self.stand(&mut next, *pattern, *part),
                Some(Part::Name(wanted)) if wanted == name => {
                    self.stand(&mut next, *pattern, part + 1);
                }
                Some(Part::Wild(tokens)) if matches(tokens, name) => {
                    self.stand(&mut next, *pattern, part + 1);
                }
                Some(Part::Name(_) | Part::Wild(_)) | None => {}
            }
        }
        next
    }

    /// Whether a pattern ends here: the path, and everything below it, matches.
    pub(in crate::agent) fn ends(&self, at: &Positions) -> bool {
        at.iter().any(|(pattern, part)| self.patterns[*pattern as usize].len() == *part as usize)
    }

    /// The names that can come next, if no wildcard can.
    pub(in crate::agent) fn names(&self, at: &Positions) -> Option<Vec<CString>> {
        let next = |(pattern, part): &(u32, u32)| match self.patterns[*pattern as usize]
            .get(*part as usize)?
        {
            Part::Name(name) => CString::new(name.as_slice()).ok(),
            Part::Depth | Part::Wild(_) => None,
        };
        at.iter().map(next).collect()
    }

    /// Adds a position, and the one behind a `**` that may stand for nothing.
    fn stand(&self, at: &mut Positions, pattern: u32, part: u32) {
        if at.contains(&(pattern, part)) {
            return;
        }
        at.push((pattern, part));
        if self.patterns[pattern as usize].get(part as usize) == Some(&Part::Depth) {
            self.stand(at, pattern, part + 1);
        }
    }
}

fn parse(pattern: &str) -> Result<Vec<Part>, &'static str> {
    if pattern.len() > MAX_PATTERN {
        return Err("longer than 1,024 bytes");
    }
    let Some(path) = pattern.strip_prefix('/') else {
        return Err("a pattern starts with '/'");
    };
    // What matches covers everything below it, so a final `/` or `/**` says nothing new.
    let path = path.strip_suffix("/**").unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut parts = Vec::new();
    for name in path.split('/') {
        parts.push(match name {
            "" => return Err("a pattern names a path below '/', without empty parts"),
            "." | ".." => return Err("'.' and '..' are not allowed; write the path that is meant"),
            "**" => Part::Depth,
            name if name.contains('\0') => return Err("a NUL byte"),
            name => part(name)?,
        });
    }
    match parts.as_slice() {
        [Part::Depth, ..] => Err("a pattern begins with a directory, so that '**' has a limit"),
        [.., Part::Depth] => Err("'**' twice at the end; once is enough"),
        _ => Ok(parts),
    }
}

fn part(name: &str) -> Result<Part, &'static str> {
    let mut tokens = Vec::new();
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        tokens.push(match first {
            b'*' if rest.first() == Some(&b'*') => {
                return Err("'**' stands for whole components only: between two slashes");
            }
            b'*' => Token::Star,
            b'?' => Token::One,
            b'[' => {
                let (token, after) = class(rest)?;
                rest = after;
                token
            }
            b'{' | b'}' => return Err("no '{…}' here; write one pattern for each, or '\\{'"),
            b'\\' => {
                let (byte, after) = rest.split_first().ok_or("a '\\' with nothing after it")?;
                rest = after;
                Token::Byte(*byte)
            }
            byte => Token::Byte(*byte),
        });
    }
    let bytes = tokens.iter().map(|token| match token {
        Token::Byte(byte) => Some(*byte),
        Token::One | Token::Star | Token::Class(..) => None,
    });
    Ok(bytes.collect::<Option<Vec<u8>>>().map_or(Part::Wild(tokens), Part::Name))
}

/// The class whose `[` was just read, and what follows its `]`.
fn class(text: &[u8]) -> Result<(Token, &[u8]), &'static str> {
    let end = text.iter().skip(1).position(|byte| *byte == b']').ok_or("a '[' without ']'")? + 1;
    let (inside, rest) = (&text[..end], &text[end + 1..]);
    let (without, mut members) = match inside {
        [b'!' | b'^', members @ ..] => (true, members),
        members => (false, members),
    };
    if members.is_empty() || !members.is_ascii() {
        return Err("between '[' and ']' stand ASCII characters");
    }
    let mut ranges = Vec::new();
    while let [low, after @ ..] = members {
        if let [b'-', high, after @ ..] = after {
            if low > high {
                return Err("a range in '[…]' goes upwards");
            }
            ranges.push((*low, *high));
            members = after;
        } else {
            ranges.push((*low, *low));
            members = after;
        }
    }
    Ok((Token::Class(without, ranges), rest))
}

/// Whether the whole name fits. On a mismatch only the last star is stretched, which is
/// enough, and keeps the effort at pattern times name.
fn matches(tokens: &[Token], name: &[u8]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    loop {
        let step = match tokens.get(token) {
            Some(Token::Star) => {
                last_star = Some((token, at));
                token += 1;
                continue;
            }
            None if at == name.len() => return true,
            None => None,
            Some(wanted) => fits(wanted, &name[at..]),
        };
        if let Some(length) = step {
            at += length;
            token += 1;
            continue;
        }
        match last_star {
            Some((star, from)) if from < name.len() => {
                last_star = Some((star, from + 1));
                (token, at) = (star + 1, from + 1);
            }
            Some(_) | None => return false,
        }
    }
}

/// How many bytes of `rest` this token takes, if it fits.
fn fits(token: &Token, rest: &[u8]) -> Option<usize> {
    let first = *rest.first()?;
    match token {
        Token::Byte(byte) => (*byte == first).then_some(1),
        Token::One => Some(character(rest)),
        Token::Class(without, ranges) => {
            let inside = ranges.iter().any(|(low, high)| (*low..=*high).contains(&first));
            (inside != *without).then(|| character(rest))
        }
        Token::Star => None,
    }
}

/// Bytes of the first character, or 1 where the name is no UTF-8.
fn character(rest: &[u8]) -> usize {
    let length = match rest[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        0..=0xc1 | 0xf5..=0xff => 1,
    };
    if rest.get(..length).is_some_and(|it| std::str::from_utf8(it).is_ok()) { length } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(pattern: &str, path: &[u8]) -> bool {
        let globs = Globs::new(&[pattern.to_owned()]).unwrap();
        let mut at = globs.start();
        path.split(|byte| *byte == b'/').any(|name| {
            at = globs.advance(&at, name);
            globs.ends(&at)
        })
    }

    #[test]
    fn a_pattern_matches_what_it_names_and_everything_below() {
        for (pattern, path, wanted) in [
            ("/etc/hosts", "etc/hosts", true),
            ("/etc/hosts", "etc/hosts2", false),
            ("/etc/squid", "etc/squid/conf.d/a", true),
            ("/etc/squid/", "etc/squid", true),
            ("/etc/squid/**", "etc/squid", true),
            ("/etc/squid/**", "etc/squid/a/b", true),
            ("/etc/*.conf", "etc/a.conf", true),
            ("/etc/*.conf", "etc/sub/a.conf", false),
            ("/etc/**/*.conf", "etc/a.conf", true),
            ("/etc/**/*.conf", "etc/x/y/a.conf", true),
            ("/etc/**/*.conf", "etc/x/y/a.cfg", false),
            ("/etc/**/b/**/c", "etc/b/x/b/y/c", true),
            ("/etc/a?c", "etc/aüc", true),
            ("/etc/a?c", "etc/ac", false),
            ("/etc/[a-c]1", "etc/b1", true),
            ("/etc/[!a-c]1", "etc/b1", false),
            ("/etc/[!a-c]1", "etc/ü1", true),
            ("/etc/\\*", "etc/*", true),
            ("/etc/\\*", "etc/x", false),
            ("/etc/*a*b*c", "etc/xaxbxbc", true),
            ("/etc/*a*b*c", "etc/xaxbxbcd", false),
        ] {
            assert_eq!(hit(pattern, path.as_bytes()), wanted, "{pattern} on {path}");
        }
        assert!(hit("/etc/a?c", b"etc/a\xffc"), "a byte that is no text is one character");
        assert!(hit("/etc/*", b"etc/\xff\n "));
    }

    #[test]
    fn a_walk_ends_where_nothing_can_match() {
        let globs = Globs::new(&["/etc/squid/*.conf".to_owned()]).unwrap();
        let etc = globs.advance(&globs.start(), b"etc");
        assert!(!etc.is_empty());
        assert!(globs.advance(&etc, b"nginx").is_empty());
        assert!(globs.advance(&globs.start(), b"var").is_empty());
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_the_reason() {
        for wrong in [
            "etc/hosts",
            "/",
            "/**",
            "/**/x",
            "/etc//x",
            "/etc/../x",
            "/etc/a**",
            "/etc/[a",
            "/etc/[]",
            "/etc/{a,b}",
            "/etc/x\\",
            "/etc/[z-a]",
            "/etc/[ü]",
            "/etc/**/**",
            "",
        ] {
            let error = Globs::new(&[wrong.to_owned()]).map(|_| ()).unwrap_err();
            assert!(error.to_string().starts_with(&format!("'{wrong}': ")), "{error}");
        }
    }

    #[test]
    fn a_long_name_against_many_stars_takes_no_time() {
        let pattern = format!("/e/{}b", "*a".repeat(100));
        assert!(!hit(&pattern, format!("e/{}", "a".repeat(255)).as_bytes()));
    }
}

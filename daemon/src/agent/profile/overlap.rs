//! Whether two patterns can match one path, shown by such a path. Called by the reader of
//! the profile, so that a path in two sections is named before there is any file.
//!
//! An example that one of the sections excludes proves nothing: only the examples tried are
//! looked at. What is missed here is found on the disk by `look`.

use super::pattern::Pattern;

/// Paths that both patterns match: at most one for each pair of their alternatives.
pub(super) fn examples(left: &Pattern, right: &Pattern) -> Vec<String> {
    let mut found = Vec::new();
    for one in left.plain() {
        for other in right.plain() {
            let (one, other): (Vec<&str>, Vec<&str>) =
                (one.split('/').collect(), other.split('/').collect());
            found.extend(path(&one, &other).map(|names| names.join("/")));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Names of a path that both lists of names match. `**` stands for any number of names, also
/// none. The recursion goes over pairs of ends, at most 256 x 256 of a pattern's length, and
/// patterns with more than a few `**` are not written by people.
fn path(left: &[&str], right: &[&str]) -> Option<Vec<String>> {
    match (left, right) {
        ([], []) => Some(Vec::new()),
        (["**", rest @ ..], other) | (other, ["**", rest @ ..]) => {
            // None of the other's names, or its first one and again.
            path(rest, other).or_else(|| {
                let (first, others) = other.split_first()?;
                if *first == "**" {
                    return path(&starred(rest), others);
                }
                prefixed(name(first, "*")?, path(&starred(rest), others)?)
            })
        }
        ([first, rest @ ..], [other, others @ ..]) => {
            prefixed(name(first, other)?, path(rest, others)?)
        }
        ([], [_, ..]) | ([_, ..], []) => None,
    }
}

fn starred<'p>(rest: &[&'p str]) -> Vec<&'p str> {
    std::iter::once("**").chain(rest.iter().copied()).collect()
}

fn prefixed(first: String, mut rest: Vec<String>) -> Option<Vec<String>> {
    rest.insert(0, first);
    Some(rest)
}

/// A name that both match; a wildcard that is free becomes `x`.
fn name(left: &str, right: &str) -> Option<String> {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut seen = vec![vec![false; right.len() + 1]; left.len() + 1];
    let mut letters = String::new();
    let found = letter(&left, &right, &mut seen, &mut letters);
    if letters.is_empty() {
        letters.push('x');
    }
    found.then_some(letters)
}

/// Extends `letters` to a name that both match; `seen` are the pairs of ends known to fail.
fn letter(left: &[char], right: &[char], seen: &mut [Vec<bool>], letters: &mut String) -> bool {
    if seen[left.len()][right.len()] {
        return false;
    }
    seen[left.len()][right.len()] = true;
    match (left, right) {
        ([], []) => true,
        (['*', rest @ ..], ['*', others @ ..]) => {
            letter(rest, right, seen, letters) || letter(left, others, seen, letters)
        }
        (['*', rest @ ..], other) => {
            letter(rest, other, seen, letters) || skip(left, other, seen, letters, true)
        }
        (other, ['*', rest @ ..]) => {
            letter(other, rest, seen, letters) || skip(right, other, seen, letters, false)
        }
        ([a, rest @ ..], [b, others @ ..]) if a == b || *a == '?' || *b == '?' => {
            let plain = if *a == '?' { *b } else { *a };
            letters.push(if plain == '?' { 'x' } else { plain });
            letter(rest, others, seen, letters) || dropped(letters)
        }
        ([_, ..], [_, ..]) | ([], [_, ..]) | ([_, ..], []) => false,
    }
}

/// Lets the star at the head of `star` swallow the first letter of the other.
fn skip(
    star: &[char],
    other: &[char],
    seen: &mut [Vec<bool>],
    letters: &mut String,
    star_is_left: bool,
) -> bool {
    let Some((first, rest)) = other.split_first() else { return false };
    letters.push(if *first == '?' { 'x' } else { *first });
    let found = if star_is_left {
        letter(star, rest, seen, letters)
    } else {
        letter(rest, star, seen, letters)
    };
    found || dropped(letters)
}

fn dropped(letters: &mut String) -> bool {
    letters.pop();
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(left: &str, right: &str) -> Vec<String> {
        examples(&Pattern::new(left).expect("a pattern"), &Pattern::new(right).expect("a pattern"))
    }

    #[test]
    fn patterns_that_share_a_path_give_one() {
        for (left, right, shared) in [
            ("/etc/a", "/etc/a", "etc/a"),
            ("/etc/*", "/etc/a", "etc/a"),
            ("/etc/*.conf", "/etc/a*", "etc/a.conf"),
            ("/etc/a?c", "/etc/ab?", "etc/abc"),
            ("/etc/**", "/etc/x/y/*.z", "etc/x/y/.z"),
            ("/etc/x/**", "/etc/x", "etc/x"),
            ("/etc/**/a", "/etc/b/**", "etc/b/a"),
            ("/etc/{a,b}/c", "/etc/b/*", "etc/b/c"),
            ("/etc/*", "/etc/*", "etc/x"),
            ("/etc/*a", "/etc/*b*", "etc/ba"),
            ("/etc/**/a", "/etc/**/b/a", "etc/b/a"),
            ("/etc/**/a/*", "/etc/**/b", "etc/a/b"),
        ] {
            assert_eq!(example(left, right), [shared], "{left} {right}");
            assert_eq!(example(right, left).len(), 1, "{right} {left}");
        }
    }

    #[test]
    fn patterns_that_share_nothing_give_nothing() {
        for (left, right) in [
            ("/etc/a", "/etc/b"),
            ("/etc/*.conf", "/etc/*.rules"),
            ("/etc/*", "/etc/a/b"),
            ("/etc/x/**", "/etc/y/**"),
            ("/etc/a?", "/etc/a"),
            ("/etc/**/a", "/etc/x/b"),
        ] {
            assert_eq!(example(left, right), [""; 0], "{left} {right}");
            assert_eq!(example(right, left), [""; 0], "{right} {left}");
        }
    }
}

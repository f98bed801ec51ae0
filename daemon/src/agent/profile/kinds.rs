//! The kinds of values that only a profile has.

use toml::Spanned;
use toml::de::DeValue;

use regex::bytes::{Regex, RegexBuilder};
use twinwall_core::config::form::{Found, Kind, Place, Report, each, limit, text_of};

use super::pattern::Pattern;
use crate::agent::manifest::{MAX_OWNER, RelPath};

/// Most patterns or paths in one list.
const MAX_LIST: usize = 256;
/// Most words of a command.
const MAX_WORDS: usize = 64;
/// Longest word of a command in bytes; a script of some lines may be one.
const MAX_WORD: usize = 4096;
/// Longest regular expression in bytes.
const MAX_EXPRESSION: usize = 1024;
/// What an expression may become in memory, in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// Patterns of paths.
pub(super) struct PathPatterns;

/// Files or directories by their absolute paths.
pub(super) struct AbsolutePaths;

/// One file by its absolute path.
pub(super) struct AbsolutePath;

/// A command as a list of its words.
pub(super) struct Words;

/// Permission bits.
pub(super) struct Mode;

/// A name of a user, a group, a unit or a service.
pub(super) struct Name;

/// Several of them.
pub(super) struct Names;

/// A regular expression.
pub(super) struct Expression;

type Value<'v> = Spanned<DeValue<'v>>;

impl Kind for PathPatterns {
    type Value = Vec<Found<Pattern>>;

    fn read(
        &self,
        value: &Value<'_>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Self::Value> {
        let all = each(value, place, report, |text, place, report| {
            let pattern = Pattern::new(text);
            pattern.map_err(|why| report.add(place, why.to_string(), REMEDY)).ok()
        })?;
        limit(&all, MAX_LIST, place, report);
        Some(all)
    }

    fn describe(&self) -> String {
        format!("list of at most {MAX_LIST} absolute paths with `*`, `?`, `**` and `{{a,b}}`")
    }
}

/// What to do about a wrong pattern.
const REMEDY: &str = "write an absolute path as /etc/snmp/*.conf or /etc/swanctl/**; wildcards are *, ?, {a,b} and ** for any number of names";

/// A path without wildcards.
fn absolute(text: &str, place: &Place, report: &mut Report<'_>) -> Option<RelPath> {
    let path = text.strip_prefix('/').and_then(|bare| RelPath::new(bare.as_bytes()).ok());
    let path = path.filter(|_| !text.chars().any(char::is_control));
    if path.is_none() {
        let remedy =
            "write it from the root, as /usr/sbin/nft, without '..' and without a '/' at its end";
        report.add(place, "not an absolute path", remedy);
    }
    path
}

impl Kind for AbsolutePath {
    type Value = RelPath;

    fn read(&self, value: &Value<'_>, place: &Place, report: &mut Report<'_>) -> Option<RelPath> {
        let text = text_of(value.get_ref(), place, report)?;
        absolute(text, place, report)
    }

    fn describe(&self) -> String {
        "absolute path".to_owned()
    }
}

impl Kind for AbsolutePaths {
    type Value = Vec<RelPath>;

    fn read(
        &self,
        value: &Value<'_>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Vec<RelPath>> {
        let all = each(value, place, report, absolute)?;
        limit(&all, MAX_LIST, place, report);
        Some(all.into_iter().map(|found| found.value).collect())
    }

    fn describe(&self) -> String {
        "list of absolute paths".to_owned()
    }
}

impl Kind for Words {
    type Value = Vec<String>;

    fn read(
        &self,
        value: &Value<'_>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Vec<String>> {
        if !value.get_ref().is_array() {
            report.add(place, "not a list of words", self.describe());
            return None;
        }
        let all = each(value, place, report, |text, place, report| {
            let good = text.len() <= MAX_WORD && !text.contains('\0');
            if !good {
                report.add(place, "too long, or with a NUL", self.describe());
            }
            good.then(|| text.to_owned())
        })?;
        limit(&all, MAX_WORDS, place, report);
        let words: Vec<String> = all.into_iter().map(|found| found.value).collect();
        if !words.first().is_some_and(|program| program.starts_with('/')) {
            report.add(
                place,
                "does not begin with the absolute path of a program",
                self.describe(),
            );
            return None;
        }
        Some(words)
    }

    fn describe(&self) -> String {
        "list of words, as [\"/usr/sbin/sshd\", \"-t\"]; no shell reads them".to_owned()
    }
}

impl Kind for Mode {
    type Value = u16;

    fn read(&self, value: &Value<'_>, place: &Place, report: &mut Report<'_>) -> Option<u16> {
        let text = text_of(value.get_ref(), place, report)?;
        let octal = text.len() == 4 && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let mode = u16::from_str_radix(text, 8).ok().filter(|_| octal);
        if mode.is_none() {
            report.add(place, "not permission bits", self.describe());
        }
        mode
    }

    fn describe(&self) -> String {
        "four octal digits in quotes, as \"0640\"".to_owned()
    }
}

fn name(text: &str, place: &Place, report: &mut Report<'_>) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@:-".contains(&byte);
    let good = (1..=MAX_OWNER).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-');
    if !good {
        report.add(place, "not a name", format!("write a {}", Name.describe()));
    }
    good.then(|| text.to_owned())
}

impl Kind for Name {
    type Value = String;

    fn read(&self, value: &Value<'_>, place: &Place, report: &mut Report<'_>) -> Option<String> {
        let text = text_of(value.get_ref(), place, report)?;
        name(text, place, report)
    }

    fn describe(&self) -> String {
        "name of letters, digits and '._@:-'".to_owned()
    }
}

impl Kind for Names {
    type Value = Vec<Found<String>>;

    fn read(
        &self,
        value: &Value<'_>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Self::Value> {
        let all = each(value, place, report, name)?;
        limit(&all, MAX_LIST, place, report);
        Some(all)
    }

    fn describe(&self) -> String {
        "list of names".to_owned()
    }
}

impl Kind for Expression {
    type Value = Regex;

    fn read(&self, value: &Value<'_>, place: &Place, report: &mut Report<'_>) -> Option<Regex> {
        let text = text_of(value.get_ref(), place, report)?;
        if text.len() > MAX_EXPRESSION {
            report.add(place, format!("{} bytes long", text.len()), self.describe());
            return None;
        }
        let built = RegexBuilder::new(text).multi_line(true).size_limit(MAX_COMPILED).build();
        built
            .map_err(|error| {
                let last = error.to_string().lines().last().unwrap_or_default().to_owned();
                report.add(place, last, "write it as the Rust crate regex reads it; a literal '...' in TOML needs no doubled backslashes");
            })
            .ok()
    }

    fn describe(&self) -> String {
        format!("regular expression of at most {MAX_EXPRESSION} bytes; ^ and $ are ends of lines")
    }
}

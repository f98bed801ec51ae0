//! Which lines are wanted: of which node and sources, with which text, of which time. Made from a
//! question, which it refuses when that is wrong; asked for every line that is looked at.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use super::when::Placed;
use super::{Names, Wanted};
use crate::agent::api::error::Refusal;
use crate::agent::logs::store::{MAX_NAME, Origin, Reader};

/// Longest text or expression in bytes: longer than anybody types.
pub const MAX_PATTERN: usize = 256;
/// Most sources that are named at a time.
pub const MAX_SOURCES: usize = 64;
/// Memory of a compiled expression in bytes, and of what is remembered while one looks.
const MAX_COMPILED: usize = 1 << 20;
/// Signs that an expression has at the most with its repetitions written out. At worst each of
/// them is tried at each byte of a line, and a line cannot be left before its end: one of 256 KiB
/// takes half a second then.
const MAX_SIGNS: u32 = 100;
const TOO_LARGE: &str = "it is too large; make it simpler: with all repetitions written out, as aaa \
    for a{3}, it may have 100 signs";

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) origins: Vec<Origin>,
    /// Of these; of all where there are none.
    pub(super) sources: Vec<String>,
    patterns: Vec<Regex>,
    pub(super) since_us: Option<u64>,
    pub(super) until_us: Option<u64>,
}

impl Filter {
    pub(super) fn of(
        wanted: &Wanted<'_>,
        names: &Names,
        reader: &Reader,
    ) -> Result<Filter, Refusal> {
        let literal = wanted.text.map(|text| pattern("text", text, true)).transpose()?;
        let expression = wanted.regex.map(|text| pattern("regex", text, false)).transpose()?;
        let (since_us, until_us) = (us(wanted.since_ms), us(wanted.until_ms));
        if since_us.zip(until_us).is_some_and(|(since, until)| since > until) {
            return Err(wrong("since_ms", "the time ends before it begins; exchange its two ends"));
        }
        Ok(Filter {
            origins: origins(wanted.node, names)?,
            sources: known(sources(wanted.source)?, names, reader)?,
            patterns: literal.into_iter().chain(expression).collect(),
            since_us,
            until_us,
        })
    }

    /// Whether this line is wanted, as far as its text and its time say. Node and source were
    /// asked for when it was read.
    pub(super) fn takes(&self, placed: &Placed) -> bool {
        self.since_us.is_none_or(|since| placed.at_us >= since)
            && self.until_us.is_none_or(|until| placed.at_us <= until)
            && self.patterns.iter().all(|it| it.is_match(&placed.line.text))
    }
}

fn us(ms: Option<u64>) -> Option<u64> {
    ms.map(|ms| ms.saturating_mul(1_000))
}

fn origins(node: Option<&str>, names: &Names) -> Result<Vec<Origin>, Refusal> {
    let Some(node) = node else { return Ok(Origin::ALL.to_vec()) };
    if node == "here" || node == names.here {
        return Ok(vec![Origin::Here]);
    }
    if node == "there" || names.there.as_deref() == Some(node) {
        return Ok(vec![Origin::There]);
    }
    let there = names.there.as_deref().map(|it| format!(", {it}")).unwrap_or_default();
    Err(wrong("node", format!("'{node}' is none of here, there, {}{there}", names.here)))
}

fn sources(text: Option<&str>) -> Result<Vec<String>, Refusal> {
    let names = text.into_iter().flat_map(|text| text.split(',')).map(str::trim);
    let names: Vec<String> = names.filter(|it| !it.is_empty()).map(str::to_owned).collect();
    if names.len() > MAX_SOURCES {
        return Err(wrong("source", format!("at most {MAX_SOURCES} at a time")));
    }
    match names.iter().find(|name| name.len() > MAX_NAME) {
        Some(_) => Err(wrong("source", format!("a name has at most {MAX_NAME} bytes"))),
        None => Ok(names),
    }
}

/// Only sources that the profile has, or that have lines from an earlier one.
fn known(wanted: Vec<String>, names: &Names, reader: &Reader) -> Result<Vec<String>, Refusal> {
    for source in &wanted {
        if names.sources.contains(source) {
            continue;
        }
        let has_lines = reader.has_source(source);
        if !has_lines
            .map_err(|error| Refusal::machine(format!("reading the kept logs: {error}")))?
        {
            let there_are = match names.sources.is_empty() {
                true => "the profile has none".to_owned(),
                false => format!("there are {}", names.sources.join(", ")),
            };
            return Err(wrong("source", format!("'{source}' is no source of logs; {there_are}")));
        }
    }
    Ok(wanted)
}

fn pattern(place: &str, text: &str, literal: bool) -> Result<Regex, Refusal> {
    if text.len() > MAX_PATTERN {
        return Err(wrong(place, format!("at most {MAX_PATTERN} bytes")));
    }
    let escaped = if literal { regex::escape(text) } else { text.to_owned() };
    let mut builder = RegexBuilder::new(&escaped);
    builder.case_insensitive(literal).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED);
    let built = builder.build().map_err(|error| {
        let why = match error {
            regex::Error::CompiledTooBig(_) => TOO_LARGE.to_owned(),
            error => {
                let text = error.to_string();
                let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("{why}; put \\ before a sign that is to be found as it is, as in \\(")
            }
        };
        wrong(place, why)
    })?;
    let mut parser = ParserBuilder::new().utf8(false).build();
    // A text is looked for as a whole, however long it is.
    match literal || parser.parse(text).is_ok_and(|read| signs(&read, false) <= MAX_SIGNS) {
        true => Ok(built),
        false => Err(wrong(place, TOO_LARGE)),
    }
}

/// Signs of an expression with its repetitions written out; `repeated` is said of a part within
/// one. Plain text outside of all counts as one: where it does not go on, nothing of it is tried
/// any more.
fn signs(of: &Hir, repeated: bool) -> u32 {
    match of.kind() {
        HirKind::Literal(text) if repeated => u32::try_from(text.0.len()).unwrap_or(u32::MAX),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => 1,
        HirKind::Repetition(it) => {
            let times = it.max.unwrap_or(it.min.saturating_add(1)).max(1);
            signs(&it.sub, true).saturating_mul(times)
        }
        HirKind::Capture(it) => signs(&it.sub, repeated),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(|part| signs(part, repeated)).fold(0, u32::saturating_add)
        }
    }
}

/// A mistake in a question, at its place.
pub(super) fn wrong(place: &str, message: impl Into<String>) -> Refusal {
    Refusal::at(place, message)
}

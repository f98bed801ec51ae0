//! What is wrong with a configuration file: every problem at once, in line
//! order, each with where, what and what to do. Made by the readers of this
//! module, shown by `twinwall check`, the guard's log and (later) the page.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Problems kept of one file: enough for every line of a file that a person
/// wrote, and a bound for one that a machine filled.
pub const MAX_PROBLEMS: usize = 200;
/// Longest piece of a value that an error repeats, in characters.
const MAX_SHOWN: usize = 60;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// The file, as it was named to the parser.
    pub file: String,
    /// Line, counted from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// The key with its section, `interface[1].virtual`; entries are counted from 1.
    pub key: String,
    /// The value as it stands in the file.
    pub value: Option<String>,
    /// What is wrong.
    pub wrong: String,
    /// What to do.
    pub remedy: String,
    /// It works so, but hardly as meant.
    #[serde(default)]
    pub warning: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.warning {
            f.write_str(": warning")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        write!(f, ": {}; {}", self.wrong, self.remedy)
    }
}

/// All problems of a file, in line order; at most [`MAX_PROBLEMS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errors {
    /// The problems.
    pub problems: Vec<Problem>,
    /// How many more there were.
    pub more: usize,
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        if self.more > 0 {
            write!(f, "\n(and {} more)", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// Where a value stands, so that a later check can still speak of it.
#[derive(Clone, Debug)]
pub struct Place {
    /// As [`Problem::line`].
    pub line: usize,
    /// As [`Problem::key`].
    pub key: String,
    /// As [`Problem::value`].
    pub value: Option<String>,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// Collects the problems of one file.
pub struct Report<'a> {
    file: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
    problems: Vec<Problem>,
}

impl<'a> Report<'a> {
    /// An empty one; `file` is the name of the file for its problems.
    pub fn new(file: &'a str, text: &'a str) -> Report<'a> {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Report { file, text, line_starts, problems: Vec::new() }
    }

    /// The place of a value from its position in the text.
    pub fn place(&self, key: String, span: Range<usize>) -> Place {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        Place { line: self.line(span.start), key, value: Some(shown(raw)) }
    }

    /// The line of a position in the text.
    pub fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    /// Notes a problem: what is wrong there, and what to do.
    pub fn add(&mut self, place: &Place, wrong: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: place.line,
            key: place.key.clone(),
            value: place.value.clone(),
            wrong: wrong.into(),
            remedy: remedy.into(),
            warning: false,
        });
    }

    /// Problems so far.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// Whether there is none so far.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// The value, unless anything was wrong.
    ///
    /// # Errors
    /// The problems, in the order of lines.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Errors> {
        if let (true, Some(value)) = (self.is_clean(), value) {
            return Ok(value);
        }
        self.problems.sort_by_key(|problem| problem.line);
        let more = self.problems.len().saturating_sub(MAX_PROBLEMS);
        self.problems.truncate(MAX_PROBLEMS);
        Err(Errors { problems: self.problems, more })
    }
}

/// A value's text on one line, cut to a length that a terminal bears.
fn shown(raw: &str) -> String {
    let flat = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain: String = flat.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if plain.chars().count() <= MAX_SHOWN {
        return plain;
    }
    plain.chars().take(MAX_SHOWN).chain("...".chars()).collect()
}

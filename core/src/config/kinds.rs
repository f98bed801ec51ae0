//! The kinds of values that a key can hold: each reads a TOML value or reports
//! what is wrong with it, and describes itself for the reference.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::errors::{Found, Place, Report};
use super::prefix::{Prefix, PrefixError};

/// A kind of value.
pub trait Kind {
    /// What it becomes.
    type Value;
    /// Reads a value, or reports why it cannot be one.
    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Self::Value>;
    /// What may stand there, for the reference and for remedies.
    fn describe(&self) -> String;
}

/// Text for people.
pub struct Text {
    /// Longest text in bytes.
    pub max_bytes: usize,
}

/// A file below the root.
pub(super) struct PathBelowRoot;

/// A network interface's name.
pub(super) struct InterfaceName;

/// One of a few words.
pub struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

/// `true` or `false`.
pub struct Toggle;

/// A whole number.
pub struct Whole<T> {
    /// Least value.
    pub min: T,
    /// Greatest value.
    pub max: T,
}

/// Seconds, fractions allowed.
pub struct Seconds {
    /// Least value.
    pub min: Duration,
    /// Greatest value.
    pub max: Duration,
}

/// Addresses with prefix lengths: one text or a list.
pub(super) struct Prefixes;

/// Plain addresses: one text or a list.
pub(super) struct Addresses {
    /// Longest list.
    pub max: usize,
}

/// Addresses with ports: one text or a list.
pub(super) struct Listens {
    /// Longest list.
    pub max: usize,
}

/// Names of checks: one text or a list.
pub(super) struct CheckNames {
    /// Longest list.
    pub max: usize,
}

/// Longest interface name that the kernel takes (IFNAMSIZ less its end mark).
const MAX_INTERFACE_NAME: usize = 15;
/// Longest name of a check, see `event::Fact`.
const MAX_CHECK_NAME: usize = 32;

/// The text that a value is, or a report that it is none.
pub fn text_of<'v>(
    value: &'v DeValue<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<&'v str> {
    let text = value.as_str();
    if text.is_none() {
        report.add(place, format!("a text is needed, not {}", a(value)), "put it in quotes");
    }
    text
}

/// The type of a value with its article.
fn a(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

impl Kind for Text {
    type Value = String;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<String> {
        let text = text_of(value.get_ref(), place, report)?;
        let good =
            (1..=self.max_bytes).contains(&text.len()) && !text.chars().any(char::is_control);
        if !good {
            report.add(place, "too long, empty, or with control characters", self.describe());
        }
        good.then(|| text.to_owned())
    }

    fn describe(&self) -> String {
        format!("text of 1 to {} bytes", self.max_bytes)
    }
}

impl Kind for PathBelowRoot {
    type Value = String;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<String> {
        let text = text_of(value.get_ref(), place, report)?;
        let leaves = text.starts_with('/') || text.split('/').any(|part| part == "..");
        if leaves || text.is_empty() || text.chars().any(char::is_control) {
            let remedy = "write it relative to the root, without a leading / and without ..";
            report.add(place, "not a path below the root", remedy);
            return None;
        }
        Some(text.to_owned())
    }

    fn describe(&self) -> String {
        "path relative to the root".to_owned()
    }
}

impl Kind for InterfaceName {
    type Value = String;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<String> {
        let text = text_of(value.get_ref(), place, report)?;
        // Narrower than the kernel, which also takes quotes and wildcards.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let good = (1..=MAX_INTERFACE_NAME).contains(&text.len())
            && text.bytes().all(allowed)
            && !["lo", ".", ".."].contains(&text);
        if !good {
            let remedy = format!("{}, as 'ip link' shows it", self.describe());
            report.add(place, "not a usable interface name", remedy);
        }
        good.then(|| text.to_owned())
    }

    fn describe(&self) -> String {
        format!(
            "interface name of 1 to {MAX_INTERFACE_NAME} letters, digits, '.', '_' and '-', not 'lo'"
        )
    }
}

impl<T: Copy> Kind for Choice<T> {
    type Value = T;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<T> {
        let text = value.get_ref().as_str();
        let hit = self.0.iter().find(|(word, _)| Some(*word) == text);
        if hit.is_none() {
            report.add(place, "not one of the choices", format!("write {}", self.describe()));
        }
        hit.map(|(_, value)| *value)
    }

    fn describe(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        words.join(" or ")
    }
}

impl Kind for Toggle {
    type Value = bool;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<bool> {
        let answer = value.get_ref().as_bool();
        if answer.is_none() {
            report.add(place, "neither true nor false", "write true or false, without quotes");
        }
        answer
    }

    fn describe(&self) -> String {
        "true or false".to_owned()
    }
}

/// Any finite TOML number.
fn number(value: &DeValue<'_>) -> Option<f64> {
    let number = match value {
        DeValue::Integer(whole) => i64::from_str_radix(whole.as_str(), whole.radix()).ok()? as f64,
        DeValue::Float(float) => float.as_str().parse().ok()?,
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => {
            return None;
        }
    };
    number.is_finite().then_some(number)
}

impl<T: Copy + Into<i64> + TryFrom<i64> + std::fmt::Display> Kind for Whole<T> {
    type Value = T;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<T> {
        let number = number(value.get_ref()).filter(|number| number.fract() == 0.0);
        let Some(number) = number else {
            report.add(place, "not a whole number", format!("write a {}", self.describe()));
            return None;
        };
        let (min, max): (i64, i64) = (self.min.into(), self.max.into());
        // The cast saturates, and every bound lies well inside an i64.
        let inside = Some(number as i64).filter(|whole| (min..=max).contains(whole));
        let whole = inside.and_then(|whole| T::try_from(whole).ok());
        if whole.is_none() {
            report.add(place, "out of range", format!("write a {}", self.describe()));
        }
        whole
    }

    fn describe(&self) -> String {
        format!("whole number from {} to {}", self.min, self.max)
    }
}

impl Kind for Seconds {
    type Value = Duration;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Duration> {
        let Some(number) = number(value.get_ref()) else {
            report.add(place, "not a number of seconds", format!("write {}", self.describe()));
            return None;
        };
        let span = Duration::try_from_secs_f64(number).ok();
        let span = span.filter(|span| (self.min..=self.max).contains(span));
        if span.is_none() {
            report.add(place, "out of range", format!("write {}", self.describe()));
        }
        span
    }

    fn describe(&self) -> String {
        format!(
            "seconds from {} to {}, fractions allowed",
            self.min.as_secs_f64(),
            self.max.as_secs_f64()
        )
    }
}

/// Reads each text of a list, or the one text that stands for a list of one.
pub fn each<T>(
    value: &Spanned<DeValue<'_>>,
    place: &Place,
    report: &mut Report<'_>,
    mut one: impl FnMut(&str, &Place, &mut Report<'_>) -> Option<T>,
) -> Option<Vec<Found<T>>> {
    let items: &DeArray<'_> = match value.get_ref() {
        DeValue::String(text) => {
            let value = one(text, place, report);
            return Some(
                value.map(|value| Found { value, place: place.clone() }).into_iter().collect(),
            );
        }
        DeValue::Array(items) => items,
        other @ (DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_)) => {
            let wrong = format!("a text or a list of texts is needed, not {}", a(other));
            report.add(place, wrong, "write it as \"...\" or [\"...\", \"...\"]");
            return None;
        }
    };
    let mut all = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = report.place(format!("{}[{}]", place.key, index + 1), item.span());
        if let Some(value) =
            text_of(item.get_ref(), &place, report).and_then(|text| one(text, &place, report))
        {
            all.push(Found { value, place });
        }
    }
    Some(all)
}

/// Reports a list that is longer than allowed.
pub fn limit<T>(items: &[T], max: usize, place: &Place, report: &mut Report<'_>) {
    if items.len() > max {
        report.add(place, format!("{} entries", items.len()), format!("{max} are possible"));
    }
}

impl Kind for Prefixes {
    type Value = Vec<Found<Prefix>>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Self::Value> {
        each(value, place, report, |text, place, report| {
            let prefix = text.parse::<Prefix>();
            match prefix {
                Ok(prefix) => Some(prefix),
                Err(why @ PrefixError::NoLength) => {
                    report.add(
                        place,
                        why.to_string(),
                        format!("write \"{text}/LENGTH\" with the length of the subnet"),
                    );
                    None
                }
                Err(why @ (PrefixError::NotAnAddress | PrefixError::BadLength)) => {
                    report.add(
                        place,
                        why.to_string(),
                        "write ADDRESS/LENGTH, as 10.1.0.1/24 or 2001:db8::1/64",
                    );
                    None
                }
            }
        })
    }

    fn describe(&self) -> String {
        "\"ADDRESS/LENGTH\" or a list of them, IPv4 and IPv6".to_owned()
    }
}

impl Kind for Addresses {
    type Value = Vec<Found<IpAddr>>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Self::Value> {
        let all = each(value, place, report, |text, place, report| {
            let address = text.parse().ok();
            if address.is_none() {
                report.add(
                    place,
                    "not an IP address",
                    "write one as 10.2.0.254 or 2001:db8::1, without a length",
                );
            }
            address
        })?;
        limit(&all, self.max, place, report);
        Some(all)
    }

    fn describe(&self) -> String {
        format!("list of at most {} IP addresses", self.max)
    }
}

impl Kind for Listens {
    type Value = Vec<SocketAddr>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Self::Value> {
        let all = each(value, place, report, |text, place, report| {
            let address = text.parse().ok().filter(|address: &SocketAddr| address.port() != 0);
            if address.is_none() {
                let remedy = "write one as 10.1.0.2:8443 or [2001:db8::2]:8443";
                report.add(place, "not an IP address with a port", remedy);
            }
            address
        })?;
        limit(&all, self.max, place, report);
        Some(all.into_iter().map(|found| found.value).collect())
    }

    fn describe(&self) -> String {
        format!("list of at most {} IP addresses with ports", self.max)
    }
}

impl Kind for CheckNames {
    type Value = Vec<String>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Self::Value> {
        let good =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let all = each(value, place, report, |text, place, report| {
            let fits = (1..=MAX_CHECK_NAME).contains(&text.len()) && text.bytes().all(good);
            if !fits {
                let remedy = format!("1 to {MAX_CHECK_NAME} of a-z, 0-9, '.', '_' and '-'");
                report.add(place, "not a name of a check", remedy);
            }
            fits.then(|| text.to_owned())
        })?;
        limit(&all, self.max, place, report);
        Some(all.into_iter().map(|found| found.value).collect())
    }

    fn describe(&self) -> String {
        format!("list of at most {} names of checks", self.max)
    }
}

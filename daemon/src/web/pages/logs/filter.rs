//! What stands behind the question mark of the logs' page: as the form sends it, as the agent is
//! asked, and as the way to the next page. What is empty filters nothing.

use serde::Deserialize;

use crate::agent::api::error::Refusal;
use crate::agent::logs::parse;
use crate::percent::encoded;
use crate::web::pages::wrong;

/// No zone is further from UTC, in minutes.
const MAX_ZONE: i32 = 14 * 60;

/// See the module.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    pub(super) node: String,
    #[serde(default)]
    pub(super) source: String,
    #[serde(default)]
    pub(super) text: String,
    /// `1` where the text is a regular expression.
    #[serde(default)]
    pub(super) expression: String,
    /// As a browser's field for date and time sends it.
    #[serde(default)]
    pub(super) from: String,
    #[serde(default)]
    pub(super) to: String,
    /// By how many minutes the viewer's time is ahead of UTC; without a script it is UTC.
    #[serde(default)]
    pub(super) zone: String,
    #[serde(default)]
    before: String,
    #[serde(default)]
    follow: String,
}

impl Filter {
    pub(super) fn is_expression(&self) -> bool {
        self.expression == "1"
    }

    /// Whether lines are shown as they come.
    pub(super) fn is_live(&self) -> bool {
        self.follow == "1"
    }

    /// Whether it is a page of older lines.
    pub(super) fn is_paged(&self) -> bool {
        !self.before.is_empty()
    }

    pub(super) fn has_any(&self) -> bool {
        !self.words().is_empty()
    }

    /// The question for the agent.
    pub(super) fn asked(&self, now_ms: u64) -> Result<String, Refusal> {
        if self.is_live() {
            return Ok(self.asked_timeless());
        }
        let since = self.moment("from", &self.from, now_ms)?;
        let until = self.moment("to", &self.to, now_ms)?;
        // What is written as a minute is meant to its end.
        let whole = if self.to.len() == "2026-11-30T10:00".len() { 59_999 } else { 999 };
        let until = until.map(|ms| ms.saturating_add(whole));
        let times = [("since_ms", since), ("until_ms", until)];
        let times = times.into_iter().filter_map(|(name, ms)| Some(format!("&{name}={}", ms?)));
        let before = part("before", &self.before);
        Ok(self.asked_timeless() + &times.collect::<String>() + &before)
    }

    /// The same of lines that come.
    pub(super) fn asked_timeless(&self) -> String {
        let pattern = if self.is_expression() { "regex" } else { "text" };
        [("node", &self.node), ("source", &self.source), (pattern, &self.text)]
            .map(|(name, value)| part(name, value))
            .concat()
    }

    /// The words of an address of this page, without a place in the logs.
    pub(super) fn words(&self) -> String {
        let zone = if self.from.is_empty() && self.to.is_empty() { "" } else { &self.zone };
        let times = [("from", self.from.as_str()), ("to", &self.to), ("zone", zone)];
        self.timeless_words() + &times.map(|(name, value)| part(name, value)).concat()
    }

    /// The same without times.
    pub(super) fn timeless_words(&self) -> String {
        [
            ("node", &self.node),
            ("source", &self.source),
            ("text", &self.text),
            ("expression", &self.expression),
        ]
        .map(|(name, value)| part(name, value))
        .concat()
    }

    fn moment(&self, field: &str, text: &str, now_ms: u64) -> Result<Option<u64>, Refusal> {
        if text.is_empty() {
            return Ok(None);
        }
        let minutes = self.zone.parse().unwrap_or(0).clamp(-MAX_ZONE, MAX_ZONE);
        let whole = if text.len() == 16 { format!("{text}:00") } else { text.to_owned() };
        let written = parse::written(&whole, now_ms.saturating_mul(1_000), minutes * 60);
        match written {
            Some((at_us, length)) if length == whole.len() => Ok(Some(at_us / 1_000)),
            Some(_) | None => {
                Err(wrong::at(field, "This is no date and time; write it as 2026-11-30T10:00."))
            }
        }
    }
}

fn part(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("&{name}={}", encoded(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&str, &str)]) -> Filter {
        let value: serde_json::Map<String, serde_json::Value> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        serde_json::from_value(value.into()).expect("a filter")
    }

    #[test]
    fn the_agent_is_asked_what_the_form_says() {
        let filter = of(&[
            ("node", "there"),
            ("source", "dhcp"),
            ("text", "a b&c"),
            ("from", "2026-11-30T11:00"),
            ("to", "2026-11-30T11:01"),
            ("zone", "60"),
            ("before", "3-4"),
        ]);
        assert_eq!(
            filter.asked(0),
            Ok("&node=there&source=dhcp&text=a%20b%26c&since_ms=1796032800000\
                &until_ms=1796032919999&before=3-4"
                .to_owned())
        );
        assert!(filter.words().ends_with("&from=2026-11-30T11%3A00&to=2026-11-30T11%3A01&zone=60"));
        assert!(!filter.timeless_words().contains("from"));
        let expression = of(&[("text", "a.b"), ("expression", "1"), ("follow", "1")]);
        assert_eq!(expression.asked(0), Ok("&regex=a.b".to_owned()));
        assert!(expression.is_live() && !expression.is_paged());
        assert_eq!(of(&[("zone", "60")]).words(), "", "a zone alone filters nothing");
    }

    #[test]
    fn a_time_that_is_none_is_refused_at_its_field() {
        for (field, text) in [("from", "yesterday"), ("to", "2026-13-01T00:00"), ("to", "1")] {
            let refused = of(&[(field, text)]).asked(0).expect_err("refused");
            assert_eq!(refused.details[0].place, field);
        }
    }
}

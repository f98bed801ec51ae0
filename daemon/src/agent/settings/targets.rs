//! What the parser cannot know of the targets of alerts: which conditions there are, and what an
//! address may have in braces. A slip of the pen there stops no guard, which heeds none of it; but
//! nothing would ever be told. What is entered is refused for it, and `twinwall check` warns.

use std::collections::BTreeSet;
use std::fmt;

use toml_edit::Document;
use twinwall_core::config::{AlertChannel, AlertTarget, Pair, nearest};

use super::check;
use crate::agent::api::error::{Detail, Refusal};
use crate::agent::conditions::ConditionId;

/// What stands in an address for the target's secret.
pub const SECRET: &str = "{secret}";

/// A value that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    target: String,
    name: &'static str,
    /// The part of the key's value that is wrong.
    pub value: String,
    /// What is wrong with it.
    pub wrong: &'static str,
    /// What to do.
    pub remedy: String,
}

impl Mistake {
    /// Its key, as `alerts.noc.conditions`.
    pub fn key(&self) -> String {
        format!("alerts.{}.{}", self.target, self.name)
    }

    /// The line in the text of `pair.toml`, counted from 1; 0 where it is not found.
    pub fn line(&self, text: &str) -> usize {
        line(text, &self.target, self.name, &self.value)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "'{}': {}; {}", self.value, self.wrong, self.remedy)
    }
}

/// All of these settings.
pub fn mistakes(pair: &Pair) -> Vec<Mistake> {
    pair.alerts
        .iter()
        .flat_map(|target| conditions(target).into_iter().chain(address(target)))
        .collect()
}

/// Refuses what a change brings in. What was wrong before keeps nobody from changing something
/// else.
///
/// # Errors
/// A refusal with a detail for each.
pub fn refuse_new(old: &str, new: &str) -> Result<(), Refusal> {
    let of = |text: &str| check::read(text).map(|pair| mistakes(&pair));
    let before: BTreeSet<Mistake> = of(old).unwrap_or_default().into_iter().collect();
    let new = of(new)?.into_iter().filter(|mistake| !before.contains(mistake));
    let detail = |it: Mistake| Detail { place: it.key(), message: it.to_string() };
    let details: Vec<Detail> = new.map(detail).collect();
    if details.is_empty() { Ok(()) } else { Err(check::with_details(details)) }
}

/// The line on which a target's key has a value, or begins.
pub fn line(text: &str, target: &str, name: &str, value: &str) -> usize {
    let span = || {
        let document = Document::parse(text).ok()?;
        let item = document.get("alerts")?.get(target)?.get(name)?;
        let entries = item.as_array().into_iter().flatten();
        let entry = entries.filter(|entry| entry.as_str() == Some(value)).find_map(|it| it.span());
        entry.or_else(|| item.span())
    };
    let before = span().and_then(|span| text.get(..span.start));
    before.map_or(0, |before| before.matches('\n').count() + 1)
}

fn conditions(target: &AlertTarget) -> Vec<Mistake> {
    let known: Vec<String> = ConditionId::ALL.iter().map(|id| id.name().to_owned()).collect();
    let unknown = target.conditions.iter().filter(|name| ConditionId::named(name).is_none());
    let mistake = |name: &String| Mistake {
        target: target.name.clone(),
        name: "conditions",
        value: name.clone(),
        wrong: "there is no such condition",
        remedy: nearest(name, &known).map_or_else(
            || "docs/reference/conditions.md has all names".to_owned(),
            |near| format!("did you mean '{near}'?"),
        ),
    };
    unknown.map(mistake).collect()
}

/// Braces are no letters of an address (RFC 3986, section 2), so they can only mean this.
fn address(target: &AlertTarget) -> Vec<Mistake> {
    let path = match &target.channel {
        AlertChannel::Webhook { url } => url.path.replace(SECRET, ""),
        AlertChannel::Email { .. } | AlertChannel::Syslog { .. } => return Vec::new(),
    };
    let mut found = Vec::new();
    let mut rest = path.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        let piece = &rest[at..];
        // One without the other stands for itself.
        let closed = piece.strip_prefix('{').and_then(|inner| inner.find(['{', '}']));
        let end = closed.filter(|end| piece[1 + end..].starts_with('}')).map_or(1, |end| end + 2);
        let (value, behind) = piece.split_at(end);
        found.push(value.to_owned());
        rest = behind;
    }
    let near = |value: &str| nearest(value, &[SECRET.to_owned()]).is_some();
    let mistake = |value: String| Mistake {
        target: target.name.clone(),
        name: "url",
        wrong: "stands for nothing",
        remedy: match near(&value) {
            true => format!("did you mean '{SECRET}'?"),
            false => format!("only {SECRET} does; write a brace itself as %7B or %7D"),
        },
        value,
    };
    found.into_iter().map(mistake).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(conditions: &str, url: &str) -> String {
        format!(
            "pair_id = 7\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n[alerts.bad]\n\
             kind = \"webhook\"\nurl = \"https://a.example{url}\"\nconditions = {conditions}\n"
        )
    }

    fn told(text: &str) -> Vec<String> {
        let pair = check::read(text).expect("the parser takes it");
        let all = mistakes(&pair).into_iter();
        all.map(|it| format!("{} {}: {it}", it.line(text), it.key())).collect()
    }

    #[test]
    fn a_misspelt_condition_is_named_with_its_line_and_the_nearest_name() {
        let text = text("[\n  \"failover\",\n  \"peer-silnt\",\n  \"nothing-like-it\",\n]", "/");
        assert_eq!(
            told(&text),
            [
                "10 alerts.bad.conditions: 'peer-silnt': there is no such condition; did you mean \
                 'peer-silent'?",
                "11 alerts.bad.conditions: 'nothing-like-it': there is no such condition; \
                 docs/reference/conditions.md has all names",
            ]
        );
    }

    #[test]
    fn what_stands_in_braces_in_an_address_is_the_secret_or_a_mistake() {
        for right in ["/", "/{secret}", "/a/{secret}?b={secret}", "/%7Bx%7D"] {
            assert_eq!(told(&text("[]", right)), [""; 0], "{right}");
        }
        for (wrong, values) in [
            ("/{secrt}/x", &["'{secrt}': stands for nothing; did you mean '{secret}'?"][..]),
            (
                "/{secret",
                &[
                    "'{': stands for nothing; only {secret} does; write a brace itself as %7B or %7D",
                ],
            ),
            (
                "/{Token}{secret}}",
                &[
                    "'{Token}': stands for nothing; only {secret} does; write a brace itself as %7B or %7D",
                    "'}': stands for nothing; only {secret} does; write a brace itself as %7B or %7D",
                ],
            ),
        ] {
            let wanted: Vec<String> =
                values.iter().map(|value| format!("7 alerts.bad.url: {value}")).collect();
            assert_eq!(told(&text("[]", wrong)), wanted, "{wrong}");
        }
    }

    #[test]
    fn what_a_change_brings_in_is_refused_and_what_was_wrong_before_is_not() {
        let (good, bad) = (text("[]", "/"), text("\"peer-silnt\"", "/"));
        let refused = refuse_new(&good, &bad).expect_err("misspelt");
        assert_eq!(refused.details[0].place, "alerts.bad.conditions");
        assert!(refused.details[0].message.contains("did you mean 'peer-silent'?"));
        assert_eq!(refuse_new(&bad, &bad.replace("pair_id = 7", "pair_id = 8")), Ok(()));
        assert_eq!(refuse_new(&bad, &good), Ok(()));
        assert!(refuse_new(&bad, &text("[\"peer-silnt\", \"failovr\"]", "/")).is_err());
    }
}

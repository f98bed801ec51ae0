//! Names of conditions in a file. Which there are, the agent knows, whose table they are of.

use toml::Spanned;
use toml::de::DeValue;

use super::MAX_CONDITIONS;
use crate::config::errors::{Found, Place, Report};
use crate::config::kinds::{Kind, each, limit};

/// Longest name of a condition.
const MAX_NAME: usize = 32;

/// One name or several.
pub(in crate::config) struct ConditionNames;

impl Kind for ConditionNames {
    type Value = Vec<String>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Vec<String>> {
        let all = each(value, place, report, |text, place, report| {
            let fits = (1..=MAX_NAME).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            if !fits {
                let remedy = "write one as peer-silent; the reference of conditions names all";
                report.add(place, "not a name of a condition", remedy);
            }
            fits.then(|| text.to_owned())
        })?;
        limit(&all, MAX_CONDITIONS, place, report);
        Some(all.into_iter().map(|found: Found<String>| found.value).collect())
    }

    fn describe(&self) -> String {
        format!("list of at most {MAX_CONDITIONS} names of conditions")
    }
}

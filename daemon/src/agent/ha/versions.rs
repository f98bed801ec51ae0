//! The kept versions of the settings with what each of them brought, and one of them whole.
//! It reads the history and changes nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refuse;
use crate::agent::api::error::Refusal;
use crate::agent::node::Node;
use crate::agent::settings::differ::differences;
use crate::agent::settings::{HaSettings, History, Setting, Version, check};

/// Versions in one answer: each is a file that is read.
pub const MAX_SHOWN: usize = 50;

/// A version, and what it brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionChange {
    /// Which.
    pub version: Version,
    /// What differs from the version before; none where that one is not kept, or one of the
    /// two cannot be read.
    pub changed: Option<Vec<Setting>>,
}

/// A version as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionView {
    /// Which.
    pub version: Version,
    /// The settings.
    pub settings: HaSettings,
}

/// The newest `last` versions before the number `before`, the newest first.
pub fn changes(node: &Node, before: Option<u64>, last: usize) -> Vec<VersionChange> {
    let history = &node.ha().history;
    let all = history.versions();
    let end = all.partition_point(|it| before.is_none_or(|before| it.revision.number < before));
    let begin = end.saturating_sub(last.min(MAX_SHOWN));
    // One more, with which the oldest is compared.
    let texts: Vec<(Version, Option<HaSettings>)> = all[begin.saturating_sub(1)..end]
        .iter()
        .map(|version| (version.clone(), settings(history, version.revision.number).ok()))
        .collect();
    let shown = end - begin;
    let mut told: Vec<VersionChange> = (0..texts.len())
        .map(|index| {
            let (version, now) = &texts[index];
            let old = index.checked_sub(1).and_then(|before| texts[before].1.as_ref());
            let changed = old.zip(now.as_ref()).map(|(old, now)| differences(old, now));
            VersionChange { version: version.clone(), changed }
        })
        .rev()
        .collect();
    told.truncate(shown);
    told
}

/// One version.
///
/// # Errors
/// When it is not kept, or cannot be read.
pub fn version(node: &Node, number: u64) -> Result<VersionView, Refusal> {
    let history = &node.ha().history;
    let settings = settings(history, number)?;
    let found = history.versions().into_iter().find(|it| it.revision.number == number);
    let gone = || Refusal::not_found(format!("version {number} of the settings is not kept"));
    Ok(VersionView { version: found.ok_or_else(gone)?, settings })
}

fn settings(history: &History, number: u64) -> Result<HaSettings, Refusal> {
    let text = history.text(number).map_err(refuse)?;
    check::read(&text).map(|pair| HaSettings::from(&pair))
}

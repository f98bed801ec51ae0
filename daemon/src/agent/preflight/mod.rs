//! Are these two nodes alike enough to stand in for each other (SPEC R2)? Each node says of
//! itself what it is; the two are compared, and each prerequisite has both values, a verdict
//! and what to do. Asked by `twinwall preflight`, as the first step of turning high
//! availability on, and by readiness. Nothing here changes anything.

mod ask;
mod compare;
mod facts;
mod read;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::Prerequisite;

use super::api::error::{Code, Detail, Refusal};
pub use ask::{firmware, here, look, of};
pub(in crate::agent) use compare::CLOCK;
pub use compare::compare;
pub use facts::{Facts, HaPort, Identity, Known, Port};
pub use read::Kept;
pub(in crate::agent) use read::fact;

/// All that was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Preflight {
    /// Whether high availability may be turned on: the other node answers, and nothing
    /// failed that is not overridden.
    pub good: bool,
    /// The answer in a sentence.
    pub verdict: String,
    /// This node's name.
    pub here: String,
    /// The other node's, while it can be asked.
    pub there: Option<String>,
    /// Why the other node could not be asked.
    pub away: Option<String>,
    /// Every prerequisite, in a fixed order.
    pub prerequisites: Vec<Compared>,
    /// Kernel settings that are set when high availability turns on.
    pub kernel: Vec<KernelSetting>,
}

/// One prerequisite with both values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// Which.
    pub name: Prerequisite,
    /// This node's value.
    pub here: String,
    /// The other node's; empty while it cannot be asked.
    pub there: String,
    /// What came of it.
    pub verdict: Verdict,
    /// It failed, and the settings say that it need not be met.
    pub overridden: bool,
    /// Why it is not good; empty where it is.
    pub why: String,
    /// What to do about it; empty where it is good.
    pub what_now: String,
}

impl Compared {
    /// Whether it keeps high availability from being turned on.
    pub fn blocks(&self) -> bool {
        self.verdict == Verdict::Failed && !self.overridden
    }
}

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is met.
    Good,
    /// It is not met.
    Failed,
    /// Neither node can say; this holds nothing up.
    Unknown,
}

/// A kernel setting on both nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KernelSetting {
    /// Its name, as `sysctl` writes it.
    pub name: String,
    /// The value that a failover needs.
    pub wanted: String,
    /// The value on this node; the administrator's, while twinwall's stands in its place.
    pub here: Option<String>,
    /// The same of the other node.
    pub there: Option<String>,
    /// What it is needed for.
    pub why: String,
}

impl Preflight {
    /// What speaks against turning high availability on, as a refusal.
    ///
    /// # Errors
    /// Every prerequisite that is not met, and how to go on without it.
    pub fn demand(&self) -> Result<(), Refusal> {
        if let Some(away) = &self.away {
            return Err(Refusal::unreachable(format!("both nodes are needed for this: {away}")));
        }
        let failed: Vec<&Compared> = self.prerequisites.iter().filter(|it| it.blocks()).collect();
        let Some(first) = failed.first() else { return Ok(()) };
        let details = failed.iter().map(|it| Detail {
            place: it.name.name().to_owned(),
            message: format!("{} here, {} there: {}; {}", it.here, it.there, it.why, it.what_now),
        });
        let message = format!(
            "{} On lab and virtual machines one can be overridden, which is recorded: twinwall \
             ha set preflight.override+={}",
            self.verdict,
            first.name.name()
        );
        Err(Refusal { code: Code::Conflict, message, details: details.collect() })
    }

    /// What is not met and overridden, for the administrator who turns it on.
    pub fn overridden(&self) -> impl Iterator<Item = String> {
        let all = self.prerequisites.iter().filter(|it| it.overridden);
        all.map(|it| format!("the prerequisite '{}' is overridden: {}", it.name.name(), it.why))
    }
}

//! How a section stands between the two nodes, concluded from three digests: what is
//! here, what is there, and what both had when they last agreed. Pure; called after
//! every change of one of the three.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::digest::Digest;

/// Who changed a section since the two nodes last agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Changed {
    /// This node.
    Here,
    /// The other node.
    There,
    /// Both, differently.
    Both,
}

/// How a section stands between the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The same on both.
    InSync,
    /// Not the same, and who changed it.
    Differs(Changed),
    /// Not the same, and it never was.
    Never,
    /// One of the two is not known: not yet read, or the other node is away.
    Unknown,
}

/// The three digests of a section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// On this node's disk.
    pub here: Option<Digest>,
    /// On the other node's disk, as it said last.
    pub there: Option<Digest>,
    /// What both had when they last agreed.
    pub common: Option<Digest>,
}

impl Digests {
    /// What follows.
    pub fn standing(&self) -> Standing {
        let (Some(here), Some(there)) = (self.here, self.there) else { return Standing::Unknown };
        if here == there {
            return Standing::InSync;
        }
        let Some(common) = self.common else { return Standing::Never };
        Standing::Differs(match (here == common, there == common) {
            (false, true) => Changed::Here,
            (true, false) => Changed::There,
            // Both equal to one digest and not to each other cannot be.
            (false, false) | (true, true) => Changed::Both,
        })
    }
}

/// Which node a synchronisation takes the configuration from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// This node's configuration goes to the other one.
    Push,
    /// The other node's configuration comes here.
    Pull,
}

/// What the automatic mode may do about a section without asking: only send on what the
/// active node alone changed, or what was never the same.
///
/// What was changed on the passive, or on both, waits for a person: either answer loses
/// somebody's work.
pub fn automatic(standing: Standing, here_is_active: bool) -> bool {
    here_is_active
        && match standing {
            Standing::Never | Standing::Differs(Changed::Here) => true,
            Standing::InSync
            | Standing::Unknown
            | Standing::Differs(Changed::There | Changed::Both) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(here: &str, there: &str, common: &str) -> Digests {
        let of = |text: &str| (!text.is_empty()).then(|| Digest::of(text.as_bytes()));
        Digests { here: of(here), there: of(there), common: of(common) }
    }

    #[test]
    fn every_case_of_the_three_digests() {
        for (here, there, common, standing) in [
            ("a", "a", "a", Standing::InSync),
            ("a", "a", "b", Standing::InSync),
            ("a", "a", "", Standing::InSync),
            ("b", "a", "a", Standing::Differs(Changed::Here)),
            ("a", "b", "a", Standing::Differs(Changed::There)),
            ("a", "b", "c", Standing::Differs(Changed::Both)),
            ("a", "b", "", Standing::Never),
            ("", "b", "a", Standing::Unknown),
            ("a", "", "a", Standing::Unknown),
        ] {
            assert_eq!(
                digests(here, there, common).standing(),
                standing,
                "{here} {there} {common}"
            );
        }
    }

    #[test]
    fn nothing_is_overwritten_unasked_that_somebody_changed_on_the_passive() {
        let all = [
            Standing::InSync,
            Standing::Never,
            Standing::Unknown,
            Standing::Differs(Changed::Here),
            Standing::Differs(Changed::There),
            Standing::Differs(Changed::Both),
        ];
        let sent: Vec<Standing> = all.into_iter().filter(|it| automatic(*it, true)).collect();
        assert_eq!(sent, [Standing::Never, Standing::Differs(Changed::Here)]);
        assert!(!all.into_iter().any(|it| automatic(it, false)), "the passive sends nothing");
    }
}

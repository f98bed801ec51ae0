//! What the engine shows: one value for the command, the API and the console, made from
//! its state. Words for people are chosen here and nowhere else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::message::Phase;
use super::standing::{Changed, Standing};
use super::state::State;
use crate::agent::digest::Digest;
use crate::agent::section::Section;
use crate::agent::store::Cause;

/// How the configuration of the two nodes stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// This node's name.
    pub node: String,
    /// Whether this node has no configuration of this pair and can be no source.
    pub blank: bool,
    /// Sections that this node joined with and has not taken yet; it can be no source of them.
    pub missing: Vec<Section>,
    /// The other node.
    pub peer: PeerView,
    /// All sections together.
    pub verdict: SectionState,
    /// Whether changes are sent as they are made; false when high availability is off.
    pub automatic: bool,
    /// The thirteen sections.
    pub sections: Vec<SectionView>,
    /// The synchronisation that runs.
    pub job: Option<JobView>,
    /// What came of the last one; kept over restarts of the agent.
    #[serde(default)]
    pub last: Option<LastJob>,
}

/// What is known of the other node's agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PeerAgent")]
pub struct PeerView {
    /// Whether there is one: this node is paired.
    pub paired: bool,
    /// Its name; none before it said one.
    pub name: Option<String>,
    /// Whether it can be reached now.
    pub connected: bool,
    /// Whether it has no configuration of this pair and can be no source.
    pub blank: bool,
    /// Sections that it joined with and has not taken yet.
    pub missing: Vec<Section>,
}

/// How a section stands, in one word.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SectionState {
    /// The same on both nodes.
    InSync,
    /// On its way.
    Synchronising,
    /// Not known: not read yet, or the other node is away.
    Unknown,
    /// Not the same.
    OutOfSync,
    /// Not the same, and it never was.
    NeverSynchronised,
    /// Not the same, and the last try failed, or it cannot be read.
    Failed,
}

/// One section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SectionView {
    /// Which.
    pub section: Section,
    /// Its name for people.
    pub title: String,
    /// How it stands.
    pub state: SectionState,
    /// Who changed it since the nodes last agreed.
    pub changed: Option<Changed>,
    /// The same in a sentence, with what to do.
    pub reason: String,
    /// What is on this node: the first digits of its digest.
    pub here: Option<String>,
    /// What is on the other node.
    pub there: Option<String>,
    /// How far it is, while it is being synchronised.
    pub phase: Option<Phase>,
    /// Its newest version on this node; none before the first look.
    #[serde(default)]
    pub newest: Option<Newest>,
}

/// The newest version of a section, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Newest {
    /// Its number.
    pub number: u64,
    /// Since when it is so, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// Why it came to be.
    pub cause: Cause,
    /// By whom.
    pub who: String,
}

/// The synchronisation that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SyncJobView")]
pub struct JobView {
    /// Whether this node takes the other one's configuration.
    pub taking_here: bool,
    /// Whether it was ordered; other changes wait until it ends.
    pub forced: bool,
    /// Who ordered it.
    pub who: String,
    /// Sections done or failed, of all.
    pub finished: usize,
    /// All sections of it.
    pub of: usize,
}

/// A synchronisation that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastJob {
    /// Whether this node took the other one's configuration.
    pub taking_here: bool,
    /// Whether it was ordered.
    pub forced: bool,
    /// Who ordered it.
    pub who: String,
    /// When it ended, in milliseconds since 1970 (UTC).
    pub ended_ms: u64,
    /// What came of each of its sections.
    pub sections: Vec<SectionResult>,
}

/// What came of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SectionResult {
    /// Which.
    pub section: Section,
    /// Why it was not taken; none: it was, and compared.
    pub failed: Option<String>,
}

impl SectionState {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            SectionState::InSync => "in sync",
            SectionState::Synchronising => "synchronising",
            SectionState::Unknown => "unknown",
            SectionState::OutOfSync => "out of sync",
            SectionState::NeverSynchronised => "never synchronised",
            SectionState::Failed => "failed",
        }
    }
}

impl State {
    /// What is shown of it.
    pub fn overview(&self) -> Overview {
        let sections: Vec<SectionView> =
            Section::ALL.into_iter().map(|section| self.section_view(section)).collect();
        let worst = sections.iter().map(|view| view.state).max();
        let name = self.peer.as_ref().map(|peer| peer.node.clone());
        let blank = self.peer.as_ref().is_some_and(|peer| peer.lineage.is_none());
        let missing = self.peer.iter().flat_map(|peer| peer.missing.iter().copied()).collect();
        let rules = self.rules();
        Overview {
            node: self.node().to_owned(),
            blank: self.marks().lineage.is_none(),
            missing: self.marks().missing.iter().copied().collect(),
            peer: PeerView {
                paired: self.is_paired(),
                name,
                connected: self.is_connected(),
                blank,
                missing,
            },
            verdict: worst.unwrap_or(SectionState::Unknown),
            automatic: rules.is_some_and(|rules| rules.enabled && rules.automatic),
            sections,
            job: self.job_view(),
            last: self.last.clone(),
        }
    }

    fn job_view(&self) -> Option<JobView> {
        let job = self.job.as_ref()?;
        let steps = job.taking.sections.values();
        Some(JobView {
            taking_here: job.taking_here,
            forced: job.taking.forced,
            who: job.taking.who.clone(),
            finished: steps.clone().filter(|step| step.is_final()).count(),
            of: steps.len(),
        })
    }

    fn section_view(&self, section: Section) -> SectionView {
        let digests = self.digests(section);
        let standing = digests.standing();
        let step = self.job.as_ref().and_then(|job| job.taking.sections.get(&section));
        let under_way = step.filter(|step| !step.is_final()).cloned();
        let (state, reason) = self.words(section, standing, under_way.as_ref());
        let changed = match standing {
            Standing::Differs(changed) => Some(changed),
            Standing::InSync | Standing::Never | Standing::Unknown => None,
        };
        SectionView {
            section,
            title: section.title().to_owned(),
            state,
            changed,
            reason,
            here: digests.here.as_ref().map(Digest::short),
            there: digests.there.as_ref().map(Digest::short),
            phase: under_way,
            newest: None,
        }
    }

    fn words(
        &self,
        section: Section,
        standing: Standing,
        under_way: Option<&Phase>,
    ) -> (SectionState, String) {
        if let Some(step) = under_way {
            return (SectionState::Synchronising, step.words());
        }
        let one = &self.sections[&section];
        let other = self.peer.as_ref().map_or("the other node", |peer| peer.node.as_str());
        if let Some(why) = &one.problem_here {
            return (SectionState::Failed, format!("on this node: {why}"));
        }
        if standing != Standing::InSync {
            if let Some(failed) = &one.failed {
                let place = if failed.here { "this node" } else { other };
                return (SectionState::Failed, format!("on {place}: {}", failed.why));
            }
            if let Some(why) = &one.problem_there {
                return (SectionState::Failed, format!("on {other}: {why}"));
            }
        }
        self.standing_words(section, standing)
    }

    /// What is said of a section with which nothing is wrong.
    fn standing_words(&self, section: Section, standing: Standing) -> (SectionState, String) {
        let one = &self.sections[&section];
        let other = self.peer.as_ref().map_or("the other node", |peer| peer.node.as_str());
        let waits = matches!(standing, Standing::Never | Standing::Differs(Changed::Here));
        if waits && self.is_off_there() {
            let never = standing == Standing::Never;
            let state =
                if never { SectionState::NeverSynchronised } else { SectionState::OutOfSync };
            return (state, format!("high availability is off on {other}, which takes nothing"));
        }
        match standing {
            Standing::InSync => {
                let remark = one.remark.as_ref().map(|remark| format!("on this node: {remark}"));
                (SectionState::InSync, remark.unwrap_or_default())
            }
            Standing::Never => {
                (SectionState::NeverSynchronised, "the two nodes never had the same".to_owned())
            }
            Standing::Differs(Changed::Here) => {
                (SectionState::OutOfSync, "changed on this node".to_owned())
            }
            Standing::Differs(Changed::There) => {
                (SectionState::OutOfSync, format!("changed on {other}"))
            }
            Standing::Differs(Changed::Both) => {
                (SectionState::OutOfSync, "changed on both nodes: choose a direction".to_owned())
            }
            Standing::Unknown if one.here.is_none() => {
                (SectionState::Unknown, "not read yet".to_owned())
            }
            Standing::Unknown if !self.is_paired() => {
                (SectionState::Unknown, "this node is not paired".to_owned())
            }
            Standing::Unknown => (SectionState::Unknown, format!("{other} is away")),
        }
    }
}

impl Phase {
    /// For people.
    pub fn words(&self) -> String {
        match self {
            Phase::Waiting => "waits for its turn".to_owned(),
            Phase::Fetching { percent } => format!("being fetched, {percent} %"),
            Phase::Staging => "being staged".to_owned(),
            Phase::Validating => "being validated".to_owned(),
            Phase::Applying => "being applied".to_owned(),
            Phase::Comparing => "being compared".to_owned(),
            Phase::Done => "done".to_owned(),
            Phase::Failed { why } => why.clone(),
        }
    }
}

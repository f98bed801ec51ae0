//! What is the matter with the pair, each thing by its name in the [`catalogue`]: what is so
//! now, and what was told of it. Made from what guard, readiness, services and the other
//! parts of the agent say, at each change and once a second; a condition is told only once it
//! has lasted. Console, command, SNMP, metrics and alerts read it here. Decides nothing about
//! the role, and nothing on the way of a failover waits for it.

pub mod catalogue;
mod certificate;
mod copies;
mod hold;
mod keep;
mod log;
mod moves;
mod observe;
mod speak;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use twinwall_core::time::Moment;

pub use catalogue::{ConditionId, Severity};
pub(in crate::agent) use certificate::keep as keep_certificate;
use hold::{Change, Holder, Whose};
pub(in crate::agent) use keep::keep;
use log::Log;
pub use observe::{Told, beside_alarms};

use crate::agent::failovers::monotonic;

/// Notices that are kept.
pub const MAX_NOTICES: usize = 1000;
/// Conditions that other parts of the agent may report at a time: a handful for each.
const MAX_REPORTED: usize = 64;
/// Longest text of a notice in bytes, its own or of the other node.
const MAX_TEXT: usize = 1000;

/// What a notice tells of its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NoticeKind")]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is so from here on.
    Raised,
    /// It is not so any more.
    Cleared,
    /// It happened, and is over.
    Happened,
}

impl Kind {
    /// Its word, as in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Raised => "raised",
            Kind::Cleared => "cleared",
            Kind::Happened => "happened",
        }
    }
}

/// Something that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// Its number on this node, ascending over restarts.
    pub id: u64,
    /// When: milliseconds since 1970 (UTC) on this node's clock.
    pub at_ms: u64,
    /// Since when it is or was so, as [`Standing::since_ms`]; none where it happened.
    #[serde(default)]
    pub since_ms: Option<u64>,
    /// Which node it is about; `pair` where it is about both.
    pub node: String,
    /// Which condition.
    pub condition: ConditionId,
    /// Of which interface, service, gateway, … where the node can have several.
    pub subject: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it began, ended, or happened.
    pub kind: Kind,
    /// In a sentence.
    pub text: String,
    /// What to do.
    pub what_now: String,
}

/// A condition that is so now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "StandingCondition")]
pub struct Standing {
    /// Which condition.
    pub condition: ConditionId,
    /// Which node it is about; `pair` where it is about both.
    pub node: String,
    /// Of which interface, service, gateway, …
    pub subject: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Since when: milliseconds since 1970 (UTC) on the clock of the node that says so.
    pub since_ms: u64,
    /// Whether that is still known: a node that cannot be asked may be better by now.
    pub known: bool,
    /// It ends: it has not been so for that many milliseconds. It is cleared once that has
    /// lasted; none while it is so.
    #[serde(default)]
    pub good_for_ms: Option<u64>,
    /// In a sentence.
    pub text: String,
    /// What to do.
    pub what_now: String,
}

/// All that the agent knows of conditions.
pub struct Conditions {
    inside: Mutex<Inside>,
    disk: Mutex<Log>,
    newest: watch::Sender<u64>,
    speaks: AtomicBool,
    refused: AtomicU64,
}

struct Inside {
    holder: Holder,
    notices: VecDeque<Notice>,
    /// What other parts of the agent say.
    reported: BTreeMap<(ConditionId, Option<String>), String>,
    here: String,
    there: Option<String>,
    last: u64,
}

impl Conditions {
    /// As it lies below the root: what was raised at the end of the last run is raised still,
    /// until it is seen that it is not so any more.
    pub fn open(root: &Path, here: &str) -> Conditions {
        let folder = root.join(crate::agent::engine::assemble::STATE);
        let (disk, notices) = Log::open(&folder.join("notices.jsonl"));
        let last = notices.back().map_or(0, |notice| notice.id);
        let mut holder = Holder::default();
        notices.iter().for_each(|notice| holder.remember(notice, here));
        let is_other = |it: &&Notice| it.node != here && it.node != catalogue::PAIR;
        let there = notices.iter().rev().find(is_other).map(|notice| notice.node.clone());
        let reported = BTreeMap::new();
        let here = here.to_owned();
        Conditions {
            inside: Mutex::new(Inside { holder, notices, reported, here, there, last }),
            disk: Mutex::new(disk),
            newest: watch::Sender::new(last),
            // Until it is known who serves, nobody speaks.
            speaks: AtomicBool::new(false),
            refused: AtomicU64::new(0),
        }
    }

    /// What is so now, the worst first.
    pub fn present(&self) -> Vec<Standing> {
        self.present_at(monotonic())
    }

    fn present_at(&self, now: Moment) -> Vec<Standing> {
        let inside = self.inside();
        let mut all: Vec<Standing> =
            inside.holder.raised().map(|raised| inside.standing(now, raised)).collect();
        all.sort_by_key(|it| (it.severity, it.since_ms));
        all
    }

    /// Notices after number `after`, at most `limit`; the oldest first. Without `after` the
    /// newest ones.
    pub fn notices(&self, after: Option<u64>, limit: usize) -> Vec<Notice> {
        let inside = self.inside();
        let Some(after) = after else {
            let skip = inside.notices.len().saturating_sub(limit);
            return inside.notices.iter().skip(skip).cloned().collect();
        };
        inside.notices.iter().filter(|it| it.id > after).take(limit).cloned().collect()
    }

    /// The number of the newest notice, and each new one.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Whether this node speaks for the pair: it is active, or the active node is dead or
    /// its agent away, or there is no pair. Whoever sends notices sends them only where this
    /// is so; a notice of the last seconds before a failover may be one that the dead node
    /// did not send any more.
    pub fn speaks(&self) -> bool {
        self.speaks.load(Ordering::Relaxed)
    }

    /// Another part of the agent says how a condition of its own stands here: what is the
    /// matter, or nothing. Repeats are harmless.
    pub fn report(&self, id: ConditionId, subject: Option<&str>, matter: Option<String>) {
        let mut inside = self.inside();
        let key = (id, subject.map(str::to_owned));
        match matter {
            None => drop(inside.reported.remove(&key)),
            Some(_)
                if inside.reported.len() >= MAX_REPORTED && !inside.reported.contains_key(&key) =>
            {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            Some(text) => drop(inside.reported.insert(key, cut(text))),
        }
    }

    /// Conditions that had no room: said by other parts or the other node beyond what is kept.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed) + self.inside().holder.refused()
    }

    /// The other node as it is called in what is told.
    pub(in crate::agent) fn there(&self) -> String {
        self.inside().name(Whose::There)
    }

    /// The other node's name, once it was told.
    pub(in crate::agent) fn peer_name(&self) -> Option<String> {
        self.inside().there.clone()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn name(&self, whose: Whose) -> String {
        match whose {
            Whose::Here => self.here.clone(),
            Whose::There => self.there.clone().unwrap_or_else(|| "the other node".to_owned()),
            Whose::Pair => catalogue::PAIR.to_owned(),
        }
    }

    fn standing(&self, now: Moment, raised: hold::Raised<'_>) -> Standing {
        let id = raised.key.condition;
        Standing {
            condition: id,
            node: self.name(raised.key.whose),
            subject: raised.key.subject.clone(),
            severity: id.severity(),
            since_ms: raised.since_ms,
            known: raised.known,
            good_for_ms: raised.gone.map(|gone| now.since(gone).as_millis() as u64),
            text: raised.text.to_owned(),
            what_now: id.what_now().to_owned(),
        }
    }

    /// Makes notices of changes, and keeps them in memory.
    fn tell(&mut self, at_ms: u64, changes: Vec<Change>) -> Vec<Notice> {
        let told: Vec<Notice> = changes.into_iter().map(|it| self.notice(at_ms, it)).collect();
        self.notices.extend(told.iter().cloned());
        let surplus = self.notices.len().saturating_sub(MAX_NOTICES);
        self.notices.drain(..surplus);
        told
    }

    fn notice(&mut self, at_ms: u64, Change { key, kind, since_ms, text }: Change) -> Notice {
        self.last += 1;
        Notice {
            id: self.last,
            at_ms,
            since_ms,
            node: self.name(key.whose),
            severity: key.condition.severity(),
            what_now: key.condition.what_now().to_owned(),
            condition: key.condition,
            subject: key.subject,
            kind,
            text,
        }
    }
}

/// No longer than a notice's text may be, and without what moves a terminal's cursor.
fn cut(mut text: String) -> String {
    let fits = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=MAX_TEXT.min(text.len())).rev().find(fits);
    text.truncate(end.unwrap_or(0));
    if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text }
}

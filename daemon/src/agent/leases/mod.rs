//! DHCP leases as replicated state (SPEC R15, B7): the passive holds every lease of the active's
//! server in the file that its own server reads when it starts, so that a client keeps its
//! address through a failover. Told as they change, written while the own server does not run,
//! and never otherwise. It starts and stops no server; that is `services`' to do.

mod file;
mod notice;
mod sink;
mod source;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::node::Node;
use super::profile::LeaseFile;
use notice::Notice;
pub(in crate::agent) use sink::keep;
use source::Source;
pub use table::{Change, Format, Key, Table, TableError};

/// Between two looks at files on the active of which no notice came.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at the least, however often a file is written.
const LEAST: Duration = Duration::from_millis(2);
/// A question waits so long for news.
const HOLD: Duration = Duration::from_secs(5);
/// A look may cost so much less than the time to the next one: a tenth of a core. With many
/// thousand leases one of a burst waits for it.
const SHARE: u32 = 10;
/// Bytes of one answer.
const ROOM: usize = 384 << 10;

/// What changed in one file of leases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    /// Its name in the profile.
    pub name: String,
    /// How it is written.
    pub format: Format,
    /// What to change.
    pub change: Change,
    /// The table after that.
    pub digest: Digest,
    /// Whether that is all of it.
    pub whole: bool,
}

/// What this node does with a file of leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeasePart {
    /// Nothing: high availability is off, or no role yet.
    Idle,
    /// It tells the other node.
    Source,
    /// It holds what the other node tells.
    Copy,
}

/// One file of leases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeaseFileView {
    /// Its name in the profile.
    pub name: String,
    /// How it is written.
    pub format: Format,
    /// Where it is.
    pub path: String,
    /// The service that reads and writes it.
    pub service: String,
    /// What this node does with it.
    pub part: LeasePart,
    /// Leases that this node knows; none where there is no such file.
    pub leases: Option<usize>,
    /// On the passive: whether they stand in the file that its server will read. None where it is
    /// not written: its service is left alone here.
    pub written: Option<bool>,
    /// Seconds since the last change.
    pub changed_s: Option<f64>,
    /// What is wrong, and what to do.
    pub trouble: Option<String>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeasesView {
    /// This node.
    pub node: String,
    /// The files that the profile names.
    pub files: Vec<LeaseFileView>,
}

/// What this node knows of its leases.
#[derive(Debug, Default)]
pub struct Leases {
    source: Mutex<Source>,
    known: Mutex<BTreeMap<String, Known>>,
    /// Held by the one question of the other node that waits for news.
    notice: tokio::sync::Mutex<Notice>,
}

/// What is known of one file.
#[derive(Clone, Debug, Default)]
struct Known {
    part: Option<LeasePart>,
    leases: Option<usize>,
    written: Option<bool>,
    changed: Option<Instant>,
    trouble: Option<String>,
}

impl Leases {
    /// How they stand; `listed` is what the profile names.
    pub fn view(&self, node: &str, listed: &[LeaseFile]) -> LeasesView {
        let known = self.known();
        let one = |file: &LeaseFile| {
            let known = known.get(&file.name).cloned().unwrap_or_default();
            LeaseFileView {
                name: file.name.clone(),
                format: file.format,
                path: file.path.to_string(),
                service: file.service.clone(),
                part: known.part.unwrap_or(LeasePart::Idle),
                leases: known.leases,
                written: known.written,
                changed_s: known.changed.map(|at| at.elapsed().as_secs_f64()),
                trouble: known.trouble,
            }
        };
        LeasesView { node: node.to_owned(), files: listed.iter().map(one).collect() }
    }

    fn note(&self, name: &str, change: impl FnOnce(&mut Known)) {
        change(self.known().entry(name.to_owned()).or_default());
    }

    /// Nothing is known any more: the role changed, or high availability is off.
    fn rest(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names of the files whose service is neither started nor stopped here.
pub(in crate::agent) fn left_alone(node: &Node) -> Vec<String> {
    let alone = |file: &&LeaseFile| node.services().left_alone(&file.service).is_some();
    node.settings().profile.leases.iter().filter(alone).map(|file| file.name.clone()).collect()
}

/// Answers the other node's question: what changed, once something did.
///
/// # Errors
/// When this node does not serve.
pub(in crate::agent) async fn told(node: &Arc<Node>, anew: bool) -> Result<Vec<Piece>, String> {
    let until = Instant::now() + HOLD;
    let mut notice = node.leases().notice.lock().await;
    let mut anew = anew;
    loop {
        if node.guard().borrow().is_active() != Some(true) {
            return Err("this node is not active".to_owned());
        }
        let (looking, begins, began) = (Arc::clone(node), anew, Instant::now());
        let listed = node.settings().profile.leases.clone();
        // Before the look: what is written during it is noticed.
        notice.follow(node.root(), &listed);
        let look = move || source::look(&looking, &listed, begins);
        let looked = tokio::task::spawn_blocking(look).await.map_err(|error| error.to_string())?;
        anew = false;
        if !looked.pieces.is_empty() || Instant::now() >= until {
            return Ok(looked.pieces);
        }
        let next = tokio::time::Instant::now() + LEAST.max(began.elapsed() * SHARE);
        notice.written(if looked.fresh { file::FRESH } else { LOOK }).await;
        tokio::time::sleep_until(next).await;
    }
}

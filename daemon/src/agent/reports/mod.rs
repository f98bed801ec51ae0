//! The appliance's own reports (SPEC R18): PDF, HTML and CSV files in the places that the profile
//! names. While `sync.logs` is on, each node keeps the other one's too, under its origin, within
//! limits of size and age. Reads them, copies them, hands them out; it never runs one.

mod copies;
mod fetch;
mod list;
mod plan;
pub mod read;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::node::Node;
pub(in crate::agent) use fetch::keep;
pub(in crate::agent) use list::{listed, part, sizes};

/// Longest report in bytes; a longer one stays where it is, and is told.
pub const MAX_REPORT: u64 = 32 << 20;
/// Reports of one node that are told and kept; the newest of them.
pub const MAX_REPORTS: usize = 2_000;

/// Whose report it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReportOrigin")]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This node's.
    Here,
    /// The other one's.
    There,
}

impl Origin {
    /// Its word in the API.
    pub fn word(self) -> &'static str {
        match self {
            Origin::Here => "here",
            Origin::There => "there",
        }
    }
}

/// What a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Portable document format.
    Pdf,
    /// A web page.
    Html,
    /// A table.
    Csv,
}

impl Form {
    /// As the name of a file says; none for what is no report.
    pub fn of(name: &str) -> Option<Form> {
        let (_, end) = name.rsplit_once('.')?;
        match end.to_ascii_lowercase().as_str() {
            "pdf" => Some(Form::Pdf),
            "html" | "htm" => Some(Form::Html),
            "csv" => Some(Form::Csv),
            _other => None,
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Form::Pdf => "PDF",
            Form::Html => "HTML",
            Form::Csv => "CSV",
        }
    }
}

/// A report as one node tells the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its path, absolute.
    pub path: String,
    /// Tells two states of the file apart.
    pub version: String,
    /// Bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970 (UTC).
    pub modified_ms: u64,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportFile {
    /// Whose it is.
    pub origin: Origin,
    /// The name of that node.
    pub node: String,
    /// The name of these reports in the profile.
    pub source: String,
    /// Its path there, absolute.
    pub path: String,
    /// What it is.
    pub form: Form,
    /// Bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970 (UTC).
    pub modified_ms: u64,
}

/// The reports of both nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportsView {
    /// This node.
    pub node: String,
    /// The other one; none before it said its name.
    pub other: Option<String>,
    /// Whether each node keeps the other one's.
    pub replicates: bool,
    /// Since how many seconds this node has all of the other one's; none where it does not.
    pub complete_s: Option<u64>,
    /// Reports that are not here: too long, beyond the limits, or with a name that cannot be told.
    pub left_out: usize,
    /// How many of these are the other node's.
    #[serde(default)]
    pub left_out_there: usize,
    /// What is wrong, and what to do.
    pub trouble: Option<String>,
    /// The reports, the newest first.
    pub reports: Vec<ReportFile>,
}

impl ReportsView {
    /// Which of the two nodes is meant: by where it is, or by its name.
    pub fn origin_of(&self, node: &str) -> Option<Origin> {
        if node == Origin::Here.word() || node == self.node {
            return Some(Origin::Here);
        }
        let is_there = node == Origin::There.word() || self.other.as_deref() == Some(node);
        is_there.then_some(Origin::There)
    }
}

/// How the copies stand.
#[derive(Debug, Default)]
pub struct Reports(Mutex<Standing>);

#[derive(Clone, Debug, Default)]
struct Standing {
    complete: Option<Instant>,
    left_out: usize,
    trouble: Option<String>,
}

impl Reports {
    /// Why the other node's reports are not all here.
    pub(in crate::agent) fn trouble(&self) -> Option<String> {
        self.standing().trouble.clone()
    }

    fn set(&self, standing: Standing) {
        *self.standing() = standing;
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All reports that this node can show. Waits for the disk, on a thread that may.
///
/// # Errors
/// When that thread cannot be had.
pub async fn view(node: &Arc<Node>) -> Result<ReportsView, String> {
    let looking = Arc::clone(node);
    let found = tokio::task::spawn_blocking(move || {
        let settings = looking.settings();
        let (here, left_out) = list::own(looking.root(), &settings.profile.reports);
        let there = copies::all(looking.root());
        (settings, here, left_out, there)
    });
    let (settings, here, left_out, there) = found.await.map_err(|error| error.to_string())?;
    let other = node.link().and_then(|link| link.peer).map(|peer| peer.node);
    let other = other.or_else(|| node.failovers().there());
    let sources = list::Sources::of(&settings.profile.reports);
    let one = |origin: Origin, name: &str, file: Listed| {
        let (source, form) = sources.of_path(&file.path)?;
        let (node, source) = (name.to_owned(), source.to_owned());
        let Listed { path, size, modified_ms, .. } = file;
        Some(ReportFile { origin, node, source, path, form, size, modified_ms })
    };
    let name = other.clone().unwrap_or_else(|| "the other node".to_owned());
    let here = here.into_iter().filter_map(|file| one(Origin::Here, &settings.name, file));
    let there = there.into_iter().filter_map(|file| one(Origin::There, &name, file));
    let mut reports: Vec<ReportFile> = here.chain(there).collect();
    reports.sort_by_key(|report| std::cmp::Reverse(report.modified_ms));
    let standing = node.reports().standing().clone();
    Ok(ReportsView {
        node: settings.name.clone(),
        other,
        replicates: replicates(&settings),
        complete_s: standing.complete.map(|at| at.elapsed().as_secs()),
        left_out: standing.left_out.saturating_add(left_out),
        left_out_there: standing.left_out,
        trouble: standing.trouble,
        reports,
    })
}

/// Whether each node keeps the other one's reports.
fn replicates(settings: &super::node::Settings) -> bool {
    settings.peer.is_some() && settings.pair.as_ref().is_some_and(|pair| pair.sync.logs)
}

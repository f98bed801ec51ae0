//! A page of the audit log, gathered from its files. What cannot be read is passed over: a
//! line that a crash tore, or a file that somebody changed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::series::Series;
use super::{Entry, Outcome};

/// Most entries of a page.
pub const MAX_PAGE: usize = 500;
/// Entries of a page where nothing is said.
const PAGE: usize = 100;
/// Bytes of a file that are read; none that this program wrote has more.
const MAX_FILE: u64 = 4 << 20;

/// Which entries.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only those with a lower number: to page back.
    pub before: Option<u64>,
    /// At most so many, the newest of them; 100 where nothing is said.
    pub last: Option<usize>,
    /// Only what this one did.
    pub user: Option<String>,
}

/// A page of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The newest last.
    pub entries: Vec<Entry>,
    /// Whether older ones are kept that were asked for and are not here.
    pub older: bool,
}

/// What was asked for of these files.
pub(super) fn page(all: &[&Series], which: &Which) -> Page {
    let most = which.last.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let wanted = |entry: &Entry| {
        which.before.is_none_or(|before| entry.number < before)
            && which.user.as_ref().is_none_or(|user| *user == entry.user)
    };
    let mut entries: Vec<Entry> = Vec::new();
    for series in all {
        let mut found = Vec::new();
        for path in series.files() {
            let mut in_file: Vec<Entry> = lines(&path).filter(wanted).collect();
            // One more than fits says that there are older ones.
            let surplus = in_file.len().saturating_sub(most + 1);
            in_file.drain(..surplus);
            found.extend(in_file);
            if found.len() > most {
                break;
            }
        }
        entries.extend(found);
    }
    entries.sort_by_key(|entry| entry.number);
    let surplus = entries.len().saturating_sub(most);
    entries.drain(..surplus);
    Page { entries, older: surplus > 0 }
}

/// The highest number in the newest files.
pub(super) fn last_number(series: &Series) -> Option<u64> {
    series.files().take(2).filter_map(|path| lines(&path).map(|it| it.number).max()).max()
}

/// Orders that began something of which no end is told, in the newest files.
pub(super) fn without_end(series: &Series) -> Vec<Entry> {
    let mut files: Vec<_> = series.files().take(2).collect();
    files.reverse();
    let mut open: Vec<Entry> = Vec::new();
    for entry in files.iter().flat_map(|path| lines(path)) {
        match entry.outcome {
            Outcome::Begun => open.push(entry),
            Outcome::Done | Outcome::Failed | Outcome::Cancelled => {
                if let Some(at) = open.iter().position(|begun| is_of_one_order(begun, &entry)) {
                    open.remove(at);
                }
            }
            Outcome::Refused => {}
        }
    }
    open
}

/// The end of an order is told as its beginning was.
fn is_of_one_order(one: &Entry, other: &Entry) -> bool {
    let order = |entry: &Entry| (entry.job, entry.request.clone(), entry.text.clone());
    (&one.user, &one.from, order(one)) == (&other.user, &other.from, order(other))
}

fn lines(path: &Path) -> impl Iterator<Item = Entry> + use<> {
    let lines = File::open(path).ok().map(|file| BufReader::new(file.take(MAX_FILE)).split(b'\n'));
    let lines = lines.into_iter().flatten().map_while(Result::ok);
    lines.filter_map(|line| serde_json::from_slice(&line).ok())
}

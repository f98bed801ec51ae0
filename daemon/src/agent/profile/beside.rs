//! What a profile names beside its sections, as it is on a machine: sources of log lines, reports
//! and files of DHCP leases. Looked at with the sections, for `twinwall profile show`. It reads
//! names and sizes only, never a content, and does not ask the journal.

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::logs::LINES;
use super::{LeaseFile, LogSource, Profile};
use crate::agent::leases;
use crate::agent::logs;
use crate::agent::reports;

/// A source of log lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProfileLogSource")]
pub struct NamedLog {
    /// Its name.
    pub name: String,
    /// How its lines are read, as the profile writes it.
    pub format: String,
    /// Patterns of its files.
    pub files: Vec<String>,
    /// Units of the system's journal, and `kernel` for the kernel's messages.
    pub units: Vec<String>,
    /// Files that the patterns match now and that are read.
    pub found: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Whether the patterns match more files than are read.
    pub too_many: bool,
}

/// Some of the appliance's reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProfileReports")]
pub struct NamedReports {
    /// Their name.
    pub name: String,
    /// Patterns of files and directories.
    pub paths: Vec<String>,
    /// Reports that are there now.
    pub found: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// A file of DHCP leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ProfileLeases")]
pub struct NamedLeases {
    /// Its name.
    pub name: String,
    /// How it is written.
    pub format: leases::Format,
    /// Where it is.
    pub path: String,
    /// The service that reads and writes it.
    pub service: String,
    /// Bytes in it; none where there is no such file.
    pub bytes: Option<u64>,
}

/// Sources of log lines.
pub(super) fn logs(profile: &Profile, root: &Path) -> Vec<NamedLog> {
    profile.logs.iter().map(|source| log(source, root)).collect()
}

fn log(source: &LogSource, root: &Path) -> NamedLog {
    let (sizes, too_many) = logs::sizes_of(root, source);
    let format = source.format.map_or(LINES, logs::parse::Format::id);
    NamedLog {
        name: source.name.clone(),
        format: format.to_owned(),
        files: source.files.iter().map(ToString::to_string).collect(),
        units: source.units.clone(),
        found: sizes.len() as u64,
        bytes: sizes.iter().sum(),
        too_many,
    }
}

/// Reports, and how many are left out: too long or too many.
pub(super) fn reports(profile: &Profile, root: &Path) -> (Vec<NamedReports>, u64) {
    let (sizes, left_out) = reports::sizes(root, &profile.reports);
    let named = profile.reports.iter().map(|files| {
        let own = || sizes.iter().filter(|(name, _)| *name == files.name);
        NamedReports {
            name: files.name.clone(),
            paths: files.paths.iter().map(ToString::to_string).collect(),
            found: own().count() as u64,
            bytes: own().map(|(_, size)| size).sum(),
        }
    });
    (named.collect(), left_out as u64)
}

/// Files of DHCP leases.
pub(super) fn leases(profile: &Profile, root: &Path) -> Vec<NamedLeases> {
    profile.leases.iter().map(|file| lease(file, root)).collect()
}

fn lease(file: &LeaseFile, root: &Path) -> NamedLeases {
    let seen = fs::symlink_metadata(root.join(file.path.as_path()));
    NamedLeases {
        name: file.name.clone(),
        format: file.format,
        path: file.path.to_string(),
        service: file.service.clone(),
        bytes: seen.ok().filter(fs::Metadata::is_file).map(|seen| seen.len()),
    }
}

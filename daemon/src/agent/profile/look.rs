//! What a profile covers on a machine: section by section the files that are there, the
//! programs that are and are not, and what is wrong; and what it names beside the sections.
//! Called by `twinwall profile show` and before HA is turned on. It reads names and modes only,
//! never a content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::beside::{self, NamedLeases, NamedLog, NamedReports};
use super::{Profile, Rules, Task};
use crate::agent::manifest::{MAX_ENTRIES, RelPath};
use crate::agent::section::Section;

/// Problems shown of one section; beyond it a number says how many there are.
const MAX_PROBLEMS: usize = 20;

/// What a profile covers on a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Look {
    /// The profile's name.
    pub profile: String,
    /// All thirteen sections in their order.
    pub sections: Vec<Covered>,
    /// Sources of log lines.
    pub logs: Vec<NamedLog>,
    /// The appliance's reports.
    pub reports: Vec<NamedReports>,
    /// Reports that are left out: too long, too many, or with a name that cannot be told.
    pub reports_left_out: u64,
    /// Files of DHCP leases.
    pub leases: Vec<NamedLeases>,
}

/// What one section covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Covered {
    /// Its name in files and commands.
    pub section: String,
    /// Its name for people.
    pub title: String,
    /// The sections that are switched with it.
    pub together_with: Vec<String>,
    /// Files that belong to it and are there.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes in its files.
    pub bytes: u64,
    /// Paths that stay on this node.
    pub node_local: Vec<String>,
    /// Programs that its commands and services are about.
    pub programs: Vec<Program>,
    /// Commands that would validate a change now.
    pub validators: u64,
    /// Whether there is anything to synchronise, and no validator for it.
    pub unvalidated: bool,
    /// Services that run only on the active and are installed.
    pub active_only: Vec<String>,
    /// What is wrong, at most twenty.
    pub problems: Vec<String>,
}

/// A program that a section is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// Its path.
    pub path: String,
    /// Whether it is on this machine.
    pub present: bool,
}

impl Covered {
    /// Whether there is nothing of it on this machine.
    pub fn is_empty(&self) -> bool {
        self.files + self.links == 0
    }
}

impl Profile {
    /// Looks at the machine below `root`.
    pub fn look(&self, root: &Path) -> Look {
        let mut found = Found::default();
        for base in self.bases() {
            walk(root, &base, self, &mut found);
        }
        let sections = self.sections.iter().map(|(section, rules)| {
            let seen = found.sections.remove(section).unwrap_or_default();
            self.covered(*section, rules, root, seen)
        });
        let sections = sections.collect();
        let (reports, reports_left_out) = beside::reports(self, root);
        Look {
            profile: self.name.clone(),
            sections,
            logs: beside::logs(self, root),
            reports,
            reports_left_out,
            leases: beside::leases(self, root),
        }
    }

    /// Directories and files below which everything lies that any pattern can match, none
    /// of them inside of another.
    fn bases(&self) -> Vec<RelPath> {
        let patterns = self.sections.values().flat_map(|rules| rules.paths.iter());
        let all: BTreeSet<RelPath> =
            patterns.filter_map(|pattern| RelPath::new(pattern.base().as_bytes()).ok()).collect();
        let mut bases: Vec<RelPath> = Vec::new();
        for base in all {
            if !bases.last().is_some_and(|last| base.is_within(last)) {
                bases.push(base);
            }
        }
        bases
    }

    fn covered(&self, section: Section, rules: &Rules, root: &Path, seen: Seen) -> Covered {
        let due = |tasks: &[Task]| tasks.iter().filter(|task| task.is_due_below(root)).count();
        let validators = due(&rules.validate);
        let units = self.units();
        let unit = units.iter().find(|unit| unit.contains(&section));
        let members = || unit.into_iter().flatten();
        // What is changed together is validated together.
        let of_unit: usize = members().map(|it| due(&self.sections[it].validate)).sum();
        let others = members().filter(|other| **other != section);
        let active = rules.services.iter().filter(|service| service.is_installed());
        Covered {
            section: section.id().to_owned(),
            title: section.title().to_owned(),
            together_with: others.map(ToString::to_string).collect(),
            files: seen.files,
            directories: seen.directories,
            links: seen.links,
            bytes: seen.bytes,
            node_local: seen.node_local,
            programs: programs(rules),
            validators: validators as u64,
            unvalidated: of_unit == 0 && seen.files + seen.links > 0,
            active_only: active.map(|service| service.name.clone()).collect(),
            problems: shortened(seen.problems),
        }
    }
}

fn programs(rules: &Rules) -> Vec<Program> {
    let tasks = rules.validate.iter().chain(&rules.apply).chain(&rules.health);
    let services = rules.services.iter().map(|service| &service.program);
    let paths: BTreeSet<&PathBuf> = tasks.map(|task| &task.program).chain(services).collect();
    let program =
        |path: &PathBuf| Program { path: path.display().to_string(), present: path.exists() };
    paths.into_iter().map(program).collect()
}

fn shortened(mut problems: Vec<String>) -> Vec<String> {
    if problems.len() > MAX_PROBLEMS {
        let more = problems.len() - (MAX_PROBLEMS - 1);
        problems.truncate(MAX_PROBLEMS - 1);
        problems.push(format!("and {more} more"));
    }
    problems
}

/// What was found of one section.
#[derive(Default)]
struct Seen {
    files: u64,
    directories: u64,
    links: u64,
    bytes: u64,
    node_local: Vec<String>,
    problems: Vec<String>,
}

#[derive(Default)]
struct Found {
    sections: BTreeMap<Section, Seen>,
    /// Paths looked at.
    entries: usize,
}

impl Found {
    fn of(&mut self, section: Section) -> &mut Seen {
        self.sections.entry(section).or_default()
    }
}

/// Looks at the base and at everything below it.
fn walk(root: &Path, base: &RelPath, profile: &Profile, found: &mut Found) {
    let mut waiting = vec![base.clone()];
    while let Some(path) = waiting.pop() {
        found.entries += 1;
        if found.entries > MAX_ENTRIES {
            let text =
                format!("more than {MAX_ENTRIES} paths; what comes after {path} was not looked at");
            found.of(Section::System).problems.push(text);
            return;
        }
        let full = root.join(path.as_path());
        let Ok(metadata) = full.symlink_metadata() else { continue };
        note(&path, &metadata, profile, found);
        if metadata.is_dir() {
            waiting.extend(children(&full, &path));
        }
    }
}

fn children(full: &Path, path: &RelPath) -> Vec<RelPath> {
    let entries = fs::read_dir(full).into_iter().flatten().flatten();
    entries.filter_map(|entry| path.join(entry.file_name().as_bytes()).ok()).collect()
}

fn note(path: &RelPath, metadata: &fs::Metadata, profile: &Profile, found: &mut Found) {
    let owners: Vec<(Section, &Rules)> = profile
        .sections
        .iter()
        .filter(|(_, rules)| rules.covers(path))
        .map(|(section, rules)| (*section, rules))
        .collect();
    for (section, rules) in &profile.sections {
        if rules.keeps_local(path) {
            found.of(*section).node_local.push(path.to_string());
        }
    }
    for (section, rules) in &owners {
        let seen = found.of(*section);
        match metadata.file_type() {
            kind if kind.is_file() => {
                seen.files += 1;
                seen.bytes += metadata.len();
            }
            kind if kind.is_dir() => seen.directories += 1,
            kind if kind.is_symlink() => seen.links += 1,
            _ => seen.problems.push(format!(
                "{path} is a device, socket or pipe and does not travel; exclude it"
            )),
        }
        seen.problems.extend(wrong_mode(path, metadata, rules));
        let others: Vec<&str> =
            owners.iter().map(|(other, _)| other.id()).filter(|id| *id != section.id()).collect();
        if !others.is_empty() {
            let text = format!(
                "{path} is also in section {}; exclude it in all but one",
                others.join(" and ")
            );
            found.of(*section).problems.push(text);
        }
    }
}

/// What the profile says of the mode, when it is not so.
fn wrong_mode(path: &RelPath, metadata: &fs::Metadata, rules: &Rules) -> Option<String> {
    let rule = rules.owner_rule(path)?;
    let wanted = if metadata.is_dir() { rule.directory_mode } else { rule.mode }?;
    let mode = metadata.permissions().mode() & 0o7777;
    let differs = !metadata.is_symlink() && mode != u32::from(wanted);
    differs.then(|| {
        format!(
            "{path} has mode {mode:04o}; the profile says {wanted:04o}: chmod {wanted:04o} {path}"
        )
    })
}

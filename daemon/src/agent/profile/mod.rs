//! The appliance profile: where model, serial, firmware and registration come from, and
//! what each of the thirteen sections is made of. Parsed and checked here, read by the
//! scanner, the apply machine and the engine. Nothing here changes a file or decides when
//! something is synchronised.

mod beside;
mod check;
mod command;
mod kept;
mod keys;
mod kinds;
mod logs;
mod look;
mod mask;
mod overlap;
mod owners;
mod pattern;
mod read;
mod reference;
mod rules;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use beside::{NamedLeases, NamedLog, NamedReports};
pub use command::Task;
pub use kept::{LeaseFile, ReportFiles};
pub use logs::LogSource;
pub use look::{Covered, Look, Program};
pub use mask::Secret;
pub use owners::{Deviation, OwnerRule};
pub use pattern::{Pattern, PatternError, Patterns};
pub use read::parse_profile;
pub use reference::reference;
pub use rules::{Rules, Service};
pub use source::{DmiField, Source, SourceError};

use super::section::Section;

/// The profile that holds unless the administrator wrote one: a Debian gateway.
pub const REFERENCE: &str = include_str!("../../../../packaging/profiles/debian.toml");
/// What the reference profile is called where a file's name would stand.
pub const REFERENCE_NAME: &str = "debian.toml (built in)";
/// The administrator's own profile, relative to the root.
pub const FILE: &str = "etc/twinwall/profile.toml";

/// What the two nodes are and what their configuration is made of.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name for people.
    pub name: String,
    /// Where the appliance's identity comes from.
    pub appliance: Appliance,
    /// The rules of every section; those of a section that the profile leaves out cover nothing.
    pub sections: BTreeMap<Section, Rules>,
    /// Which logs it has.
    pub logs: Vec<LogSource>,
    /// Where the appliance's reports are.
    pub reports: Vec<ReportFiles>,
    /// Files of DHCP leases.
    pub leases: Vec<LeaseFile>,
}

/// Where the appliance's identity comes from (SPEC R2).
#[derive(Clone, Debug)]
pub struct Appliance {
    /// The hardware's model.
    pub model: Source,
    /// The unit's serial number.
    pub serial: Source,
    /// The version of the firmware.
    pub firmware: Source,
    /// Proof that the unit is registered; none when registration is no matter here.
    pub registration: Option<Source>,
}

impl Profile {
    /// The sections that are switched together, in their order: each group of the profile,
    /// and every other section alone.
    pub fn units(&self) -> Vec<Vec<Section>> {
        let mut units: Vec<(Option<&str>, Vec<Section>)> = Vec::new();
        for (section, rules) in &self.sections {
            let group = rules.group.as_deref();
            match units.iter_mut().find(|(name, _)| group.is_some() && *name == group) {
                Some((_, unit)) => unit.push(*section),
                None => units.push((group, vec![*section])),
            }
        }
        units.into_iter().map(|(_, unit)| unit).collect()
    }

    /// Every health check, section by section.
    pub fn health(&self) -> Vec<(Section, &Task)> {
        self.sections
            .iter()
            .flat_map(|(section, rules)| rules.health.iter().map(|task| (*section, task)))
            .collect()
    }

    /// Every service that runs only on the active, dependencies first.
    pub fn services(&self) -> Vec<(Section, &Service)> {
        let all = || {
            self.sections.iter().flat_map(|(section, rules)| {
                rules.services.iter().map(|service| (*section, service))
            })
        };
        let mut ordered: Vec<(Section, &Service)> = Vec::new();
        // Each round adds at least one, since the reader refuses circles and unknown names.
        loop {
            let ready = all().find(|(_, service)| {
                let done = |name: &String| ordered.iter().any(|(_, other)| other.name == *name);
                !done(&service.name) && service.after.iter().all(done)
            });
            match ready {
                Some(next) => ordered.push(next),
                None => return ordered,
            }
        }
    }
}

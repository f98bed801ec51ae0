//! `twinwall check`: every mistake in the settings that can be seen on this
//! machine, and what is allowed but hardly meant, as a warning.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use twinwall_core::config::{Pair, Problem};
use twinwall_core::ids::Designation;

use super::access;
use crate::cli::CheckArgs;
use crate::show::{print, print_json};
use crate::system;
use twinwall::agent::settings::targets;
use twinwall::agent::snmp;
use twinwall::failure::{Exit, Failure};
use twinwall::files::{self, PAIR};

pub(super) fn check(root: &Path, args: &CheckArgs) -> Result<(), Failure> {
    let settings = files::read_settings(root);
    let mut problems = settings.problems;
    problems.extend(access::problems(root));
    if let Some(pair) = &settings.pair {
        let file = Warnings { file: root.join(PAIR).display().to_string() };
        problems.extend(file.purpose(pair));
        problems.extend(file.targets(pair, root));
        if pair.sync.snmp {
            problems.extend(snmp_warnings(snmp::advice(root)));
        }
        if !args.files_only {
            let machine = Machine { interfaces: system::interfaces(), held: system::addresses() };
            problems.extend(file.absent_interfaces(pair, &machine));
            let designation = settings.node.as_ref().map(|node| node.designation);
            problems.extend(
                designation.map_or(Vec::new(), |own| file.absent_addresses(pair, own, &machine)),
            );
        }
    }
    if args.json {
        print_json(&problems)?;
    } else {
        print(&text(&problems))?;
    }
    if problems.iter().all(|problem| problem.warning) {
        Ok(())
    } else {
        Err(Failure { exit: Exit::Problem, message: String::new() })
    }
}

fn text(problems: &[Problem]) -> String {
    let mut text: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    if problems.is_empty() {
        text.push_str("No problem found.\n");
    } else if problems.iter().all(|problem| problem.warning) {
        text.push_str("The settings can be used; see the warnings.\n");
    }
    text
}

/// What an administrator would miss when managers ask: snmpd's own lines decide who may read.
fn snmp_warnings(notes: Vec<String>) -> Vec<Problem> {
    let file = Warnings { file: "/etc/snmp/snmpd.conf".to_owned() };
    let remedy = "docs/snmp.md has an example, 'twinwall snmp status' says how it stands";
    let one = |note: String| file.warn(String::new(), None, &note, remedy.to_owned());
    notes.into_iter().map(one).collect()
}

/// What this machine has.
struct Machine {
    interfaces: Vec<String>,
    /// Addresses by interface.
    held: Vec<(String, IpAddr)>,
}

/// Makes warnings about `pair.toml`.
struct Warnings {
    file: String,
}

impl Warnings {
    fn warn(&self, key: String, value: Option<String>, wrong: &str, remedy: String) -> Problem {
        Problem {
            file: self.file.clone(),
            line: 0,
            key,
            value,
            wrong: wrong.to_owned(),
            remedy,
            warning: true,
        }
    }

    /// A pair that could hardly do what one has it for.
    fn purpose(&self, pair: &Pair) -> Vec<Problem> {
        let mut warnings = Vec::new();
        if !pair.interfaces.iter().any(|interface| interface.watch) {
            let wrong = "no interface is watched: a dead link to the clients moves nothing, and heartbeats have the HA link only";
            let remedy = "set watch = true on the interfaces that clients use".to_owned();
            warnings.push(self.warn("interface".to_owned(), None, wrong, remedy));
        }
        if pair.interfaces.iter().all(|interface| interface.virtual_ips.is_empty()) {
            let wrong = "no virtual IP: nothing follows the active node";
            let remedy = "add virtual = \"...\" to an interface".to_owned();
            warnings.push(self.warn("interface".to_owned(), None, wrong, remedy));
        }
        warnings
    }

    /// Targets of alerts that would never be told.
    fn targets(&self, pair: &Pair, root: &Path) -> Vec<Problem> {
        // It was read a moment ago; of one that is gone since, the lines are not known.
        let text = fs::read_to_string(root.join(PAIR)).unwrap_or_default();
        let mut warnings = Vec::new();
        for mistake in targets::mistakes(pair) {
            let value = Some(format!("\"{}\"", mistake.value));
            let warning = self.warn(mistake.key(), value, mistake.wrong, mistake.remedy.clone());
            warnings.push(Problem { line: mistake.line(&text), ..warning });
        }
        for target in &pair.alerts {
            let Some(file) = target.ca_file.as_ref().filter(|file| !root.join(file).is_file())
            else {
                continue;
            };
            let key = format!("alerts.{}.ca_file", target.name);
            let wrong = "this node has no such file";
            let remedy = "put the authority's certificate (PEM) there, on both nodes".to_owned();
            let warning = self.warn(key, Some(format!("\"{file}\"")), wrong, remedy);
            let line = targets::line(&text, &target.name, "ca_file", file);
            warnings.push(Problem { line, ..warning });
        }
        warnings
    }

    /// Interfaces that the pair's file names and this machine lacks.
    fn absent_interfaces(&self, pair: &Pair, machine: &Machine) -> Vec<Problem> {
        let present = &machine.interfaces;
        let ha_link = ("ha_link.interface".to_owned(), &pair.ha_link.interface);
        let listed = pair.interfaces.iter().enumerate();
        let listed = listed
            .map(|(index, interface)| (format!("interface[{}].name", index + 1), &interface.name));
        let absent =
            std::iter::once(ha_link).chain(listed).filter(|(_, name)| !present.contains(name));
        let choices: Vec<&str> =
            present.iter().map(String::as_str).filter(|name| *name != "lo").collect();
        let remedy = format!("name one of: {}", choices.join(", "));
        let wrong = "this machine has no such interface";
        absent
            .map(|(key, name)| self.warn(key, Some(format!("\"{name}\"")), wrong, remedy.clone()))
            .collect()
    }

    /// Own addresses of this node that its interfaces do not have.
    fn absent_addresses(&self, pair: &Pair, own: Designation, machine: &Machine) -> Vec<Problem> {
        let mut warnings = Vec::new();
        for (index, interface) in pair.interfaces.iter().enumerate() {
            if !machine.interfaces.contains(&interface.name) {
                continue;
            }
            let held = |address| {
                machine.held.iter().any(|(name, held)| *name == interface.name && *held == address)
            };
            for prefix in interface.own(own).iter().filter(|prefix| !held(prefix.address)) {
                let key = format!("interface[{}].{}", index + 1, own.word());
                let wrong = format!("{} of this machine does not have it", interface.name);
                let remedy =
                    "add it to this machine's own network configuration; twinwall does not set it"
                        .to_owned();
                warnings.push(self.warn(key, Some(format!("\"{prefix}\"")), &wrong, remedy));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::parse_pair;

    use super::*;

    #[test]
    fn own_addresses_that_the_machine_lacks_are_warned_of() {
        let text = "pair_id = 1\n[ha_link]\ninterface = \"ha0\"\n\
            [[interface]]\nname = \"lan\"\nwatch = true\n\
            primary = [\"10.1.0.2/24\", \"fd00::2/64\"]\nsecondary = [\"10.1.0.3/24\", \"fd00::3/64\"]\n\
            [[interface]]\nname = \"wan\"\nwatch = true\n\
            primary = \"10.2.0.2/24\"\nsecondary = \"10.2.0.3/24\"\n";
        let pair = parse_pair("pair.toml", text).unwrap();
        let held = |name: &str, address: &str| (name.to_owned(), address.parse().unwrap());
        let machine = Machine {
            interfaces: vec!["ha0".to_owned(), "lan".to_owned()],
            // The right one, and one on another interface.
            held: vec![held("lan", "10.1.0.2"), held("ha0", "fd00::2")],
        };
        let warnings = Warnings { file: "pair.toml".to_owned() };
        let told = |own| -> Vec<String> {
            let told = warnings.absent_addresses(&pair, own, &machine);
            told.iter().map(ToString::to_string).collect()
        };
        let now = "lan of this machine does not have it; add it to this machine's own network configuration; twinwall does not set it";
        let line =
            |key, value| format!("pair.toml: warning: interface[1].{key} = \"{value}\": {now}");
        assert_eq!(told(Designation::Primary), [line("primary", "fd00::2/64")]);
        let both = ["10.1.0.3/24", "fd00::3/64"].map(|value| line("secondary", value));
        assert_eq!(told(Designation::Secondary), both);
    }
}

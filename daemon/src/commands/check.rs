//! `twinwall check`: every mistake in the settings that can be seen on this machine.

use std::path::Path;

use twinwall_core::config::{Pair, Problem};

use crate::cli::CheckArgs;
use crate::failure::{Exit, Failure};
use crate::files::{self, PAIR};
use crate::show::{print, print_json};
use crate::system;

pub(super) fn check(root: &Path, args: &CheckArgs) -> Result<(), Failure> {
    let settings = files::read_settings(root);
    let mut problems = settings.problems;
    if let (Some(pair), false) = (&settings.pair, args.files_only) {
        problems.extend(absent_interfaces(
            &root.join(PAIR).display().to_string(),
            pair,
            &system::interfaces(),
        ));
    }
    if args.json {
        print_json(&problems)?;
    } else {
        print(&text(&problems))?;
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Failure { exit: Exit::Problem, message: String::new() })
    }
}

fn text(problems: &[Problem]) -> String {
    if problems.is_empty() {
        return "No problem found.\n".to_owned();
    }
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// Interfaces that the pair's file names and this machine lacks.
fn absent_interfaces(file: &str, pair: &Pair, present: &[String]) -> Vec<Problem> {
    let ha_link = ("ha_link.interface".to_owned(), &pair.ha_link.interface);
    let listed = pair.interfaces.iter().enumerate();
    let listed = listed
        .map(|(index, interface)| (format!("interface[{}].name", index + 1), &interface.name));
    let absent = std::iter::once(ha_link).chain(listed).filter(|(_, name)| !present.contains(name));
    let choices: Vec<&str> =
        present.iter().map(String::as_str).filter(|name| *name != "lo").collect();
    let problem = |(key, name): (String, &String)| Problem {
        file: file.to_owned(),
        line: 0,
        key,
        value: Some(format!("\"{name}\"")),
        wrong: "this machine has no such interface".to_owned(),
        remedy: format!("name one of: {}", choices.join(", ")),
    };
    absent.map(problem).collect()
}

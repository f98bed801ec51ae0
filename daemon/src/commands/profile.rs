//! `twinwall profile`: looks for mistakes in an appliance profile, and shows what it
//! covers and names on this machine.

use std::path::{Path, PathBuf};

use twinwall::agent::netconf::verify::verify;
use twinwall::agent::profile::{
    Covered, FILE, Look, NamedLeases, NamedLog, NamedReports, Profile as Parsed, REFERENCE,
    REFERENCE_NAME, parse_profile,
};
use twinwall_core::config::Errors;

use crate::cli::{Profile, ProfileCheckArgs, ProfileNetworkdArgs, ProfileShowArgs};
use crate::show::{print, print_json};
use twinwall::failure::{Exit, Failure};
use twinwall::files;

pub(super) fn profile(root: &Path, order: &Profile) -> Result<(), Failure> {
    match order {
        Profile::Check(args) => check(root, args),
        Profile::Show(args) => show(root, args),
        Profile::Networkd(args) => networkd(root, args),
    }
}

fn networkd(root: &Path, args: &ProfileNetworkdArgs) -> Result<(), Failure> {
    let folder = args.folder.clone().unwrap_or_else(|| root.join("etc/systemd/network"));
    let mistakes = verify(&folder)
        .map_err(|error| Failure::machine(format!("reading {}", folder.display()), &error))?;
    if args.json {
        print_json(&mistakes)?;
    } else if mistakes.is_empty() {
        print("No mistake found.\n")?;
    } else {
        let lines: String = mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
        print(&lines)?;
    }
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(Failure { exit: Exit::Problem, message: String::new() }),
    }
}

fn check(root: &Path, args: &ProfileCheckArgs) -> Result<(), Failure> {
    let read = read(root, args.file.as_deref());
    let problems = read.as_ref().err().map_or(&[][..], |errors| &errors.problems);
    if args.json {
        print_json(&problems)?;
    } else if let Ok(profile) = &read {
        print(&format!("No problem found: {}.\n", profile.name))?;
    } else {
        let lines: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
        print(&lines)?;
    }
    match read {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure { exit: Exit::Problem, message: String::new() }),
    }
}

fn show(root: &Path, args: &ProfileShowArgs) -> Result<(), Failure> {
    let profile = read(root, None).map_err(|errors| {
        let lines: Vec<String> = errors.problems.iter().map(ToString::to_string).collect();
        Failure::problem(lines.join("\ntwinwall: "))
    })?;
    let look = profile.look(root);
    if args.json { print_json(&look) } else { print(&text(&look)) }
}

/// The named file, else the administrator's own profile, else the one that is built in.
pub(super) fn read(root: &Path, named: Option<&Path>) -> Result<Parsed, Errors> {
    let own = root.join(FILE);
    let file: Option<PathBuf> = match named {
        Some(named) => Some(named.to_owned()),
        None => own.exists().then_some(own),
    };
    match file {
        Some(file) => files::read(&file, "name a file that is there", parse_profile),
        None => parse_profile(REFERENCE_NAME, REFERENCE),
    }
}

fn text(look: &Look) -> String {
    let mut text = format!("Profile: {}\n", look.profile);
    for covered in &look.sections {
        text += &section(covered);
    }
    text + &beside(look)
}

/// What belongs to no section.
fn beside(look: &Look) -> String {
    let part = |title: &str, entries: String| match entries.is_empty() {
        true => format!("\n{title}\n  the profile names none\n"),
        false => format!("\n{title}\n{entries}"),
    };
    let mut text = part("Sources of logs (logs)", look.logs.iter().map(log).collect());
    text += &part("Reports (reports)", look.reports.iter().map(reports).collect());
    if look.reports_left_out > 0 {
        text += &format!(
            "  {} reports left out: too long, too many, or unprintable bytes in the name\n",
            look.reports_left_out
        );
    }
    text + &part("DHCP leases (leases)", look.leases.iter().map(leases).collect())
}

fn log(source: &NamedLog) -> String {
    let mut text = format!("  {}, read as {}\n", source.name, source.format);
    if !source.files.is_empty() {
        let more = if source.too_many { ", and more than are read" } else { "" };
        let there = there(source.found, source.bytes);
        text += &format!("    files: {} ({there}{more})\n", source.files.join(", "));
    }
    if !source.units.is_empty() {
        text += &format!("    journal: {}\n", source.units.join(", "));
    }
    text
}

fn reports(files: &NamedReports) -> String {
    let there = there(files.found, files.bytes);
    format!("  {}: {} ({there})\n", files.name, files.paths.join(", "))
}

fn leases(file: &NamedLeases) -> String {
    let there = match file.bytes {
        Some(bytes) => format!("{bytes} bytes"),
        None => "not on this machine".to_owned(),
    };
    let (format, service) = (file.format.id(), &file.service);
    format!("  {}: {} ({there}), format {format}, service {service}\n", file.name, file.path)
}

fn there(files: u64, bytes: u64) -> String {
    match files {
        0 => "none on this machine".to_owned(),
        1 => format!("1 file, {bytes} bytes"),
        several => format!("{several} files, {bytes} bytes"),
    }
}

fn section(covered: &Covered) -> String {
    let mut text = format!("\n{} ({})\n", covered.title, covered.section);
    if covered.is_empty() {
        text += "  nothing of it on this machine\n";
    } else {
        text += &format!(
            "  {} files, {} directories, {} links, {} bytes\n",
            covered.files, covered.directories, covered.links, covered.bytes
        );
    }
    let list = |what: &str, items: &[String]| match items.is_empty() {
        true => String::new(),
        false => format!("  {what}: {}\n", items.join(", ")),
    };
    let programs = |present: bool| -> Vec<String> {
        let all = covered.programs.iter().filter(|program| program.present == present);
        all.map(|program| program.path.clone()).collect()
    };
    text += &list("changed together with", &covered.together_with);
    text += &list("stays on this node", &covered.node_local);
    text += &list("programs", &programs(true));
    text += &list("not installed", &programs(false));
    text += &list("only on the active node", &covered.active_only);
    if covered.unvalidated {
        text += "  no validator: a mistake in it shows only when it is applied\n";
    }
    for problem in &covered.problems {
        text += &format!("  problem: {problem}\n");
    }
    text
}

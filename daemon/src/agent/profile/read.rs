//! Reads a profile: values first, then what they must be to each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use twinwall_core::config::Errors;
use twinwall_core::config::form::{Found, Key, Place, Report, Seconds, Section as Form, parse};

use super::command::Task;
use super::keys;
use super::kinds::{PathPatterns, Words};
use super::mask::Secret;
use super::owners::OwnerRule;
use super::pattern::{Pattern, Patterns};
use super::rules::{Rules, Service};
use super::source::Source;
use super::{Appliance, Profile, check, kept, logs};
use crate::agent::manifest::RelPath;
use crate::agent::section::Section;
use crate::agent::step::Step;

/// Most commands, services, owner rules or secrets of one section.
const MAX_ENTRIES: usize = 64;
/// What starts, stops and asks for a unit unless the profile says otherwise.
const SYSTEMCTL: &str = "/usr/bin/systemctl";

/// Reads the text of a profile; `file` is its name for the errors.
///
/// # Errors
/// All problems of the file at once.
pub fn parse_profile(file: &str, text: &str) -> Result<Profile, Errors> {
    let mut report = Report::new(file, text);
    let profile = read(text, &mut report);
    report.finish(profile)
}

/// A section as it stands in the file.
pub(super) struct Draft {
    pub(super) section: Section,
    pub(super) rules: Rules,
    /// The patterns of `paths` with their places.
    pub(super) paths: Vec<Found<Pattern>>,
    pub(super) group: Option<Place>,
    /// `name` and `after` of each service.
    pub(super) services: Vec<(Place, Vec<Found<String>>)>,
}

fn read(text: &str, report: &mut Report<'_>) -> Option<Profile> {
    let document = parse(text, report)?;
    let top = Form::top(&document);
    top.refuse_unknown(keys::PROFILE, report);
    let _format = top.get(&keys::FORMAT, report);
    let name = top.get(&keys::NAME, report);
    let everywhere = patterns(&top, &keys::NODE_LOCAL_EVERYWHERE, report);
    let appliance = read_appliance(&top, report);
    let mut drafts = Vec::new();
    for (word, form) in top.named("section", report) {
        match word.value.parse::<Section>() {
            Ok(section) => drafts.push(read_section(section, form, report)),
            Err(unknown) => report.add(&word.place, unknown.to_string(), "use one of these"),
        }
    }
    for draft in &mut drafts {
        draft.rules.node_local = draft.rules.node_local.and(&everywhere);
    }
    let logs = logs::read(&top, report);
    drafts.sort_by_key(|draft| draft.section);
    check::check(&drafts, report);
    let reports = kept::read_reports(&top, report);
    let leases = kept::read_leases(&top, &drafts, report);
    let mut sections: BTreeMap<Section, Rules> =
        Section::ALL.into_iter().map(|section| (section, Rules::default())).collect();
    sections.extend(drafts.into_iter().map(|draft| (draft.section, draft.rules)));
    Some(Profile { name: name?.value, appliance: appliance?, sections, logs, reports, leases })
}

fn read_appliance(top: &Form<'_>, report: &mut Report<'_>) -> Option<Appliance> {
    let section = top.section("appliance", report);
    section.refuse_unknown(keys::PROFILE, report);
    let mut required = |fact: &str| {
        let before = report.count();
        let source = read_source(&section, fact, report);
        if source.is_none() && report.count() == before {
            let remedy = format!(
                "say where the {fact} comes from, as {fact} = {{ file = \"/etc/{fact}\" }}"
            );
            report.add(&section.place(fact), "missing", remedy);
        }
        source
    };
    let (model, serial, firmware) = (required("model"), required("serial"), required("firmware"));
    let registration = read_source(&section, "registration", report);
    Some(Appliance { model: model?, serial: serial?, firmware: firmware?, registration })
}

fn read_source(appliance: &Form<'_>, fact: &str, report: &mut Report<'_>) -> Option<Source> {
    let form = appliance.section(fact, report);
    if !form.is_present() {
        return None;
    }
    let form = form.with_keys_of(keys::SOURCE);
    form.refuse_unknown(keys::PROFILE, report);
    let before = report.count();
    let dmi = form.get(&keys::DMI, report).map(|found| Source::Dmi(found.value));
    let os = form.get(&keys::OS_RELEASE, report).map(|found| Source::OsRelease(found.value));
    let pattern = form.get(&keys::MATCH, report);
    let file = form.get(&keys::FILE, report);
    if let (None, Some(pattern)) = (&file, &pattern) {
        report.add(&pattern.place, "nothing to look in", "add 'file', or remove it");
    }
    let file = file.map(|found| Source::File {
        path: found.value,
        pattern: pattern.map(|pattern| pattern.value),
    });
    let limit = form.get(&keys::FACT_LIMIT, report).map(|found| found.value);
    let command = form.get(&keys::COMMAND, report);
    let command =
        command.zip(limit).map(|(argv, limit)| Step { argv: argv.value, limit, when_exists: None });
    let command = command.map(Source::Command);
    let mut sources: Vec<Source> = [dmi, os, file, command].into_iter().flatten().collect();
    let source = sources.pop();
    if report.count() == before && (source.is_none() || !sources.is_empty()) {
        let wrong = if source.is_none() { "from nowhere" } else { "from more than one source" };
        let place = appliance.place(fact);
        report.add(&place, wrong, "name one of dmi, os_release, file and command");
    }
    source
}

fn patterns(form: &Form<'_>, key: &Key<PathPatterns>, report: &mut Report<'_>) -> Patterns {
    let found = form.get(key, report).map_or(Vec::new(), |found| found.value);
    found.into_iter().map(|found| found.value).collect()
}

fn read_section(section: Section, form: Form<'_>, report: &mut Report<'_>) -> Draft {
    let form = form.with_keys_of(keys::SECTION);
    form.refuse_unknown(keys::PROFILE, report);
    let paths = form.get(&keys::PATHS, report).map_or(Vec::new(), |found| found.value);
    let group = form.get(&keys::GROUP, report);
    let services = each(&form, "service", report, read_service);
    let (services, after) =
        services.into_iter().map(|service| (service.service, service.names)).unzip();
    let rules = Rules {
        paths: paths.iter().map(|found| found.value.clone()).collect(),
        exclude: patterns(&form, &keys::EXCLUDE, report),
        node_local: patterns(&form, &keys::NODE_LOCAL, report),
        translate: patterns(&form, &keys::TRANSLATE, report),
        owners: each(&form, "owner", report, read_owner),
        secrets: each(&form, "secret", report, read_secret),
        validate: each(&form, "validate", report, read_task),
        apply: each(&form, "apply", report, read_task),
        health: each(&form, "health", report, read_task),
        services,
        group: group.as_ref().map(|found| found.value.clone()),
    };
    Draft { section, rules, paths, group: group.map(|found| found.place), services: after }
}

/// Every `[[name]]` below a section.
fn each<T>(
    form: &Form<'_>,
    name: &str,
    report: &mut Report<'_>,
    one: impl Fn(&Form<'_>, &mut Report<'_>) -> Option<T>,
) -> Vec<T> {
    let forms = form.sections(name, report);
    if forms.len() > MAX_ENTRIES {
        let wrong = format!("{} of them", forms.len());
        report.add(&form.place(name), wrong, format!("{MAX_ENTRIES} are possible"));
    }
    let mut all = Vec::new();
    for form in forms {
        // Three lists share their keys; the others are listed by their own names.
        let shared = ["validate", "apply", "health"].contains(&name);
        let form = if shared { form.with_keys_of(keys::TASK) } else { form };
        form.refuse_unknown(keys::PROFILE, report);
        all.extend(one(&form, report));
    }
    all
}

fn read_task(form: &Form<'_>, report: &mut Report<'_>) -> Option<Task> {
    let run = form.get(&keys::RUN, report);
    let limit = form.get(&keys::TASK_LIMIT, report);
    let program = form.get(&keys::TASK_PROGRAM, report);
    let needs = form.get(&keys::NEEDS, report);
    let step = Step { argv: run?.value, limit: limit?.value, when_exists: None };
    let program = match program {
        Some(found) => on_the_machine(&found.value),
        None => PathBuf::from(step.argv.first()?),
    };
    Some(Task { step, program, needs: needs?.value })
}

fn on_the_machine(path: &RelPath) -> PathBuf {
    Path::new("/").join(path.as_path())
}

fn read_owner(form: &Form<'_>, report: &mut Report<'_>) -> Option<OwnerRule> {
    let files = form.get(&keys::OWNER_FILES, report);
    let before = report.count();
    let rule = OwnerRule {
        files: files?.value.into_iter().map(|found| found.value).collect(),
        user: form.get(&keys::USER, report).map(|found| found.value),
        group: form.get(&keys::USER_GROUP, report).map(|found| found.value),
        mode: form.get(&keys::MODE, report).map(|found| found.value),
        directory_mode: form.get(&keys::DIRECTORY_MODE, report).map(|found| found.value),
    };
    let empty = rule.user.is_none()
        && rule.group.is_none()
        && rule.mode.is_none()
        && rule.directory_mode.is_none();
    if empty && report.count() == before {
        let remedy = "add user, group, mode or directory_mode, or remove the entry";
        report.add(&form.place("files"), "a rule that says nothing", remedy);
    }
    Some(rule)
}

fn read_secret(form: &Form<'_>, report: &mut Report<'_>) -> Option<Secret> {
    let files = form.get(&keys::SECRET_FILES, report);
    let mask = form.get(&keys::MASK, report);
    Some(Secret {
        files: files?.value.into_iter().map(|found| found.value).collect(),
        mask: mask.map(|found| found.value),
    })
}

/// A service with the places of its name and of the names in `after`.
struct ReadService {
    service: Service,
    names: (Place, Vec<Found<String>>),
}

fn read_service(form: &Form<'_>, report: &mut Report<'_>) -> Option<ReadService> {
    let name = form.get(&keys::SERVICE_NAME, report);
    let unit = form.get(&keys::UNIT, report);
    let program = form.get(&keys::PROGRAM, report);
    let after = form.get(&keys::AFTER, report);
    let systemctl = |words: &[&str]| {
        let unit = unit.as_ref().map_or("", |unit| &unit.value);
        [SYSTEMCTL].iter().chain(words).chain([&unit]).map(|word| (*word).to_owned()).collect()
    };
    let mut step = |argv: &Key<Words>, limit: &Key<Seconds>, usual: &[&str]| {
        let argv = form.get(argv, report).map_or_else(|| systemctl(usual), |found| found.value);
        let limit = form.get(limit, report).map_or(Duration::ZERO, |found| found.value);
        Step { argv, limit, when_exists: None }
    };
    let start = step(&keys::START, &keys::START_LIMIT, &["start"]);
    let stop = step(&keys::STOP, &keys::STOP_LIMIT, &["stop"]);
    let check = step(&keys::CHECK, &keys::CHECK_LIMIT, &["is-active", "--quiet"]);
    let (name, after) = (name?, after?.value);
    let service = Service {
        name: name.value,
        unit: unit?.value,
        program: on_the_machine(&program?.value),
        after: after.iter().map(|found| found.value.clone()).collect(),
        start,
        stop,
        check,
    };
    Some(ReadService { service, names: (name.place, after) })
}

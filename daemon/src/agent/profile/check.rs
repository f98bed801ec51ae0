//! What the sections of a profile must be to each other: no path in two of them, groups of
//! more than one, services that exist and do not wait for each other in a circle.

use twinwall_core::config::form::{Place, Report};

use super::overlap::examples;
use super::pattern::Pattern;
use super::read::Draft;
use crate::agent::manifest::RelPath;
use crate::agent::section::Section;

/// No section may reach these: what is made anew at every boot, and what is ours. The peer
/// must never be able to write them.
const FORBIDDEN: [(&str, &str); 8] = [
    ("/etc/twinwall/**", "holds this node's identity"),
    ("/var/lib/twinwall/**", "holds the versions of all sections"),
    ("/proc/**", "is no configuration"),
    ("/sys/**", "is no configuration"),
    ("/dev/**", "is no configuration"),
    ("/run/**", "is gone after a boot"),
    ("/tmp/**", "is anybody's"),
    ("/boot/**", "belongs to this machine's own firmware"),
];

/// Reports everything that does not fit together.
pub(super) fn check(drafts: &[Draft], report: &mut Report<'_>) {
    check_forbidden(drafts, report);
    for (index, later) in drafts.iter().enumerate() {
        for earlier in &drafts[..index] {
            check_overlap(earlier, later, report);
        }
    }
    check_groups(drafts, report);
    check_services(drafts, report);
}

fn check_forbidden(drafts: &[Draft], report: &mut Report<'_>) {
    for draft in drafts {
        for found in &draft.paths {
            for (text, why) in FORBIDDEN {
                let Ok(forbidden) = Pattern::new(text) else { continue };
                if let Some(path) = shared(&found.value, &forbidden, &[draft]) {
                    let remedy = format!("write a narrower pattern, or exclude {forbidden}");
                    report.add(&found.place, format!("reaches {path}, which {why}"), remedy);
                }
            }
        }
    }
}

/// A path that both patterns match and every draft covers.
fn shared(left: &Pattern, right: &Pattern, drafts: &[&Draft]) -> Option<RelPath> {
    let mut paths = examples(left, right).into_iter();
    paths.find_map(|path| {
        let path = RelPath::new(path.as_bytes()).ok()?;
        let taken = drafts.iter().all(|draft| !draft.rules.exclude.matches(&path));
        taken.then_some(path)
    })
}

fn check_overlap(earlier: &Draft, later: &Draft, report: &mut Report<'_>) {
    for found in &later.paths {
        let both = [earlier, later];
        let clash = earlier
            .paths
            .iter()
            .find_map(|other| shared(&other.value, &found.value, &both).map(|path| (other, path)));
        if let Some((other, path)) = clash {
            let wrong = format!(
                "{path} is also in section {} (line {}, {})",
                earlier.section, other.place.line, other.value
            );
            let remedy = "a path belongs to one section: exclude it in one of the two";
            report.add(&found.place, wrong, remedy);
        }
    }
}

fn check_groups(drafts: &[Draft], report: &mut Report<'_>) {
    for draft in drafts {
        let (Some(group), Some(place)) = (&draft.rules.group, &draft.group) else { continue };
        let members = drafts.iter().filter(|other| other.rules.group.as_ref() == Some(group));
        if members.count() == 1 {
            report.add(
                place,
                "no other section is in this group",
                "write it alike in each section of the group, or remove it",
            );
        }
    }
}

/// A service while the names are checked.
struct Named<'a> {
    section: Section,
    name: &'a str,
    place: &'a Place,
    after: &'a [String],
}

fn check_services(drafts: &[Draft], report: &mut Report<'_>) {
    let services: Vec<Named<'_>> = drafts
        .iter()
        .flat_map(|draft| {
            draft.rules.services.iter().zip(&draft.services).map(|(service, (place, _))| Named {
                section: draft.section,
                name: &service.name,
                place,
                after: &service.after,
            })
        })
        .collect();
    for (index, service) in services.iter().enumerate() {
        if let Some(same) = services[..index].iter().find(|other| other.name == service.name) {
            let wrong = format!("section {} has a service of this name", same.section);
            report.add(service.place, wrong, "give it another name");
        }
    }
    let mut known = true;
    for after in drafts.iter().flat_map(|draft| &draft.services).flat_map(|(_, after)| after) {
        if !services.iter().any(|service| service.name == after.value) {
            known = false;
            report.add(
                &after.place,
                "no service has this name",
                "name one of the profile's services, or remove it",
            );
        }
    }
    if known {
        check_circles(&services, report);
    }
}

/// What is left when services whose predecessors are all gone are taken out again and again.
fn check_circles(services: &[Named<'_>], report: &mut Report<'_>) {
    let mut left: Vec<&Named<'_>> = services.iter().collect();
    loop {
        let names: Vec<&str> = left.iter().map(|service| service.name).collect();
        let waits =
            |service: &&Named<'_>| service.after.iter().any(|name| names.contains(&name.as_str()));
        let before = left.len();
        left.retain(waits);
        if left.len() == before {
            break;
        }
    }
    if let Some(first) = left.first() {
        let names: Vec<&str> = left.iter().map(|service| service.name).collect();
        let wrong = format!("services wait for each other: {}", names.join(", "));
        report.add(first.place, wrong, "remove a name from one of their 'after'");
    }
}

//! `[[reports]]` and `[[leases]]` of a profile: files that are no configuration and are kept on
//! both nodes all the same.

use twinwall_core::config::form::{Absent, Choice, Found, Key, Report, Section as Form};

use super::keys;
use super::kinds::{AbsolutePath, Name, PathPatterns};
use super::pattern::Pattern;
use super::read::Draft;
use crate::agent::leases::Format;
use crate::agent::manifest::RelPath;

/// Most entries of each kind.
const MAX_ENTRIES: usize = 32;

const REPORTS: &str = "[reports]";
const LEASES: &str = "[leases]";

pub(super) static REPORTS_NAME: Key<Name> = Key {
    section: REPORTS,
    name: "name",
    kind: Name,
    absent: Absent::Required("\"suricata\""),
    about: "Name of these reports for people, unique in the profile.",
};
pub(super) static REPORTS_PATHS: Key<PathPatterns> = Key {
    section: REPORTS,
    name: "paths",
    kind: PathPatterns,
    absent: Absent::Required("[\"/var/lib/reports/**\"]"),
    about: "Files, and directories with all below them, whose PDF, HTML and CSV files are the appliance's reports. Each node keeps the other one's too while `sync.logs` is on.",
};

pub(super) static LEASES_NAME: Key<Name> = Key {
    section: LEASES,
    name: "name",
    kind: Name,
    absent: Absent::Required("\"dnsmasq\""),
    about: "Name of this file of leases for people, unique in the profile.",
};
pub(super) static LEASES_FORMAT: Key<Choice<Format>> = Key {
    section: LEASES,
    name: "format",
    kind: Choice(&[("dnsmasq", Format::Dnsmasq), ("kea", Format::Kea), ("whole", Format::Whole)]),
    absent: Absent::Default("\"whole\""),
    about: "How it is written: dnsmasq's file, Kea's memfile with what its clean-up leaves beside it, or any other, taken as it is.",
};
pub(super) static LEASES_PATH: Key<AbsolutePath> = Key {
    section: LEASES,
    name: "path",
    kind: AbsolutePath,
    absent: Absent::Required("\"/var/lib/misc/dnsmasq.leases\""),
    about: "The file. On the passive it is kept as it is on the active, and written only while `service` does not run.",
};
pub(super) static LEASES_SERVICE: Key<Name> = Key {
    section: LEASES,
    name: "service",
    kind: Name,
    absent: Absent::Required("\"dnsmasq\""),
    about: "The service bound to the active role that reads and writes it, by its name in the profile.",
};

/// Where some of the appliance's reports are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFiles {
    /// Their name for people.
    pub name: String,
    /// Files and directories.
    pub paths: Vec<Pattern>,
}

/// A file of DHCP leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseFile {
    /// Its name for people.
    pub name: String,
    /// How it is written.
    pub format: Format,
    /// Where it is.
    pub path: RelPath,
    /// The service bound to the role that reads and writes it.
    pub service: String,
}

/// Every `[[reports]]`.
pub(super) fn read_reports(top: &Form<'_>, report: &mut Report<'_>) -> Vec<ReportFiles> {
    let mut names = Vec::new();
    let mut all = Vec::new();
    for form in entries(top, "reports", report) {
        form.refuse_unknown(keys::PROFILE, report);
        let name = form.get(&REPORTS_NAME, report);
        let paths = form.get(&REPORTS_PATHS, report);
        let (Some(name), Some(paths)) = (name, paths) else { continue };
        once(&mut names, &name, report);
        let paths = paths.value.into_iter().map(|found| found.value).collect();
        all.push(ReportFiles { name: name.value, paths });
    }
    all
}

/// Every `[[leases]]`; `drafts` has the services that they may name.
pub(super) fn read_leases(
    top: &Form<'_>,
    drafts: &[Draft],
    report: &mut Report<'_>,
) -> Vec<LeaseFile> {
    let mut names = Vec::new();
    let mut all: Vec<LeaseFile> = Vec::new();
    for form in entries(top, "leases", report) {
        form.refuse_unknown(keys::PROFILE, report);
        let name = form.get(&LEASES_NAME, report);
        let format = form.get(&LEASES_FORMAT, report);
        let path = form.get(&LEASES_PATH, report);
        let service = form.get(&LEASES_SERVICE, report);
        let (Some(name), Some(format), Some(path), Some(service)) = (name, format, path, service)
        else {
            continue;
        };
        once(&mut names, &name, report);
        let mut services = drafts.iter().flat_map(|draft| &draft.rules.services);
        if !services.any(|known| known.name == service.value) {
            let remedy = "name one of a [[section.NAME.service]]";
            report.add(&service.place, "no service of this profile", remedy);
        }
        if all.iter().any(|other| other.path == path.value) {
            report.add(&path.place, "named twice", "remove one");
        }
        let owns = |draft: &&Draft| draft.rules.covers(&path.value);
        if let Some(draft) = drafts.iter().find(owns) {
            let wrong = format!("it belongs to section {} too", draft.section.id());
            let remedy = "put it into 'exclude' there: leases are no configuration";
            report.add(&path.place, wrong, remedy);
        }
        all.push(LeaseFile {
            name: name.value,
            format: format.value,
            path: path.value,
            service: service.value,
        });
    }
    all
}

fn entries<'t>(top: &Form<'t>, name: &str, report: &mut Report<'_>) -> Vec<Form<'t>> {
    let forms = top.sections(name, report);
    if forms.len() > MAX_ENTRIES {
        let wrong = format!("{} of them", forms.len());
        report.add(&top.place(name), wrong, format!("{MAX_ENTRIES} are possible"));
    }
    forms
}

fn once(names: &mut Vec<String>, name: &Found<String>, report: &mut Report<'_>) {
    if names.contains(&name.value) {
        report.add(&name.place, "named twice", "give each a name of its own");
    }
    names.push(name.value.clone());
}

#[cfg(test)]
mod tests {
    use crate::agent::profile::{REFERENCE, REFERENCE_NAME, parse_profile};

    const HEAD: &str = "format = 1\nname = \"x\"\n[appliance]\nmodel = { file = \"/m\" }\n\
        serial = { file = \"/s\" }\nfirmware = { file = \"/f\" }\n\
        [[section.network.service]]\nname = \"dhcp\"\nunit = \"dhcp.service\"\n\
        program = \"/usr/sbin/dhcp\"\n[section.network]\npaths = [\"/etc/dhcp\"]\n";

    #[test]
    fn the_reference_names_the_leases_of_its_dhcp_servers() {
        let profile = parse_profile(REFERENCE_NAME, REFERENCE).expect("the reference");
        let paths: Vec<String> = profile.leases.iter().map(|one| one.path.to_string()).collect();
        assert!(paths.contains(&"/var/lib/misc/dnsmasq.leases".to_owned()), "{paths:?}");
        assert!(paths.contains(&"/var/lib/kea/kea-leases4.csv".to_owned()), "{paths:?}");
        assert!(!profile.reports.is_empty());
    }

    #[test]
    fn leases_of_a_server_that_is_not_bound_to_the_role_are_refused() {
        for (text, wrong) in [
            ("[[leases]]\nname = \"a\"\npath = \"/l\"\nservice = \"other\"\n", "no service of"),
            (
                "[[leases]]\nname = \"a\"\npath = \"/etc/dhcp/l\"\nservice = \"dhcp\"\n",
                "belongs to",
            ),
            (
                "[[leases]]\nname = \"a\"\npath = \"/l\"\nservice = \"dhcp\"\nformat = \"bind\"\n",
                "leases",
            ),
            ("[[reports]]\nname = \"a\"\n", "paths"),
        ] {
            // Sections of the file come in any order.
            let errors = parse_profile("profile.toml", &format!("{HEAD}{text}")).expect_err(text);
            assert!(errors.to_string().contains(wrong), "{text}: {errors}");
        }
    }
}

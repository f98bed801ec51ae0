//! Which logs an appliance has: files and units of the journal by name, and how their lines are
//! to be read. Read by the sources of the logs and by whoever shows them.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeValue;
use twinwall_core::config::form::{Found, Kind, Place, Report, Section as Form, each, limit};

use super::keys;
use super::overlap::examples;
use super::pattern::{Pattern, Patterns};
use crate::agent::logs::KERNEL;
use crate::agent::logs::parse::Format;

/// Sources of one profile, at the most: each takes some memory and a row on the page.
const MAX_SOURCES: usize = 64;
/// Units of one source.
const MAX_UNITS: usize = 64;
/// Longest name of a unit in bytes, as systemd's.
const MAX_UNIT: usize = 255;
/// What is no log, and must not be shown as one.
const FORBIDDEN: [(&str, &str); 5] = [
    ("/etc/twinwall/**", "holds this node's identity"),
    ("/var/lib/twinwall/**", "is where the logs are kept"),
    ("/proc/**", "is no log"),
    ("/sys/**", "is no log"),
    ("/dev/**", "is no log"),
];

/// A source of log lines.
#[derive(Clone, Debug)]
pub struct LogSource {
    /// Its name, unique in the profile.
    pub name: String,
    /// Files.
    pub files: Patterns,
    /// Units of the system's journal; [`KERNEL`] for the kernel's messages.
    pub units: Vec<String>,
    /// How its lines are read; as lines where nothing is said.
    pub format: Option<Format>,
}

/// As lines, where nobody knows more of them.
pub(super) const LINES: &str = "lines";

/// How lines may be read, as a profile says it.
pub(super) static FORMATS: [(&str, Option<Format>); 7] = [
    (LINES, None),
    (Format::Dnsmasq.id(), Some(Format::Dnsmasq)),
    (Format::Kea.id(), Some(Format::Kea)),
    (Format::IscDhcp.id(), Some(Format::IscDhcp)),
    (Format::Strongswan.id(), Some(Format::Strongswan)),
    (Format::Openvpn.id(), Some(Format::Openvpn)),
    (Format::Wireguard.id(), Some(Format::Wireguard)),
];

/// Reads every `[[logs.source]]`.
pub(super) fn read(top: &Form<'_>, report: &mut Report<'_>) -> Vec<LogSource> {
    let logs = top.section("logs", report);
    logs.refuse_unknown(keys::PROFILE, report);
    let forms = logs.sections("source", report);
    if forms.len() > MAX_SOURCES {
        let wrong = format!("{} of them", forms.len());
        report.add(&logs.place("source"), wrong, format!("{MAX_SOURCES} are possible"));
    }
    let mut names = BTreeSet::new();
    let mut sources = Vec::new();
    for form in forms {
        form.refuse_unknown(keys::PROFILE, report);
        let name = form.get(&keys::LOG_NAME, report);
        if let Some(name) = &name
            && !names.insert(name.value.clone())
        {
            report.add(&name.place, "another source has this name", "give it another one");
        }
        sources.extend(read_source(&form, name, report));
    }
    sources
}

fn read_source(
    form: &Form<'_>,
    name: Option<Found<String>>,
    report: &mut Report<'_>,
) -> Option<LogSource> {
    let files = form.get(&keys::LOG_FILES, report);
    let units = form.get(&keys::LOG_UNITS, report);
    let format = form.get(&keys::LOG_FORMAT, report);
    let (files, units) = (files?.value, units?.value);
    files.iter().for_each(|found| refuse_forbidden(found, report));
    if files.is_empty() && units.is_empty() {
        report.add(&form.place("files"), "a source of nothing", "add files or units");
    }
    Some(LogSource {
        name: name?.value,
        files: files.into_iter().map(|found| found.value).collect(),
        units: units.into_iter().map(|found| found.value).collect(),
        format: format?.value,
    })
}

fn refuse_forbidden(found: &Found<Pattern>, report: &mut Report<'_>) {
    for (text, why) in FORBIDDEN {
        let Ok(forbidden) = Pattern::new(text) else { continue };
        if let Some(path) = examples(&found.value, &forbidden).into_iter().next() {
            let wrong = format!("reaches {path}, which {why}");
            report.add(&found.place, wrong, "write a narrower pattern");
        }
    }
}

/// Names of units, with the wildcards that journalctl knows.
pub(super) struct Units;

impl Kind for Units {
    type Value = Vec<Found<String>>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Self::Value> {
        let all = each(value, place, report, |text, place, report| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@:-\\*?".contains(&byte);
            let good = (1..=MAX_UNIT).contains(&text.len())
                && text.bytes().all(allowed)
                && !text.starts_with('-')
                && (text == KERNEL || text.contains('.'));
            if !good {
                let remedy = format!("write it as openvpn@*.service, or \"{KERNEL}\"");
                report.add(place, "not a unit", remedy);
            }
            good.then(|| text.to_owned())
        })?;
        limit(&all, MAX_UNITS, place, report);
        Some(all)
    }

    fn describe(&self) -> String {
        format!("list of at most {MAX_UNITS} units with `*` and `?`, and \"{KERNEL}\"")
    }
}

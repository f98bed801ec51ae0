//! What systemd is told of services that run only on the active: a condition for each, made
//! anew at every boot and reload of systemd (systemd.generator(7)). So one that is enabled
//! does not run for a moment on a passive that boots, and nobody starts it there by mistake.
//! With the package the generator goes, and with it every trace.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::super::profile::{Profile, Service};
use super::super::step::{How, Leftovers, Step, StepFailure};

/// There when systemd runs this machine (sd_booted(3)).
pub(super) const SYSTEMD: &str = "/run/systemd/system";
/// What calls [`write`] at boot.
const GENERATOR: &str = "/usr/lib/systemd/system-generators/twinwall";
/// Where systemd keeps what generators made.
const MADE: &str = "/run/systemd/generator";
/// Name of the file beside each unit.
const DROP_IN: &str = "50-twinwall.conf";
/// systemctl asks systemd, which reads every unit anew.
const RELOAD: Duration = Duration::from_secs(60);
/// Asking for the state of a unit takes some milliseconds.
const ASK: Duration = Duration::from_secs(5);

/// The units that are held, each with the text of its drop-in.
fn wanted(profile: &Profile) -> BTreeMap<String, String> {
    let services = profile.services().into_iter();
    services
        .filter_map(|(_, service)| unit(service))
        .map(|unit| {
            let text = text(&unit);
            (unit, text)
        })
        .collect()
}

/// The unit of a service, where it is started by systemctl and its name needs no quotes.
fn unit(service: &Service) -> Option<String> {
    systemctl(service)?;
    let plain = |one: u8| one.is_ascii_alphanumeric() || b":_.@-".contains(&one);
    if service.unit.is_empty() || !service.unit.bytes().all(plain) {
        return None;
    }
    match service.unit.rsplit_once('.') {
        Some((_, "service")) => Some(service.unit.clone()),
        Some((_, "socket" | "timer" | "target" | "path" | "mount" | "slice" | "scope")) => None,
        Some(_) | None => Some(format!("{}.service", service.unit)),
    }
}

/// The systemctl that starts a service; none where something else does.
pub(super) fn systemctl(service: &Service) -> Option<&str> {
    service.start.argv.first().map(String::as_str).filter(|first| first.ends_with("/systemctl"))
}

/// Only the answer 1 keeps a service down: neither a program that is missing nor one that is
/// killed does.
fn text(unit: &str) -> String {
    format!(
        "# Made by twinwall: this service runs only on the active node. See 'twinwall services'.\n\
         [Service]\n\
         ExecCondition=+/bin/sh -c 'test ! -x /usr/sbin/twinwall || \
         /usr/sbin/twinwall services may-run {unit}; test $$? -ne 1'\n"
    )
}

/// Writes the drop-ins below `folder`, systemd's directory for what generators make.
///
/// # Errors
/// What cannot be written.
pub fn write(profile: &Profile, folder: &Path) -> io::Result<()> {
    for (unit, text) in wanted(profile) {
        let place = folder.join(format!("{unit}.d"));
        fs::create_dir_all(&place)?;
        fs::write(place.join(DROP_IN), text)?;
    }
    Ok(())
}

/// Has systemd make them anew where those that it has are others. May wait for systemd.
pub(super) fn renew(profile: &Profile) {
    if !Path::new(SYSTEMD).exists() || !Path::new(GENERATOR).exists() || made() == wanted(profile) {
        return;
    }
    let reload = Step::new(&["/usr/bin/systemctl", "daemon-reload"], RELOAD);
    if let Err(failure) = reload.run(Path::new("/"), Leftovers::Stay) {
        eprintln!("twinwall agent: services bound to the role: {failure}");
    }
}

/// Those that systemd has.
fn made() -> BTreeMap<String, String> {
    let entries = fs::read_dir(MADE).into_iter().flatten().flatten();
    let one = |entry: fs::DirEntry| {
        let unit = entry.file_name().to_str()?.strip_suffix(".d")?.to_owned();
        Some((unit, fs::read_to_string(entry.path().join(DROP_IN)).ok()?))
    };
    entries.filter_map(one).collect()
}

/// Whether the administrator has enabled a unit. One that nobody enabled is none of ours.
pub fn is_enabled(systemctl: &str, unit: &str) -> bool {
    let asked = Step::new(&[systemctl, "is-enabled", "--quiet", unit], ASK);
    match asked.run(Path::new("/"), Leftovers::Killed) {
        Err(StepFailure { how: How::Exit(_), .. }) => false,
        Ok(_) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::profile::{REFERENCE, REFERENCE_NAME, parse_profile};

    #[test]
    fn each_service_of_the_reference_that_systemd_starts_is_held_by_a_condition() {
        let profile = parse_profile(REFERENCE_NAME, REFERENCE).expect("the reference");
        let folder = tempfile();
        write(&profile, &folder).expect("written");
        let text = fs::read_to_string(folder.join("dnsmasq.service.d").join(DROP_IN));
        let text = text.expect("a drop-in");
        let line = text.lines().last().unwrap_or_default();
        assert!(line.starts_with("ExecCondition=+/bin/sh -c 'test ! -x"), "{line}");
        assert!(line.ends_with("may-run dnsmasq.service; test $$? -ne 1'"), "{line}");
        assert_eq!(fs::read_dir(&folder).expect("it").count(), wanted(&profile).len());
        fs::remove_dir_all(&folder).expect("removed");
    }

    fn tempfile() -> std::path::PathBuf {
        let name = format!("twinwall-generator-{}", std::process::id());
        std::env::temp_dir().join(name)
    }
}

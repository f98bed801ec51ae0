//! `twinwall services`: the services that run only on the active node, and the health checks.

use std::path::Path;
use std::time::Duration;

use twinwall::agent::services::unit;
use twinwall::agent::services::view::{
    Doing, Health, HealthView, Phase, ServiceView, ServicesView,
};
use twinwall::agent::settings;
use twinwall::client;
use twinwall::failure::Failure;
use twinwall_core::beat::RoleWord;
use twinwall_core::explain::span;

use super::profile;
use crate::api_client::Api;
use crate::cli::{ServicesArgs, ServicesOrder};
use crate::show::{print, print_json};

pub(super) fn services(root: &Path, args: &ServicesArgs) -> Result<(), Failure> {
    match &args.order {
        Some(ServicesOrder::MayRun { unit }) => may_run(root, unit),
        Some(ServicesOrder::DropIns { folder }) => drop_ins(root, folder),
        None => {
            let view: ServicesView = Api::of(root).get("/api/v1/services")?;
            if args.json { print_json(&view) } else { print(&text(&view)) }
        }
    }
}

/// What systemd asks at boot as well, when no guard runs yet: such a node is not active.
fn may_run(root: &Path, unit: &str) -> Result<(), Failure> {
    if !settings::is_enabled(root) || !unit::is_enabled("/usr/bin/systemctl", unit) {
        return Ok(());
    }
    let role = client::status(root).map(|status| status.snapshot.role.role);
    let is = match role {
        Ok(RoleWord::Active) => return Ok(()),
        Ok(other) => format!("is {}", other.word()),
        Err(_) => "has no guard that answers".to_owned(),
    };
    Err(Failure::problem(format!(
        "this node {is}: {unit} runs on the active one only, and starts here when this one is"
    )))
}

/// Whatever is wrong with the profile, the machine has to boot: the agent says it.
fn drop_ins(root: &Path, folder: &Path) -> Result<(), Failure> {
    let Ok(profile) = profile::read(root, None) else { return Ok(()) };
    unit::write(&profile, folder)
        .map_err(|error| Failure::machine(format!("writing below {}", folder.display()), &error))
}

fn text(view: &ServicesView) -> String {
    let wanted = match view.wanted {
        Some(true) => "This node is active: they shall run here.",
        Some(false) => "This node is not active: they shall not run here.",
        None => "They are left as they are: high availability is off, or the role is not known.",
    };
    let mut text = format!("{wanted}\n");
    if view.services.is_empty() {
        text += "The profile names no service that is bound to the active role.\n";
    } else {
        let lines = view.services.iter().map(|one| (one.name.as_str(), state(one)));
        text += &listed(&lines.collect::<Vec<_>>());
    }
    if !view.checks.is_empty() {
        text += "\nHealth checks:\n";
        let lines = view.checks.iter().map(|one| (one.section.id(), health(one)));
        text += &listed(&lines.collect::<Vec<_>>());
    }
    text
}

/// An empty line, and each name with what is said of it.
fn listed(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, said): &(&str, String)| {
        let line = format!("{name:width$}  {said}");
        format!("{}\n", line.trim_end())
    };
    format!("\n{}", lines.iter().map(line).collect::<String>())
}

fn health(one: &HealthView) -> String {
    let word = one.health.words();
    let (times, why) = (one.in_a_row, one.health.why());
    let said = match &one.health {
        Health::Unknown | Health::Good => String::new(),
        Health::Resting | Health::LeftOut { .. } => format!("{why}: "),
        Health::Doubtful { .. } | Health::Failed { .. } => {
            format!("failed {times} times, {why}: ")
        }
        Health::Recovering { .. } => format!("went well {times} times after it {why}: "),
    };
    format!("{word:<10}  {:<14}  {said}{}", lasting(one.since_s), one.command)
}

/// For how long, in whole seconds.
fn lasting(seconds: f64) -> String {
    let whole = Duration::from_secs(Duration::from_secs_f64(seconds.max(0.0)).as_secs());
    format!("for {}", span(whole))
}

fn state(one: &ServiceView) -> String {
    let word = match one.doing {
        Some(Doing::Starting) => "starting",
        Some(Doing::Stopping) => "stopping",
        None => one.phase.words(),
    };
    let since = match &one.phase {
        Phase::Unknown | Phase::LeftAlone { .. } => String::new(),
        Phase::Running | Phase::Stopped | Phase::Failed { .. } => lasting(one.since_s),
    };
    let tries =
        if one.failures > 1 { format!("failed {} times: ", one.failures) } else { String::new() };
    format!("{word:<10}  {since:<14}  {tries}{}", one.phase.why())
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinwall::agent::section::Section;

    #[test]
    fn each_service_and_check_has_a_line_with_its_state_and_the_reason() {
        let one = |name: &str, phase| ServiceView {
            name: name.to_owned(),
            section: Section::Network,
            unit: format!("{name}.service"),
            after: Vec::new(),
            phase,
            doing: None,
            since_s: 61.4,
            failures: 2,
        };
        let failed = Phase::Failed { why: "it ended with 1".to_owned() };
        let services = vec![one("dnsmasq", Phase::Running), one("radvd", failed)];
        let check = |health, in_a_row| HealthView {
            section: Section::Vpn,
            command: "swanctl --stats".to_owned(),
            health,
            unfit: None,
            in_a_row,
            since_s: 5.0,
        };
        let why = "ended with 1".to_owned();
        let checks = vec![check(Health::Good, 0), check(Health::Failed { why }, 3)];
        let view = ServicesView { node: "gw-a".to_owned(), wanted: Some(true), services, checks };
        let text = text(&view);
        assert!(text.contains("vpn  good        for 5 s         swanctl --stats\n"), "{text}");
        assert!(text.contains("failed 3 times, ended with 1: swanctl --stats\n"), "{text}");
        assert!(text.contains("shall run here"), "{text}");
        assert!(
            text.contains("radvd    failed") && text.contains("failed 2 times: it ended"),
            "{text}"
        );
    }
}

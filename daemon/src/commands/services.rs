//! `twinwall services`: the services that run only on the active node.

use std::path::Path;
use std::time::Duration;

use twinwall::agent::services::view::{Doing, Phase, ServiceView, ServicesView};
use twinwall::failure::Failure;
use twinwall_core::explain::span;

use crate::api_client::Api;
use crate::show::{print, print_json};

pub(super) fn services(root: &Path, json: bool) -> Result<(), Failure> {
    let view: ServicesView = Api::of(root).get("/api/v1/services")?;
    if json { print_json(&view) } else { print(&text(&view)) }
}

fn text(view: &ServicesView) -> String {
    let wanted = match view.wanted {
        Some(true) => "This node is active: they shall run here.",
        Some(false) => "This node is not active: they shall not run here.",
        None => "They are left as they are: high availability is off, or the role is not known.",
    };
    let mut text = format!("{wanted}\n");
    if view.services.is_empty() {
        return text + "The profile names no service that is bound to the active role.\n";
    }
    let width = view.services.iter().map(|one| one.name.len()).max().unwrap_or(0);
    text += "\n";
    for one in &view.services {
        let line = format!("{:width$}  {}", one.name, state(one));
        text += line.trim_end();
        text += "\n";
    }
    text
}

fn state(one: &ServiceView) -> String {
    let word = match one.doing {
        Some(Doing::Starting) => "starting",
        Some(Doing::Stopping) => "stopping",
        None => one.phase.words(),
    };
    let since = match &one.phase {
        Phase::Unknown | Phase::LeftAlone { .. } => String::new(),
        Phase::Running | Phase::Stopped | Phase::Failed { .. } => {
            let whole =
                Duration::from_secs(Duration::from_secs_f64(one.since_s.max(0.0)).as_secs());
            format!("for {}", span(whole))
        }
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
    fn each_service_has_a_line_with_its_state_and_the_reason() {
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
        let view = ServicesView { node: "gw-a".to_owned(), wanted: Some(true), services };
        let text = text(&view);
        assert!(text.contains("shall run here"), "{text}");
        assert!(
            text.contains("radvd    failed") && text.contains("failed 2 times: it ended"),
            "{text}"
        );
    }
}

//! How the configuration of both gateways stands, asked now and then on a thread of its
//! own: an agent that does not answer must not hold up the screen.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::appliance::Appliance;
use crate::worker::Worker;

/// Between two questions.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Asks until it is dropped.
pub(super) struct Configuration(Arc<Mutex<String>>);

impl Configuration {
    /// Asks the agents in turn, each on its machine.
    pub(super) fn start(machines: Vec<(Worker, Appliance)>) -> Configuration {
        let latest = Arc::new(Mutex::new(String::new()));
        let weak = Arc::downgrade(&latest);
        thread::spawn(move || {
            // Ends when nobody looks any more.
            while let Some(latest) = weak.upgrade() {
                let said = machines.iter().find_map(|(worker, appliance)| ask(worker, appliance));
                let said = said.unwrap_or_else(|| "no agent answers".to_owned());
                *latest.lock().unwrap_or_else(PoisonError::into_inner) = said;
                drop(latest);
                thread::sleep(ASK_EVERY);
            }
        });
        Configuration(latest)
    }

    /// What was said last; empty at first.
    pub(super) fn latest(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the agent there says; none when it does not answer.
fn ask(worker: &Worker, appliance: &Appliance) -> Option<String> {
    let mut command = appliance.twinwall(&["sync", "--json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = worker.run(move || command.spawn()).ok()?.ok()?;
    let output = child.wait_with_output().ok()?;
    let said: Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(words(&said))
}

fn words(said: &Value) -> String {
    let sections = said["sections"].as_array().cloned().unwrap_or_default();
    let not = |view: &&Value| view["state"] != "in_sync";
    let differ: Vec<&Value> = sections.iter().filter(not).collect();
    let named = |view: &&Value| view["section"].as_str().unwrap_or_default().to_owned();
    match differ.as_slice() {
        [] => format!("all {} sections are in sync", sections.len()),
        _ if said["peer"]["connected"] != true => "the other gateway's agent is away".to_owned(),
        some => format!("not in sync: {}", some.iter().map(named).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_that_differ_are_named() {
        let said = |state: &str, connected: bool| {
            serde_json::json!({
                "peer": { "connected": connected },
                "sections": [
                    { "section": "vpn", "state": "in_sync" },
                    { "section": "firewall", "state": state },
                ],
            })
        };
        assert_eq!(words(&said("in_sync", true)), "all 2 sections are in sync");
        assert_eq!(words(&said("failed", true)), "not in sync: firewall");
        assert_eq!(words(&said("unknown", false)), "the other gateway's agent is away");
    }
}

//! What machines knew when something did not happen: printed beside the error, as it is
//! gone with the lab.

use std::fmt::Write;

use crate::lab::Lab;
use crate::worker::Worker;

/// Neighbours, links and addresses of all machines, and the gates of both gateways, as
/// their kernels tell them.
pub(crate) fn evidence(lab: &Lab) -> String {
    let mut text = String::new();
    let machines = [&lab.topology.client, &lab.topology.server];
    let gateways = lab.gateways.iter().map(|gateway| &gateway.machine.worker);
    for worker in machines.into_iter().chain(gateways) {
        ask(&mut text, worker, "ip", &["-o", "neighbour"]);
        ask(&mut text, worker, "ip", &["-br", "link"]);
        ask(&mut text, worker, "ip", &["-br", "address"]);
    }
    for gateway in &lab.gateways {
        ask(&mut text, &gateway.machine.worker, "nft", &["list", "ruleset"]);
    }
    text
}

fn ask(text: &mut String, worker: &Worker, program: &str, words: &[&str]) {
    let said = worker.command(program, words, String::new());
    let said = said.unwrap_or_else(|error| error.to_string());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "-- {}: {program} {}\n{}", worker.name(), words.join(" "), said.trim());
}

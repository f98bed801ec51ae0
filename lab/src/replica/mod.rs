//! What the passive gateway holds of the active's flows, seen from outside: its kernel's own
//! count, conntrackd's word on its cache, the agents' word on themselves. Called by the scenarios
//! and the benchmark about flows; it decides nothing.

pub mod events;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::error::{Doing, LabError, Result};
use crate::gateway::Gateway;
use crate::lab::Lab;
use crate::process::signal_all;
use crate::product::{Flows, Product, conntrackd};
use crate::traffic::generator::{FlowKind, Generator};
use crate::wait;
use crate::worker::Worker;

/// How long an agent has for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Flows that are there before a fault are begun at this rate: no product loses one by it.
const FILL_RATE: u32 = 4000;
/// Flows that come and go while two nodes are asked one after the other.
const COME_AND_GO: u64 = 8;

/// Flows in the kernel of a gateway.
///
/// # Errors
/// When the kernel does not say.
pub fn in_kernel(gateway: &Gateway) -> Result<u64> {
    count(&gateway.machine.worker)
}

/// The same by the thread of its machine.
///
/// # Errors
/// As [`in_kernel`].
pub fn count(worker: &Worker) -> Result<u64> {
    let read = || fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count");
    let text = worker.run(read)?.doing("count the flows of a gateway")?;
    text.trim().parse().map_err(|_| LabError::Usage(format!("a count of flows is '{text}'")))
}

/// Flows that this passive gateway would have after a takeover.
///
/// # Errors
/// When it does not say.
pub fn held(lab: &Lab, passive: usize) -> Result<u64> {
    let gateway = &lab.gateways[passive];
    match (lab.form.product, lab.form.flows) {
        (Product::Keepalived, Flows::Replicated) => {
            let [_, others] = conntrackd::cached(&gateway.machine.worker, gateway.tree())?;
            Ok(others)
        }
        (Product::Keepalived | Product::Twinwall, _) => in_kernel(gateway),
    }
}

/// What the agent of a gateway says of its flows.
///
/// # Errors
/// When it does not answer.
pub fn view(gateway: &Gateway) -> Result<Value> {
    let socket = gateway.tree().join("run/twinwall/agent.sock");
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&socket)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        // Version 1.0: the answer comes in one piece.
        stream.write_all(b"GET /api/v1/flows HTTP/1.0\r\nhost: agent\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = String::from_utf8_lossy(&ask().doing("ask an agent of its flows")?).into_owned();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body)
        .map_err(|_| LabError::Command { line: "GET /api/v1/flows".to_owned(), output: answer })
}

/// Waits until the passive holds all that the active has, about `least` at the least; how many
/// there are.
///
/// # Errors
/// When that does not come about within the bound.
pub fn await_complete(lab: &Lab, active: usize, least: u64, bound: Duration) -> Result<u64> {
    let what = "all flows of the active on the passive";
    wait::until(what, bound, || complete(lab, active, least).map_err(|why| why.to_string()))
}

/// Whether the passive holds all that the active has, about `least` at the least.
pub fn is_complete(lab: &Lab, active: usize, least: u64) -> bool {
    complete(lab, active, least).is_ok()
}

/// How many there are once all are there; else what is missing. Each product is asked what it
/// replicates: neither does so with all that a kernel counts.
fn complete(lab: &Lab, active: usize, least: u64) -> Result<u64> {
    let there = held(lab, 1 - active)?;
    let source = &lab.gateways[active];
    let told = match lab.form.product {
        Product::Keepalived => {
            let [own, _] = conntrackd::cached(&source.machine.worker, source.tree())?;
            own.saturating_sub(COME_AND_GO)
        }
        Product::Twinwall => {
            let seen = view(source)?;
            let percent = seen["complete_percent"].as_f64();
            if seen["part"] != "source" || percent.is_none_or(|percent| percent < 100.0) {
                return Err(LabError::Usage(format!("the agent says {seen}")));
            }
            0
        }
    };
    // Some of those that were begun may not have come to be.
    let wanted = told.max(least - least / 100);
    if there < wanted {
        return Err(LabError::Usage(format!("{there} of {wanted}")));
    }
    Ok(there)
}

/// Begins TCP connections through the active until it has so many flows.
///
/// # Errors
/// When they do not come to be there.
pub fn fill(lab: &Lab, generator: &mut Generator, active: usize, flows: u64) -> Result<()> {
    fill_at(lab, generator, active, flows, FILL_RATE)
}

/// The same at another rate.
///
/// # Errors
/// As [`fill`].
pub fn fill_at(
    lab: &Lab,
    generator: &mut Generator,
    active: usize,
    flows: u64,
    rate: u32,
) -> Result<()> {
    // Some handshakes may be lost on the way.
    for _ in 0..5 {
        let there = in_kernel(&lab.gateways[active])?;
        let missing = u32::try_from(flows.saturating_sub(there)).unwrap_or(u32::MAX);
        if missing == 0 {
            return Ok(());
        }
        generator.make(FlowKind::TcpOpen, missing, rate);
    }
    let there = in_kernel(&lab.gateways[active])?;
    Err(LabError::Usage(format!("{there} flows are there, not {flows}; see nf_conntrack_max")))
}

/// The process that replicates flows on a gateway.
pub fn process(gateway: &Gateway) -> Option<u32> {
    let beside = gateway.companion().map(crate::process::Running::pid);
    beside.or_else(|| {
        let is_agent = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|word| word == b"agent")
        };
        gateway.pids().into_iter().find(is_agent).map(i32::unsigned_abs)
    })
}

/// Kills the process that replicates flows; it is started again at once.
///
/// # Errors
/// When there is none, or it does not start.
pub fn restart(gateway: &mut Gateway) -> Result<()> {
    let gone = || LabError::Usage("nothing replicates flows there".to_owned());
    let pid = process(gateway).ok_or_else(gone)?;
    signal_all(&[pid.cast_signed()], libc::SIGKILL);
    // `twinwall run` starts its agent by itself.
    gateway.restart_companion()
}

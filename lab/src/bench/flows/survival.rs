//! Connections after each fault: every scenario of that kind, with both products in turn.

use super::rows::{Row, Target};
use super::{Benchmark, Contender, Wanted};
use crate::bench::figures::Unit;
use crate::bench::rows::Play;
use crate::bench::run::set_aside;
use crate::error::{LabError, Result};
use crate::result::{Outcome, millis};
use crate::run::{Order, play};
use crate::scenario::{self, Scenario};

/// Scenarios, and the fault in the words of the table.
const FAULTS: [(&str, &str); 12] = [
    ("flows-power-loss", "power loss"),
    ("flows-power-loss-nat", "power loss, NAT"),
    ("flows-lan-down", "LAN link down"),
    ("flows-lan-down-nat", "LAN link down, NAT"),
    ("flows-shutdown", "shutdown"),
    ("flows-shutdown-nat", "shutdown, NAT"),
    ("flows-switchover", "switchover"),
    ("flows-switchover-nat", "switchover, NAT"),
    ("flows-killed", "service killed"),
    ("flows-killed-nat", "service killed, NAT"),
    ("flows-hung", "service hung"),
    ("flows-hung-nat", "service hung, NAT"),
];
/// Scenarios of a quick run.
const QUICK: usize = 2;
/// Longest pause, in milliseconds.
const PAUSE_MS: f64 = 60.0;
const TOLD: &str = "21 connections are open each time: TCP with data in flight both ways at once, \
    from the client to a server and from a server to a published port, over IPv4 and IPv6; streams \
    of datagrams from the server; an FTP session in active mode with a transfer that runs on. Rows \
    with *NAT* hide the LAN behind the WAN's virtual address (IPv4). *Lost* is a connection that was \
    reset, or silent until the end. The *pause* is the longest time in which data that was sent did \
    not arrive, of the connections that are not lost. An *FTP session is cut* when a command is not \
    answered, or a transfer does not get through that was announced before the fault or after it. \
    The interval is 100 ms, the HA link a direct cable.";

/// Plays all of them.
pub(super) fn run(benchmark: &mut Benchmark, wanted: &Wanted) -> Result<()> {
    let mut rows = Vec::new();
    let most = if wanted.quick { QUICK } else { FAULTS.len() };
    for (name, title) in FAULTS.into_iter().take(most) {
        let found = scenario::find(name)
            .ok_or_else(|| LabError::Usage(format!("{name} is no scenario; a bug in the lab")))?;
        let mut of_fault = [
            Row::new(format!("{title}: connections lost"), Unit::Times, Target::AtMost(0.0)),
            Row::new(format!("{title}: longest pause, ms"), Unit::Millis, Target::AtMost(PAUSE_MS)),
            Row::new(format!("{title}: FTP sessions cut"), Unit::Times, Target::AtMost(0.0)),
        ];
        for who in wanted.contenders() {
            let scenario = Scenario { flows: who.flows(), ..*found };
            let order = Order {
                product: who.product(),
                program: wanted.guard.clone(),
                reps: wanted.reps,
                observe: None,
            };
            let told = play(&scenario, &order, |outcome| {
                eprintln!("  {}: {name}: {}", who.name(), crate::report::line(outcome));
                match set_aside(Play::Often, outcome) {
                    Some(why) => benchmark.failed(who, name, format!("set aside: {why}")),
                    None => note(&mut of_fault, who, outcome),
                }
            });
            if let Err(cause) = told {
                benchmark.failed(who, name, cause);
            }
        }
        rows.extend(of_fault);
    }
    benchmark.measured("Connections after a fault", TOLD, wanted.reps, rows);
    Ok(())
}

fn note([lost, pause, ftp]: &mut [Row; 3], who: Contender, outcome: &Outcome) {
    let Some(seen) = &outcome.connections else { return };
    lost.of(who).add(seen.lost as f64);
    pause.add_over(who, millis(seen.longest_pause), millis(seen.floor));
    ftp.of(who).add(seen.ftp.map_or(0.0, |ftp| if ftp.works() { 0.0 } else { 1.0 }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_a_scenario_with_connections() {
        for (name, _) in FAULTS {
            let found = scenario::find(name).expect(name);
            assert!(found.must.connections.is_some(), "{name}");
            assert_eq!(found.nat, name.ends_with("-nat"), "{name}");
        }
    }
}

//! Orders that the guard takes or refuses at once: maintenance, damping, facts, reload.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use twinwall_core::api::Request;
use twinwall_core::event::{Fact, Order};
use twinwall_core::explain::span;

use super::audit;
use crate::cli::{FactArgs, Maintenance, Verdict};
use crate::show::print;
use crate::system;
use twinwall::agent::api::audit::GuardOrderWord;
use twinwall::client;
use twinwall::failure::Failure;

/// Facts of the agent's own.
const AGENTS: [&str; 2] = ["services", "synchronised"];

pub(super) fn maintenance(root: &Path, order: &Maintenance) -> Result<(), Failure> {
    let (order, word, said) = match order {
        Maintenance::On { lasts } => {
            let said = format!(
                "Maintenance is on and ends by itself in {}. An active node hands over first: see 'twinwall status'.\n",
                span(*lasts)
            );
            (Order::MaintenanceOn { lasts: *lasts }, GuardOrderWord::MaintenanceOn, said)
        }
        Maintenance::Off => {
            let said = "Maintenance is off; this node may serve again.\n".to_owned();
            (Order::MaintenanceOff, GuardOrderWord::MaintenanceOff, said)
        }
    };
    client::order(root, &Request::Order { order })?;
    audit::tell(root, word);
    print(&said)
}

pub(super) fn clear_damping(root: &Path) -> Result<(), Failure> {
    client::order(root, &Request::Order { order: Order::ClearDamping })?;
    audit::tell(root, GuardOrderWord::ClearDamping);
    print("Held interfaces count again.\n")
}

pub(super) fn fact(root: &Path, args: &FactArgs) -> Result<(), Failure> {
    if AGENTS.contains(&args.name.as_str()) {
        return Err(Failure::problem(format!(
            "fact {}: the agent states it; choose another name",
            args.name
        )));
    }
    let fact = Fact {
        name: args.name.clone(),
        good: args.verdict == Verdict::Good,
        reason: args.reason.clone().unwrap_or_default(),
        holds: args.holds,
    };
    client::order(root, &Request::Fact { fact })?;
    let (name, lasts) = (&args.name, span(args.holds));
    let verdict = if args.verdict == Verdict::Good { "good" } else { "bad" };
    let until = SystemTime::now() + args.holds;
    let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
    let until = system::local_time(u64::try_from(until.as_millis()).unwrap_or(u64::MAX));
    print(&format!("{name} is {verdict} for {lasts}, until {until}; state it again before.\n"))
}

pub(super) fn reload(root: &Path) -> Result<(), Failure> {
    client::order(root, &Request::Reload {})?;
    audit::tell(root, GuardOrderWord::Reload);
    print("The settings were read again.\n")
}

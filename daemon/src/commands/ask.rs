//! Orders that the guard takes or refuses at once: maintenance, damping, facts, reload.

use std::path::Path;

use twinwall_core::api::Request;
use twinwall_core::event::{Fact, Order};
use twinwall_core::explain::span;

use crate::cli::{FactArgs, Maintenance, Verdict};
use crate::client;
use crate::failure::Failure;
use crate::show::print;

pub(super) fn maintenance(root: &Path, order: &Maintenance) -> Result<(), Failure> {
    let (order, said) = match order {
        Maintenance::On { lasts } => {
            let said =
                format!("This node is out of service; that ends by itself in {}.\n", span(*lasts));
            (Order::MaintenanceOn { lasts: *lasts }, said)
        }
        Maintenance::Off => (Order::MaintenanceOff, "This node is in service again.\n".to_owned()),
    };
    client::order(root, &Request::Order { order })?;
    print(&said)
}

pub(super) fn clear_damping(root: &Path) -> Result<(), Failure> {
    client::order(root, &Request::Order { order: Order::ClearDamping })?;
    print("Held interfaces count again.\n")
}

pub(super) fn fact(root: &Path, args: &FactArgs) -> Result<(), Failure> {
    let good = args.verdict == Verdict::Good;
    if !good && args.reason.is_empty() {
        let wrong = format!(
            "check {} is bad, but why? Add --reason \"...\"; people will read it",
            args.name
        );
        return Err(Failure::problem(wrong));
    }
    let fact =
        Fact { name: args.name.clone(), good, reason: args.reason.clone(), holds: args.holds };
    client::order(root, &Request::Fact { fact })
}

pub(super) fn reload(root: &Path) -> Result<(), Failure> {
    client::order(root, &Request::Reload {})?;
    print("The settings were read again.\n")
}

//! The lab for a person: a live view with keys on a terminal, one demonstration
//! without. Called by the program when no scenario is named.

mod configuration;
mod demo;
mod keys;
mod picture;
mod pulse;
mod session;
mod view;

use crate::appliance::set_up::Told;
use crate::error::Result;
use crate::lab::{Form, Lab};
use crate::terminal;

/// Builds the lab and shows it until the person leaves; without a terminal shows one failover.
pub fn show(form: Form, outer_pid: u32) -> Result<()> {
    println!("building two gateways, switches, a client and a server …");
    let mut lab = Lab::build(form)?;
    lab.set_up(&[], &mut |told| match told {
        Told::Command(node, line) => println!("\n{node}# {line}"),
        Told::Line(node, line) => println!("{node}  {line}"),
    })?;
    let active = lab.settle()?;
    println!("\n{}", session::look_inside(&lab, outer_pid));
    if terminal::is_interactive() {
        session::run(&mut lab, outer_pid)
    } else {
        demo::run(&mut lab, active)
    }
}

//! The lab for a person: a live view with keys on a terminal, one demonstration
//! without. Called by the program when no scenario is named.

mod configuration;
mod consoles;
mod demo;
mod keys;
mod picture;
mod pulse;
mod session;
mod told;
mod view;

use std::thread;
use std::time::Duration;

pub use consoles::Doors;

use crate::appliance::set_up::Told;
use crate::clock;
use crate::error::Result;
use crate::lab::{Form, Lab};
use crate::live::pulse::Pulse;
use crate::terminal;

/// The traffic before the first command, to read the rest against.
const BEFORE: Duration = Duration::from_secs(1);

/// The two gateways become a pair by commands, while the client's traffic goes through one
/// of them; afterwards what the client saw of it.
fn set_up(lab: &mut Lab) -> Result<()> {
    let pulse = Pulse::start(lab.hosts())?;
    thread::sleep(BEFORE);
    let begun = clock::now();
    lab.set_up(&[], &mut |told| match told {
        Told::Command(node, line) => println!("\n{node}# {line}"),
        Told::Line(node, line) => println!("{node}  {line}"),
    })?;
    let seen = pulse.of_fault(begun, clock::now())?;
    println!(
        "\nmeanwhile the client sent {} packets, {} lost; connections lost: {}",
        seen.sent,
        seen.lost,
        pulse.connections(begun, clock::now()).lost
    );
    Ok(())
}

/// Builds the lab and shows it until the person leaves; without a terminal shows one failover.
pub fn show(form: Form, outer_pid: u32) -> Result<()> {
    println!("building two gateways, switches, a client and a server …");
    let mut lab = Lab::build(form)?;
    set_up(&mut lab)?;
    let active = lab.settle()?;
    println!("\n{}", session::look_inside(&lab, outer_pid));
    let consoles = consoles::open(&lab.gateways)?;
    consoles.iter().for_each(|line| println!("{line}"));
    if terminal::is_interactive() {
        session::run(&mut lab, outer_pid, consoles)
    } else {
        demo::run(&mut lab, active)
    }
}

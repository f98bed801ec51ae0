//! Without a terminal: one failover in plain lines, then the end.

use std::thread;
use std::time::Duration;

use super::pulse::Pulse;
use super::told;
use crate::appliance::change::Changed;
use crate::clock;
use crate::error::Result;
use crate::fault::{self, Fault, Who};
use crate::lab::Lab;
use crate::plan;
use crate::report;
use crate::result::{Gathered, Outcome};
use crate::scenario::{Must, Scenario};

/// Lines of the time line that are printed.
const LINES_SHOWN: usize = 40;

/// The configuration follows, where the whole of twinwall runs.
fn change_a_file(lab: &Lab, active: usize) -> Result<()> {
    if lab.form.twinwall.is_none() {
        return Ok(());
    }
    let tree = lab.gateways[1 - active].tree().to_owned();
    let mut changed = Changed::begin(&lab.gateways[active], tree, 102)?;
    let took = changed.wait()?;
    println!("{}", changed.told(took));
    Ok(())
}

/// The active gateway loses power; prints what everybody saw.
pub(super) fn run(lab: &mut Lab, active: usize) -> Result<()> {
    println!(
        "{} is active; the client sends packets to the server",
        [plan::GATEWAY_A, plan::GATEWAY_B][active]
    );
    let pulse = Pulse::start(lab.hosts())?;
    thread::sleep(Duration::from_secs(3));
    change_a_file(lab, active)?;
    let fault = Fault::PowerLoss(Who::Active);
    let fired = fault::fire(lab, fault, active)?;
    lab.timeline.say(fired.at, fault.words(active));
    println!("{}", fault.words(active));
    let until = fired.at + Duration::from_secs(2) + lab.form.interval * 4;
    thread::sleep(until.since(clock::now()));
    let gathered = Gathered {
        rep: 1,
        product: lab.form.product,
        active,
        fired,
        traffic: Some(pulse.of_fault(fired.at, until)?),
        connections: Some(pulse.connections(fired.at, until)),
        entries: lab.timeline.between(fired.at, until),
        cost: None,
        beside: None,
        monitored: None,
    };
    let scenario = Scenario { fault, must: Must::default(), ..crate::scenario::PLAIN[0] };
    let outcome = Outcome::new(&scenario, gathered);
    report::figures(&outcome).iter().for_each(|line| println!("{line}"));
    told::by_the_pair(lab, fired.at).iter().for_each(|line| println!("{line}"));
    print!("{}", report::events(&outcome.events, LINES_SHOWN));
    println!("{} gets its power back", [plan::GATEWAY_A, plan::GATEWAY_B][active]);
    fault::restore(lab)?;
    let now_active = lab.settle()?;
    println!("{} serves, the other waits", [plan::GATEWAY_A, plan::GATEWAY_B][now_active]);
    Ok(())
}

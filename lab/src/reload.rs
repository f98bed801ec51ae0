//! Settings changed under traffic: one change after the other, on one gateway after the
//! other, until they are what they were. Called as a fault; what must hold meanwhile
//! stands in the scenario.

use std::thread;
use std::time::Duration;

use crate::clock;
use crate::error::Result;
use crate::fault::Fired;
use crate::lab::Lab;
use crate::plan;
use crate::product::Settings;
use crate::wait;

/// Between two reloads: some beats at either interval, the two nodes of different settings.
const PAUSE: Duration = Duration::from_millis(250);
/// A new VIP answers within this.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// A change of one thing, from and to.
type Change = fn(&mut Settings, on: bool);

/// In this order to and fro: beats half as fast, one VIP more, one path less.
const CHANGES: &[(&str, Change)] = &[
    ("interval", |settings, on| {
        settings.interval = if on { settings.interval * 2 } else { settings.interval / 2 };
    }),
    ("a VIP", |settings, on| settings.spare_vip = on),
    ("watch of wan0", |settings, on| settings.wan_watched = !on),
];

/// Each change with its name, and whether it is made or taken back.
fn steps() -> impl Iterator<Item = (&'static str, Change, bool)> {
    let there = CHANGES.iter().map(|(what, change)| (*what, *change, true));
    there.chain(CHANGES.iter().rev().map(|(what, change)| (*what, *change, false)))
}

/// Changes everything in [`CHANGES`], and then everything back, the last one first. The
/// gateway that serves gets every second change first.
pub fn change_and_change_back(lab: &mut Lab, active: usize) -> Result<Fired> {
    let at = clock::now();
    let mut settings = lab.form.settings();
    for (number, (what, change, on)) in steps().enumerate() {
        change(&mut settings, on);
        let first = if number % 2 == 0 { 1 - active } else { active };
        for node in [first, 1 - first] {
            let word = if on { "changed" } else { "changed back" };
            let name = [plan::GATEWAY_A, plan::GATEWAY_B][node];
            lab.timeline.say(clock::now(), format!("{what} {word} on {name}"));
            lab.gateways[node].reload(settings)?;
            thread::sleep(PAUSE);
        }
        if settings.spare_vip {
            await_answer(lab)?;
        }
    }
    Ok(Fired { at, took: clock::now().since(at) })
}

/// The client sees the new VIP: what was changed is in force.
fn await_answer(lab: &Lab) -> Result<()> {
    let vip = plan::SPARE_VIP.to_string();
    let client = &lab.topology.client;
    wait::until(&format!("an answer of {vip}, a new VIP"), ANSWERS_WITHIN, || {
        let ping = client.command("ping", &["-n", "-c1", "-W1", &vip], String::new());
        ping.map(drop).map_err(|cause| cause.to_string())
    })
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::Cable;

    use super::*;
    use crate::product::{Duties, Flows};

    #[test]
    fn every_step_changes_something_and_all_together_nothing() {
        let before = Settings {
            interval: Duration::from_millis(100),
            cable: Cable::Direct,
            further_vips: 0,
            nat: false,
            flows: Flows::Ignored,
            spare_vip: false,
            wan_watched: true,
            duties: Duties::None,
        };
        let mut settings = before;
        for (what, change, on) in steps() {
            let last = settings;
            change(&mut settings, on);
            assert_ne!(settings, last, "{what}");
        }
        assert_eq!(settings, before);
    }
}

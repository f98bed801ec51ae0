//! Reads the upper part of a transcript, lets it happen, and writes the lower part.
//!
//! `pair KEY=VALUE …` gives the settings, `at MS COMMAND …` what happens when,
//! `until MS` the end. Lines that begin with `#` are for the reader.

use std::time::Duration;

use twinwall_core::beat::{Beat, Fitness, Heard, Leaving, PathHeard, RoleWord};
use twinwall_core::config::{Cable, Failback};
use twinwall_core::event::{Event, Order};
use twinwall_core::ids::{BootId, Epoch, MAX_PATHS, PathId};

use crate::world::World;
use crate::world::clock::{Time, ms, us};
use crate::world::faults::{Fault, Lists};
use crate::world::machine::{APPLY, Applier};
use crate::world::network::{Lane, Side};
use crate::world::settings::{Settings, gateways};
use crate::world::trace::Trace;

/// Lets a script happen; gives the story.
pub(crate) fn play(script: &str) -> Result<String, String> {
    let mut settings = Settings::plain(1);
    let mut end = 0;
    let mut commands = Vec::new();
    for line in
        script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["pair", keys @ ..] => keys.iter().try_for_each(|key| set(&mut settings, key))?,
            ["at", time, rest @ ..] => commands.push((number(time)?, rest.to_vec())),
            ["until", time] => end = ms(number(time)?),
            _ => return Err(format!("cannot read '{line}'")),
        }
    }
    let mut world = World::new(settings, Trace::brief());
    world.prompt_carriers = true;
    for (time, words) in commands {
        world.run_until(ms(time));
        command(&mut world, &words)?;
    }
    world.run_until(end);
    let mut story = world.trace.lines().join("\n");
    story.push('\n');
    if let Some(verdict) = &world.judge.verdict {
        return Err(format!("a rule is broken: {verdict}\n{story}"));
    }
    for machine in &world.machines {
        let gate = if machine.answers(world.time) { "open" } else { "shut" };
        let addresses = if machine.addresses { "present" } else { "absent" };
        story.push_str(&format!(
            "at the end {} is {} under epoch {}, gate {gate}, VIPs {addresses}\n",
            machine.letter(),
            machine.state(),
            machine.epoch,
        ));
    }
    story.push_str(&format!(
        "longest time without an answer: {} ms\n",
        world.judge.longest_unserved.div_ceil(ms(1))
    ));
    Ok(story)
}

fn set(settings: &mut Settings, key: &str) -> Result<(), String> {
    let (key, value) = key.split_once('=').ok_or(format!("'{key}' has no value"))?;
    let millis = |text: &str| number(text).map(Duration::from_millis);
    let pair = &mut settings.pair;
    match (key, value) {
        ("interval", value) => pair.interval = millis(value)?,
        ("threshold", value) => pair.threshold = number(value)? as u8,
        ("boot", value) => pair.boot_hold = millis(value)?,
        ("cable", "direct") => (pair.ha_link.cable, settings.ha_switched) = (Cable::Direct, false),
        ("cable", "switched") => {
            (pair.ha_link.cable, settings.ha_switched) = (Cable::Switched, true)
        }
        ("failback", value) => pair.failback = Failback::Primary { hold: millis(value)? },
        ("flaps", value) => pair.damping.flaps = number(value)? as u8,
        ("hold", value) => pair.damping.hold = millis(value)?,
        ("target", address) => pair
            .ping_targets
            .push(address.parse().map_err(|_| format!("'{address}' is no address"))?),
        ("gateways", "2") => pair.gateways = gateways(),
        ("required", name) => pair.required_checks.push(name.to_owned()),
        ("gate", "none") => settings.gate = false,
        _ => return Err(format!("unknown setting '{key}={value}'")),
    }
    Ok(())
}

fn command(world: &mut World, words: &[&str]) -> Result<(), String> {
    let faults = match words {
        ["forge", side, rest @ ..] => return forge(world, self::side(side)?, rest),
        ["start", sides @ ..] => {
            for side in sides {
                world.apply(Fault::PowerOn(self::side(side)?));
                world.apply(Fault::Start(self::side(side)?));
            }
            Vec::new()
        }
        ["power-off", side] => vec![Fault::PowerOff(self::side(side)?)],
        ["kill", side] => vec![Fault::Crash(self::side(side)?)],
        ["stop", side] => vec![Fault::Freeze(self::side(side)?)],
        ["stop-at-gate", side] => vec![Fault::FreezeAtGate(self::side(side)?)],
        ["resume", side] => vec![Fault::Resume(self::side(side)?)],
        ["pull", side, medium] => {
            vec![Fault::Plug(self::side(side)?, self::medium(medium)?, false)]
        }
        ["plug", side, medium] => vec![Fault::Plug(self::side(side)?, self::medium(medium)?, true)],
        ["switch-off", medium] => vec![Fault::Switch(self::medium(medium)?, false)],
        ["switch-on", medium] => vec![Fault::Switch(self::medium(medium)?, true)],
        ["cut", media @ ..] => lanes(media, Lane { cut: true, ..Lane::SOUND })?,
        ["heal", media @ ..] => lanes(media, Lane::SOUND)?,
        ["order", side, order @ ..] => vec![Fault::Order(self::side(side)?, self::order(order)?)],
        ["synchronised", side, word] => {
            vec![Fault::Synchronised(
                self::side(side)?,
                (*word != "silent").then_some(*word == "yes"),
            )]
        }
        [what @ ("agent" | "check" | "own-addresses" | "flows" | "targets"), side, word] => {
            said(what, side, word)?
        }
        ["gateway", side, which, word] => vec![gateway(self::side(side)?, which, word)?],
        ["addresses", side, how @ ..] => vec![addresses(self::side(side)?, how)?],
        ["reload", side, lists @ ..] => {
            vec![Fault::Reload(self::side(side)?, self::lists(lists)?)]
        }
        ["cable-direct", side, word] => {
            vec![Fault::CableIsDirect(self::side(side)?, *word == "yes")]
        }
        _ => return Err(format!("unknown command '{}'", words.join(" "))),
    };
    faults.into_iter().for_each(|fault| world.apply(fault));
    Ok(())
}

/// What something says of a node.
fn said(what: &str, side: &str, word: &str) -> Result<Vec<Fault>, String> {
    let side = self::side(side)?;
    Ok(vec![match what {
        "agent" => Fault::Agent(side, word == "back"),
        "check" => Fault::Check(side, word == "yes"),
        "flows" => Fault::Flows(side, Some(word == "complete")),
        "own-addresses" => Fault::OwnAddresses(side, word == "usable"),
        _ => Fault::Targets(side, word == "yes"),
    }])
}

/// `gateway a 1 answers`, `gateway a 1 silent`, `gateway a 1 unknown`.
fn gateway(side: Side, which: &str, word: &str) -> Result<Fault, String> {
    let which = number(which)?.checked_sub(1).ok_or("gateways are counted from 1")? as usize;
    let answers = match word {
        "answers" => Some(true),
        "silent" => Some(false),
        "unknown" => None,
        other => return Err(format!("unknown state of a gateway '{other}'")),
    };
    Ok(Fault::Gateway(side, which, answers))
}

/// `addresses a refused`, `addresses a slow 5000`, `addresses a work`.
fn addresses(side: Side, how: &[&str]) -> Result<Fault, String> {
    let (applier, time) = match how {
        ["refused"] => (Applier::Refuses, APPLY),
        ["slow", time] => (Applier::Works, (us(number(time)?), us(number(time)?))),
        ["work"] => (Applier::Works, APPLY),
        _ => return Err(format!("unknown way to apply '{}'", how.join(" "))),
    };
    Ok(Fault::Applier(side, applier, time))
}

/// `reload a lan* wan target`: the interfaces, those with a star watched.
fn lists(words: &[&str]) -> Result<Lists, String> {
    let mut lists = Lists { interfaces: Vec::new(), target: false, slow: false };
    for word in words {
        match *word {
            "target" => lists.target = true,
            "slow" => lists.slow = true,
            name => {
                let watch = name.ends_with('*');
                lists.interfaces.push((medium(name.trim_end_matches('*'))?, watch));
            }
        }
    }
    Ok(lists)
}

/// `cut lan wan`, `cut ha:a` (from a only), `cut all`.
fn lanes(media: &[&str], lane: Lane) -> Result<Vec<Fault>, String> {
    let mut faults = Vec::new();
    for word in media {
        let (medium, from) =
            word.split_once(':').map_or((*word, None), |(medium, from)| (medium, Some(from)));
        let media = if medium == "all" { vec![0, 1, 2, 3] } else { vec![self::medium(medium)?] };
        let sides = from.map_or(Ok(vec![0, 1]), |from| side(from).map(|side| vec![side]))?;
        for medium in media {
            faults.extend(sides.iter().map(|side| Fault::Lane(medium, *side, lane)));
        }
    }
    Ok(faults)
}

/// A beat that the peer never sent, as if it had: `forge a active epoch=1`.
fn forge(world: &mut World, side: Side, words: &[&str]) -> Result<(), String> {
    let [role, epoch] = words else { return Err("forge NODE ROLE EPOCH".to_owned()) };
    let role = match *role {
        "active" => RoleWord::Active,
        "claiming" => RoleWord::Claiming,
        "passive" => RoleWord::Passive,
        other => return Err(format!("unknown role '{other}'")),
    };
    let boot: BootId = world.machines[1 - side].boot();
    let mut heard = [PathHeard { carrier: true, ..PathHeard::default() }; MAX_PATHS];
    for (path, tag) in heard.iter_mut().zip(world.pair.path_tags()) {
        path.interface = tag;
    }
    let beat = Beat {
        sequence: world.machines[1 - side].last_beat.next(),
        wants_answer: false,
        role,
        epoch: Epoch(number(epoch)?),
        grant: Epoch(0),
        handover: Epoch(0),
        ready: false,
        leaving: None,
        fitness: Fitness { healthy: 0b101, ..Fitness::default() },
        gate: true,
        settings: world.pair.digest(),
        patience: world.pair.detection(),
        list: world.pair.list_tag(),
        heard,
    };
    world.trace.world(
        world.time,
        &format!("{} hears: {role:?} under epoch {epoch}", if side == 0 { 'a' } else { 'b' }),
    );
    world.event(side, Event::Heard(Box::new(Heard { path: PathId::HA, boot, beat })));
    Ok(())
}

fn order(words: &[&str]) -> Result<Order, String> {
    Ok(match words {
        ["switchover"] => Order::Switchover,
        ["maintenance", time] => {
            Order::MaintenanceOn { lasts: Duration::from_millis(number(time)?) }
        }
        ["maintenance-off"] => Order::MaintenanceOff,
        ["clear-damping"] => Order::ClearDamping,
        ["leave", "stop"] => Order::Leave(Leaving::ServiceStop),
        ["leave", "shutdown"] => Order::Leave(Leaving::Shutdown),
        _ => return Err(format!("unknown order '{}'", words.join(" "))),
    })
}

fn side(word: &str) -> Result<Side, String> {
    match word {
        "a" => Ok(0),
        "b" => Ok(1),
        other => Err(format!("unknown node '{other}'")),
    }
}

fn medium(word: &str) -> Result<usize, String> {
    ["ha", "lan", "mgmt", "wan"]
        .iter()
        .position(|name| *name == word)
        .ok_or(format!("unknown cable '{word}'"))
}

fn number(word: &str) -> Result<Time, String> {
    word.parse().map_err(|_| format!("'{word}' is no number"))
}

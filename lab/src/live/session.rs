//! The live loop: draws ten times a second, does what keys ask, and some seconds
//! after a fault shows what it did.

use std::io::{self, Write};
use std::time::Duration;

use twinwall_core::beat::RoleWord;
use twinwall_core::time::Moment;

use super::configuration::Configuration;
use super::keys::{Action, action};
use super::picture::{self, Asked, Picture};
use super::pulse::{CELL, Pulse};
use super::{told, view};
use crate::appliance::DOOR;
use crate::appliance::change::Changed;
use crate::clock;
use crate::error::{Doing, Result};
use crate::fault::{self, Fault, Fired};
use crate::gateway::Gateway;
use crate::isolate::TREES;
use crate::lab::{HaForm, Lab};
use crate::plan;
use crate::product::{Product, Seen};
use crate::report;
use crate::result::{Gathered, Outcome};
use crate::scenario::{Must, Scenario};
use crate::terminal::Raw;
use crate::timeline::{Entry, Source};

/// Lines of a time line in the report.
const LINES_SHOWN: usize = 14;

/// Hosts that changes add have addresses after this one.
const FIRST_HOST: u8 = 101;

/// What a key did may move the role for so long after it was undone.
const SETTLES: Duration = Duration::from_secs(5);

/// A fault whose effects are being watched.
struct Watched {
    fault: Fault,
    /// What happened, in words.
    words: String,
    fired: Fired,
    active: usize,
    until: Moment,
}

struct Session<'l> {
    lab: &'l mut Lab,
    asked: Vec<Asked>,
    pulse: Pulse,
    configuration: Configuration,
    picture: Picture,
    watched: Option<Watched>,
    /// Moves of the role after this moment were not told yet.
    told_to: Moment,
    /// A change of the configuration on its way.
    changed: Option<Changed>,
    /// Hosts that changes added.
    hosts: u8,
    /// A guard that hangs; the same key lets it run on.
    hung: Option<usize>,
}

/// Shows the lab until a key ends it.
pub(super) fn run(lab: &mut Lab, outer_pid: u32, consoles: Option<String>) -> Result<()> {
    let asked = match lab.form.product {
        Product::Twinwall => {
            lab.gateways.iter().map(|gateway| Asked::start(gateway.guard())).collect()
        }
        Product::Keepalived => Vec::new(),
    };
    let pulse = Pulse::start(lab.hosts())?;
    let machine =
        |gateway: &Gateway| Some((gateway.machine.worker.clone(), gateway.appliance()?.clone()));
    let machines = lab.gateways.iter().filter_map(machine).collect();
    let configuration = Configuration::start(machines);
    let picture = Picture {
        title: title(lab),
        look_inside: look_inside(lab, outer_pid),
        consoles: consoles.unwrap_or_default(),
        doing: "press a key: each fault strikes the active gateway".into(),
        ..Picture::default()
    };
    let mut session = Session {
        lab,
        asked,
        pulse,
        configuration,
        picture,
        watched: None,
        told_to: clock::now(),
        changed: None,
        hosts: FIRST_HOST,
        hung: None,
    };
    let terminal = Raw::take().doing("take over the terminal")?;
    loop {
        session.refresh()?;
        let (columns, rows) = terminal.size();
        let mut out = io::stdout();
        let drawn = out.write_all(view::screen(&session.picture, columns, rows).as_bytes());
        drawn.and_then(|()| out.flush()).doing("draw")?;
        match terminal.key(CELL).and_then(action) {
            Some(Action::Quit) => return Ok(()),
            Some(Action::Undo) => session.undo(),
            Some(Action::Fire(fault)) => session.fire(fault),
            Some(Action::Change) => session.change(),
            None => {}
        }
    }
}

/// How a person gets onto a gateway.
pub(super) fn look_inside(lab: &Lab, outer_pid: u32) -> String {
    let enter = match &lab.form.twinwall {
        Some(_) => format!("{TREES}/{DOOR} {} twinwall sync", plan::GATEWAY_A),
        None => format!("ip netns exec {} bash", plan::GATEWAY_A),
    };
    format!("to look inside: nsenter -t {outer_pid} -p -m {enter}")
}

fn title(lab: &Lab) -> String {
    let cable = match lab.form.ha {
        HaForm::Direct => "a direct cable",
        HaForm::DirectToCut => "a direct cable that can be cut",
        HaForm::Switched => "a switch",
    };
    format!(
        "{} lab   interval {} ms   HA link: {cable}",
        lab.form.product.name(),
        lab.form.interval.as_millis()
    )
}

impl Session<'_> {
    fn refresh(&mut self) -> Result<()> {
        self.picture.nodes = picture::nodes(self.lab, &self.asked);
        for (gateway, asked) in self.lab.gateways.iter_mut().zip(&self.asked) {
            if let Some(run) = asked.run() {
                gateway.follow_run(run);
            }
        }
        let (cells, owner) = self.pulse.read()?;
        self.picture.add(cells, owner);
        let since = self.watched.as_ref().map(|watched| watched.fired.at);
        self.picture.connections = Some(self.pulse.connections_now(since));
        if self.lab.form.twinwall.is_some() {
            self.picture.configuration = self.configuration.latest();
        }
        self.tell_change();
        let over = self.watched.as_ref().is_some_and(|watched| clock::now() >= watched.until);
        match self.watched.take_if(|_| over) {
            Some(watched) => self.tell(&watched),
            None if self.watched.is_none() => {
                self.notice();
                self.pulse.renew_if_old()
            }
            None => Ok(()),
        }
    }

    /// A gateway became active, and no key did that: somebody was at work on the other one. It is
    /// told as a fault is.
    fn notice(&mut self) {
        let entries = self.lab.timeline.between(self.told_to, clock::now());
        let new = |entry: &&Entry| {
            entry.at > self.told_to && entry.role.is_some_and(|(_, to)| to == RoleWord::Active)
        };
        let Some(entry) = entries.iter().find(new) else { return };
        let to = usize::from(entry.source == Source::node(1));
        let name = entry.source.name();
        // The first effect came before that: by the detection time, and as late as the lab saw it.
        let at = entry.at.before(self.lab.form.interval * 4);
        let words = format!("{name} became active, and no key did that");
        self.follow(Fault::Nothing, words, Fired { at, took: Duration::ZERO }, 1 - to);
    }

    fn fire(&mut self, fault: Fault) {
        if let (Fault::GuardHung, Some(node)) = (fault, self.hung.take()) {
            let at = fault::resume(self.lab, node);
            self.told_to = at + SETTLES;
            let text =
                format!("the service on {} runs on", [plan::GATEWAY_A, plan::GATEWAY_B][node]);
            self.lab.timeline.say(at, text.clone());
            self.picture.doing = text;
            return;
        }
        let Some(active) = self.picture.nodes.iter().position(|node| node.active) else {
            self.picture.doing = "no gateway is active: undo (z) first".into();
            return;
        };
        match fault::fire(self.lab, fault, active) {
            Ok(fired) => self.watch(fault, fired, active),
            Err(cause) => self.picture.doing = cause.to_string(),
        }
    }

    /// A line more in a file of the gateway that serves.
    fn change(&mut self) {
        let active = self.picture.nodes.iter().position(|node| node.active);
        self.picture.report.clear();
        self.picture.doing = match active {
            _ if self.lab.form.twinwall.is_none() => "nothing synchronises files here".into(),
            None => "no gateway is active: undo (z) first".into(),
            Some(active) => {
                let tree = self.lab.gateways[1 - active].tree().to_owned();
                self.hosts = self.hosts.checked_add(1).unwrap_or(FIRST_HOST);
                match Changed::begin(&self.lab.gateways[active], tree, self.hosts) {
                    Ok(changed) => {
                        format!("{}; on its way …", self.changed.insert(changed).words())
                    }
                    Err(cause) => cause.to_string(),
                }
            }
        };
    }

    fn tell_change(&mut self) {
        let Some(changed) = &self.changed else { return };
        let Some(ended) = changed.ended() else { return };
        self.picture.doing = match ended {
            Ok(took) => changed.told(took),
            Err(cause) => cause.to_string(),
        };
        self.changed = None;
    }

    fn watch(&mut self, fault: Fault, fired: Fired, active: usize) {
        let words = fault.words(active);
        self.lab.timeline.say(fired.at, words.clone());
        self.hung = (fault == Fault::GuardHung).then_some(active);
        self.follow(fault, words, fired, active);
    }

    fn follow(&mut self, fault: Fault, words: String, fired: Fired, active: usize) {
        let until = fired.at + Duration::from_secs(2) + self.lab.form.interval * 4;
        self.picture.doing = format!("{words}; watching …");
        self.picture.report.clear();
        self.watched = Some(Watched { fault, words, fired, active, until });
    }

    fn tell(&mut self, watched: &Watched) -> Result<()> {
        let traffic = self.pulse.of_fault(watched.fired.at, watched.until)?;
        let gathered = Gathered {
            rep: 1,
            product: self.lab.form.product,
            active: watched.active,
            fired: watched.fired,
            traffic: Some(traffic),
            connections: Some(self.pulse.connections(watched.fired.at, watched.until)),
            entries: self.lab.timeline.between(watched.fired.at, watched.until),
            cost: None,
            beside: None,
            monitored: None,
        };
        let scenario =
            Scenario { fault: watched.fault, must: Must::default(), ..crate::scenario::PLAIN[0] };
        let outcome = Outcome::new(&scenario, gathered);
        self.told_to = self.told_to.max(watched.until);
        self.picture.doing.clone_from(&watched.words);
        self.picture.report = report::figures(&outcome);
        let events = report::events(&outcome.events, LINES_SHOWN);
        self.picture.report.extend(told::by_the_pair(self.lab, watched.fired.at));
        self.picture.report.extend(events.lines().map(str::to_owned));
        Ok(())
    }

    fn undo(&mut self) {
        self.watched = None;
        self.told_to = clock::now() + SETTLES;
        self.hung = None;
        self.picture.report.clear();
        self.picture.doing = match fault::restore(self.lab) {
            Ok(()) => "all cables, services and power are back".into(),
            Err(cause) => cause.to_string(),
        };
        let silent =
            self.lab.gateways.iter_mut().any(|gateway| matches!(gateway.seen(), Seen::Silent(_)));
        if silent {
            self.picture.doing += " (a gateway still starts)";
        }
    }
}

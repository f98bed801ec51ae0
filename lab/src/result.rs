//! One played scenario as a value: figures, events, verdict. The table, the JSON
//! and the live view's report are views of it.

use std::time::Duration;

use serde::Serialize;
use twinwall_core::beat::RoleWord;
use twinwall_core::time::Moment;

use crate::console::beside::Beside;
use crate::fault::Fired;
use crate::monitoring::{LINES_A_SECOND, Monitored};
use crate::plan;
use crate::product::Product;
use crate::scenario::{Must, Scenario};
use crate::timeline::{Entry, Source, role_changes};
use crate::traffic::Measured;
use crate::traffic::connections::ConnectionsSeen;
use crate::traffic::usage::Usage;

/// How a node tells that a beat of its peer did not come in time.
const DOUBT: &str = "the peer has been silent for";

/// One line of the time line, relative to the fault.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Milliseconds after the fault.
    pub at_ms: f64,
    /// Who says it.
    pub source: Source,
    /// What.
    pub text: String,
}

/// One repetition of one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: &'static str,
    /// What ran on the gateways.
    pub product: Product,
    /// Heartbeat or advert interval.
    pub interval_ms: f64,
    /// Number of the repetition, from 1.
    pub rep: u32,
    /// The gateway that served before the fault.
    pub active: &'static str,
    /// What happened, in words.
    pub fault: String,
    /// The moment before its first effect, on `CLOCK_MONOTONIC`.
    pub fault_at_ns: u64,
    /// How long the lab took to bring the fault about.
    pub fault_took_ms: f64,
    /// What the client saw; nothing without traffic.
    pub traffic: Option<Measured>,
    /// What became of long-lived connections, where there were any.
    pub connections: Option<ConnectionsSeen>,
    /// From the fault to the other gateway's first step towards the role.
    pub detected_ms: Option<f64>,
    /// From detection to the last VIP's first answer.
    pub last_vip_after_detection_ms: Option<f64>,
    /// How often a gateway became active or ceased to be.
    pub role_changes: u32,
    /// What the services used: the active's, the passive's.
    pub cost: Option<[Usage; 2]>,
    /// What the rest of the active noticed of its console's trouble.
    pub beside: Option<Beside>,
    /// What logs and SNMP missed, where they were at work.
    pub monitored: Option<Monitored>,
    /// What did not hold of what must; empty when all did.
    pub missed: Vec<String>,
    /// Both nodes and the lab on one time line.
    pub events: Vec<Line>,
}

/// What was gathered in one repetition, to be judged.
pub struct Gathered {
    /// Number of the repetition, from 1.
    pub rep: u32,
    /// What ran.
    pub product: Product,
    /// The gateway that served: 0 or 1.
    pub active: usize,
    /// The fault.
    pub fired: Fired,
    /// What the client saw.
    pub traffic: Option<Measured>,
    /// What became of long-lived connections.
    pub connections: Option<ConnectionsSeen>,
    /// What was said from the fault on.
    pub entries: Vec<Entry>,
    /// What the services used.
    pub cost: Option<[Usage; 2]>,
    /// What the rest of the active noticed of its console's trouble.
    pub beside: Option<Beside>,
    /// What logs and SNMP missed.
    pub monitored: Option<Monitored>,
}

impl Outcome {
    /// Judges what was gathered by what the scenario says must hold.
    pub fn new(scenario: &Scenario, gathered: Gathered) -> Outcome {
        let Gathered { rep, product, active, fired, entries, .. } = gathered;
        let Gathered { traffic, connections, cost, beside, monitored, .. } = gathered;
        let detected = detected(&entries, Source::node(1 - active)).map(|at| at.since(fired.at));
        let last_vip = traffic.as_ref().and_then(|seen| seen.per_vip_last);
        let after_detection =
            last_vip.zip(detected).map(|(last, detected)| last.saturating_sub(detected));
        let mut outcome = Outcome {
            scenario: scenario.name,
            product,
            interval_ms: millis(scenario.interval),
            rep,
            active: [plan::GATEWAY_A, plan::GATEWAY_B][active],
            fault: scenario.fault.words(active),
            fault_at_ns: fired.at.as_nanos(),
            fault_took_ms: millis(fired.took),
            traffic,
            connections,
            detected_ms: detected.map(millis),
            last_vip_after_detection_ms: after_detection.map(millis),
            role_changes: role_changes(&entries),
            cost,
            beside,
            monitored,
            missed: Vec::new(),
            events: entries.iter().map(|entry| line(entry, fired.at)).collect(),
        };
        outcome.missed = outcome.judge(&scenario.must);
        outcome
    }

    fn judge(&self, must: &Must) -> Vec<String> {
        let mut missed = Vec::new();
        if let Some(seen) = &self.traffic {
            judge_traffic(seen, must, &mut missed);
        }
        if let (Some(seen), Some(bound)) = (&self.connections, must.connections) {
            judge_connections(seen, bound, &mut missed);
        }
        if must.role_stays && self.role_changes > 0 {
            missed.push(format!("{} role changes", self.role_changes));
        }
        if let Some(seen) = &self.beside {
            judge_beside(seen, must, &mut missed);
            if must.beat_late.is_some() && self.events.iter().any(|line| line.text.contains(DOUBT))
            {
                missed.push("a beat was missed".to_owned());
            }
        }
        if let (Some(seen), Some(bound)) = (&self.monitored, must.snmp_silence) {
            judge_monitored(seen, bound, &mut missed);
        }
        if let Some(bound) = must.last_vip {
            match self.last_vip_after_detection_ms {
                Some(last) if last <= millis(bound) => {}
                Some(last) => missed
                    .push(format!("last VIP {last:.1} ms after detection, not {}", millis(bound))),
                None => missed.push("not every VIP moved".to_owned()),
            }
        }
        for (index, cost) in self.cost.iter().flatten().enumerate() {
            let who = ["active", "passive"][index];
            if must.cpu_a_minute.is_some_and(|most| cost.cpu_s_per_min > most[index].as_secs_f64())
            {
                missed.push(format!("{who}: {:.3} CPU s a minute", cost.cpu_s_per_min));
            }
            if must.resident.is_some_and(|most| cost.resident_bytes > most) {
                missed.push(format!("{who}: {} KiB resident", cost.resident_bytes / 1024));
            }
        }
        missed
    }
}

fn judge_traffic(seen: &Measured, must: &Must, missed: &mut Vec<String>) {
    let mut bounded = |name: &str, value: Duration, floor: Duration, bound: Option<Duration>| {
        let net = value.saturating_sub(floor);
        if let Some(bound) = bound.filter(|bound| net > *bound) {
            missed.push(format!(
                "{name} {:.1} ms over the floor, not {}",
                millis(net),
                millis(bound)
            ));
        }
    };
    bounded("outage", seen.outage, seen.floor, must.outage);
    for (name, silence) in
        [("IPv4 VIP silent", seen.vip_silence_ipv4), ("IPv6 VIP silent", seen.vip_silence_ipv6)]
    {
        bounded(name, silence.unwrap_or_default(), seen.vip_floor, must.vip_silence);
    }
    if must.no_loss && seen.lost > 0 {
        missed.push(format!("{} of {} packets lost", seen.lost, seen.sent));
    }
    if must.one_answers && !seen.two_answer.is_zero() {
        missed.push(format!("two nodes answer for {:.1} ms", millis(seen.two_answer)));
    }
}

fn judge_connections(seen: &ConnectionsSeen, bound: Duration, missed: &mut Vec<String>) {
    for kind in seen.kinds.iter().filter(|kind| kind.lost > 0) {
        missed.push(format!("{} lost: {}", kind.lost, kind.kind.words()));
    }
    let net = seen.longest_pause.saturating_sub(seen.floor);
    if net > bound {
        let (net, bound) = (millis(net), millis(bound));
        missed.push(format!("a connection paused {net:.1} ms over the floor, not {bound}"));
    }
    if let Some(ftp) = seen.ftp.filter(|ftp| !ftp.works()) {
        missed.push(format!("FTP does not go on: {ftp:?}"));
    }
}

fn judge_beside(seen: &Beside, must: &Must, missed: &mut Vec<String>) {
    if must.beat_late.is_some_and(|bound| seen.beat_late_ms > millis(bound)) {
        missed.push(format!("a beat {:.1} ms late", seen.beat_late_ms));
    }
    if let Some(bound) = must.agent_answers {
        if seen.unanswered > 0 || seen.asked == 0 {
            missed.push(format!("the agent did not answer {} of {}", seen.unanswered, seen.asked));
        }
        if seen.slowest_ms > millis(bound) {
            missed.push(format!("the agent answered after {:.0} ms", seen.slowest_ms));
        }
    }
}

fn judge_monitored(seen: &Monitored, bound: Duration, missed: &mut Vec<String>) {
    if seen.answered == 0 || seen.silence_ms > millis(bound) {
        let (silence, bound) = (seen.silence_ms, millis(bound));
        missed.push(format!("no answer by SNMP for {silence:.0} ms, not {bound}"));
    }
    // A second's worth is on its way; the node that died sends it when it is back.
    let behind = seen.lines.saturating_sub(seen.lines_there);
    if seen.lines == 0 || behind > LINES_A_SECOND {
        missed.push(format!("{behind} of {} lines are not on the other node", seen.lines));
    }
}

fn detected(entries: &[Entry], survivor: Source) -> Option<Moment> {
    let steps = |entry: &&Entry| {
        entry.source == survivor && entry.role.is_some_and(|(from, _)| from == RoleWord::Passive)
    };
    entries.iter().find(steps).map(|entry| entry.at)
}

fn line(entry: &Entry, fault: Moment) -> Line {
    Line { at_ms: millis(entry.at.since(fault)), source: entry.source, text: entry.text.clone() }
}

/// Milliseconds with three decimals.
pub fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

//! The form as its template shows it: what stands in each field, what is wrong with it, and
//! what somebody else made of it meanwhile; the interfaces of both nodes to choose from.

use std::collections::BTreeMap;

use twinwall_core::config::Prerequisite;
use twinwall_core::explain::span;

use super::fields::{Fields, Known, is_on, list};
use super::labels::{field, label};
use crate::agent::api::error::{Detail, Refusal};
use crate::agent::ha::HaView;
use crate::agent::ha::ports::{Port, PortPair, Ports};
use crate::agent::preflight::{Compared, Preflight, Verdict};

/// Least lines of a field for addresses: one for each family.
const LEAST_LINES: usize = 2;

/// A mistake, for the list above the form.
pub(super) struct Mistake {
    /// The field's id; none where the page has no such field.
    pub(super) anchor: Option<String>,
    pub(super) label: String,
    pub(super) message: String,
}

/// See the module.
pub(super) struct Form<'f> {
    pub(super) fields: Fields,
    /// Whether the viewer may change anything.
    pub(super) may: bool,
    pub(super) enabled: bool,
    /// The administrator looks after the nodes' own network configuration.
    pub(super) by_hand: bool,
    /// The revision from which the fields were filled, to be sent back.
    pub(super) seen: String,
    pub(super) links: Vec<LinkChoice>,
    pub(super) rows: Vec<Row>,
    /// What was refused as a whole.
    pub(super) refused: Option<String>,
    pub(super) mistakes: Vec<Mistake>,
    wrong: BTreeMap<String, Vec<String>>,
    theirs: BTreeMap<String, String>,
    other: String,
    view: &'f HaView,
}

/// An interface that could be the HA link.
pub(super) struct LinkChoice {
    pub(super) name: String,
    pub(super) ends: Vec<End>,
    /// Whether it reaches the peer's port of the same name, in words, and their colour.
    pub(super) reaches: (&'static str, String),
}

/// An interface of one node.
pub(super) struct End {
    pub(super) node: String,
    pub(super) class: &'static str,
    pub(super) icon: &'static str,
    pub(super) state: String,
}

/// An interface in the table.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) ends: Vec<End>,
    /// Why it cannot have addresses of the pair.
    pub(super) dynamic: Option<String>,
    /// Whether addresses can be entered at all.
    pub(super) open: bool,
    /// Whether its present address is offered as a virtual IP.
    pub(super) offers: bool,
    /// It was just moved: the next thing is a new own address.
    pub(super) fresh: bool,
    pub(super) lines: usize,
}

impl Row {
    /// The key of a field, or of the interface itself.
    pub(super) fn key(&self, field: impl AsRef<str>) -> String {
        match field.as_ref() {
            "" => format!("interface.{}", self.name),
            field => format!("interface.{}.{field}", self.name),
        }
    }
}

impl<'f> Form<'f> {
    pub(super) fn of(known: &Known<'_>, view: &'f HaView, fields: Fields, may: bool) -> Form<'f> {
        let ports = known.ports;
        let rows = rows(known, &fields);
        let is_row =
            |pair: &&PortPair| !view.settings.interfaces.iter().any(|it| it.name == pair.name);
        let link = &view.settings.ha_link.interface;
        let mut links: Vec<LinkChoice> = ports
            .ports
            .iter()
            .filter(|pair| pair.name == *link || is_row(pair))
            .map(|pair| choice(pair, ports, link))
            .collect();
        links.sort_by_key(|choice| choice.name != *link);
        Form {
            fields,
            may,
            enabled: view.settings.enabled,
            by_hand: false,
            seen: serde_json::to_string(&view.version.revision).unwrap_or_default(),
            links,
            rows,
            refused: None,
            mistakes: Vec::new(),
            wrong: BTreeMap::new(),
            theirs: BTreeMap::new(),
            other: view.version.who.clone(),
            view,
        }
    }

    /// With a refusal: each mistake at its field, and all of them above the form.
    pub(super) fn refused(mut self, refusal: &Refusal) -> Form<'f> {
        self.refused = Some(refusal.message.clone());
        refusal.details.iter().for_each(|detail| self.mistake(detail));
        self
    }

    fn mistake(&mut self, detail: &Detail) {
        let (key, number) = field(&detail.place);
        let several = number.filter(|_| list(&self.fields, &key).len() > 1);
        let message = match several {
            Some(number) => format!("entry {number}: {}", detail.message),
            None => detail.message.clone(),
        };
        let id = key.strip_suffix(".name").unwrap_or(&key).to_owned();
        let is_row = self.rows.iter().any(|row| format!("interface.{}", row.name) == id);
        let known = self.fields.contains_key(&key) || is_row;
        let (anchor, label) = (known.then(|| id.clone()), label(&key));
        self.mistakes.push(Mistake { anchor, label, message: message.clone() });
        self.wrong.entry(id).or_default().push(message);
    }

    /// With the other's values, where both changed a field.
    pub(super) fn beside(mut self, theirs: BTreeMap<String, String>) -> Form<'f> {
        self.theirs = theirs;
        self
    }

    pub(super) fn value(&self, key: impl AsRef<str>) -> &str {
        self.fields.get(key.as_ref()).map_or("", String::as_str)
    }

    pub(super) fn on(&self, key: impl AsRef<str>) -> bool {
        is_on(&self.fields, key.as_ref())
    }

    pub(super) fn is(&self, key: impl AsRef<str>, value: impl AsRef<str>) -> bool {
        self.value(key) == value.as_ref()
    }

    pub(super) fn wrong(&self, key: impl AsRef<str>) -> &[String] {
        self.wrong.get(key.as_ref()).map_or(&[], Vec::as_slice)
    }

    /// What the other one made of a field that was typed here as well.
    pub(super) fn theirs(&self, key: impl AsRef<str>) -> Option<String> {
        let value = self.theirs.get(key.as_ref())?;
        let shown = match value.as_str() {
            "" => "nothing".to_owned(),
            value => value.replace('\n', ", "),
        };
        Some(format!(
            "{} saved {shown} meanwhile; what you typed stays until you apply it.",
            self.other
        ))
    }

    /// The ids of what is said beside a field.
    pub(super) fn described(&self, key: impl AsRef<str>, hint: impl AsRef<str>) -> String {
        let (key, hint) = (key.as_ref(), hint.as_ref());
        let mut ids = Vec::new();
        if !self.wrong(key).is_empty() {
            ids.push(format!("{key}-wrong"));
        }
        if self.theirs.contains_key(key) {
            ids.push(format!("{key}-theirs"));
        }
        if !hint.is_empty() {
            ids.push(format!("{hint}-hint"));
        }
        ids.join(" ")
    }

    pub(super) fn detection(&self) -> String {
        let interval = self.value("heartbeat.interval").parse::<f64>().unwrap_or_default();
        let threshold = self.value("heartbeat.threshold").parse::<u32>().unwrap_or_default();
        let time = std::time::Duration::try_from_secs_f64(interval * f64::from(threshold));
        time.ok().filter(|time| !time.is_zero()).map_or("–".to_owned(), span)
    }

    pub(super) fn ha_link(&self) -> &str {
        &self.view.settings.ha_link.interface
    }

    /// The settings that are sent along though the page shows no field for them.
    pub(super) fn overridden(&self) -> impl Iterator<Item = &'static str> {
        let all = Prerequisite::ALL.into_iter().map(Prerequisite::name);
        all.filter(|name| self.on(format!("preflight.override.{name}")))
    }
}

/// The saved interfaces in their order, then the others by name.
fn rows(known: &Known<'_>, fields: &Fields) -> Vec<Row> {
    let saved = known.settings.interfaces.iter().map(|one| one.name.clone());
    let mut names: Vec<String> = saved.collect();
    for (name, _) in fields.keys().filter_map(|key| super::labels::split(key)) {
        if !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
    }
    names.into_iter().map(|name| row(known, fields, name)).collect()
}

fn row(known: &Known<'_>, fields: &Fields, name: String) -> Row {
    let ports = known.ports;
    let pair = ports.ports.iter().find(|pair| pair.name == name);
    let dynamic = pair.and_then(|pair| elsewhere(pair, ports));
    let count = |field: &str| list(fields, &format!("interface.{name}.{field}")).len();
    let [primary, secondary, virtual_ips] = ["primary", "secondary", "virtual"].map(count);
    let lines = primary.max(secondary).max(virtual_ips).max(LEAST_LINES);
    let entered = primary + secondary + virtual_ips > 0;
    let all = pair.is_some_and(|pair| {
        let ends = [&pair.here, &pair.there].into_iter().flatten();
        ends.filter_map(|port| port.dynamic.as_ref()).any(|it| it.v4 && it.v6)
    });
    Row {
        ends: pair.map_or_else(Vec::new, |pair| ends(pair, ports)),
        dynamic,
        open: !all || entered,
        offers: known.offers(&name),
        fresh: false,
        lines,
        name,
    }
}

/// Why addresses of the pair are refused there.
fn elsewhere(pair: &PortPair, ports: &Ports) -> Option<String> {
    let there = ports.there.as_deref().unwrap_or("the other node");
    let ends = [(&pair.here, ports.here.as_str()), (&pair.there, there)];
    let mut ends = ends.into_iter().filter_map(|(port, node)| Some((port.as_ref()?, node)));
    ends.find_map(|(port, node)| {
        let it = port.dynamic.as_ref()?;
        let which = match (it.v4, it.v6) {
            (true, false) => "its IPv4 address",
            (false, true) => "its IPv6 address",
            (_, _) => "its addresses",
        };
        Some(format!(
            "On {node} it gets {which} from elsewhere ({}). An address of the pair must be fixed: \
             give it a fixed one there first.",
            it.by
        ))
    })
}

fn ends(pair: &PortPair, ports: &Ports) -> Vec<End> {
    let mut ends = vec![end(&ports.here, pair.here.as_ref())];
    if let Some(there) = &ports.there {
        ends.push(end(there, pair.there.as_ref()));
    }
    ends
}

fn end(node: &str, port: Option<&Port>) -> End {
    let node = node.to_owned();
    let Some(port) = port else {
        let state = "has no such interface".to_owned();
        return End { node, class: "bad", icon: "fault", state };
    };
    let good = port.is_up && port.carrier;
    let speed =
        port.speed.filter(|_| good).map_or(String::new(), |speed| format!(", {}", rate(speed)));
    let (class, icon) = if good { ("good", "check") } else { ("warn", "off") };
    End { node, class, icon, state: format!("{}{speed}", port.state()) }
}

fn rate(megabits: u32) -> String {
    match (megabits / 1000, megabits % 1000) {
        (1.., 0) => format!("{} Gb/s", megabits / 1000),
        (_, _) => format!("{megabits} Mb/s"),
    }
}

fn choice(pair: &PortPair, ports: &Ports, link: &str) -> LinkChoice {
    let reaches = match pair.reaches.as_deref() {
        Some(port) if port == pair.name => ("good", "reaches the peer's same port".to_owned()),
        Some(port) => {
            ("bad", format!("reaches another port of the peer, {port}: change the cable"))
        }
        None if pair.name == link => ("bad", "the peer is not heard there".to_owned()),
        None => ("unknown", "the peer is not looked for here".to_owned()),
    };
    LinkChoice { name: pair.name.clone(), ends: ends(pair, ports), reaches }
}

/// The prerequisites as the page shows them.
pub(super) struct Checks<'c> {
    pub(super) preflight: &'c Preflight,
    /// Whether a box for overriding is offered.
    pub(super) may: bool,
    /// Those that are overridden as typed.
    overridden: Vec<&'static str>,
}

impl<'c> Checks<'c> {
    pub(super) fn of(preflight: &'c Preflight, form: Option<&Form<'_>>) -> Checks<'c> {
        let overridden = form.map_or_else(Vec::new, |form| form.overridden().collect());
        Checks { preflight, may: form.is_some_and(|form| form.may), overridden }
    }

    pub(super) fn there(&self) -> &str {
        self.preflight.there.as_deref().unwrap_or("the other node")
    }

    pub(super) fn class(&self, one: &Compared) -> &'static str {
        match (one.verdict, one.overridden) {
            (Verdict::Good, _) => "good",
            (Verdict::Failed, false) => "bad",
            (Verdict::Failed, true) => "warn",
            (Verdict::Unknown, _) => "unknown",
        }
    }

    pub(super) fn icon(&self, one: &Compared) -> &'static str {
        match (one.verdict, one.overridden) {
            (Verdict::Good, _) => "check",
            (Verdict::Failed, false) => "fault",
            (Verdict::Failed, true) => "out-of-sync",
            (Verdict::Unknown, _) => "off",
        }
    }

    pub(super) fn word(&self, one: &Compared) -> &'static str {
        match (one.verdict, one.overridden) {
            (Verdict::Good, _) => "good",
            (Verdict::Failed, false) => "failed",
            (Verdict::Failed, true) => "overridden",
            (Verdict::Unknown, _) => "not known",
        }
    }

    pub(super) fn title(&self, one: &Compared) -> &'static str {
        match one.name {
            Prerequisite::Model => "Model",
            Prerequisite::Cpu => "Processor",
            Prerequisite::Memory => "Memory",
            Prerequisite::Interfaces => "Interfaces",
            Prerequisite::Firmware => "Firmware",
            Prerequisite::Registration => "Registration",
            Prerequisite::Release => "twinwall",
            Prerequisite::HaLink => "HA link",
            Prerequisite::Mtu => "MTU",
            Prerequisite::Clock => "Clock",
            Prerequisite::PairId => "Pair number",
        }
    }

    /// Whether the box for overriding is shown, and whether it is ticked.
    pub(super) fn offers(&self, one: &Compared) -> bool {
        one.verdict == Verdict::Failed || self.is_overridden(one)
    }

    pub(super) fn is_overridden(&self, one: &Compared) -> bool {
        self.overridden.contains(&one.name.name())
    }

    pub(super) fn summary(&self) -> (&'static str, &'static str) {
        if self.preflight.good {
            ("good", "check")
        } else if self.preflight.away.is_some() {
            ("unknown", "off")
        } else {
            ("bad", "fault")
        }
    }
}

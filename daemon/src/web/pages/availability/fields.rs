//! The form's fields: every setting as text under its key, filled from the saved settings and
//! what the nodes have, and read back with a mistake at its field. An interface of which
//! nothing is asked is no part of the pair.

use std::collections::BTreeMap;

use twinwall_core::config::{Cable, Prerequisite};
use twinwall_core::ids::Designation;

use super::labels::split;
use crate::agent::api::error::Detail;
use crate::agent::ha::ports::{Port, Ports};
use crate::agent::settings::HaSettings;
use crate::agent::settings::observing::ProbeSetting;
use crate::agent::settings::view::{FailbackSetting, HaInterface, Heartbeat, Policy};

/// Keys with what stands in their fields.
pub(super) type Fields = BTreeMap<String, String>;

/// A switch that is on.
pub(super) const ON: &str = "yes";
/// Seconds of hold time that are offered where none are set yet.
const HOLD: f64 = 60.0;
/// The fields of an interface.
const PARTS: [&str; 4] = ["primary", "secondary", "virtual", "watch"];

/// What a page starts from.
pub(super) struct Known<'k> {
    pub(super) settings: &'k HaSettings,
    pub(super) ports: &'k Ports,
    /// This node's fixed part.
    pub(super) designation: Option<Designation>,
}

impl Known<'_> {
    /// The fields as they are saved, the primary's present addresses filled in where an
    /// interface has none in the settings.
    pub(super) fn fields(&self) -> Fields {
        let mut fields = scalars(self.settings);
        for one in &self.settings.interfaces {
            let bare = one.virtual_ips.is_empty() && one.primary.is_empty();
            let primary = if bare { self.present(&one.name) } else { one.primary.clone() };
            put_interface(&mut fields, one, &primary);
        }
        for pair in &self.ports.ports {
            let name = &pair.name;
            let listed = self.settings.interfaces.iter().any(|one| one.name == *name);
            if !listed && *name != self.settings.ha_link.interface {
                put_interface(&mut fields, &nothing_of(name), &self.present(name));
            }
        }
        fields
    }

    /// The addresses that the primary node has there now and that can be its own ones.
    fn present(&self, name: &str) -> Vec<String> {
        let pair = self.ports.ports.iter().find(|pair| pair.name == name);
        let port = pair.and_then(|pair| match self.designation {
            Some(Designation::Primary) => pair.here.as_ref(),
            Some(Designation::Secondary) => pair.there.as_ref(),
            None => None,
        });
        port.map_or_else(Vec::new, fixed)
    }

    /// Those that could become virtual IPs: the primary's, else this node's.
    fn offered(&self, name: &str) -> Vec<String> {
        let primary = self.present(name);
        let here = self.ports.ports.iter().find(|pair| pair.name == name);
        let here = here.and_then(|pair| pair.here.as_ref());
        if primary.is_empty() { here.map_or_else(Vec::new, fixed) } else { primary }
    }

    /// Moves the addresses that an interface has now into its virtual IPs, but those that stay
    /// or become own ones. All other fields stay as they were typed.
    ///
    /// # Errors
    /// A mistake at the field, where there is no such address.
    pub(super) fn use_present(&self, fields: &mut Fields, name: &str) -> Result<(), Detail> {
        let key = |field: &str| format!("interface.{name}.{field}");
        let held = self.offered(name);
        let [primary, secondary, mut virtual_ips] =
            ["primary", "secondary", "virtual"].map(|field| list(fields, &key(field)));
        let is_among = |all: &[String], one: &String| all.iter().any(|it| host(it) == host(one));
        let moves: Vec<String> = held
            .iter()
            .filter(|it| !is_among(&secondary, it) && !is_among(&virtual_ips, it))
            .cloned()
            .collect();
        if moves.is_empty() {
            let message = format!("{name} has no address now that could become a virtual IP");
            return Err(Detail { place: key("virtual"), message });
        }
        // A primary IP that is not there yet was typed to be the own one; one that is there was
        // filled in by the page.
        let stays: Vec<String> = primary.into_iter().filter(|it| !is_among(&held, it)).collect();
        virtual_ips.extend(moves);
        fields.insert(key("primary"), stays.join("\n"));
        fields.insert(key("virtual"), virtual_ips.join("\n"));
        Ok(())
    }

    /// Whether an interface without virtual IPs has an address that could become one.
    pub(super) fn offers(&self, name: &str) -> bool {
        let saved = self.settings.interfaces.iter().find(|one| one.name == name);
        saved.is_none_or(|one| one.virtual_ips.is_empty()) && !self.offered(name).is_empty()
    }

    /// What was sent, in the form of [`fields`](Known::fields): a switch that is off sends
    /// nothing, and what cannot be entered now keeps its saved value.
    pub(super) fn sent(&self, sent: &Fields) -> Fields {
        let saved = self.fields();
        let mut typed = saved.clone();
        for (key, value) in &mut typed {
            match sent.get(key) {
                Some(text) => *value = tidy(key, text),
                None if is_switch(key) => value.clear(),
                None => {}
            }
        }
        // An interface that went while somebody typed.
        let is_part = |key: &str| split(key).is_some_and(|(_, field)| PARTS.contains(&field));
        let gone = sent.iter().filter(|(key, _)| !saved.contains_key(*key) && is_part(key));
        typed.extend(gone.map(|(key, text)| (key.clone(), tidy(key, text))));
        typed
    }

    /// The settings that the fields say.
    ///
    /// # Errors
    /// Every field that cannot be read.
    pub(super) fn settings(&self, fields: &Fields) -> Result<HaSettings, Vec<Detail>> {
        let mut reader = Reader { fields, wrong: Vec::new() };
        let mut settings = self.settings.clone();
        settings.heartbeat = Heartbeat {
            interval_s: reader.seconds("heartbeat.interval"),
            threshold: reader.count("heartbeat.threshold"),
        };
        settings.ha_link.interface = reader.text("ha_link.interface");
        settings.ha_link.cable = match reader.text("ha_link.cable").as_str() {
            "direct" => Cable::Direct,
            _switched => Cable::Switched,
        };
        settings.failback = match reader.text("failback.policy").as_str() {
            "primary" => FailbackSetting {
                policy: Policy::Primary,
                hold_s: Some(reader.seconds("failback.hold")),
            },
            _stay => FailbackSetting { policy: Policy::Stay, hold_s: None },
        };
        settings.damping.flaps = reader.count("damping.flaps");
        settings.damping.window_s = reader.seconds("damping.window");
        settings.damping.hold_s = reader.seconds("damping.hold");
        settings.boot_hold_s = reader.seconds("boot.hold");
        settings.sync.automatic = is_on(fields, "sync.automatic");
        settings.sync.debounce_s = reader.seconds("sync.debounce");
        settings.flows.replicate = is_on(fields, "flows.replicate");
        settings.sync.logs = is_on(fields, "sync.logs");
        settings.sync.snmp = is_on(fields, "sync.snmp");
        settings.ping_targets = list(fields, "ping.targets");
        settings.probe = ProbeSetting {
            interval_s: reader.seconds("probe.interval"),
            virtual_ips: list(fields, "probe.virtual_ips"),
            targets: list(fields, "probe.targets"),
        };
        let overridden = Prerequisite::ALL.into_iter().map(Prerequisite::name);
        settings.preflight_override = overridden
            .filter(|name| is_on(fields, &format!("preflight.override.{name}")))
            .map(str::to_owned)
            .collect();
        settings.interfaces = self.interfaces(fields);
        if reader.wrong.is_empty() { Ok(settings) } else { Err(reader.wrong) }
    }

    /// Those of which something is asked: the saved ones in their order, then the others.
    fn interfaces(&self, fields: &Fields) -> Vec<HaInterface> {
        let saved = self.settings.interfaces.iter().map(|one| one.name.clone());
        let mut names: Vec<String> = saved.collect();
        for (name, _) in fields.keys().filter_map(|key| split(key)) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names.iter().filter_map(|name| asked(fields, name)).collect()
    }
}

/// An interface of which something is asked. Where it is only watched, the primary's present
/// address that was filled in is no setting.
fn asked(fields: &Fields, name: &str) -> Option<HaInterface> {
    let key = |field: &str| format!("interface.{name}.{field}");
    let watch = is_on(fields, &key("watch"));
    let (secondary, virtual_ips) = (list(fields, &key("secondary")), list(fields, &key("virtual")));
    let addressed = !secondary.is_empty() || !virtual_ips.is_empty();
    let primary = if addressed { list(fields, &key("primary")) } else { Vec::new() };
    let name = name.to_owned();
    (watch || addressed).then_some(HaInterface { name, watch, primary, secondary, virtual_ips })
}

fn scalars(settings: &HaSettings) -> Fields {
    let hold = settings.failback.hold_s.unwrap_or(HOLD);
    let cable = match settings.ha_link.cable {
        Cable::Direct => "direct",
        Cable::Switched => "switched",
    };
    let policy = match settings.failback.policy {
        Policy::Stay => "stay",
        Policy::Primary => "primary",
    };
    let mut fields: Fields = [
        ("heartbeat.interval", settings.heartbeat.interval_s.to_string()),
        ("heartbeat.threshold", settings.heartbeat.threshold.to_string()),
        ("ha_link.interface", settings.ha_link.interface.clone()),
        ("ha_link.cable", cable.to_owned()),
        ("failback.policy", policy.to_owned()),
        ("failback.hold", hold.to_string()),
        ("damping.flaps", settings.damping.flaps.to_string()),
        ("damping.window", settings.damping.window_s.to_string()),
        ("damping.hold", settings.damping.hold_s.to_string()),
        ("boot.hold", settings.boot_hold_s.to_string()),
        ("sync.automatic", switch(settings.sync.automatic)),
        ("sync.debounce", settings.sync.debounce_s.to_string()),
        ("flows.replicate", switch(settings.flows.replicate)),
        ("sync.logs", switch(settings.sync.logs)),
        ("sync.snmp", switch(settings.sync.snmp)),
        ("ping.targets", settings.ping_targets.join("\n")),
        ("probe.virtual_ips", settings.probe.virtual_ips.join("\n")),
        ("probe.targets", settings.probe.targets.join("\n")),
        ("probe.interval", settings.probe.interval_s.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    for name in Prerequisite::ALL.map(Prerequisite::name) {
        let on = settings.preflight_override.iter().any(|it| it == name);
        fields.insert(format!("preflight.override.{name}"), switch(on));
    }
    fields
}

fn put_interface(fields: &mut Fields, one: &HaInterface, primary: &[String]) {
    let values = [
        primary.join("\n"),
        one.secondary.join("\n"),
        one.virtual_ips.join("\n"),
        switch(one.watch),
    ];
    for (part, value) in PARTS.into_iter().zip(values) {
        fields.insert(format!("interface.{}.{part}", one.name), value);
    }
}

fn nothing_of(name: &str) -> HaInterface {
    let (primary, secondary, virtual_ips) = (Vec::new(), Vec::new(), Vec::new());
    HaInterface { name: name.to_owned(), watch: false, primary, secondary, virtual_ips }
}

fn switch(on: bool) -> String {
    if on { ON } else { "" }.to_owned()
}

pub(super) fn is_on(fields: &Fields, key: &str) -> bool {
    fields.get(key).is_some_and(|value| value == ON)
}

fn is_switch(key: &str) -> bool {
    matches!(key, "sync.automatic" | "flows.replicate" | "sync.logs" | "sync.snmp")
        || key.starts_with("preflight.override.")
        || split(key).is_some_and(|(_, field)| field == "watch")
}

fn is_list(key: &str) -> bool {
    matches!(key, "ping.targets" | "probe.virtual_ips" | "probe.targets")
        || split(key).is_some_and(|(_, field)| matches!(field, "primary" | "secondary" | "virtual"))
}

fn host(address: &str) -> &str {
    address.split('/').next().unwrap_or_default()
}

/// As a filled field has it: an entry on a line.
fn tidy(key: &str, text: &str) -> String {
    if is_list(key) { entries(text).join("\n") } else { text.trim().to_owned() }
}

fn entries(text: &str) -> Vec<String> {
    let between = |one: char| one.is_whitespace() || one == ',' || one == ';';
    text.split(between).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

pub(super) fn list(fields: &Fields, key: &str) -> Vec<String> {
    fields.get(key).map_or_else(Vec::new, |text| entries(text))
}

/// The addresses of a port that are not from elsewhere.
fn fixed(port: &Port) -> Vec<String> {
    let from_elsewhere = |address: &&String| {
        let is_v6 = address.contains(':');
        port.dynamic.as_ref().is_some_and(|it| if is_v6 { it.v6 } else { it.v4 })
    };
    port.addresses.iter().filter(|address| !from_elsewhere(address)).cloned().collect()
}

/// Reads fields, and keeps what is wrong with them.
struct Reader<'f> {
    fields: &'f Fields,
    wrong: Vec<Detail>,
}

impl Reader<'_> {
    fn text(&self, key: &str) -> String {
        self.fields.get(key).cloned().unwrap_or_default()
    }

    fn seconds(&mut self, key: &str) -> f64 {
        let text = self.text(key);
        match text.parse::<f64>() {
            Ok(seconds) if seconds.is_finite() => seconds,
            Ok(_) | Err(_) => {
                self.refuse(key, &text, "write seconds, as 0.5 or 60");
                0.0
            }
        }
    }

    fn count(&mut self, key: &str) -> u32 {
        let text = self.text(key);
        text.parse().unwrap_or_else(|_| {
            self.refuse(key, &text, "write a whole number, as 3");
            0
        })
    }

    fn refuse(&mut self, key: &str, text: &str, remedy: &str) {
        let wrong = if text.is_empty() {
            "nothing is entered".to_owned()
        } else {
            format!("'{text}' is no number")
        };
        self.wrong.push(Detail { place: key.to_owned(), message: format!("{wrong}; {remedy}") });
    }
}

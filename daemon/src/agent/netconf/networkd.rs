//! systemd-networkd (systemd.network(5)): which .network file configures an interface, its
//! addresses, and edits of them line by line.

use std::collections::BTreeMap;
use std::net::IpAddr;

use twinwall_core::config::Prefix;

use super::files::{Files, matches};
use super::{Dynamic, Found, Refused, Step, System};

/// Where files are looked for. A name in an earlier folder hides the same name in a later.
const FOLDERS: [&str; 4] =
    [OWN, RUNTIME, "usr/local/lib/systemd/network", "usr/lib/systemd/network"];
const OWN: &str = "etc/systemd/network";
const RUNTIME: &str = "run/systemd/network";

/// An assignment, or a section's header (`key` empty).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line<'t> {
    /// In the text, counted from 0.
    number: usize,
    section: &'t str,
    key: &'t str,
    value: &'t str,
}

/// A file that configures the interface, with its drop-ins: the file itself first.
struct Texts(Vec<(String, String)>);

pub(super) fn look(files: &Files<'_>, interface: &str) -> Result<Option<Found>, Refused> {
    let Some(texts) = find(files, interface)? else { return Ok(None) };
    let mut addresses = Vec::new();
    let mut dhcp = None;
    for (path, text) in &texts.0 {
        for line in lines(text) {
            if is_address(&line) {
                match line.value {
                    "" => addresses.clear(),
                    value => addresses.extend(prefix(value)),
                }
            } else if (line.section, line.key) == ("Network", "DHCP") {
                dhcp = Some((line.value, path));
            }
        }
    }
    let file = texts.0[0].0.clone();
    let dynamic = dhcp.and_then(|(value, path)| dynamic(value, path));
    Ok(Some(Found { system: System::Networkd, file, addresses, dynamic }))
}

fn dynamic(value: &str, path: &str) -> Option<Dynamic> {
    let (v4, v6) = match value {
        "ipv4" | "v4" => (true, false),
        "ipv6" | "v6" => (false, true),
        "yes" | "true" | "1" | "on" | "both" => (true, true),
        _ => return None,
    };
    Some(Dynamic { v4, v6, by: format!("{path}: DHCP={value}") })
}

pub(super) fn edit(files: &mut Files<'_>, interface: &str, steps: &[Step]) -> Result<(), Refused> {
    let Some(mut texts) = find(files, interface)?.filter(|_| !steps.is_empty()) else {
        return Ok(());
    };
    for step in steps {
        texts.take(step);
    }
    for (path, text) in &texts.0 {
        keeps_its_gateway(path, text, &texts)?;
    }
    for (path, text) in texts.0 {
        if files.read(&path)?.as_deref() == Some(text.as_str()) {
            continue;
        }
        files.put(&writable(&path)?, text);
    }
    Ok(())
}

/// What the administrator may write. A vendor's file is hidden by one of the same name.
fn writable(path: &str) -> Result<String, Refused> {
    if path.starts_with(RUNTIME) {
        let why = "made by another program at boot (netplan?); write the address where that \
                   program reads it";
        return Err(Refused::ByHand { place: path.to_owned(), why: why.to_owned() });
    }
    let below = FOLDERS.iter().find_map(|folder| path.strip_prefix(folder));
    Ok(format!("{OWN}{}", below.unwrap_or(path)))
}

/// A gateway that no address of its family reaches any more.
fn keeps_its_gateway(path: &str, text: &str, texts: &Texts) -> Result<(), Refused> {
    let all = || texts.0.iter().flat_map(|(_, text)| lines(text));
    let on_link = all().any(|line| line.key == "GatewayOnLink" && line.value == "yes");
    for line in lines(text).filter(|line| line.key == "Gateway" && !on_link) {
        let Ok(gateway) = line.value.parse::<IpAddr>() else { continue };
        let link_local = matches!(gateway, IpAddr::V6(six) if six.is_unicast_link_local());
        let reached = all()
            .filter(is_address)
            .filter_map(|line| prefix(line.value))
            .any(|own| own.address.is_ipv4() == gateway.is_ipv4());
        if !reached && !link_local {
            let why = format!(
                "the gateway {gateway} would not be reached any more, as no own address is left; \
                 write it as a [Route] section with Gateway={gateway} and GatewayOnLink=yes first"
            );
            return Err(Refused::ByHand { place: path.to_owned(), why });
        }
    }
    Ok(())
}

impl Texts {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Replace(old, new) => self.change(*old, Some(*new)),
            Step::Remove(old) => self.change(*old, None),
            Step::Add(new) => self.0[0].1 = added(&self.0[0].1, *new),
        }
    }

    fn change(&mut self, old: IpAddr, new: Option<Prefix>) {
        for (_, text) in &mut self.0 {
            let found = lines(text)
                .find(|line| {
                    is_address(line) && prefix(line.value).is_some_and(|it| it.address == old)
                })
                .map(|line| (line.number, line.section == "Address", line.value.to_owned()));
            if let Some((number, own_section, value)) = found {
                *text = match new {
                    Some(new) => with_line(text, number, |line| {
                        Some(line.replacen(&value, &new.to_string(), 1))
                    }),
                    None if own_section => without_section(text, number),
                    None => with_line(text, number, |_| None),
                };
            }
        }
    }
}

/// The text with one line changed, or without it.
fn with_line(text: &str, number: usize, change: impl Fn(&str) -> Option<String>) -> String {
    let parts = text.split_inclusive('\n').enumerate();
    parts
        .filter_map(|(at, line)| if at == number { change(line) } else { Some(line.to_owned()) })
        .collect()
}

/// Without the section in which this line stands.
fn without_section(text: &str, number: usize) -> String {
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    let is_header = |at: usize| all[at].trim_start().starts_with('[');
    let begin = (0..=number).rev().find(|at| is_header(*at)).unwrap_or(number);
    let end = (number + 1..all.len()).find(|at| is_header(*at)).unwrap_or(all.len());
    all[..begin].iter().chain(&all[end..]).copied().collect()
}

/// With one more address, after the others.
fn added(text: &str, new: Prefix) -> String {
    let last = lines(text)
        .filter(|line| line.section == "Network" && (line.key == "Address" || line.key.is_empty()))
        .last();
    let Some(last) = last.map(|line| line.number) else {
        let gap = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        return format!("{text}{gap}\n[Network]\nAddress={new}\n");
    };
    with_line(text, last, |line| Some(format!("{}\nAddress={new}\n", line.trim_end_matches('\n'))))
}

fn is_address(line: &Line<'_>) -> bool {
    line.key == "Address" && matches!(line.section, "Network" | "Address")
}

/// An address without a length is a host's.
fn prefix(text: &str) -> Option<Prefix> {
    text.parse().ok().or_else(|| {
        let address: IpAddr = text.parse().ok()?;
        Some(Prefix { address, length: if address.is_ipv4() { 32 } else { 128 } })
    })
}

/// Every assignment and header; comments and blank lines are no part of it.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut section = "";
    text.lines().enumerate().filter_map(move |(number, line)| {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            return None;
        }
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = header;
            return Some(Line { number, section, key: "", value: "" });
        }
        let (key, value) = line.split_once('=')?;
        Some(Line { number, section, key: key.trim(), value: value.trim() })
    })
}

/// The first file, by name, whose [Match] is for the interface.
fn find(files: &Files<'_>, interface: &str) -> Result<Option<Texts>, Refused> {
    let mut named: BTreeMap<String, &str> = BTreeMap::new();
    for folder in FOLDERS {
        for name in files.list(folder)? {
            if name.ends_with(".network") {
                named.entry(name).or_insert(folder);
            }
        }
    }
    for (name, folder) in named {
        let path = format!("{folder}/{name}");
        let Some(text) = files.read(&path)? else { continue };
        if is_for(&path, &text, interface)? {
            let mut texts = vec![(path, text)];
            texts.extend(drop_ins(files, &name)?);
            return Ok(Some(Texts(texts)));
        }
    }
    Ok(None)
}

fn drop_ins(files: &Files<'_>, name: &str) -> Result<Vec<(String, String)>, Refused> {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for folder in FOLDERS {
        let folder = format!("{folder}/{name}.d");
        for part in files.list(&folder)? {
            if part.ends_with(".conf") {
                let path = format!("{folder}/{part}");
                named.entry(part).or_insert(path);
            }
        }
    }
    let mut texts = Vec::new();
    for path in named.into_values() {
        texts.extend(files.read(&path)?.map(|text| (path, text)));
    }
    Ok(texts)
}

/// Whether a file is for the interface. In a file of the administrator's that could be for
/// it by something else than the name, only a person can say.
fn is_for(path: &str, text: &str, interface: &str) -> Result<bool, Refused> {
    let mut named = None;
    let mut other = None;
    for line in lines(text).filter(|line| line.section == "Match" && !line.key.is_empty()) {
        match line.key {
            "Name" => named = Some(named.unwrap_or(false) || names(line.value, interface)),
            _ => other = Some((line.key, line.number)),
        }
    }
    match (named, other) {
        (Some(false), _) | (None, None) => Ok(false),
        (Some(true), None) => Ok(true),
        (Some(true), Some(_)) | (None, Some(_)) if !path.starts_with(OWN) => Ok(false),
        (Some(true), Some((key, number))) | (None, Some((key, number))) => {
            let why = format!(
                "whether this file is for {interface} hangs on {key}=; write [Match] with Name= alone"
            );
            Err(Refused::ByHand { place: format!("{path}:{}", number + 1), why })
        }
    }
}

/// A list of patterns; a '!' before it turns it round.
fn names(value: &str, interface: &str) -> bool {
    let (list, negated) = match value.strip_prefix('!') {
        Some(list) => (list, true),
        None => (value, false),
    };
    let mut patterns = list.split_whitespace();
    patterns.any(|pattern| matches(pattern.as_bytes(), interface.as_bytes())) != negated
}

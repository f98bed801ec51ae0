//! ifupdown (interfaces(5)): the stanzas of an interface over all sourced files, their
//! addresses, and edits of them line by line.

use std::net::IpAddr;

use twinwall_core::config::Prefix;

use super::files::{Files, matches};
use super::{Dynamic, Found, Refused, Step, System};

const MAIN: &str = "etc/network/interfaces";
/// Files that are read at the most: a `source` may name a folder, not the whole disk.
const MAX_FILES: usize = 256;
/// Words that begin a stanza and end the one before.
const KEYWORDS: [&str; 8] = [
    "iface",
    "auto",
    "mapping",
    "source",
    "source-directory",
    "no-auto-down",
    "no-scripts",
    "rename",
];
/// Options whose lines belong to the address and go with it.
const OF_ADDRESS: [&str; 5] = ["address", "netmask", "broadcast", "network", "scope"];
/// Options that run commands.
const COMMANDS: [&str; 6] = ["up", "post-up", "pre-up", "down", "pre-down", "post-down"];

/// `iface lan inet static` with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stanza {
    file: String,
    /// Line of the header, counted from 0.
    header: usize,
    v4: bool,
    method: String,
    options: Vec<Opt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Opt {
    line: usize,
    name: String,
    value: String,
}

pub(super) fn look(files: &Files<'_>, interface: &str) -> Result<Option<Found>, Refused> {
    let stanzas = stanzas(files, interface)?;
    let Some(first) = stanzas.first() else { return Ok(None) };
    let mut dynamic = Dynamic { v4: false, v6: false, by: String::new() };
    for stanza in &stanzas {
        if matches!(stanza.method.as_str(), "dhcp" | "bootp" | "ppp" | "wvdial") {
            let family = if stanza.v4 { &mut dynamic.v4 } else { &mut dynamic.v6 };
            *family = true;
            dynamic.by = format!("{}:{}: {}", stanza.file, stanza.header + 1, stanza.method);
        }
    }
    let file = first.file.clone();
    let addresses = stanzas.iter().filter_map(Stanza::prefix).collect();
    let dynamic = Some(dynamic).filter(|found| found.v4 || found.v6);
    Ok(Some(Found { system: System::Ifupdown, file, addresses, dynamic }))
}

pub(super) fn edit(files: &mut Files<'_>, interface: &str, steps: &[Step]) -> Result<(), Refused> {
    for step in steps {
        // Line numbers change with each edit.
        let all = stanzas(files, interface)?;
        let holds = |address: IpAddr| {
            all.iter().find(|one| one.prefix().is_some_and(|prefix| prefix.address == address))
        };
        match step {
            Step::Replace(old, new) => {
                if let Some(stanza) = holds(*old) {
                    not_by_hand(&all, *old)?;
                    replace(files, stanza, *new)?;
                }
            }
            Step::Remove(old) => {
                if let Some(stanza) = holds(*old) {
                    not_by_hand(&all, *old)?;
                    remove(files, stanza)?;
                }
            }
            Step::Add(new) => add(files, interface, &all, *new)?,
        }
    }
    Ok(())
}

/// Commands that put the same address on the interface are the administrator's.
fn not_by_hand(all: &[Stanza], address: IpAddr) -> Result<(), Refused> {
    let named = |opt: &&Opt| {
        let words = opt.value.split(|byte: char| byte.is_whitespace() || byte == '/');
        COMMANDS.contains(&opt.name.as_str())
            && words.filter_map(|word| word.parse::<IpAddr>().ok()).any(|it| it == address)
    };
    for stanza in all {
        if let Some(opt) = stanza.options.iter().find(named) {
            let place = format!("{}:{}", stanza.file, opt.line + 1);
            let why = format!("a command names {address} too; change it first");
            return Err(Refused::ByHand { place, why });
        }
    }
    Ok(())
}

fn replace(files: &mut Files<'_>, stanza: &Stanza, new: Prefix) -> Result<(), Refused> {
    let Some(old) = stanza.prefix() else { return Ok(()) };
    let apart = stanza.option("netmask").filter(|_| old.length == new.length);
    let text = match apart {
        // The mask in a line of its own is right still.
        Some(_) => new.address.to_string(),
        None => new.to_string(),
    };
    let masks = |opt: &Opt| apart.is_none() && opt.name == "netmask";
    rewrite(files, &stanza.file, |number, line| {
        let opt = stanza.options.iter().find(|opt| opt.line == number);
        match opt {
            Some(opt) if opt.name == "address" => Some(line.replacen(&opt.value, &text, 1)),
            Some(opt) if masks(opt) => None,
            Some(_) | None => Some(line.to_owned()),
        }
    })
}

/// The stanza goes, unless it does more than to give the address.
fn remove(files: &mut Files<'_>, stanza: &Stanza) -> Result<(), Refused> {
    if let Some(gateway) = stanza.option("gateway") {
        let place = format!("{}:{}", stanza.file, gateway.line + 1);
        let why = format!(
            "the gateway {} would not be set any more, as no own address is left; write it as \
             'up ip route replace default via {} dev IFACE onlink' in a 'manual' stanza first",
            gateway.value, gateway.value
        );
        return Err(Refused::ByHand { place, why });
    }
    rewrite(files, &stanza.file, |number, line| {
        if number == stanza.header {
            // The others of the interface, and its commands, still need it to come up.
            return Some(line.replacen(&stanza.method, "manual", 1));
        }
        let opt = stanza.options.iter().find(|opt| opt.line == number);
        let of_address = opt.is_some_and(|opt| OF_ADDRESS.contains(&opt.name.as_str()));
        (!of_address).then(|| line.to_owned())
    })
}

/// A stanza of its own, behind the interface's last.
fn add(files: &mut Files<'_>, interface: &str, all: &[Stanza], new: Prefix) -> Result<(), Refused> {
    let Some(last) = all.last() else { return Ok(()) };
    let end = last.options.last().map_or(last.header, |opt| opt.line);
    let family = if new.address.is_ipv4() { "inet" } else { "inet6" };
    let stanza = format!("\niface {interface} {family} static\n    address {new}\n");
    rewrite(files, &last.file, |number, line| {
        if number != end {
            return Some(line.to_owned());
        }
        let gap = if line.ends_with('\n') { "" } else { "\n" };
        Some(format!("{line}{gap}{stanza}"))
    })
}

fn rewrite(
    files: &mut Files<'_>,
    path: &str,
    change: impl Fn(usize, &str) -> Option<String>,
) -> Result<(), Refused> {
    let text = files.read(path)?.unwrap_or_default();
    let lines = text.split_inclusive('\n').enumerate();
    let new = lines.filter_map(|(number, line)| change(number, line)).collect();
    files.put(path, new);
    Ok(())
}

impl Stanza {
    fn option(&self, name: &str) -> Option<&Opt> {
        self.options.iter().find(|opt| opt.name == name)
    }

    /// Its address, with the mask wherever that stands.
    fn prefix(&self) -> Option<Prefix> {
        let address = self.option("address")?;
        if let Ok(prefix) = address.value.parse() {
            return Some(prefix);
        }
        let address: IpAddr = address.value.parse().ok()?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let mask = self.option("netmask").map(|opt| opt.value.as_str());
        let length = mask.map_or(Some(whole), |mask| match mask.parse::<IpAddr>() {
            Ok(IpAddr::V4(mask)) => u8::try_from(u32::from(mask).leading_ones()).ok(),
            Ok(IpAddr::V6(_)) | Err(_) => mask.parse().ok(),
        })?;
        Some(Prefix { address, length })
    }
}

/// All stanzas of an interface, in the order in which ifup reads them.
fn stanzas(files: &Files<'_>, interface: &str) -> Result<Vec<Stanza>, Refused> {
    let mut found = Vec::new();
    let mut waiting = vec![MAIN.to_owned()];
    let mut seen: Vec<String> = Vec::new();
    while let Some(path) = waiting.pop() {
        if seen.contains(&path) {
            continue;
        }
        if seen.len() >= MAX_FILES {
            let why = format!("it sources more than {MAX_FILES} files");
            return Err(Refused::ByHand { place: MAIN.to_owned(), why });
        }
        let Some(text) = files.read(&path)? else { continue };
        found.extend(of_text(&path, &text, interface));
        let mut sourced = sources(files, &path, &text)?;
        sourced.reverse();
        waiting.extend(sourced);
        seen.push(path);
    }
    Ok(found)
}

fn of_text(path: &str, text: &str, interface: &str) -> Vec<Stanza> {
    let mut all: Vec<Stanza> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(first) = words.first().filter(|word| !word.starts_with('#')) else { continue };
        if KEYWORDS.contains(first) || first.starts_with("allow-") {
            let name = words.get(1).map(|name| name.split(':').next().unwrap_or(name));
            inside = *first == "iface" && name == Some(interface);
            if let (true, [_, _, family, method, ..]) = (inside, words.as_slice()) {
                all.push(Stanza {
                    file: path.to_owned(),
                    header: number,
                    v4: *family == "inet",
                    method: (*method).to_owned(),
                    options: Vec::new(),
                });
            }
        } else if let (true, Some(stanza)) = (inside, all.last_mut()) {
            let value = line.trim().strip_prefix(first).unwrap_or_default().trim();
            let (name, value) = ((*first).to_owned(), value.to_owned());
            stanza.options.push(Opt { line: number, name, value });
        }
    }
    all
}

/// The files that a file names, in order.
fn sources(files: &Files<'_>, path: &str, text: &str) -> Result<Vec<String>, Refused> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut all = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(word), Some(named)) = (words.next(), words.next()) else { continue };
        let named = match named.strip_prefix('/') {
            Some(below) => below.to_owned(),
            None => format!("{folder}/{named}"),
        };
        match word {
            "source" => {
                let Some((folder, pattern)) = named.rsplit_once('/') else { continue };
                let hidden = |name: &str| name.starts_with('.') && !pattern.starts_with('.');
                let names = files.list(folder)?.into_iter();
                let names = names
                    .filter(|name| !hidden(name) && matches(pattern.as_bytes(), name.as_bytes()));
                all.extend(names.map(|name| format!("{folder}/{name}")));
            }
            "source-directory" => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
                let named = named.trim_end_matches('/');
                let names = files.list(named)?.into_iter();
                let names = names.filter(|name| name.bytes().all(plain));
                all.extend(names.map(|name| format!("{named}/{name}")));
            }
            _ => {}
        }
    }
    Ok(all)
}

//! `twinwall ha ... --preview`, `ha history` and `ha interfaces`: what an order would come to,
//! what versions brought, and what there is to choose from.

use std::fmt::Write;

use twinwall::agent::api::settings::PreviewOrder;
use twinwall::agent::ha::Preview;
use twinwall::agent::ha::ports::{Port, PortPair, Ports};
use twinwall::agent::ha::preview::{Address, NodePreview};
use twinwall::agent::ha::versions::{MAX_SHOWN, VersionChange};
use twinwall::agent::settings::{Setting, Version};
use twinwall::failure::Failure;

use crate::api_client::Api;
use crate::show::{print, print_json};
use crate::system;

/// Shows what the order would come to.
pub(super) fn preview(api: &Api, order: &PreviewOrder) -> Result<(), Failure> {
    let preview: Preview = api.post("/api/v1/ha/preview", order)?;
    print(&text(&preview))
}

fn text(preview: &Preview) -> String {
    if preview.nodes.is_empty() {
        return "Nothing would change: the settings are so already.\n".to_owned();
    }
    let mut text = String::new();
    preview.changed.iter().for_each(|it| text += &setting(it, ""));
    for node in &preview.nodes {
        text += &format!("\n{}\n", node.node);
        happens(node).iter().for_each(|line| text += &format!("  {line}\n"));
    }
    if let Some(away) = &preview.away {
        let _ = writeln!(text, "\nThe other node gets them when it is back: {away}");
    }
    preview.notes.iter().for_each(|note| text += &format!("\nBut {note}\n"));
    text + "\nNothing was changed.\n"
}

fn setting(one: &Setting, indent: &str) -> String {
    let shown = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    format!("{indent}{}: {} -> {}\n", one.key, shown(&one.before), shown(&one.after))
}

fn happens(node: &NodePreview) -> Vec<String> {
    let mut lines = Vec::new();
    for file in &node.files {
        lines.push(file.path.clone());
        lines.extend(file.removed.iter().map(|line| format!("  - {line}")));
        lines.extend(file.added.iter().map(|line| format!("  + {line}")));
    }
    let one = |word: &str, it: &Address| format!("{} {word} {}", it.interface, it.address);
    lines.extend(node.gets.iter().map(|it| one("gets", it)));
    lines.extend(node.loses.iter().map(|it| one("loses", it)));
    lines.push(node.guard.words().to_owned());
    lines
}

/// Every kept version, the newest first.
pub(super) fn history(api: &Api, json: bool) -> Result<(), Failure> {
    if json {
        let versions: Vec<Version> = api.get("/api/v1/ha/versions")?;
        return print_json(&versions);
    }
    let mut before = String::new();
    loop {
        let path = format!("/api/v1/ha/changes?last={MAX_SHOWN}{before}");
        let some: Vec<VersionChange> = api.get(&path)?;
        print(&some.iter().map(version).collect::<String>())?;
        match some.last().filter(|_| some.len() == MAX_SHOWN) {
            Some(oldest) => before = format!("&before={}", oldest.version.revision.number),
            None => return Ok(()),
        }
    }
}

fn version(one: &VersionChange) -> String {
    let version = &one.version;
    let mut text = format!(
        "{}  {:>4}  by {} on {}\n",
        system::local_time(version.at_ms),
        version.revision.number,
        version.who,
        version.node
    );
    text.extend(version.note.iter().map(|note| format!("      {note}\n")));
    text.extend(one.changed.iter().flatten().map(|it| setting(it, "      ")));
    text
}

/// The interfaces of both nodes.
pub(super) fn interfaces(api: &Api, json: bool) -> Result<(), Failure> {
    let ports: Ports = api.get("/api/v1/ha/interfaces")?;
    if json {
        return print_json(&ports);
    }
    let there = ports.there.as_deref().unwrap_or("the other node");
    let mut text: String =
        ports.ports.iter().map(|pair| port_pair(pair, &ports.here, there)).collect();
    if let Some(away) = &ports.away {
        let _ = writeln!(text, "\n{away}");
    }
    print(&text)
}

fn port_pair(pair: &PortPair, here: &str, there: &str) -> String {
    let reaches = pair.reaches.as_ref().map_or(String::new(), |it| format!(", reaches {it}"));
    let mut text = format!("{}{reaches}\n", pair.name);
    for (node, port) in [(here, &pair.here), (there, &pair.there)] {
        let _ = writeln!(text, "  {node:<12} {}", port.as_ref().map_or("-".to_owned(), one_port));
    }
    text
}

fn one_port(port: &Port) -> String {
    let mut parts = vec![port.state().to_owned()];
    parts.extend(port.speed.map(|speed| format!("{speed} Mb/s")));
    parts.extend(port.addresses.iter().cloned());
    parts.extend(port.dynamic.iter().map(|it| format!("from elsewhere ({})", it.by)));
    parts.join("  ")
}

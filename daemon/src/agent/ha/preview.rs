//! What an order would come to, on each node, before anybody gives it: the settings that
//! differ, the node's own files and addresses, and what its guard does. Made by the same
//! checks as the order itself, which refuse here what they would refuse there; it changes
//! nothing. A node says of itself what would happen to it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};
use twinwall_core::config::{Pair, Prefix};
use twinwall_core::ids::Designation;

use super::take::Plan;
use crate::agent::netconf::live;
use crate::agent::node::Node;
use crate::agent::settings::differ::differences;
use crate::agent::settings::{FileChange, HaSettings, Revision, Setting, check};

/// Files of a node that are shown: one for each interface of the pair, and more.
const MAX_FILES: usize = 64;
/// Lines of a file that are shown; a change of addresses has a few.
const MAX_LINES: usize = 200;
/// Addresses of a node that are shown.
const MAX_ADDRESSES: usize = 512;
/// Longest text in characters.
const MAX_TEXT: usize = 300;

/// What an order would come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    /// The revision that it was made from: send it back with the order.
    pub seen: Revision,
    /// The settings that differ; none: nothing would change.
    pub changed: Vec<Setting>,
    /// What happens on each node, this one first. The other one is absent while it is away.
    pub nodes: Vec<NodePreview>,
    /// Why the other node could not be asked: it gets the settings when it is back.
    pub away: Option<String>,
    /// What is to be known before, for people.
    pub notes: Vec<String>,
}

/// What would happen on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodePreview {
    /// Its name.
    pub node: String,
    /// Its fixed part in the pair.
    pub designation: Option<Designation>,
    /// Files of its own network configuration that are written.
    pub files: Vec<FilePreview>,
    /// Own addresses that its kernel gets.
    pub gets: Vec<Address>,
    /// Addresses that its kernel loses.
    pub loses: Vec<Address>,
    /// What its guard does.
    pub guard: GuardStep,
}

/// What would happen to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilePreview {
    /// Its path.
    pub path: String,
    /// Lines that go.
    pub removed: Vec<String>,
    /// Lines that come.
    pub added: Vec<String>,
}

/// An address of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// The interface.
    pub interface: String,
    /// The address with its prefix length.
    pub address: String,
}

/// What a guard does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuardStep {
    /// Nothing: none of it concerns a guard, or none runs.
    Nothing,
    /// It takes the settings over while it runs; the role stays where it is.
    Reads,
    /// It starts.
    Starts,
    /// It ends.
    Ends,
}

impl GuardStep {
    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            GuardStep::Nothing => "The guard is not concerned.",
            GuardStep::Reads => {
                "The guard takes the settings over while it runs; the role stays where it is."
            }
            GuardStep::Starts => "The guard starts.",
            GuardStep::Ends => "The guard ends.",
        }
    }
}

/// The settings that differ, and what is to be known of them.
pub(super) fn changed(old: &str, new: &str) -> Vec<Setting> {
    let read = |text: &str| check::read(text).map(|pair| HaSettings::from(&pair));
    // Settings that are wrong now are all new.
    let (Ok(old), Ok(new)) = (read(old), read(new)) else { return Vec::new() };
    differences(&old, &new)
}

/// What this node would do by this plan.
pub(super) fn of(node: &Node, plan: &Plan) -> NodePreview {
    let settings = node.settings();
    let before = settings.pair.as_ref();
    let was = before.is_some_and(|pair| pair.enabled);
    let is = plan.pair.enabled;
    let ends = was && !is;
    let (mut gets, mut loses) = (Vec::new(), Vec::new());
    if is || ends {
        gets = missing(&plan.own);
        loses = plan.old.iter().map(address).filter(is_held).collect();
    }
    if ends {
        // Addresses of the clients go with the guard, but where this node keeps them.
        let kept = |virtual_ip: &Address| plan.own.iter().any(|own| address(own) == *virtual_ip);
        loses.extend(virtual_of(&plan.pair).into_iter().filter(|it| !kept(it) && is_held(it)));
    }
    loses.sort();
    loses.dedup();
    NodePreview {
        node: settings.name.clone(),
        designation: settings.designation(),
        files: plan.files.iter().map(file).collect(),
        gets,
        loses,
        guard: guard(before, &plan.pair),
    }
}

fn guard(before: Option<&Pair>, now: &Pair) -> GuardStep {
    let was = before.is_some_and(|pair| pair.enabled);
    match (was, now.enabled) {
        (false, true) => GuardStep::Starts,
        (true, false) => GuardStep::Ends,
        (false, false) => GuardStep::Nothing,
        (true, true) => {
            let differs = before.is_none_or(|before| !before.change(now).is_empty());
            if differs { GuardStep::Reads } else { GuardStep::Nothing }
        }
    }
}

fn address((interface, prefix): &(String, Prefix)) -> Address {
    Address { interface: interface.clone(), address: prefix.to_string() }
}

fn virtual_of(pair: &Pair) -> Vec<Address> {
    let all = pair.interfaces.iter();
    all.flat_map(|it| it.virtual_ips.iter().map(|prefix| address(&(it.name.clone(), *prefix))))
        .collect()
}

/// Those that the kernel does not have yet.
fn missing(own: &[(String, Prefix)]) -> Vec<Address> {
    let mut held: BTreeMap<&str, Vec<Prefix>> = BTreeMap::new();
    for (interface, _) in own {
        // An interface that cannot be asked was refused before.
        held.entry(interface).or_insert_with(|| live::held(interface).unwrap_or_default());
    }
    let is_held = |(interface, prefix): &&(String, Prefix)| {
        held.get(interface.as_str()).is_some_and(|all| all.contains(prefix))
    };
    own.iter().filter(|own| !is_held(own)).map(address).collect()
}

/// Whether the kernel has it, with whatever length.
fn is_held(one: &Address) -> bool {
    let host = |text: &str| text.split('/').next().map(str::to_owned);
    let held = live::held(&one.interface).unwrap_or_default();
    held.iter().any(|prefix| host(&prefix.to_string()) == host(&one.address))
}

fn file(change: &FileChange) -> FilePreview {
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    let compared = TextDiff::from_lines(before.unwrap_or_default(), after.unwrap_or_default());
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    for line in compared.iter_all_changes() {
        let text = line.value().trim_end().to_owned();
        match line.tag() {
            ChangeTag::Delete => removed.push(text),
            ChangeTag::Insert => added.push(text),
            ChangeTag::Equal => {}
        }
    }
    FilePreview { path: format!("/{}", change.path), removed, added }
}

impl NodePreview {
    /// What the other node said, within the limits.
    pub(super) fn bounded(mut self) -> NodePreview {
        self.files.truncate(MAX_FILES);
        bound(&mut self.node);
        for file in &mut self.files {
            bound(&mut file.path);
            for lines in [&mut file.removed, &mut file.added] {
                lines.truncate(MAX_LINES);
                lines.iter_mut().for_each(bound);
            }
        }
        for addresses in [&mut self.gets, &mut self.loses] {
            addresses.truncate(MAX_ADDRESSES);
            for one in addresses {
                bound(&mut one.interface);
                bound(&mut one.address);
            }
        }
        self
    }

    /// Whether anything happens there beside keeping the settings.
    pub fn is_quiet(&self) -> bool {
        self.files.is_empty()
            && self.gets.is_empty()
            && self.loses.is_empty()
            && self.guard == GuardStep::Nothing
    }
}

fn bound(text: &mut String) {
    if text.chars().nth(MAX_TEXT).is_some() || text.chars().any(char::is_control) {
        *text = text.chars().filter(|one| !one.is_control()).take(MAX_TEXT).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_shows_what_goes_and_comes_and_nothing_else() {
        let text = |address: &str| format!("[Match]\nName=lan\n\n[Network]\nAddress={address}\n");
        let change = FileChange {
            path: "etc/systemd/network/10-lan.network".to_owned(),
            before: Some(text("10.1.0.1/24")),
            after: Some(text("10.1.0.2/24")),
        };
        let shown = file(&change);
        assert_eq!(shown.path, "/etc/systemd/network/10-lan.network");
        assert_eq!(shown.removed, ["Address=10.1.0.1/24"]);
        assert_eq!(shown.added, ["Address=10.1.0.2/24"]);
    }

    #[test]
    fn what_the_other_node_says_is_cut_to_the_limits() {
        let long = "x\u{1b}".repeat(MAX_TEXT + 1);
        let one = Address { interface: "lan".to_owned(), address: long.clone() };
        let said = NodePreview {
            node: long.clone(),
            designation: None,
            files: vec![
                FilePreview {
                    path: long.clone(),
                    removed: vec![long; MAX_LINES + 1],
                    added: Vec::new()
                };
                MAX_FILES + 1
            ],
            gets: vec![one; MAX_ADDRESSES + 1],
            loses: Vec::new(),
            guard: GuardStep::Reads,
        }
        .bounded();
        assert_eq!((said.files.len(), said.gets.len()), (MAX_FILES, MAX_ADDRESSES));
        assert_eq!(said.files[0].removed.len(), MAX_LINES);
        let all =
            [&said.node, &said.files[0].path, &said.files[0].removed[0], &said.gets[0].address];
        assert!(all.iter().all(|text| text.len() == MAX_TEXT && !text.contains('\u{1b}')));
    }
}

//! One node takes settings over: looks whether it can, writes pair.toml and its own network
//! configuration as one, gives its kernel the own addresses, and has its guard read again.
//! The same on the node where they were entered and on the other.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinwall_core::api::Request;
use twinwall_core::config::{Interface, Pair, Prefix};
use twinwall_core::ids::Designation;

use super::refuse;
use crate::agent::api::error::{Detail, Refusal};
use crate::agent::guard::{Control, Serving};
use crate::agent::netconf::{self, Refused, Wanted, live};
use crate::agent::node::Node;
use crate::agent::settings::{FileChange, Revision, Version, check};

/// How long the other node may take: it writes some files and asks its guard.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);
/// How long a guard may take to start or to end.
const GUARD: Duration = Duration::from_secs(15);

/// Settings that shall be those of the pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Which.
    pub version: Version,
    /// The text of pair.toml.
    pub text: String,
    /// The administrator looks after the nodes' own network configuration.
    #[serde(default)]
    pub by_hand: bool,
    /// With turning off: the node of this part keeps the virtual IPs as its own addresses.
    #[serde(default)]
    pub keep_virtual: Option<Designation>,
    /// A change of the other node that these settings know nothing of, and replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Revision>,
}

/// What taking them over comes to on this node.
pub(super) struct Plan {
    pub(super) pair: Pair,
    pub(super) files: Vec<FileChange>,
    pub(super) own: Vec<(String, Prefix)>,
    /// Own addresses of before that are neither own nor virtual now.
    pub(super) old: Vec<(String, Prefix)>,
    notes: Vec<String>,
}

/// Whether this node can take them over. Changes nothing.
pub(super) fn plan(node: &Node, draft: &Draft) -> Result<Plan, Refusal> {
    let pair = check::read(&draft.text)?;
    let settings = node.settings();
    let have = live::interfaces()
        .map_err(|error| Refusal::machine(format!("asking for the interfaces: {error}")))?;
    check::interfaces(&pair, &have, &settings.name)?;
    only_what_can_change(settings.pair.as_ref(), &pair)?;
    if settings.is_enabled() && !pair.enabled {
        let runs = node.guard().borrow().status().is_some();
        somebody_ends_the_guard(node.machine().control, runs, &settings.name)?;
    }
    let mut plan =
        Plan { pair, files: Vec::new(), own: Vec::new(), old: Vec::new(), notes: Vec::new() };
    let concerns = plan.pair.enabled || draft.keep_virtual.is_some();
    if let Some(own) = settings.designation().filter(|_| !concerns && !draft.by_hand) {
        plan.fixed(node, settings.pair.as_ref(), own)?;
    }
    if let Some(own) = settings.designation().filter(|_| concerns) {
        plan.addresses(node, settings.pair.as_ref(), own, draft)?;
    }
    Ok(plan)
}

/// A running guard cannot take everything over.
fn only_what_can_change(old: Option<&Pair>, new: &Pair) -> Result<(), Refusal> {
    let Some(old) = old.filter(|old| old.enabled && new.enabled) else { return Ok(()) };
    let fixed = old.change(new).changed.into_iter().find(|changed| !changed.live);
    fixed.map_or(Ok(()), |changed| {
        let message = "cannot be changed while high availability is on; turn it off first \
                       ('twinwall ha disable')";
        Err(check::at(changed.key, message.to_owned()))
    })
}

/// A guard that nobody ends would go on and serve, beside the node that keeps the addresses.
pub(super) fn somebody_ends_the_guard(
    control: Control,
    runs: bool,
    name: &str,
) -> Result<(), Refusal> {
    match control {
        Control::Nobody if runs => Err(Refusal::conflict(format!(
            "nobody supervises the guard of {name}: it would go on serving; stop it by hand first, \
             or run the node by 'twinwall run'"
        ))),
        Control::Nobody | Control::Run | Control::Systemd => Ok(()),
    }
}

impl Plan {
    fn addresses(
        &mut self,
        node: &Node,
        before: Option<&Pair>,
        part: Designation,
        draft: &Draft,
    ) -> Result<(), Refusal> {
        let old: Vec<(String, Prefix)> = before.map_or_else(Vec::new, |pair| own_of(pair, part));
        let keeps = draft.keep_virtual == Some(part);
        for interface in &self.pair.interfaces {
            let kept = interface.virtual_ips.iter().filter(|_| keeps);
            let own = interface.own(part).iter().chain(kept);
            self.own.extend(own.map(|prefix| (interface.name.clone(), *prefix)));
        }
        let virtual_ips = self.pair.interfaces.iter().flat_map(|it| &it.virtual_ips);
        let virtual_ips: Vec<IpAddr> = virtual_ips.map(|prefix| prefix.address).collect();
        let used = |address: IpAddr| {
            let mut own = self.own.iter().map(|(_, prefix)| prefix.address);
            own.any(|own| own == address) || virtual_ips.contains(&address)
        };
        self.old = old.iter().filter(|(_, prefix)| !used(prefix.address)).cloned().collect();
        if draft.by_hand {
            return Ok(());
        }
        let keeps = keeps || !before.is_some_and(|pair| pair.enabled);
        let asked = |it: &&Interface| keeps || touched(before, it, part);
        let wanted = self.pair.interfaces.iter().filter(asked);
        let wanted: Vec<Wanted> = wanted.map(|it| self.wanted(it, &old)).collect();
        for one in &wanted {
            netconf::plan(node.root(), std::slice::from_ref(one))
                .map_err(|refused| at_field(&one.interface, part, &refused))?;
        }
        // Several interfaces may stand in one file.
        let all = netconf::plan(node.root(), &wanted);
        self.files = all.map_err(|refused| Refusal::invalid(refused.to_string()))?;
        Ok(())
    }

    /// Before it is turned on nothing is written, but what can never be is refused already:
    /// an interface whose addresses come from elsewhere. Those that stay as they are need no
    /// answer.
    fn fixed(&self, node: &Node, before: Option<&Pair>, part: Designation) -> Result<(), Refusal> {
        for interface in self.pair.interfaces.iter().filter(|it| touched(before, it, part)) {
            let all = interface.own(part).iter().chain(&interface.virtual_ips);
            let all: Vec<IpAddr> = all.map(|prefix| prefix.address).collect();
            let fixed = netconf::fixed(node.root(), &interface.name, &all);
            fixed.or_else(|refused| match refused {
                Refused::Dynamic { .. } => Err(at_field(&interface.name, part, &refused)),
                // Said when it is turned on; it may be mended until then.
                Refused::Unreadable(_)
                | Refused::Both(..)
                | Refused::Unknown { .. }
                | Refused::ByHand { .. } => Ok(()),
            })?;
        }
        Ok(())
    }

    fn wanted(&self, interface: &Interface, old: &[(String, Prefix)]) -> Wanted {
        let here = |(name, _): &&(String, Prefix)| *name == interface.name;
        let own: Vec<Prefix> = self.own.iter().filter(here).map(|(_, prefix)| *prefix).collect();
        let before = old.iter().filter(here).map(|(_, prefix)| prefix);
        let kept = |address: &IpAddr| !own.iter().any(|prefix| prefix.address == *address);
        let gone = before.chain(&interface.virtual_ips).map(|prefix| prefix.address);
        let gone = gone.filter(kept).collect();
        Wanted { interface: interface.name.clone(), own, gone }
    }
}

/// Whether this node's addresses of an interface are others than before. Those that stay as
/// they are were settled then, in its files or by hand.
fn touched(before: Option<&Pair>, now: &Interface, part: Designation) -> bool {
    let old = before.and_then(|pair| pair.interfaces.iter().find(|it| it.name == now.name));
    old.is_none_or(|old| old.own(part) != now.own(part) || old.virtual_ips != now.virtual_ips)
}

fn own_of(pair: &Pair, part: Designation) -> Vec<(String, Prefix)> {
    let interfaces = pair.interfaces.iter();
    interfaces.flat_map(|it| it.own(part).iter().map(|prefix| (it.name.clone(), *prefix))).collect()
}

fn at_field(interface: &str, part: Designation, refused: &Refused) -> Refusal {
    let field = match part {
        Designation::Primary => "primary",
        Designation::Secondary => "secondary",
    };
    let message = match refused {
        Refused::Both(..) | Refused::ByHand { .. } | Refused::Unreadable(_) => {
            format!("{refused}; or see to its addresses yourself, with --addresses-by-hand")
        }
        Refused::Dynamic { .. } | Refused::Unknown { .. } => refused.to_string(),
    };
    check::at(format!("interface.{interface}.{field}"), message)
}

/// Takes them over: from the write on they are this node's settings, whatever the kernel or
/// the guard says, and what these refuse comes back as a note for the administrator.
pub(super) async fn take(node: &Arc<Node>, draft: Draft) -> Result<Vec<String>, Refusal> {
    take_over(node, draft, false).await
}

/// The same on the node that served alone until now, and goes on while its guard starts.
pub(super) async fn take_serving(node: &Arc<Node>, draft: Draft) -> Result<Vec<String>, Refusal> {
    take_over(node, draft, true).await
}

async fn take_over(node: &Arc<Node>, draft: Draft, serves: bool) -> Result<Vec<String>, Refusal> {
    let was = node.settings().pair.as_ref().is_some_and(|pair| pair.enabled);
    let here = Arc::clone(node);
    let written = tokio::task::spawn_blocking(move || write(&here, draft)).await;
    let plan =
        written.map_err(|error| Refusal::machine(format!("writing settings: {error}")))??;
    let mut notes = plan.notes;
    match (was, plan.pair.enabled) {
        (true, true) if node.guard().borrow().status().is_some() => {
            let told = node.ask_guard(Request::Reload {}).await;
            notes.extend(told.err().map(|why| format!("the guard did not take them over: {why}")));
        }
        (true, true) | (false, false) => {}
        (_, runs) => {
            let word = (runs && serves).then(|| Serving::say(node));
            notes.extend(guard(node, runs).await.err());
            drop(word);
        }
    }
    // Off before and off now: the addresses are the administrator's, whatever is entered.
    if was && !plan.pair.enabled {
        notes.extend(settle(&plan.pair, &plan.own));
    }
    for (interface, prefix) in &plan.old {
        let removed = live::remove(interface, *prefix);
        notes.extend(removed.err().map(|error| format!("removing {prefix}: {error}")));
    }
    Ok(notes)
}

/// The addresses of a node on its own. A guard that served alone left the virtual IPs where
/// they were, mostly as bare host addresses; what is kept gets its subnet, and is there all
/// the time. What is not kept goes.
fn settle(pair: &Pair, own: &[(String, Prefix)]) -> Vec<String> {
    let mut notes = add(own);
    for interface in &pair.interfaces {
        for prefix in &interface.virtual_ips {
            let bare =
                Prefix { length: if prefix.address.is_ipv4() { 32 } else { 128 }, ..*prefix };
            let kept = own.iter().any(|(name, one)| *name == interface.name && one == prefix);
            let gone: &[Prefix] = match (kept, prefix.address.is_ipv4()) {
                (false, _) => &[*prefix, bare],
                (true, true) if bare != *prefix => &[bare],
                // The kernel has an IPv6 address once, with the length that it came with.
                (true, _) => &[],
            };
            let removed = gone.iter().map(|prefix| live::remove(&interface.name, *prefix));
            let refused = removed.filter_map(Result::err);
            notes.extend(refused.map(|error| format!("removing {prefix}: {error}")));
        }
    }
    notes
}

/// Starts or stops the guard, and waits until it is so. One that was killed leaves its gate
/// shut, which would keep this node from forwarding anything: that is cleared.
async fn guard(node: &Arc<Node>, runs: bool) -> Result<(), String> {
    let control = node.guard_control();
    let set = tokio::task::spawn_blocking(move || control.set(runs)).await;
    set.map_err(|error| error.to_string())??;
    let mut state = node.guard();
    let so = state.wait_for(|state| state.status().is_some() == runs);
    let so = tokio::time::timeout(GUARD, so).await.is_ok_and(|state| state.is_ok());
    match (so, runs) {
        (true, true) => Ok(()),
        (true, false) => {
            let cleared = tokio::task::spawn_blocking(move || control.clear()).await;
            cleared.map_err(|error| error.to_string())?
        }
        (false, true) => {
            Err("the guard did not start; look for 'twinwall-guard' in the system's log".to_owned())
        }
        (false, false) => Err("the guard did not end in time".to_owned()),
    }
}

fn write(node: &Arc<Node>, draft: Draft) -> Result<Plan, Refusal> {
    let mut plan = plan(node, &draft)?;
    let files = std::mem::take(&mut plan.files);
    let history = &node.ha().history;
    history.put(draft.version, &draft.text, files).map_err(refuse)?;
    if plan.pair.enabled {
        plan.notes = add(&plan.own);
    }
    let read = node.reload();
    plan.notes.extend(read.err().map(|error| format!("reading the settings again: {error}")));
    plan.notes.extend(node.set_kernel());
    Ok(plan)
}

/// Gives the kernel these addresses; what it refuses, in words.
fn add(own: &[(String, Prefix)]) -> Vec<String> {
    let refused = |(interface, prefix): &(String, Prefix)| {
        let error = live::add(interface, *prefix).err()?;
        Some(format!("adding {prefix} to {interface}: {error}"))
    };
    own.iter().filter_map(refused).collect()
}

/// The other node's refusal, with its name where the fields are.
pub(super) fn there(refusal: Refusal, peer: &str) -> Refusal {
    let name =
        |detail: Detail| Detail { message: format!("on {peer}: {}", detail.message), ..detail };
    let message = format!("{peer} refuses: {}", refusal.message);
    let details = refusal.details.into_iter().map(name).collect();
    Refusal { code: refusal.code, message, details }
}

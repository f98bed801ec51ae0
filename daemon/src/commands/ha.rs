//! `twinwall ha`: the settings of high availability, and whether it is on.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use twinwall::agent::api::ha::{RestoreSettings, SetSettings};
use twinwall::agent::api::settings::PreviewOrder;
use twinwall::agent::ha::turn::{TurnOff, TurnOn};
use twinwall::agent::ha::{Done, HaView, PeerView};
use twinwall::agent::jobs::JobView;
use twinwall::agent::settings::Change;
use twinwall::agent::settings::revision::Standing;
use twinwall::agent::settings::view::{HaInterface, Policy};
use twinwall::agent::sysctls::SysctlView;
use twinwall::failure::{Exit, Failure};
use twinwall::files;

use super::ha_look;
use crate::api_client::Api;
use crate::cli::{Ha, HaSetArgs};
use crate::show::{print, print_json};
use crate::system;

/// Within this an editor or `mv` has put a new file in the place of the old one.
const REPLACED: Duration = Duration::from_millis(500);

pub(super) fn ha(root: &Path, order: &Ha) -> Result<(), Failure> {
    let api = Api::of(root);
    match order {
        Ha::Show(args) => show(&api, args.json),
        Ha::Set(args) => set(&api, args),
        Ha::Enable(args) => {
            let order = TurnOn { addresses_by_hand: args.addresses_by_hand };
            if args.preview {
                return ha_look::preview(&api, &PreviewOrder::Enable(order));
            }
            follow(&api, &api.post("/api/v1/ha/enable", &order)?)
        }
        Ha::Disable(args) => {
            let keep_virtual = !args.drop_virtual;
            let order = TurnOff { keep_virtual, addresses_by_hand: args.addresses_by_hand };
            if args.preview {
                return ha_look::preview(&api, &PreviewOrder::Disable(order));
            }
            follow(&api, &api.post("/api/v1/ha/disable", &order)?)
        }
        Ha::History(args) => ha_look::history(&api, args.json),
        Ha::Interfaces(args) => ha_look::interfaces(&api, args.json),
        Ha::Restore(args) => {
            let (version, addresses_by_hand) = (args.version, args.addresses_by_hand);
            let order = RestoreSettings { version, seen: None, addresses_by_hand };
            if args.preview {
                return ha_look::preview(&api, &PreviewOrder::Restore(order));
            }
            tell(&api.post("/api/v1/ha/restore", &order)?)
        }
        Ha::IsEnabled => is_enabled(root),
    }
}

fn show(api: &Api, json: bool) -> Result<(), Failure> {
    let view: HaView = api.get("/api/v1/ha")?;
    if json { print_json(&view) } else { print(&text(&view)) }
}

fn text(view: &HaView) -> String {
    let settings = &view.settings;
    let on = if settings.enabled { "on" } else { "off" };
    let policy = match (settings.failback.policy, settings.failback.hold_s) {
        (Policy::Primary, Some(hold)) => format!("to the primary, after {hold} s"),
        (Policy::Primary, None) => "to the primary".to_owned(),
        (Policy::Stay, _) => "none: the role stays".to_owned(),
    };
    let yes = |flag: bool| if flag { "yes" } else { "no" };
    let mut text = format!(
        "High availability is {on}.\n\n\
         HA link        {}\n\
         heartbeat      every {} s, {} missed: a silent peer counts as dead after {:.3} s\n\
         failback       {policy}\n\
         synchronised   by itself: {}; logs and reports: {}; SNMP data: {}\n\
         connections    replicated: {}\n\n",
        settings.ha_link.interface,
        settings.heartbeat.interval_s,
        settings.heartbeat.threshold,
        view.detection_s,
        yes(settings.sync.automatic),
        yes(settings.sync.logs),
        yes(settings.sync.snmp),
        yes(settings.flows.replicate),
    );
    text.extend(settings.interfaces.iter().map(interface));
    text += "\nKernel settings of this node that a failover needs\n";
    text.extend(view.kernel.iter().map(sysctl));
    let version = &view.version;
    text += &format!(
        "\nRevision {} by {} on {}, {}. {}\n",
        version.revision.number,
        version.who,
        version.node,
        system::local_time(version.at_ms),
        standing(&view.peer)
    );
    text.extend(version.note.iter().map(|note| format!("Note: {note}.\n")));
    text
}

fn interface(one: &HaInterface) -> String {
    let list = |all: &[String]| if all.is_empty() { "-".to_owned() } else { all.join(" ") };
    let watched = if one.watch { "watched" } else { "not watched" };
    format!(
        "{} ({watched})\n  primary    {}\n  secondary  {}\n  virtual    {}\n  gateways   {}\n",
        one.name,
        list(&one.primary),
        list(&one.secondary),
        list(&one.virtual_ips),
        list(&one.gateways)
    )
}

/// One kernel setting on a line.
pub(super) fn sysctl(view: &SysctlView) -> String {
    let now = view.now.as_deref().unwrap_or("not there yet");
    let about = match (&view.before, view.is_good()) {
        (Some(before), true) => format!("  (set by twinwall; yours: {before})"),
        (None, true) => String::new(),
        (_, false) => format!("  (needed: {}; set while high availability is on)", view.wanted),
    };
    format!("  {:<45} {now}{about}\n", view.name)
}

fn standing(peer: &PeerView) -> String {
    let theirs = peer.version.as_ref().map_or(0, |version| version.revision.number);
    match (peer.standing, &peer.away) {
        (Some(Standing::Same), _) => "The other node has the same.".to_owned(),
        (Some(Standing::Newer), _) => {
            format!("The other node still has revision {theirs}; it is getting these.")
        }
        (Some(Standing::Older), _) => {
            format!("The other node has revision {theirs}, which is newer; this node gets it.")
        }
        (Some(Standing::Apart), _) => {
            "The other node has others of the same number: change one on the node that is right."
                .to_owned()
        }
        (None, Some(why)) => format!("What the other node has is not known: {why}"),
        (None, None) => String::new(),
    }
}

fn set(api: &Api, args: &HaSetArgs) -> Result<(), Failure> {
    let removed = args.remove_interface.iter();
    let removed = removed.map(|name| Change::RemoveInterface { name: name.clone() });
    let changes = args.changes.iter().cloned().chain(removed).collect();
    let order = SetSettings { changes, seen: None, addresses_by_hand: args.addresses_by_hand };
    if args.preview {
        return ha_look::preview(api, &PreviewOrder::Set(order));
    }
    tell(&api.post("/api/v1/ha/set", &order)?)
}

fn tell(done: &Done) -> Result<(), Failure> {
    if !done.changed {
        return print("Nothing to change: the settings are so already.\n");
    }
    let on = if done.on_both { "both nodes" } else { "this node" };
    let mut text = format!("Revision {} is in use on {on}.\n", done.revision.number);
    done.notes.iter().for_each(|note| text += &format!("But {note}\n"));
    print(&text)
}

fn follow(api: &Api, started: &JobView) -> Result<(), Failure> {
    let ended = api.follow(started)?;
    let notes = ended.result.and_then(|it| serde_json::from_value::<Vec<String>>(it).ok());
    let notes = notes.unwrap_or_default();
    print(&notes.iter().map(|note| format!("But {note}\n")).collect::<String>())?;
    print("Done.\n")
}

/// For units and scripts: the answer is the exit code too. A file that is not there is waited for:
/// one that is just being replaced must not keep a guard down that would start again.
fn is_enabled(root: &Path) -> Result<(), Failure> {
    let until = Instant::now() + REPLACED;
    let missing = || [files::NODE, files::PAIR].iter().any(|file| !root.join(file).exists());
    while missing() && Instant::now() < until {
        thread::sleep(REPLACED / 10);
    }
    if files::guard_is_wanted(root) {
        return print("on\n");
    }
    print("off\n")?;
    Err(Failure { exit: Exit::Problem, message: String::new() })
}

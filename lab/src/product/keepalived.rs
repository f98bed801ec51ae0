//! keepalived as an expert would set it up for this pair: VRRP on LAN and WAN in
//! one sync group, no preemption, realtime priority, early announcements. It is
//! here to be compared with, nothing of twinwall depends on it.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use twinwall_core::beat::RoleWord;

use crate::clock;
use crate::plan;
use crate::product::{Settings, conntrackd};
use crate::timeline::{Entry, Source, Timeline};

/// The instance whose changes stand for the whole sync group.
const INSTANCE: &str = "(VI_LAN)";

/// What a sync group calls when its role changes, where conntrackd runs beside it.
fn notices(tree: &Path, settings: &Settings) -> String {
    if !settings.flows.are_told() {
        return String::new();
    }
    let script = conntrackd::script_file(tree);
    [("master", "primary"), ("backup", "backup"), ("fault", "fault")]
        .map(|(state, role)| format!("  notify_{state} \"{} {role}\"\n", script.display()))
        .concat()
}

/// The text of keepalived.conf.
pub fn config(node: usize, tree: &Path, settings: &Settings) -> String {
    let lan_prefix = plan::lan_prefix(settings.further_vips);
    let name = [plan::GATEWAY_A, plan::GATEWAY_B][node];
    // With many VIPs a takeover needs more than keepalived's own limit of 10 ms, and
    // the kernel would kill it.
    let mut text = format!(
        "global_defs {{\n  router_id {name}\n  script_user root\n  vrrp_rt_priority 50\n  vrrp_rlimit_rttime 5000000\n\
         \x20 vrrp_no_swap\n\
         \x20 vrrp_garp_master_delay 1\n  vrrp_garp_master_repeat 2\n}}\n\
         vrrp_sync_group PAIR {{\n  group {{\n    VI_LAN\n    VI_WAN\n  }}\n{}}}\n",
        notices(tree, settings)
    );
    // An advert has room for few addresses: all but the first are left out of it.
    let mut further = format!("    {}/64\n", plan::LAN_VIP6);
    for number in 0..settings.further_vips {
        // Writing to a String cannot fail.
        let _ = writeln!(further, "    {}/{lan_prefix}", plan::further_vip(number));
    }
    if settings.spare_vip {
        let _ = writeln!(further, "    {}/{lan_prefix}", plan::SPARE_VIP);
    }
    let lan = format!("{}/{lan_prefix}", plan::LAN_VIP);
    text += &instance("VI_LAN", plan::LAN, node, settings, &lan, &further);
    let (wan, further) = (format!("{}/24", plan::WAN_VIP), format!("    {}/64\n", plan::WAN_VIP6));
    text += &instance("VI_WAN", plan::WAN, node, settings, &wan, &further);
    text
}

fn instance(
    name: &str,
    interface: &str,
    node: usize,
    settings: &Settings,
    vip: &str,
    further: &str,
) -> String {
    let priority = [150, 100][node];
    format!(
        "vrrp_instance {name} {{\n  state BACKUP\n  interface {interface}\n  virtual_router_id 51\n\
         \x20 priority {priority}\n  version 3\n  advert_int {}\n  nopreempt\n\
         \x20 virtual_ipaddress {{\n    {vip}\n  }}\n  virtual_ipaddress_excluded {{\n{further}  }}\n}}\n",
        settings.interval.as_secs_f64()
    )
}

/// The command that runs it in the foreground, with every file in the node's tree.
pub fn command(tree: &Path) -> Command {
    let mut command = Command::new("keepalived");
    command.args(["--dont-fork", "--vrrp", "--log-console", "--no-syslog", "--use-file"]);
    command.arg(tree.join("etc/keepalived.conf"));
    for (option, file) in [("--pid", "keepalived.pid"), ("--vrrp_pid", "vrrp.pid")] {
        command.arg(option).arg(tree.join("run").join(file));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The role that keepalived last said it took, shared with the thread that reads its log.
#[derive(Clone)]
pub struct LastRole(Arc<Mutex<RoleWord>>);

impl LastRole {
    /// Of a service that has said nothing yet.
    pub fn new() -> LastRole {
        LastRole(Arc::new(Mutex::new(RoleWord::Starting)))
    }

    /// The role.
    pub fn get(&self) -> RoleWord {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, took: RoleWord) -> RoleWord {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), took)
    }
}

impl Default for LastRole {
    fn default() -> LastRole {
        LastRole::new()
    }
}

/// Puts its log on the time line, each line at the moment it was read.
pub fn follow(node: usize, log: ChildStderr, timeline: Timeline, role: LastRole) {
    thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            let text = line.split_once(": ").map_or(line.as_str(), |(_, text)| text).to_owned();
            let took = state_in(&text).filter(|took| *took != role.get());
            let change = took.map(|took| (role.replace(took), took));
            timeline.add(Entry {
                at: clock::now(),
                source: Source::node(node),
                role: change,
                text,
            });
        }
    });
}

fn state_in(line: &str) -> Option<RoleWord> {
    let state = line.split_once(INSTANCE)?.1;
    if state.contains("Entering MASTER") {
        Some(RoleWord::Active)
    } else if state.contains("Entering BACKUP") || state.contains("Entering FAULT") {
        Some(RoleWord::Passive)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_changes_of_one_instance_count() {
        assert_eq!(state_in("(VI_LAN) Entering MASTER STATE"), Some(RoleWord::Active));
        assert_eq!(state_in("(VI_LAN) Entering FAULT STATE"), Some(RoleWord::Passive));
        assert_eq!(state_in("(VI_WAN) Entering MASTER STATE"), None);
        assert_eq!(state_in("(VI_LAN) removing VIPs."), None);
    }
}

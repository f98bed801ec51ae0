//! Logs and SNMP at work on both gateways: a program that writes numbered lines, Debian's snmpd,
//! and a manager at the client that polls the virtual IP all the while. Shows that a failover costs
//! no more beside them, and what they themselves miss of it.

pub mod manager;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Serialize;

use crate::error::{Doing, Result};
use crate::gateway::Gateway;
use crate::lab::Lab;
use crate::plan;
use crate::process::Running;
use crate::wait;
use crate::worker::Worker;
use manager::ask;

/// Lines that the program writes in a second.
pub const LINES_A_SECOND: u64 = 200;
/// What both gateways do is known to both within this after a start.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The program's log, below the tree.
const LOG: &str = "var/log/app.log";

/// What was seen of both.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Monitored {
    /// Questions to the virtual IP.
    pub asked: u32,
    /// Those that were answered.
    pub answered: u32,
    /// The longest time between two answers, in milliseconds.
    pub silence_ms: f64,
    /// Lines that the gateway that had served wrote until the end.
    pub lines: u64,
    /// Those of them that the other one has.
    pub lines_there: u64,
}

/// Writes what snmpd and the program need.
pub fn furnish(tree: &Path) -> Result<()> {
    let root = tree.display();
    let snmpd = format!(
        "agentaddress udp:161\nmaster agentx\nagentXSocket {root}/var/agentx/master\n\
         rocommunity public default\nincludeDir {root}/etc/snmp/snmpd.conf.d\n"
    );
    // Ten lines each 50 ms, numbered on over restarts.
    let program = format!(
        "cd {root}\nsnmpd -f -C -Lf log/snmpd.log -I -smux,mteTrigger,mteTriggerConf \
         -c etc/snmp/snmpd.conf -p run/snmpd.pid &\n\
         n=$(wc -l <{LOG})\nwhile :; do\n  m=$((n + 10))\n  while [ $n -lt $m ]; do\n    \
         n=$((n + 1))\n    echo \"line $n of a program that says it once\"\n  done >>{LOG}\n  \
         sleep 0.05\ndone\n"
    );
    for folder in ["etc/snmp/snmpd.conf.d", "var/agentx", "var/lib/snmp", "var/log"] {
        let folder = tree.join(folder);
        fs::create_dir_all(&folder).doing(format!("make {}", folder.display()))?;
    }
    let files = [("etc/snmp/snmpd.conf", snmpd), ("etc/program.sh", program)];
    for (path, text) in files.into_iter().chain([(LOG, String::new())]) {
        let path = tree.join(path);
        fs::write(&path, text).doing(format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Starts both on a machine.
pub fn start(worker: &Worker, tree: &Path) -> Result<Running> {
    // Left by one that lost its power.
    match fs::remove_file(tree.join("var/agentx/master")) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => {
            return Err(cause).doing("clear var/agentx");
        }
        Ok(()) | Err(_) => {}
    }
    let mut command = Command::new("sh");
    command.arg(tree.join("etc/program.sh"));
    command.env("SNMP_PERSISTENT_DIR", tree.join("var/lib/snmp")).env("MIBS", "");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = worker.run(move || command.spawn())?.doing("start snmpd and a program")?;
    Ok(Running::new(child))
}

/// Waits until managers are answered for both gateways, and each has lines of both.
pub fn await_ready(lab: &Lab) -> Result<()> {
    wait::until("logs and SNMP of both gateways", READY_WITHIN, || {
        for name in [plan::GATEWAY_A, plan::GATEWAY_B] {
            if ask(&lab.topology.client, &format!("public@{name}"), manager::SYS_DESCR).is_none() {
                return Err(format!("no answer for {name}"));
            }
        }
        for gateway in &lab.gateways {
            if [0, 1].iter().any(|node| held(gateway, *node).is_none_or(|lines| lines == 0)) {
                return Err(format!("{} lacks lines", gateway.machine.worker.name()));
            }
        }
        Ok(())
    })
}

/// The number of a gateway's newest line, `of` 0 or 1, that `gateway` has; none where it cannot be
/// asked.
fn held(gateway: &Gateway, of: usize) -> Option<u64> {
    let said = gateway.ask_beside(&["metrics"], "").ok()?;
    let name = [plan::GATEWAY_A, plan::GATEWAY_B][of];
    let metric = format!("twinwall_log_lines_total{{origin=\"{name}\"}} ");
    said.lines().find_map(|line| line.strip_prefix(&metric)?.trim().parse().ok())
}

/// Puts together what became of the lines of the gateway that had served.
pub fn lines(lab: &Lab, active: usize) -> Result<(u64, u64)> {
    let log = lab.gateways[active].tree().join(LOG);
    let text = fs::read(&log).doing(format!("read {}", log.display()))?;
    let written = text.iter().filter(|byte| **byte == b'\n').count();
    Ok((written as u64, held(&lab.gateways[1 - active], active).unwrap_or_default()))
}

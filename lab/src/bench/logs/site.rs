//! Two gateways that are a pair, with rsyslog beside twinwall on the same cables, each with a log
//! of its own; one load by one of them is measured at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::failover::furnish;
use super::load::{Copy, lag, observe, write};
use super::{Contender, Load, Wanted};
use crate::console::account;
use crate::error::{Doing, LabError, Result};
use crate::lab::{Form, HaForm, Lab};
use crate::process::Running;
use crate::product::{Duties, Flows, Product};
use crate::run::beside;
use crate::traffic::usage::Snapshot;

/// Own addresses of the HA ports.
const HA: [&str; 2] = ["10.255.0.1", "10.255.0.2"];
/// Both programs have found the log and each other.
const REST: Duration = Duration::from_secs(3);

/// What is added to the settings of the pair and to the profile.
const MORE: [(&str, &str); 2] = [
    ("etc/twinwall/pair.toml", "\n[sync]\nlogs = true\n"),
    (
        "etc/twinwall/profile.toml",
        "\n[[logs.source]]\nname = \"bench\"\nfiles = [\"/srv/twinwall.log\"]\n",
    ),
];

/// What was seen of one load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) wrong: u64,
    pub(super) lag_ms: [f64; 3],
    pub(super) cpu_ms: f64,
}

pub(super) struct Site {
    lab: Lab,
    rsyslog: Vec<Running>,
}

impl Site {
    pub(super) fn build(wanted: &Wanted) -> Result<Site> {
        let form = Form {
            product: Product::Twinwall,
            twinwall: None,
            consoles: Some(beside(&wanted.guard)?),
            program: wanted.guard.clone(),
            interval: Duration::from_millis(100),
            ha: HaForm::Direct,
            further_vips: 0,
            nat: false,
            flows: Flows::Ignored,
            duties: Duties::None,
        };
        let lab = Lab::assemble(form)?;
        let mut site = Site { lab, rsyslog: Vec::new() };
        site.prepare()?;
        for gateway in &mut site.lab.gateways {
            gateway.boot()?;
        }
        account::introduce(&site.lab.gateways)?;
        site.lab.settle()?;
        site.start_rsyslog()?;
        Ok(site)
    }

    /// What lies on both machines before they are started.
    fn prepare(&self) -> Result<()> {
        for gateway in &self.lab.gateways {
            let work = gateway.tree().join("srv/work");
            fs::create_dir_all(work).doing("make the folder of the logs")?;
            furnish(gateway, &MORE).doing("write what the gateways are to do")?;
        }
        Ok(())
    }

    /// As its documentation has it for logs that must not be lost: RELP, and queues in memory.
    fn start_rsyslog(&mut self) -> Result<()> {
        for (node, gateway) in self.lab.gateways.iter().enumerate() {
            let worker = &gateway.machine.worker;
            let accept = "insert rule inet filter input iifname \"ha0\" accept\n".to_owned();
            worker.command("nft", &["-f", "-"], accept)?;
            let srv = gateway.tree().join("srv");
            let text = configuration(&srv, HA[1 - node]);
            let started = worker.run(move || {
                let [settings, pid] = ["rsyslog.conf", "rsyslog.pid"].map(|name| srv.join(name));
                fs::write(&settings, text)?;
                let mut command = Command::new("/usr/sbin/rsyslogd");
                command.arg("-n").arg("-f").arg(settings).arg("-i").arg(pid);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
            })?;
            let child = started.doing("start rsyslogd; are rsyslog and rsyslog-relp installed?")?;
            self.rsyslog.push(Running::new(child));
        }
        thread::sleep(REST);
        Ok(())
    }

    /// Writes the load and waits until it is on the other side.
    pub(super) fn measure(&mut self, one: Contender, load: Load) -> Result<Seen> {
        let all = (f64::from(load.rate) * load.span.as_secs_f64()) as u64;
        let ways: &[usize] = if load.both { &[0, 1] } else { &[0] };
        let before = self.used(one)?;
        let mut wrong = 0;
        let mut lags: Vec<[f64; 3]> = Vec::new();
        let mut running = Vec::new();
        for from in ways {
            let log = self.log(one, *from);
            let end = Arc::new(AtomicBool::new(false));
            let mut copy = Copy::new(one, self.copy(one, 1 - from));
            let counted = copy.count();
            let seen = Arc::clone(&end);
            let observer = thread::spawn(move || observe(copy, counted, all, &seen));
            let writer = thread::spawn(move || {
                let written = write(&log, load);
                end.store(true, Ordering::Release);
                written
            });
            running.push((writer, observer));
        }
        for (writer, observer) in running {
            let written = writer.join().map_err(|_| died("writer"))?.doing("write the log")?;
            let there = observer.join().map_err(|_| died("observer"))?;
            wrong += there.last().map_or(all, |(_, count)| count.abs_diff(all));
            lags.push(lag(&written, &there));
        }
        thread::sleep(Duration::from_millis(500));
        let cpu = self.used(one)?.into_iter().zip(&before).map(|(now, before)| now.since(before));
        let lines = all * ways.len() as u64;
        let cpu_ms = cpu.sum::<Duration>().as_secs_f64() * 1e3 / lines as f64 * 1e6;
        let worst = |at: usize| lags.iter().map(|lag| lag[at]).fold(0.0, f64::max);
        Ok(Seen { wrong, lag_ms: [worst(0), worst(1), worst(2)], cpu_ms })
    }

    /// CPU time of its programs on both nodes so far.
    fn used(&self, one: Contender) -> Result<Vec<Snapshot>> {
        let pids: Vec<u32> = match one {
            Contender::Rsyslog => self.rsyslog.iter().map(Running::pid).collect(),
            Contender::Twinwall => {
                self.lab.gateways.iter().filter_map(|gateway| agent_of(&gateway.pids())).collect()
            }
        };
        if pids.len() != 2 {
            return Err(LabError::Usage(format!("{} does not run on both nodes", one.name())));
        }
        pids.into_iter().map(|pid| Snapshot::take(pid).doing("read CPU time")).collect()
    }

    fn log(&self, one: Contender, node: usize) -> PathBuf {
        let name = match one {
            Contender::Twinwall => "twinwall.log",
            Contender::Rsyslog => "rsyslog.log",
        };
        self.lab.gateways[node].tree().join("srv").join(name)
    }

    fn copy(&self, one: Contender, node: usize) -> PathBuf {
        let below = match one {
            Contender::Twinwall => "var/lib/twinwall/logs/there",
            Contender::Rsyslog => "srv/copy.log",
        };
        self.lab.gateways[node].tree().join(below)
    }
}

fn died(who: &str) -> LabError {
    LabError::Usage(format!("the thread of the {who} died"))
}

/// Both ways at once, as twinwall does it.
fn configuration(srv: &Path, other: &str) -> String {
    let srv = srv.display();
    format!(
        "global(workDirectory=\"{srv}/work\")\n\
         module(load=\"imfile\" mode=\"inotify\")\nmodule(load=\"omrelp\")\nmodule(load=\"imrelp\")\n\
         template(name=\"raw\" type=\"string\" string=\"%msg%\\n\")\n\
         ruleset(name=\"out\" queue.type=\"LinkedList\" queue.size=\"1000000\") {{\n\
         action(type=\"omrelp\" target=\"{other}\" port=\"2514\" action.resumeRetryCount=\"-1\")\n}}\n\
         ruleset(name=\"in\") {{\n  action(type=\"omfile\" file=\"{srv}/copy.log\" template=\"raw\")\n}}\n\
         input(type=\"imfile\" File=\"{srv}/rsyslog.log\" Tag=\"bench\" ruleset=\"out\")\n\
         input(type=\"imrelp\" port=\"2514\" ruleset=\"in\")\n"
    )
}

/// The agent among the processes of a gateway.
fn agent_of(pids: &[i32]) -> Option<u32> {
    let is_agent = |pid: &&i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"agent")
    };
    pids.iter().find(is_agent).and_then(|pid| u32::try_from(*pid).ok())
}

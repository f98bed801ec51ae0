//! One gateway: its machine, its file tree and what runs on it. It boots as a
//! Debian machine would: addresses, packet filter, service.

mod companion;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use twinwall_core::beat::RoleWord;
use twinwall_core::ids::BootId;

use crate::appliance::Appliance;
use crate::console;
use crate::error::{Doing, LabError, Result};
use crate::isolate::TREES;
use crate::plan;
use crate::process::{self, Running};
use crate::product::keepalived::LastRole;
use crate::product::{Flows, Product, Seen, Settings, guard, keepalived};
use crate::ruleset;
use crate::timeline::Timeline;
use crate::topology::{Machine, ip};
use crate::wait;

/// A service that was told to stop is gone within this.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// A started guard opens its socket within this.
const START_WITHIN: Duration = Duration::from_secs(5);

/// One gateway.
pub struct Gateway {
    /// 0 for the primary, 1 for the secondary.
    pub node: usize,
    /// Its thread and links.
    pub machine: Machine,
    tree: PathBuf,
    product: Product,
    program: PathBuf,
    settings: Settings,
    timeline: Timeline,
    /// The whole of twinwall on a machine of its own; none where the guard alone runs.
    appliance: Option<Appliance>,
    /// The `twinwall` command, where agent and console run beside the guard.
    consoles: Option<PathBuf>,
    running: Option<Running>,
    /// conntrackd, where it runs beside keepalived.
    companion: Option<Running>,
    /// What keepalived last said; unused for twinwall, which can be asked.
    said: LastRole,
    /// Runs of the guard whose events go on the time line.
    followed: Vec<BootId>,
    /// Without power: nothing runs, no cable has carrier.
    off: bool,
}

/// What a gateway is made from.
pub struct Blueprint {
    /// What runs on it.
    pub product: Product,
    /// The guard's binary; unused for keepalived.
    pub program: PathBuf,
    /// The `twinwall` command, where the gateways are appliances that nobody has set up.
    pub twinwall: Option<PathBuf>,
    /// The same command, where agent and console run beside the guard, set up from files.
    pub consoles: Option<PathBuf>,
    /// How the pair is configured.
    pub settings: Settings,
    /// Where events go.
    pub timeline: Timeline,
}

impl Gateway {
    /// Writes the tree. Nothing runs yet.
    pub fn new(node: usize, machine: Machine, plan: &Blueprint) -> Result<Gateway> {
        let tree = Path::new(TREES).join(machine.worker.name());
        let gateway = Gateway {
            node,
            machine,
            tree,
            product: plan.product,
            program: plan.program.clone(),
            settings: plan.settings,
            timeline: plan.timeline.clone(),
            appliance: plan.twinwall.clone().map(Appliance::new),
            consoles: plan.consoles.clone(),
            running: None,
            companion: None,
            said: LastRole::new(),
            followed: Vec::new(),
            off: false,
        };
        // What an earlier lab of this process left there.
        match fs::remove_dir_all(&gateway.tree) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => {
                return Err(cause).doing(format!("clear {}", gateway.tree.display()));
            }
            Ok(()) | Err(_) => gateway.write_files()?,
        }
        Ok(gateway)
    }

    fn write_files(&self) -> Result<()> {
        if let Some(appliance) = &self.appliance {
            let log = self.tree.join("log");
            fs::create_dir_all(&log).doing(format!("make {}", log.display()))?;
            return appliance.furnish(self.node, &self.machine.worker, &self.tree);
        }
        let more = self.consoles.iter().flat_map(|_| console::files::of(self.node));
        let files = match self.product {
            // The last one of a name counts.
            Product::Twinwall => {
                guard::files(self.node, &self.settings).into_iter().chain(more).collect()
            }
            Product::Keepalived => {
                let text = keepalived::config(self.node, &self.tree, &self.settings);
                vec![("etc/keepalived.conf", text)]
            }
        };
        self.furnish_companion()?;
        for dir in ["etc/twinwall", "run/twinwall", "var/lib/twinwall", "log"] {
            let dir = self.tree.join(dir);
            fs::create_dir_all(&dir).doing(format!("make {}", dir.display()))?;
        }
        for (path, text) in files {
            let path = self.tree.join(path);
            fs::write(&path, text).doing(format!("write {}", path.display()))?;
            if path.extension().is_some_and(|it| it == "key") {
                let secret = PermissionsExt::from_mode(0o600);
                fs::set_permissions(&path, secret).doing("keep the key secret")?;
            }
        }
        Ok(())
    }

    /// From nothing to a running service, as after power on.
    pub fn boot(&mut self) -> Result<()> {
        self.machine.forget_kernel_state()?;
        if let Some(appliance) = &self.appliance {
            appliance.boot(&self.machine.worker, &self.tree)?;
        } else {
            self.set_own_addresses()?;
            self.load_ruleset()?;
        }
        self.off = false;
        self.start()
    }

    /// The node's own addresses, as its network configuration sets them; those that
    /// are there stay.
    pub fn set_own_addresses(&self) -> Result<()> {
        let mut script = String::from("link set lo up\n");
        for (interface, addresses) in
            plan::own_addresses(self.node, plan::lan_prefix(self.settings.further_vips))
        {
            script += &format!("link set {interface} up\n");
            for address in addresses {
                let flag = if address.contains(':') { " nodad" } else { "" };
                script += &format!("addr replace {address} dev {interface}{flag}\n");
            }
        }
        if self.settings.flows != Flows::Ignored {
            for (interface, network, via) in plan::routes_behind() {
                script += &format!("route replace {network} via {via} dev {interface}\n");
            }
        }
        ip(&self.machine.worker, script)
    }

    fn load_ruleset(&self) -> Result<()> {
        let mut text = match self.settings.flows {
            Flows::Ignored => ruleset::administrator(self.product, self.settings.nat),
            Flows::Alone | Flows::Replicated | Flows::Injected => {
                ruleset::stateful(self.product, self.settings.nat)
            }
        };
        if self.consoles.is_some() {
            text = console::files::let_in(&text);
        }
        self.machine.worker.command("nft", &["-f", "-"], text)?;
        self.machine.worker.sysctl(&[("netfilter/nf_conntrack_tcp_loose", "0")])
    }

    /// Starts the service; returns when it can be asked.
    pub fn start(&mut self) -> Result<()> {
        self.start_companion()?;
        let mut command = match (self.product, &self.appliance, &self.consoles) {
            (Product::Twinwall, Some(appliance), _) => appliance.run(),
            (Product::Twinwall, None, Some(twinwall)) => {
                let mut command = guard::command(twinwall, &self.tree);
                command.arg("run");
                command
            }
            (Product::Twinwall, None, None) => guard::command(&self.program, &self.tree),
            (Product::Keepalived, _, _) => keepalived::command(&self.tree),
        };
        if self.product == Product::Twinwall {
            let log = self.tree.join("log/guard.log");
            let file = fs::OpenOptions::new().create(true).append(true).open(&log);
            command.stderr(file.doing(format!("open {}", log.display()))?);
        }
        let line = format!("{}: {:?}", self.machine.worker.name(), command.get_program());
        let mut child = self.machine.worker.run(move || command.spawn())?.map_err(|cause| {
            LabError::Command {
                line,
                output: format!(
                    "{cause}; give the guard's binary by --guard, or install keepalived"
                ),
            }
        })?;
        let log = child.stderr.take();
        self.running = Some(Running::new(child));
        match (self.product, &self.appliance) {
            (Product::Twinwall, Some(appliance)) if !appliance.is_on => {
                appliance.await_agent(self.machine.worker.name(), &self.tree)
            }
            (Product::Twinwall, _) => self.await_socket(),
            (Product::Keepalived, _) => {
                if let Some(log) = log {
                    self.said = LastRole::new();
                    keepalived::follow(self.node, log, self.timeline.clone(), self.said.clone());
                }
                Ok(())
            }
        }
    }

    /// Other settings, taken over by what runs; not for an appliance, which an administrator's
    /// commands change.
    pub fn reload(&mut self, settings: Settings) -> Result<()> {
        self.settings = settings;
        self.write_files()?;
        match (self.product, &self.running) {
            (Product::Twinwall, _) => self.guard().reload(),
            (Product::Keepalived, Some(running)) => {
                running.signal_main(libc::SIGHUP);
                Ok(())
            }
            (Product::Keepalived, None) => Ok(()),
        }
    }

    fn await_socket(&mut self) -> Result<()> {
        let (client, timeline) = (self.guard(), self.timeline.clone());
        let log = self.tree.join("log/guard.log");
        let run = wait::until(
            &format!("the start of the guard on {}", self.machine.worker.name()),
            START_WITHIN,
            || {
                let follow = |status| client.follow(timeline.clone()).map(|()| status);
                client.status().and_then(follow).map_err(|cause| {
                    let log = fs::read_to_string(&log).unwrap_or_default();
                    let last: Vec<&str> = log.lines().rev().take(8).collect();
                    format!(
                        "{cause}; its last words: {}",
                        last.into_iter().rev().collect::<Vec<_>>().join(" / ")
                    )
                })
            },
        )?;
        self.followed.push(run.snapshot.boot);
        Ok(())
    }

    /// Where it was not the lab that started this run of the guard: puts its events on the time
    /// line too, from the first on.
    pub fn follow_run(&mut self, run: BootId) {
        if self.followed.contains(&run) {
            return;
        }
        // One that has ended meanwhile says nothing; the run after it comes here too.
        if self.guard().follow(self.timeline.clone()).is_ok() {
            self.followed.push(run);
        }
    }

    /// From now on a guard runs on it whenever it has power.
    pub fn high_availability_is_on(&mut self) -> Result<()> {
        if let Some(appliance) = &mut self.appliance {
            appliance.is_on = true;
        }
        self.await_socket()
    }

    /// The whole of twinwall on it, where it is an appliance.
    pub fn appliance(&self) -> Option<&Appliance> {
        self.appliance.as_ref()
    }

    /// An administrator's command, to be run by the machine's worker.
    pub fn twinwall(&self, words: &[&str]) -> Result<Command> {
        let appliance = self.appliance.as_ref().ok_or_else(|| {
            LabError::Usage("no command can be typed here: only the guard runs".to_owned())
        })?;
        Ok(appliance.twinwall(words))
    }

    /// What such a command prints.
    pub fn ask_twinwall(&self, words: &[&str]) -> Result<String> {
        let program = self.twinwall(&[])?.get_program().to_string_lossy().into_owned();
        self.machine.worker.command(&program, words, String::new())
    }

    /// What a command of an agent that runs beside the guard prints, with this on its input.
    pub fn ask_beside(&self, words: &[&str], input: &str) -> Result<String> {
        let Some(program) = &self.consoles else {
            return Err(LabError::Usage("no agent runs beside this guard".to_owned()));
        };
        let tree = self.tree.to_string_lossy();
        let words: Vec<&str> =
            ["--root", &*tree].into_iter().chain(words.iter().copied()).collect();
        self.machine.worker.command(&program.to_string_lossy(), &words, input.to_owned())
    }

    /// Its file tree, the root of what runs on it.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// The guard's socket.
    pub fn guard(&self) -> guard::Client {
        guard::Client::new(self.node, &self.tree)
    }

    /// Why nothing on it can answer, when that is so.
    pub fn why_silent(&mut self) -> Option<&'static str> {
        if self.off {
            return Some("no power");
        }
        let runs = self.running.as_mut().is_some_and(Running::runs);
        (!runs).then_some("the service does not run")
    }

    /// What the gateway does now.
    pub fn seen(&mut self) -> Seen {
        if let Some(why) = self.why_silent() {
            return Seen::Silent(why.to_owned());
        }
        match self.product {
            Product::Twinwall => self.guard().seen(),
            Product::Keepalived => match self.said.get() {
                RoleWord::Active => Seen::Active,
                RoleWord::Passive => Seen::Ready,
                role @ (RoleWord::Starting | RoleWord::Claiming | RoleWord::Releasing) => {
                    Seen::Other(role.word().to_owned())
                }
            },
        }
    }

    /// The processes of the service, parents first; none when nothing runs.
    pub fn pids(&self) -> Vec<i32> {
        self.running.as_ref().map(Running::pids).unwrap_or_default()
    }

    /// The service, where one was started.
    pub fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// After its processes were killed: takes them off the process table.
    pub fn bury(&mut self, pids: &[i32]) -> Result<()> {
        match self.running.take() {
            Some(mut running) => running.bury(pids),
            None => Ok(()),
        }
    }

    /// The machine lost its power; `boot` brings it back.
    pub fn mark_off(&mut self) {
        self.companion = None;
        self.off = true;
    }

    /// Waits for the end of a service that was told to stop; how it ended, where one ran.
    pub fn await_stopped(&mut self) -> Result<Option<ExitStatus>> {
        self.running.take().map(|mut running| running.wait_end(STOP_WITHIN)).transpose()
    }

    /// Whatever befell it: has power, addresses, links, a running service. A gateway
    /// that has all of it is left alone.
    pub fn revive(&mut self) -> Result<()> {
        process::signal_all(&self.pids(), libc::SIGCONT);
        if self.off {
            return self.boot();
        }
        self.set_own_addresses()?;
        let runs = self.running.as_mut().is_some_and(Running::runs);
        if runs { Ok(()) } else { self.start() }
    }
}

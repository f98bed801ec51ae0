//! Two gateways that are a pair, with the other products beside twinwall on the same cables,
//! and the measuring of one task by one of them. All files lie in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::contender::{RSYNC_PORT, rsync_url};
use super::{Contender, Task, Wanted};
use crate::error::{Doing, LabError, Result};
use crate::lab::{Form, HaForm, Lab};
use crate::mount;
use crate::process::Running;
use crate::product::{Duties, Flows, Product};

/// Own addresses of the HA ports, which twinwall does not need and the others do.
const HA: [&str; 2] = ["10.255.0.1", "10.255.0.2"];
/// Each has to get there within this.
const WITHIN: Duration = Duration::from_secs(120);
/// Size of a file.
const SIZE: usize = 1024;
/// Files in one directory.
const A_DIRECTORY: u32 = 100;
/// Everything has come to rest.
const REST: Duration = Duration::from_millis(700);

/// A process that ran this long is started again at once by `twinwall run`.
const STEADY: Duration = Duration::from_secs(11);

const PROFILE: &str = "format = 1\nname = \"bench\"\n[appliance]\n\
    model = { file = \"/etc/model\" }\nserial = { file = \"/etc/serial\" }\n\
    firmware = { file = \"/etc/firmware\" }\n\
    [section.definitions]\npaths = [\"/etc/bench\"]\n";

pub(super) struct Site {
    lab: Lab,
    files: u32,
    daemons: Vec<Running>,
    /// lsyncd, while it watches.
    watching: Option<Child>,
    /// Tells one content from the one before.
    number: u64,
}

impl Site {
    pub(super) fn build(wanted: &Wanted) -> Result<Site> {
        let form = Form {
            product: Product::Twinwall,
            twinwall: Some(wanted.guard.with_file_name("twinwall")),
            consoles: None,
            program: wanted.guard.clone(),
            interval: Duration::from_millis(100),
            ha: HaForm::Direct,
            further_vips: 0,
            nat: false,
            flows: Flows::Ignored,
            duties: Duties::None,
        };
        let lab = Lab::assemble(form)?;
        let mut site =
            Site { lab, files: wanted.files, daemons: Vec::new(), watching: None, number: 0 };
        site.prepare()?;
        for gateway in &mut site.lab.gateways {
            gateway.boot()?;
        }
        site.lab.set_up(&["sync.debounce=0".to_owned()], &mut |_| {})?;
        site.others(&wanted.against)?;
        Ok(site)
    }

    /// What lies on both machines before they are started.
    fn prepare(&self) -> Result<()> {
        for gateway in &self.lab.gateways {
            let srv = gateway.tree().join("srv");
            fs::create_dir_all(&srv).doing("make the folder of the others")?;
            let hosts = format!("127.0.0.1 localhost\n{} gw-a\n{} gw-b\n", HA[0], HA[1]);
            let done = gateway.machine.worker.run(move || {
                mount::bind(&srv.display().to_string(), Path::new("/srv"))?;
                fs::write("/etc/twinwall/profile.toml", PROFILE)?;
                fs::write("/etc/hosts", hosts)
            })?;
            done.doing("prepare a machine")?;
        }
        Ok(())
    }

    /// Addresses, files and daemons of the other products.
    fn others(&mut self, against: &[Contender]) -> Result<()> {
        for (node, gateway) in self.lab.gateways.iter().enumerate() {
            let worker = &gateway.machine.worker;
            worker.command(
                "ip",
                &["address", "add", &format!("{}/30", HA[node]), "dev", "ha0"],
                String::new(),
            )?;
            let accept = "insert rule inet filter input iifname \"ha0\" accept\n".to_owned();
            worker.command("nft", &["-f", "-"], accept)?;
            let folders: Vec<String> = against.iter().map(|one| one.folder()).collect();
            let modules = against.iter().map(|one| {
                format!(
                    "[{}]\npath = {}\nread only = no\nuid = 0\ngid = 0\nuse chroot = no\n",
                    one.name(),
                    one.folder()
                )
            });
            let rsyncd = format!(
                "port = {RSYNC_PORT}\npid file = /run/twinwall/rsyncd.pid\n{}",
                modules.collect::<String>()
            );
            let done = worker.run(move || {
                folders.iter().try_for_each(fs::create_dir_all)?;
                fs::create_dir_all("/var/lib/csync2")?;
                fs::write("/etc/rsyncd.conf", rsyncd)?;
                fs::write("/etc/csync2.key", "a.key.of.the.benchmark.of.more.than.32.letters")?;
                fs::write(
                    "/etc/csync2.cfg",
                    "nossl * *;\ngroup bench {\n  host gw-a;\n  host gw-b;\n  key /etc/csync2.key;\n  \
                     include /srv/csync2;\n  auto younger;\n}\n",
                )
            })?;
            done.doing("write the others' files")?;
        }
        let daemon = ["--daemon", "--no-detach", "--config=/etc/rsyncd.conf"];
        self.daemon("rsync", &daemon)?;
        if against.contains(&Contender::Csync2) {
            self.daemon("csync2", &["-N", "gw-b", "-ii"])?;
        }
        thread::sleep(REST);
        Ok(())
    }

    /// Starts a program on the second gateway, for as long as the site is there.
    fn daemon(&mut self, program: &'static str, words: &[&str]) -> Result<()> {
        let mut command = quiet(program);
        command.args(words);
        let started = self.lab.gateways[1].machine.worker.run(move || command.spawn())?;
        let child = started.doing(format!("start {program}; is it installed?"))?;
        self.daemons.push(Running::new(child));
        Ok(())
    }

    /// Does it once; how long it took. Nothing where it has no meaning.
    pub(super) fn measure(
        &mut self,
        one: Contender,
        task: Task,
        rep: usize,
    ) -> Result<Option<Duration>> {
        match task {
            Task::First => self.first(one).map(Some),
            Task::OneChanged => self.one_changed(one, rep).map(Some),
            Task::Unchanged => self.unchanged(one),
            Task::Reread => self.reread(one),
        }
    }

    /// Everything at once, where nothing was.
    fn first(&mut self, one: Contender) -> Result<Duration> {
        self.stop_watching()?;
        self.clear(one)?;
        let (folder, files, number) = (one.folder(), self.files, self.next());
        let beside = format!("{folder}.new");
        let there = beside.clone();
        let filled = self.lab.gateways[0]
            .machine
            .worker
            .run(move || fill(Path::new(&there), files, number))?;
        filled.doing("write the files")?;
        let moved = self.lab.gateways[0].machine.worker.run(move || {
            // An empty folder may be there.
            let _ = fs::remove_dir(&folder);
            let begun = Instant::now();
            fs::rename(beside, folder).map(|()| begun)
        })?;
        let begun = moved.doing("put the files in place")?;
        self.bring(one)?;
        self.await_files(one)?;
        let took = begun.elapsed();
        thread::sleep(REST);
        Ok(took)
    }

    fn one_changed(&mut self, one: Contender, rep: usize) -> Result<Duration> {
        let number = self.next();
        let place = (rep as u32 * 1009 + 17) % self.files;
        let path = PathBuf::from(one.folder()).join(name(place));
        let text = content(number, place);
        let there = self.there(one).join(name(place));
        let wanted = text.clone();
        let written = self.lab.gateways[0].machine.worker.run(move || {
            let begun = Instant::now();
            fs::write(path, text).map(|()| begun)
        })?;
        let begun = written.doing("change a file")?;
        self.bring(one)?;
        until("the changed file on the other gateway", || {
            fs::read(&there).is_ok_and(|is| is == wanted)
        })?;
        let took = begun.elapsed();
        thread::sleep(REST);
        Ok(took)
    }

    fn unchanged(&mut self, one: Contender) -> Result<Option<Duration>> {
        let begun = Instant::now();
        match one {
            // Both always know the other's digests: the question is all that is left.
            Contender::Twinwall => {
                self.lab.gateways[0].ask_twinwall(&["sync", "--json"])?;
            }
            Contender::Rsync | Contender::Csync2 => self.bring(one)?,
            Contender::Lsyncd => return Ok(None),
        }
        Ok(Some(begun.elapsed()))
    }

    /// Everything from the disk again. twinwall's agent is killed: what it starts with it has
    /// read, whatever it knew.
    fn reread(&mut self, one: Contender) -> Result<Option<Duration>> {
        if one == Contender::Twinwall {
            // An agent that dies again so soon would be started with a pause.
            thread::sleep(STEADY);
        }
        let gateway = &self.lab.gateways[0];
        let begun = Instant::now();
        match one {
            Contender::Twinwall => {
                crate::process::signal_all(&agent_of(&gateway.pids()), libc::SIGKILL);
                until("a whole reading", || {
                    let said = gateway.ask_twinwall(&["sync", "--json"]).unwrap_or_default();
                    let said: Value = serde_json::from_str(&said).unwrap_or_default();
                    let sections = said["sections"].as_array().cloned().unwrap_or_default();
                    !sections.is_empty() && sections.iter().all(|it| it["here"].is_string())
                })?;
            }
            Contender::Rsync => {
                let url = rsync_url(HA[1], one);
                let words = ["-a", "--checksum", "--delete", &format!("{}/", one.folder()), &url];
                gateway.machine.worker.command("rsync", &words, String::new())?;
            }
            Contender::Csync2 | Contender::Lsyncd => return Ok(None),
        }
        let took = begun.elapsed();
        thread::sleep(REST);
        Ok(Some(took))
    }

    /// Runs the command of one that has one; starts the watching of one that watches.
    fn bring(&mut self, one: Contender) -> Result<()> {
        let worker = &self.lab.gateways[0].machine.worker;
        if let Some((program, words)) = one.command(HA[1]) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            return worker.command(program, &words, String::new()).map(drop);
        }
        if one == Contender::Lsyncd && self.watching.is_none() {
            let text = format!(
                "settings {{ nodaemon = true }}\nsync {{ default.rsync, source = \"{}\", target = \"{}\", \
                 delay = 0, rsync = {{ archive = true }} }}\n",
                one.folder(),
                rsync_url(HA[1], one)
            );
            let started = worker.run(move || {
                fs::write("/etc/lsyncd.lua", text)?;
                quiet("lsyncd").arg("/etc/lsyncd.lua").spawn()
            })?;
            self.watching = Some(started.doing("start lsyncd; is it installed?")?);
        }
        Ok(())
    }

    fn stop_watching(&mut self) -> Result<()> {
        let Some(child) = self.watching.take() else { return Ok(()) };
        let mut running = Running::new(child);
        let pids = running.pids();
        crate::process::signal_all(&pids, libc::SIGKILL);
        running.bury(&pids)
    }

    /// Takes everything away on both.
    fn clear(&mut self, one: Contender) -> Result<()> {
        let remove = |worker: &crate::worker::Worker, folder: String| {
            worker.run(move || match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            })
        };
        remove(&self.lab.gateways[0].machine.worker, one.folder())?.doing("remove the files")?;
        if one == Contender::Twinwall {
            let there = self.there(one);
            until("the removal on the other gateway", || !there.join("d00").exists())?;
            thread::sleep(REST);
            return Ok(());
        }
        for gateway in &self.lab.gateways {
            remove(&gateway.machine.worker, one.folder())?.doing("remove the files")?;
            let folder = one.folder();
            gateway
                .machine
                .worker
                .run(move || {
                    if one == Contender::Csync2 {
                        for name in ["gw-a.db3", "gw-b.db3", "gw-a.db", "gw-b.db"] {
                            let _ = fs::remove_file(Path::new("/var/lib/csync2").join(name));
                        }
                    }
                    fs::create_dir_all(folder)
                })?
                .doing("make the folder")?;
        }
        Ok(())
    }

    /// The folder on the second gateway, as it is seen from here.
    fn there(&self, one: Contender) -> PathBuf {
        self.lab.gateways[1].tree().join(one.folder().trim_start_matches('/'))
    }

    fn await_files(&self, one: Contender) -> Result<()> {
        let (there, files) = (self.there(one), self.files);
        let last = there.join(name(files - 1));
        let number = self.number;
        let all = || {
            fs::read(&last).is_ok_and(|is| is == content(number, files - 1))
                && (0..files).all(|file| there.join(name(file)).exists())
        };
        until("all files on the other gateway", all)
    }

    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // What does not end with it ends with the lab.
        let _ = self.stop_watching();
    }
}

/// The agent among the processes of a gateway.
fn agent_of(pids: &[i32]) -> Vec<i32> {
    let is_agent = |pid: &&i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"agent")
    };
    pids.iter().filter(is_agent).copied().collect()
}

/// A program whose words nobody reads.
fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn name(file: u32) -> String {
    format!("d{:02}/f{file:05}", file / A_DIRECTORY)
}

fn content(number: u64, file: u32) -> Vec<u8> {
    let line = format!(
        "{number} {file} {}\n",
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(file)
    );
    line.bytes().cycle().take(SIZE).collect()
}

fn fill(folder: &Path, files: u32, number: u64) -> std::io::Result<()> {
    for file in 0..files {
        let path = folder.join(name(file));
        if let (0, Some(parent)) = (file % A_DIRECTORY, path.parent()) {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content(number, file))?;
    }
    Ok(())
}

/// Looks much more often than [`crate::wait::until`]: this is measured.
fn until(what: &str, mut so: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !so() {
        if begun.elapsed() > WITHIN {
            return Err(LabError::Late {
                waiting_for: what.to_owned(),
                bound: WITHIN,
                seen: "not there".to_owned(),
            });
        }
        thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}

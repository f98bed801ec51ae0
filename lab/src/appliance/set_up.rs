//! Two gateways become a pair as an administrator makes them one: each command with what
//! it says is handed to whoever shows it. Called once, before anything befalls the pair.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::error::{Doing, LabError, Result};
use crate::gateway::Gateway;
use crate::plan;
use crate::wait;

/// The first synchronisation, every validator included, takes less, however busy the machine.
const IN_SYNC_WITHIN: Duration = Duration::from_secs(240);
/// What the invitation's code stands behind.
const CODE: &str = "Code: ";

/// What is told while it goes on.
pub enum Told<'t> {
    /// A command that an administrator types, and where.
    Command(&'t str, &'t str),
    /// A line that it prints.
    Line(&'t str, &'t str),
}

/// Pairs the two, enters the settings on the first, turns high availability on, and waits
/// until the whole configuration is on both.
///
/// # Errors
/// The first command that fails, with its words.
pub fn set_up(
    gateways: &mut [Gateway; 2],
    settings: &[String],
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<()> {
    let [a, b] = gateways;
    let mut inviting = Typed::start(a, &["pair", "invite", "--interface", plan::HA], tell)?;
    let code = inviting.line_with(CODE, tell)?;
    Typed::start(b, &["pair", "join", &code], tell)?.end(tell)?;
    inviting.end(tell)?;
    let mut set = vec!["ha", "set"];
    set.extend(settings.iter().map(String::as_str));
    Typed::start(a, &set, tell)?.end(tell)?;
    Typed::start(a, &["ha", "enable"], tell)?.end(tell)?;
    for gateway in gateways.iter_mut() {
        gateway.high_availability_is_on()?;
    }
    let [a, b] = gateways;
    wait::until("the same configuration on both gateways", IN_SYNC_WITHIN, || {
        in_sync(a).and_then(|()| in_sync(b))
    })?;
    Typed::start(a, &["sync"], tell)?.end(tell)
}

/// Whether a gateway says that all is the same on both; else what it says.
fn in_sync(gateway: &Gateway) -> std::result::Result<(), String> {
    let said = gateway.ask_twinwall(&["sync", "--json"]).map_err(|cause| cause.to_string())?;
    let said: Value = serde_json::from_str(&said).map_err(|cause| cause.to_string())?;
    if said["verdict"] == "in_sync" { Ok(()) } else { Err(said.to_string()) }
}

/// A command that was typed on a gateway, and its lines as they come.
struct Typed {
    name: &'static str,
    line: String,
    child: Child,
    lines: Receiver<String>,
    last: Vec<String>,
}

impl Typed {
    fn start(gateway: &Gateway, words: &[&str], tell: &mut dyn FnMut(Told<'_>)) -> Result<Typed> {
        let name = [plan::GATEWAY_A, plan::GATEWAY_B][gateway.node];
        let line = format!("twinwall {}", words.join(" "));
        tell(Told::Command(name, &line));
        let mut command = gateway.twinwall(words)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = gateway.machine.worker.run(move || command.spawn())?;
        let mut child = started.doing(format!("start `{line}`"))?;
        let (said, lines) = channel();
        read(child.stdout.take(), said.clone());
        read(child.stderr.take(), said);
        Ok(Typed { name, line, child, lines, last: Vec::new() })
    }

    /// Tells its lines up to the first with this beginning; what stands behind that.
    fn line_with(&mut self, begin: &str, tell: &mut dyn FnMut(Told<'_>)) -> Result<String> {
        while let Ok(line) = self.lines.recv() {
            self.tell(&line, tell);
            if let Some(rest) = line.strip_prefix(begin) {
                return Ok(rest.trim().to_owned());
            }
        }
        let ended = self.child.wait().doing(format!("wait for `{}`", self.line))?;
        Err(self.failed(ended))
    }

    /// Tells the rest of its lines and waits for its end, which must be a good one.
    fn end(mut self, tell: &mut dyn FnMut(Told<'_>)) -> Result<()> {
        while let Ok(line) = self.lines.recv() {
            self.tell(&line, tell);
        }
        let ended = self.child.wait().doing(format!("wait for `{}`", self.line))?;
        if ended.success() { Ok(()) } else { Err(self.failed(ended)) }
    }

    fn tell(&mut self, line: &str, tell: &mut dyn FnMut(Told<'_>)) {
        tell(Told::Line(self.name, line));
        self.last.push(line.to_owned());
    }

    fn failed(&self, ended: ExitStatus) -> LabError {
        let line = format!("{}: {}", self.name, self.line);
        LabError::Command { line, output: format!("{ended}\n{}", self.last.join("\n")) }
    }
}

/// Hands the lines of a pipe over, on a thread that ends with it.
fn read(pipe: Option<impl Read + Send + 'static>, said: Sender<String>) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(std::result::Result::ok) {
            if said.send(line).is_err() {
                return;
            }
        }
    });
}

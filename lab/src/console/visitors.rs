//! Starts visitors in the client's namespace: a program of Node.js that is built in here, with
//! its options, and what it says at its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::account::{NAME, PASSWORD};
use crate::error::{Doing, LabError, Result};
use crate::lab::Lab;
use crate::process::signal_all;
use crate::topology::ip;
use crate::{plan, wait};

const PROGRAM: &str = include_str!("visitors.mjs");
/// Addresses from which visitors come, beside the client's own: each is one visitor to the
/// console, which gives none of them more than its share.
const FIRST_SOURCE: u8 = 120;
const SOURCES: u8 = 8;
/// What was told to end has said its last word within this.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Visitors that were started.
pub struct Visitors {
    child: Child,
    lines: BufReader<ChildStdout>,
}

/// Addresses from which visitors come.
fn sources() -> Vec<String> {
    (0..SOURCES).map(|one| format!("10.1.0.{}", FIRST_SOURCE + one)).collect()
}

impl Visitors {
    /// `flood` for so long: everything that this machine gives.
    pub fn flood(lab: &Lab, node: usize, lasts: Duration) -> Result<Visitors> {
        Visitors::start(lab, node, "flood", json!({ "seconds": lasts.as_secs_f64(), "batch": 64 }))
    }

    /// So many that look; they are there when this returns, until they are told to end.
    pub fn watch(lab: &Lab, node: usize, viewers: u32) -> Result<Visitors> {
        let mut visitors = Visitors::start(lab, node, "watch", json!({ "viewers": viewers }))?;
        let word = visitors.line()?;
        if word == "ready" { Ok(visitors) } else { Err(visitors.failed(&word)) }
    }

    /// One that asks for each page so many times.
    pub fn measure(lab: &Lab, node: usize, requests: u32) -> Result<Visitors> {
        Visitors::start(lab, node, "measure", json!({ "requests": requests }))
    }

    fn start(lab: &Lab, node: usize, mode: &str, mut options: Value) -> Result<Visitors> {
        let client = &lab.topology.client;
        let mut script = String::new();
        for source in sources() {
            script += &format!("addr replace {source}/24 dev {}\n", plan::HOST_INTERFACE);
        }
        ip(client, script)?;
        options["host"] = json!(format!("10.1.0.{}", node + 2));
        options["port"] = json!(super::PORT);
        options["sources"] = json!(sources());
        options["name"] = json!(NAME);
        options["password"] = json!(PASSWORD);
        let mut command = Command::new("node");
        command.args(["--input-type=module", "-", mode, &options.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = client.run(move || command.spawn())?;
        let mut child = started.map_err(|cause| LabError::Command {
            line: "node".to_owned(),
            output: format!("{cause}; visitors of the console need Node.js: apt install nodejs"),
        })?;
        let text = child.stdin.take().map(|mut input| input.write_all(PROGRAM.as_bytes()));
        text.transpose().doing("hand the visitors their program")?;
        let output = child.stdout.take().ok_or_else(|| {
            LabError::Usage("the visitors have no output; this is a bug in the lab".to_owned())
        })?;
        Ok(Visitors { child, lines: BufReader::new(output) })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).doing("hear the visitors")?;
        Ok(line.trim().to_owned())
    }

    /// Tells those that go on to end; what they saw.
    pub fn end(mut self) -> Result<Value> {
        signal_all(&[self.child.id().cast_signed()], libc::SIGTERM);
        self.said()
    }

    /// Waits for the end of those that end by themselves; what they saw.
    pub fn said(&mut self) -> Result<Value> {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).doing("hear the visitors")?;
        let child = &mut self.child;
        let ended =
            wait::until("the end of the visitors", ENDS_WITHIN, || match child.try_wait() {
                Ok(Some(ended)) => Ok(ended),
                Ok(None) => Err("they go on".to_owned()),
                Err(cause) => Err(cause.to_string()),
            })?;
        let last = rest.lines().last().unwrap_or_default();
        match serde_json::from_str(last) {
            Ok(value) if ended.success() => Ok(value),
            Ok(_) | Err(_) => Err(self.failed(last)),
        }
    }

    fn failed(&self, said: &str) -> LabError {
        LabError::Command {
            line: "node: visitors of the console".to_owned(),
            output: format!("they said '{said}'; what went wrong stands above"),
        }
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        // Those that have ended need no kill; the rest go with the PID namespace.
        let _ = self.child.kill().and_then(|()| self.child.wait().map(drop));
    }
}

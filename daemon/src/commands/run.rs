//! `twinwall run`: starts guard, agent and, where the settings want them, the console and the
//! process that speaks with snmpd, starts them again whenever they end (a guard only when it did
//! not say goodbye), and passes on the order to stop. It holds no role: while it is away the guard
//! goes on. The guard runs while the settings want it; the agent tells when they changed.

use std::path::Path;
use std::time::{Duration, Instant};

use twinwall::failure::Failure;
use twinwall::{client, files};

use super::start;
use super::ward::{Ward, ended, say};
use crate::system::{Signal, Signals};

/// Between two looks when no signal comes.
const IDLE: Duration = Duration::from_secs(60);
/// Asks the guard to hand over and end.
const GOODBYE: i32 = libc::SIGTERM;

pub(super) fn run(root: &Path) -> Result<(), Failure> {
    refuse_wrong_settings(root)?;
    if client::guard_listens(root) {
        let wrong =
            "not started: a guard runs here already; see 'twinwall status', or stop it first";
        return Err(Failure::problem(wrong));
    }
    let signals = Signals::block().map_err(|error| Failure::machine("blocking signals", &error))?;
    let at_root = || vec!["--root".into(), root.into()];
    let mut agent_arguments = at_root();
    agent_arguments.extend(["agent".into(), "--supervised".into()]);
    let guard = Ward::new("guard", start::beside(start::GUARD)?, at_root());
    let mut guard = guard.that_may_leave();
    let mut agent = Ward::new("agent", start::own()?, agent_arguments);
    let mut web = Ward::new("console", start::own()?, {
        let mut arguments = at_root();
        arguments.push("web".into());
        arguments
    });
    let mut snmp = Ward::new("SNMP subagent", start::own()?, {
        let mut arguments = at_root();
        arguments.push("snmp".into());
        arguments
    });
    look(root, &mut guard, &mut snmp)?;
    agent.start()?;
    if files::web_is_wanted(root) {
        web.start()?;
    }
    loop {
        guard.tend()?;
        [&mut agent, &mut web, &mut snmp].into_iter().try_for_each(|it| it.tend().map(drop))?;
        let all = [guard.due(), agent.due(), web.due(), snmp.due()];
        match signals.wait(left(all.into_iter().flatten().min())) {
            Some(Signal::Stop(number)) => {
                return stop(number, &signals, guard, [agent, web, snmp]);
            }
            Some(Signal::Look) => look(root, &mut guard, &mut snmp)?,
            Some(Signal::Child) | None => {}
        }
    }
}

/// A node whose settings are wrong starts nothing. One that has none yet waits for them.
fn refuse_wrong_settings(root: &Path) -> Result<(), Failure> {
    let mut problems = files::read_settings(root).problems;
    if !files::guard_is_wanted(root) {
        problems.retain(|problem| problem.wrong != files::MISSING);
    }
    if problems.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(Failure::problem(format!("not started:\n{}", lines.join("\n"))))
}

/// Makes guard and SNMP subagent run, or not, as the settings say now.
fn look(root: &Path, guard: &mut Ward, snmp: &mut Ward) -> Result<(), Failure> {
    match files::snmp_is_wanted(root) {
        true => snmp.start()?,
        false => snmp.stop(GOODBYE)?,
    }
    if files::guard_is_wanted(root) {
        return guard.start();
    }
    if !guard.is_there() {
        say("high availability is off here; the guard is not started");
    }
    guard.stop(GOODBYE)
}

/// All end; the guard's end is the one that counts.
fn stop(
    number: i32,
    signals: &Signals,
    mut guard: Ward,
    mut others: [Ward; 3],
) -> Result<(), Failure> {
    guard.stop(number)?;
    others.iter_mut().try_for_each(|other| other.stop(number))?;
    let mut result = Ok(());
    while guard.is_there() || others.iter().any(Ward::is_there) {
        if let Some(status) = guard.tend()? {
            result = ended("guard", status);
        }
        others.iter_mut().try_for_each(|other| other.tend().map(drop))?;
        if guard.is_there() || others.iter().any(Ward::is_there) {
            let due = others.iter().filter_map(Ward::due).chain(guard.due()).min();
            let _another = signals.wait(left(due));
        }
    }
    result
}

fn left(due: Option<Instant>) -> Duration {
    due.map_or(IDLE, |at| at.saturating_duration_since(Instant::now()))
}

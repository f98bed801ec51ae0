//! `twinwall agent`: the process that keeps the nodes alike, and its part early at boot.

use std::path::Path;

use sd_notify::NotifyState;
use twinwall::agent::flows;
use twinwall::agent::machine::Machine;
use twinwall::agent::node;
use twinwall::agent::serve::{self, Pulse, ServeError};
use twinwall::agent::snmp;
use twinwall::failure::{Exit, Failure};

use crate::cli::{AgentArgs, AgentOrder};
use crate::show::print;

pub(super) fn agent(root: &Path, args: &AgentArgs) -> Result<(), Failure> {
    match args.order {
        None => serve(root, args.supervised),
        Some(AgentOrder::Recover) => recover(root),
        Some(AgentOrder::Clear) => flows::clear()
            .and(snmp::clear(root))
            .map_err(|why| Failure { exit: Exit::Machine, message: format!("agent clear: {why}") }),
    }
}

fn serve(root: &Path, supervised: bool) -> Result<(), Failure> {
    let ready = || {
        // Without a service manager this does nothing.
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
            eprintln!("twinwall agent: telling the service manager: {error}");
        }
    };
    // Half of what the service manager allows.
    let pulse = sd_notify::watchdog_enabled().map(|allowed| Pulse {
        every: allowed / 2,
        beat: || drop(sd_notify::notify(&[NotifyState::Watchdog])),
    });
    serve::serve(root, Machine::here(root, supervised), ready, pulse).map_err(|error| {
        let exit = match &error {
            ServeError::Node(_) => Exit::Problem,
            ServeError::Io(..) => Exit::Machine,
        };
        Failure { exit, message: format!("agent: {error}") }
    })
}

fn recover(root: &Path) -> Result<(), Failure> {
    let found = node::recover_only(root)
        .map_err(|error| Failure::problem(format!("agent recover: {error}")))?;
    match found.recovered {
        None => print("No change of the configuration was interrupted.\n"),
        Some(recovered) => {
            let sections: Vec<String> =
                recovered.sections.iter().map(ToString::to_string).collect();
            let mut text = format!(
                "'{}' was interrupted; the old files of {} are back.\n",
                recovered.title,
                sections.join(", ")
            );
            recovered.trouble.iter().for_each(|it| text += &format!("But {it}\n"));
            print(&text)
        }
    }
}

//! `twinwall snmp`: the process that speaks with snmpd, how it stands, and the MIB.

use std::path::Path;

use twinwall::agent::api::snmp::STATE;
use twinwall::agent::snmp::view::{SnmpState, Which};
use twinwall::failure::{Exit, Failure};
use twinwall::snmp::{self, ServeError, mib};

use crate::api_client::Api;
use crate::cli::{SnmpArgs, SnmpOrder};
use crate::show::{print, print_json, print_raw};

pub(super) fn snmp(root: &Path, args: &SnmpArgs) -> Result<(), Failure> {
    match args.order {
        None => serve(root),
        Some(SnmpOrder::Mib) => print_raw(&mib::module()),
        Some(SnmpOrder::Status { json }) => {
            let state: SnmpState = Api::of(root).get(STATE)?;
            if json { print_json(&state) } else { print(&text(&state)) }
        }
    }
}

fn serve(root: &Path) -> Result<(), Failure> {
    snmp::serve(root).map_err(|error| {
        let exit = match &error {
            ServeError::Ended(_) => Exit::Unreachable,
            ServeError::Io(..) => Exit::Machine,
        };
        Failure { exit, message: format!("snmp: {error}") }
    })
}

fn text(state: &SnmpState) -> String {
    let mut text = match state.wanted {
        true => "SNMP data from both appliances are on.\n\n".to_owned(),
        false => "SNMP data from both appliances are off; 'twinwall ha set sync.snmp=true' turns \
                  them on.\n\n"
            .to_owned(),
    };
    let mut row = |name: &str, value: &str| text += &format!("{name:<14} {value}\n");
    row("snmpd", if state.connected { "asks twinwall" } else { "does not ask twinwall" });
    row("its file", state.file.as_deref().unwrap_or("none of twinwall's"));
    for context in &state.contexts {
        let whose = match context.node {
            Which::Here => "this node's own objects",
            Which::There => "the other node's own objects",
        };
        row("context", &format!("{:<16} {whose}", context.name));
    }
    let done = &state.done;
    row("questions", &format!("{} answered, {} refused", done.answered, done.refused));
    row("notifications", &format!("{} handed to snmpd, {} not", done.notified, done.unsent));
    for note in &state.notes {
        text += &format!("\nNote: {note}.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinwall::agent::snmp::view::{Context, Done};

    #[test]
    fn what_is_to_be_done_stands_below_how_it_is() {
        let context = |name: &str, node| Context { name: name.to_owned(), node };
        let state = SnmpState {
            wanted: true,
            file: Some("/etc/snmp/snmpd.conf.d/twinwall.conf".to_owned()),
            connected: true,
            contexts: vec![context("gw-a", Which::Here), context("gw-b", Which::There)],
            notes: vec!["snmpd listens on the loopback alone".to_owned()],
            done: Done { answered: 7, notified: 2, ..Done::default() },
        };
        let shown = text(&state);
        for line in [
            "snmpd          asks twinwall\n",
            "context        gw-b             the other node's own objects\n",
            "questions      7 answered, 0 refused\n",
            "\nNote: snmpd listens on the loopback alone.\n",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        let off = text(&SnmpState::default());
        assert!(off.contains("are off; 'twinwall ha set sync.snmp=true'"), "{off}");
    }
}

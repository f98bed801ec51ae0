//! `twinwall status` and `twinwall explain`: two views of one snapshot.

use std::path::Path;

use twinwall_core::api::{Answer, Request, Status};
use twinwall_core::explain;

use crate::cli::{ExplainArgs, StatusArgs};
use crate::show::{self, Style, print, print_json};
use twinwall::agent::api::guard::Explained;
use twinwall::client::{self, Client, Waited};
use twinwall::failure::Failure;

/// Puts the cursor to the top and clears the terminal.
const CLEAR: &str = "\x1b[H\x1b[2J";

pub(super) fn status(root: &Path, args: &StatusArgs) -> Result<(), Failure> {
    if !args.watch {
        return show_status(&client::status(root)?, args, "");
    }
    let style = Style::of_terminal();
    let before = if style.is_terminal() { CLEAR } else { "\n" };
    let mut client = Client::ask(root, &Request::Watch {})?;
    loop {
        match client.wait(None)? {
            Waited::Answer(Answer::Status(status)) => show_status(&status, args, before)?,
            Waited::Answer(other) => return Err(client.unexpected(&other)),
            Waited::TooLong | Waited::End => {
                return Err(Failure::unreachable("the guard has ended"));
            }
        }
    }
}

fn show_status(status: &Status, args: &StatusArgs, before: &str) -> Result<(), Failure> {
    if args.json {
        return print_json(status);
    }
    print(&format!("{before}{}", show::status(status, &Style::of_terminal())))
}

pub(super) fn explain(root: &Path, args: &ExplainArgs) -> Result<(), Failure> {
    let answers = explain::explain(&client::status(root)?.snapshot);
    if args.json {
        return print_json(&answers.map(Explained::from));
    }
    print(&show::explained(&answers, &Style::of_terminal()))
}

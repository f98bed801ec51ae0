//! `twinwall record`: every input of the guard's core into a file, a line each,
//! until Ctrl-C. Each line is written whole, so that the file may end anywhere.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use twinwall_core::api::{Answer, Request};

use crate::cli::RecordArgs;
use twinwall::client::{Client, Waited};
use twinwall::failure::Failure;

pub(super) fn record(root: &Path, args: &RecordArgs) -> Result<(), Failure> {
    let at = args.file.display();
    let mut client = Client::ask(root, &Request::Record {})?;
    let opened = OpenOptions::new().write(true).create_new(true).open(&args.file);
    let mut file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::problem(format!("{at} is there already; name a new file"))
        }
        _ => Failure::machine(format!("making {at}"), &error),
    })?;
    eprintln!("Recording into {at}; end it with Ctrl-C.");
    loop {
        match client.wait(None)? {
            Waited::Answer(Answer::Input(input)) => {
                let line = serde_json::to_string(&input)
                    .map_err(|error| Failure::problem(error.to_string()))?;
                let written = file.write_all(format!("{line}\n").as_bytes());
                written.map_err(|error| Failure::machine(format!("writing {at}"), &error))?;
            }
            Waited::Answer(other) => return Err(client.unexpected(&other)),
            Waited::TooLong | Waited::End => {
                return Err(Failure::unreachable(format!(
                    "the guard has ended; {at} holds what came before"
                )));
            }
        }
    }
}

//! `twinwall ready`: would a failover work right now?

use std::path::Path;

use twinwall::agent::readiness::{Readiness, Severity};
use twinwall::failure::{Exit, Failure};

use crate::api_client::Api;
use crate::cli::ReadyArgs;
use crate::show::{print, print_json};

pub(super) fn ready(root: &Path, args: &ReadyArgs) -> Result<(), Failure> {
    let readiness: Readiness = Api::of(root).get("/api/v1/readiness")?;
    if args.json {
        print_json(&readiness)?
    } else {
        print(&text(&readiness))?
    }
    if readiness.ready {
        return Ok(());
    }
    // Everything was said on standard output.
    Err(Failure { exit: Exit::Problem, message: String::new() })
}

fn text(readiness: &Readiness) -> String {
    let mut text = format!("{}\n", readiness.verdict);
    for reason in &readiness.against {
        let word = match reason.severity {
            Severity::Blocks => "AGAINST",
            Severity::Warns => "warning",
        };
        text += &format!("{word}  {}\n         {}\n", reason.text, reason.what_now);
    }
    text
}

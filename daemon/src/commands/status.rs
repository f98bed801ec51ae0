//! `twinwall status` and `twinwall explain`: two views of one snapshot, the first with what else
//! is the matter.

use std::path::Path;
use std::time::{Duration, Instant};

use twinwall_core::api::{Answer, Request, Status};
use twinwall_core::explain;

use crate::api_client::Api;
use crate::cli::{ExplainArgs, StatusArgs};
use crate::show::{self, Style, print, print_json};
use twinwall::agent::api::conditions::ConditionsView;
use twinwall::agent::api::guard::{Explained, StatusView};
use twinwall::agent::conditions::{Standing, beside_alarms};
use twinwall::client::{self, Client, Waited};
use twinwall::failure::Failure;

/// Puts the cursor to the top and clears the terminal.
const CLEAR: &str = "\x1b[H\x1b[2J";
/// Between two questions to the agent, however often the guard has something new.
const ASK: Duration = Duration::from_secs(1);

pub(super) fn status(root: &Path, args: &StatusArgs) -> Result<(), Failure> {
    let mut beside = Beside::of(root);
    if !args.watch {
        return show_status(client::status(root)?, beside.now(), args, "");
    }
    let style = Style::of_terminal();
    let before = if style.is_terminal() { CLEAR } else { "\n" };
    let mut client = Client::ask(root, &Request::Watch {})?;
    loop {
        match client.wait(None)? {
            Waited::Answer(Answer::Status(status)) => {
                show_status(*status, beside.now(), args, before)?;
            }
            Waited::Answer(other) => return Err(client.unexpected(&other)),
            Waited::TooLong | Waited::End => {
                return Err(Failure::unreachable("the guard has ended"));
            }
        }
    }
}

/// What the agent says besides the guard. Without it the guard's status is shown all the same.
struct Beside {
    api: Api,
    said: Result<Vec<Standing>, Failure>,
    asked: Option<Instant>,
}

impl Beside {
    fn of(root: &Path) -> Beside {
        Beside { api: Api::of(root), said: Ok(Vec::new()), asked: None }
    }

    fn now(&mut self) -> Result<&[Standing], &Failure> {
        if self.asked.is_none_or(|asked| asked.elapsed() >= ASK) {
            let said = self.api.glance::<ConditionsView>("/api/v1/conditions");
            self.said = said.map(|view| beside_alarms(view.present, &view.node));
            self.asked = Some(Instant::now());
        }
        self.said.as_deref()
    }
}

fn show_status(
    status: Status,
    beside: Result<&[Standing], &Failure>,
    args: &StatusArgs,
    before: &str,
) -> Result<(), Failure> {
    if args.json {
        return print_json(&StatusView { status, conditions: beside.ok().map(<[_]>::to_vec) });
    }
    print(&format!("{before}{}", show::status(&status, beside, &Style::of_terminal())))
}

pub(super) fn explain(root: &Path, args: &ExplainArgs) -> Result<(), Failure> {
    let answers = explain::explain(&client::status(root)?.snapshot);
    if args.json {
        return print_json(&answers.map(Explained::from));
    }
    print(&show::explained(&answers, &Style::of_terminal()))
}

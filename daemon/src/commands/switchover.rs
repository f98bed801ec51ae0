//! `twinwall switchover`: gives the order, then stays until it is clear what came of it.

use std::path::Path;
use std::time::Instant;

use twinwall_core::api::{Answer, Numbered, Request};
use twinwall_core::beat::RoleWord;
use twinwall_core::event::Order;
use twinwall_core::explain::span;
use twinwall_core::note::What;

use crate::cli::SwitchoverArgs;
use crate::client::{self, Client, Waited};
use crate::failure::Failure;
use crate::show::{event_line, print};

use super::events;

/// What an event means for the order.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// Not yet decided.
    UnderWay,
    /// The other node serves: this one let go.
    Moved,
    /// This node goes on serving.
    GivenUp,
}

pub(super) fn switchover(root: &Path, args: &SwitchoverArgs) -> Result<(), Failure> {
    let after = events::kept(root, 0)?.last().map_or(0, |event| event.number);
    let mut client = Client::ask(root, &Request::Follow { after })?;
    let begun = Instant::now();
    client::order(root, &Request::Order { order: Order::Switchover })?;
    let deadline = begun + args.timeout;
    let mut first = None;
    loop {
        let event = match client.wait(Some(deadline))? {
            Waited::Answer(Answer::Event(event)) => event,
            Waited::Answer(Answer::Done) => continue,
            Waited::Answer(other) => return Err(client.unexpected(&other)),
            Waited::TooLong => {
                let wrong = format!(
                    "nothing is decided after {}; see 'twinwall status' and 'twinwall events'",
                    span(args.timeout)
                );
                return Err(Failure::problem(wrong));
            }
            Waited::End => {
                return Err(Failure::unreachable(
                    "the guard ended; see 'twinwall status' on the other node",
                ));
            }
        };
        print(&event_line(&event))?;
        let first = *first.get_or_insert(event.note.at);
        match progress(&event) {
            Progress::UnderWay => {}
            Progress::Moved => {
                return print(&format!(
                    "The other node serves; it took {}.\n",
                    span(event.note.at.since(first))
                ));
            }
            Progress::GivenUp => {
                let wrong = "the other node did not become ready in time; this node goes on serving. See 'twinwall status' there";
                return Err(Failure::problem(wrong));
            }
        }
    }
}

fn progress(event: &Numbered) -> Progress {
    let what = &event.note.what;
    if matches!(what, What::Role { to: RoleWord::Passive | RoleWord::Starting, .. }) {
        return Progress::Moved;
    }
    let given_up = matches!(what, What::HandoverGivenUp { .. });
    if given_up { Progress::GivenUp } else { Progress::UnderWay }
}

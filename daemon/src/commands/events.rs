//! `twinwall events`: what happened on this node, and what happens next.

use std::path::Path;

use twinwall_core::api::{Answer, Numbered, Request};

use crate::cli::EventsArgs;
use crate::show::{event_line, print, print_json};
use twinwall::client::{self, Client, Waited};
use twinwall::failure::Failure;

pub(super) fn events(root: &Path, args: &EventsArgs) -> Result<(), Failure> {
    let kept = client::events(root, 0)?;
    let skip = args.last.map_or(0, |last| kept.len().saturating_sub(last));
    for event in &kept[skip..] {
        show(event, args)?;
    }
    if !args.follow {
        return Ok(());
    }
    // Nothing is lost between the two requests: the guard sends what came since.
    let after = kept.last().map_or(0, |event| event.number);
    let mut client = Client::ask(root, &Request::Follow { after })?;
    loop {
        match client.wait(None)? {
            Waited::Answer(Answer::Event(event)) => show(&event, args)?,
            // Ends what the guard had; it goes on with what comes.
            Waited::Answer(Answer::Done) => {}
            Waited::Answer(other) => return Err(client.unexpected(&other)),
            Waited::TooLong | Waited::End => {
                return Err(Failure::unreachable("the guard has ended"));
            }
        }
    }
}

fn show(event: &Numbered, args: &EventsArgs) -> Result<(), Failure> {
    if args.json { print_json(event) } else { print(&event_line(event)) }
}

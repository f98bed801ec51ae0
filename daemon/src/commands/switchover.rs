//! `twinwall switchover`: gives the order, then stays until it is clear what came of it.

use std::path::Path;
use std::time::{Duration, Instant};

use twinwall_core::api::{Answer, Numbered, Request};
use twinwall_core::beat::RoleWord;
use twinwall_core::event::Order;
use twinwall_core::explain::span;
use twinwall_core::note::What;
use twinwall_core::time::Moment;

use crate::cli::SwitchoverArgs;
use crate::client::{self, Client, Waited};
use crate::failure::Failure;
use crate::show::{event_line, print};

use super::events;

/// Between two looks at the peer's role.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

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
    let mut course = Course::default();
    loop {
        let event = match client.wait(Some(deadline))? {
            Waited::Answer(Answer::Event(event)) => event,
            Waited::Answer(Answer::Done) => continue,
            Waited::Answer(other) => return Err(client.unexpected(&other)),
            Waited::TooLong => return Err(undecided(args)),
            Waited::End => {
                return Err(Failure::unreachable(
                    "the guard ended; see 'twinwall status' on the other node",
                ));
            }
        };
        print(&event_line(&event))?;
        match course.follow(&event) {
            Progress::UnderWay => {}
            Progress::Moved => match peer_serves(root, deadline)? {
                Some(true) => return print(&course.told()),
                Some(false) => return Err(Failure::problem(CAME_BACK)),
                None => return Err(undecided(args)),
            },
            Progress::GivenUp => {
                let wrong = "the other node did not become ready in time; this node goes on serving. See 'twinwall status' there";
                return Err(Failure::problem(wrong));
            }
        }
    }
}

const CAME_BACK: &str = "the other node took over and fell silent; this node serves again. See 'twinwall events', and the other node";

fn undecided(args: &SwitchoverArgs) -> Failure {
    Failure::problem(format!(
        "nothing is decided after {}; see 'twinwall status' and 'twinwall events'",
        span(args.timeout)
    ))
}

/// Waits until the peer is heard to be active (`true`) or this node serves again
/// (`false`): by itself this node only knows that it let go.
fn peer_serves(root: &Path, deadline: Instant) -> Result<Option<bool>, Failure> {
    loop {
        let snapshot = client::status(root)?.snapshot;
        if snapshot.role.role == RoleWord::Active {
            return Ok(Some(false));
        }
        if snapshot.peer.is_heard() && snapshot.peer.role == Some(RoleWord::Active) {
            return Ok(Some(true));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The moments of a switchover on the guard's clock.
#[derive(Default)]
struct Course {
    begun: Option<Moment>,
    let_go: Option<Moment>,
    ended: Option<Moment>,
}

impl Course {
    fn follow(&mut self, event: &Numbered) -> Progress {
        let at = event.note.at;
        self.begun.get_or_insert(at);
        if matches!(event.note.what, What::Role { to: RoleWord::Releasing, .. }) {
            self.let_go = Some(at);
        }
        self.ended = Some(at);
        progress(event)
    }

    fn told(&self) -> String {
        let (Some(begun), Some(ended)) = (self.begun, self.ended) else {
            return "The other node serves.\n".to_owned();
        };
        let let_go = self.let_go.unwrap_or(ended);
        format!(
            "The other node serves: it was ready after {}, and this node forwarded for {} more what still came to it.\n",
            span(let_go.since(begun)),
            span(ended.since(let_go))
        )
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

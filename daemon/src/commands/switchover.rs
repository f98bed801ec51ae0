//! `twinwall switchover`: gives the order, then stays until it is clear what came of it.

use std::path::Path;
use std::time::{Duration, Instant};

use twinwall_core::api::{Answer, Numbered, Request};
use twinwall_core::beat::RoleWord;
use twinwall_core::event::Order;
use twinwall_core::explain::span;
use twinwall_core::note::{Reason, What};
use twinwall_core::time::Moment;

use super::audit;
use crate::api_client::Api;
use crate::cli::SwitchoverArgs;
use crate::show::{event_line, print};
use twinwall::agent::api::audit::GuardOrderWord;
use twinwall::agent::flows::view::FlowsView;
use twinwall::client::{self, Client, Waited};
use twinwall::failure::Failure;

/// Between two looks at the peer's role.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What an event means for the order.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// Not yet decided.
    UnderWay,
    /// This node let go: the other one should serve.
    Moved,
    /// This node goes on serving.
    GivenUp,
    /// This node let go and took the role back.
    CameBack,
}

pub(super) fn switchover(root: &Path, args: &SwitchoverArgs) -> Result<(), Failure> {
    let after = client::events(root, 0)?.last().map_or(0, |event| event.number);
    let mut client = Client::ask(root, &Request::Follow { after })?;
    let begun = Instant::now();
    client::order(root, &Request::Order { order: Order::Switchover })?;
    audit::tell(root, GuardOrderWord::Switchover);
    // After the order, which waits for nobody's answer.
    if let Some(lost) = connections(root) {
        eprintln!("twinwall: {lost}");
    }
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
            Progress::CameBack => return Err(Failure::problem(CAME_BACK)),
            Progress::GivenUp => {
                let wrong = "the other node did not become ready in time; this node goes on serving. See 'twinwall status' there";
                return Err(Failure::problem(wrong));
            }
        }
    }
}

/// What the move means for connections, where the agent knows of some that are missing there.
fn connections(root: &Path) -> Option<String> {
    let view: FlowsView = Api::of(root).get("/api/v1/flows").ok()?;
    view.before_a_move()
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
        if snapshot.peer_serves() {
            return Ok(Some(true));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The moments of a switchover on this node's clock. What the other node did when,
/// and what a client saw, stands on no clock that this command can read.
#[derive(Default)]
struct Course {
    asked: Option<Moment>,
    stopped_answering: Option<Moment>,
    ended: Option<(Moment, Reason)>,
}

impl Course {
    fn follow(&mut self, event: &Numbered) -> Progress {
        let (at, what) = (event.note.at, &event.note.what);
        if matches!(what, What::HandoverGivenUp { .. }) {
            return Progress::GivenUp;
        }
        if matches!(what, What::HandoverAsked { .. }) {
            self.asked = Some(at);
        }
        let What::Role { to, reason, .. } = what else { return Progress::UnderWay };
        match to {
            RoleWord::Releasing => self.stopped_answering = Some(at),
            RoleWord::Passive | RoleWord::Starting => {
                self.ended = Some((at, *reason));
                return Progress::Moved;
            }
            RoleWord::Active if self.stopped_answering.is_some() => return Progress::CameBack,
            RoleWord::Active | RoleWord::Claiming => {}
        }
        Progress::UnderWay
    }

    fn told(&self) -> String {
        let waited = match (self.asked, self.stopped_answering) {
            (Some(asked), Some(stopped)) => {
                format!("it was ready {} after it was asked; then ", span(stopped.since(asked)))
            }
            (_, _) => String::new(),
        };
        let measured = match (self.stopped_answering, self.ended) {
            (Some(stopped), Some((ended, _))) => {
                let more = span(ended.since(stopped));
                format!("{waited}this node stopped answering, and {more} later forwarding")
            }
            (None, Some((_, reason))) => format!("nothing, it stopped serving at once ({reason})"),
            (_, None) => "nothing".to_owned(),
        };
        format!(
            "The other node serves.\nMeasured by this node's clock: {measured}.\nNot measured: for how long nobody answered; only a client sees that.\n"
        )
    }
}

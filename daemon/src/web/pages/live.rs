//! The parts of a page that change, sent as they do. Each viewer gets what is new for him,
//! made once for all; the stream ends with the session.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::stream;
use serde::Serialize;

use crate::web::access::Person;
use crate::web::hub::{Seen, Viewer};
use crate::web::state::Shared;

/// A stream says something at least this often.
const PULSE: Duration = Duration::from_secs(10);
/// Between two looks whether the session still holds.
const LOOK: Duration = Duration::from_secs(5);

/// A part of the page: the element of this id holds this HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Fragment {
    pub(in crate::web) id: &'static str,
    pub(in crate::web) html: String,
}

#[derive(Serialize)]
struct Swap<'a> {
    id: &'a str,
    html: &'a str,
}

/// Which parts a stream keeps up, from what is known.
pub(super) type Parts = dyn Fn(&Seen) -> Arc<Vec<Fragment>> + Send;

struct Following {
    console: Shared,
    make: Box<Parts>,
    parts: axum::http::request::Parts,
    viewer: Viewer,
    sent: Vec<Fragment>,
    waiting: Vec<Fragment>,
    begun: bool,
    ended: bool,
    looked: Instant,
}

/// The parts that every page has, and the dashboard's.
pub(super) async fn follow(State(console): State<Shared>, request: Request) -> Response {
    stream(console, request, |_| Box::new(|seen| Arc::clone(&seen.fragments))).await
}

/// A stream of parts that `make` makes for this person.
pub(super) async fn stream(
    console: Shared,
    request: Request,
    make: impl FnOnce(&Person) -> Box<Parts>,
) -> Response {
    let (parts, _) = request.into_parts();
    let make = match Person::of(&console, &parts, false) {
        Ok(person) => make(&person),
        Err(refusal) => return refusal.into_response(),
    };
    let viewer = console.hub.view().await;
    let following = Following {
        console,
        make,
        parts,
        viewer,
        sent: Vec::new(),
        waiting: Vec::new(),
        begun: false,
        ended: false,
        looked: Instant::now(),
    };
    let events = stream::unfold(following, |mut following| async {
        let event = following.next().await?;
        Some((Ok::<Event, Infallible>(event), following))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(PULSE)).into_response()
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(fragment) = self.waiting.pop() {
                let swap = Swap { id: fragment.id, html: &fragment.html };
                let event = Event::default().event("swap").json_data(swap).ok()?;
                self.sent.retain(|old| old.id != fragment.id);
                self.sent.push(fragment);
                return Some(event);
            }
            let seen = self.look().await?;
            if self.looked.elapsed() >= LOOK {
                self.looked = Instant::now();
                if Person::of(&self.console, &self.parts, false).is_err() {
                    self.ended = true;
                    return Some(Event::default().event("end").data("signed out"));
                }
            }
            let is_new = |fragment: &&Fragment| !self.sent.contains(fragment);
            self.waiting = (self.make)(&seen).iter().filter(is_new).rev().cloned().collect();
        }
    }

    async fn look(&mut self) -> Option<Seen> {
        if self.begun {
            return self.viewer.next().await;
        }
        self.begun = true;
        Some(self.viewer.now().await)
    }
}

//! The live tail: the newest lines at once, then those that come, as rows that the page puts on
//! top. A browser that comes again begins anew, so that no line is shown twice.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::stream;
use serde::Serialize;

use super::filter::Filter;
use super::rows::Rows;
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::logs::search::{LogNews, LogsPage, PAGE};
use crate::percent::encoded;
use crate::web::access::Person;
use crate::web::agent::Name;
use crate::web::events::Events;
use crate::web::state::Shared;

/// A stream says something at least this often.
const PULSE: Duration = Duration::from_secs(10);
/// Between two looks whether the session still holds.
const LOOK: Duration = Duration::from_secs(5);
/// Rows on the page; older ones go.
const MOST: usize = 200;
/// The element that holds them.
const ROWS: &str = "log-rows";

#[derive(Serialize)]
struct Swap<'a> {
    id: &'a str,
    html: &'a str,
}

/// Rows for the top of an element, which keeps so many at the most.
#[derive(Serialize)]
struct Prepend<'a> {
    id: &'a str,
    html: &'a str,
    most: usize,
}

struct Following {
    console: Shared,
    parts: Parts,
    name: Name,
    /// What is asked for.
    asked: String,
    /// Where the next stream of the agent goes on.
    after: String,
    events: Events<LogNews>,
    waiting: VecDeque<Event>,
    looked: Instant,
    ended: bool,
}

/// Lines as they come.
pub(super) async fn follow(
    State(console): State<Shared>,
    Query(filter): Query<Filter>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let following = match Following::begin(console, parts, filter.asked_timeless()).await {
        Ok(following) => following,
        Err(refusal) => return refusal.into_response(),
    };
    let events = stream::unfold(following, |mut following| async {
        let event = following.next().await?;
        Some((Ok::<Event, Infallible>(event), following))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(PULSE)).into_response()
}

impl Following {
    async fn begin(console: Shared, parts: Parts, asked: String) -> Result<Following, Refusal> {
        let person = Person::of(&console, &parts, false)?;
        person.must_be(Role::Operator)?;
        let name = person.name();
        let path = format!("/api/v1/logs?last={PAGE}{asked}");
        let page: LogsPage = console.agent.get_as(&path, &name).await?;
        let events = open(&console, &name, &page.newest, &asked).await?;
        let html = Rows::of(&page.lines).missing(&page.missing).draw();
        let swap = Event::default().event("swap").json_data(Swap { id: ROWS, html: &html });
        Ok(Following {
            console,
            parts,
            name,
            asked,
            after: page.newest,
            events,
            waiting: swap.into_iter().collect(),
            looked: Instant::now(),
            ended: false,
        })
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match tokio::time::timeout(LOOK, self.events.next()).await {
                // The browser comes again, and is told what is wrong then.
                Ok(Err(_)) => return None,
                // The agent ends each stream after some minutes.
                Ok(Ok(None)) => {
                    let next = open(&self.console, &self.name, &self.after, &self.asked).await;
                    self.events = next.ok()?;
                }
                Ok(Ok(Some(news))) => self.show(news),
                Err(_) => {}
            }
            if self.looked.elapsed() >= LOOK {
                self.looked = Instant::now();
                let person = Person::of(&self.console, &self.parts, false);
                if person.and_then(|person| person.must_be(Role::Operator)).is_err() {
                    self.ended = true;
                    self.waiting.push_back(Event::default().event("end").data("signed out"));
                }
            }
        }
    }

    fn show(&mut self, news: LogNews) {
        self.after = news.after;
        let surplus = news.lines.len().saturating_sub(MOST);
        let left_out = news.left_out.saturating_add(surplus as u64);
        let rows = Rows::of(news.lines[surplus..].iter().rev()).left_out(left_out);
        let rows = rows.missing(&news.missing);
        let html = rows.draw();
        if html.trim().is_empty() {
            return;
        }
        let prepend = Prepend { id: ROWS, html: &html, most: MOST };
        self.waiting.extend(Event::default().event("prepend").json_data(prepend).ok());
    }
}

async fn open(
    console: &Shared,
    name: &Name,
    after: &str,
    asked: &str,
) -> Result<Events<LogNews>, Refusal> {
    let path = format!("/api/v1/logs/follow?after={}{asked}", encoded(after));
    Events::open(&console.agent, &path, name).await
}

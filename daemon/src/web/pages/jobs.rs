//! Long operations as pages show them: their steps live while they go on, and the order to stop
//! one. A page with elements `job`, `job-shown` and `job-news` that follows `/jobs/{id}/live` shows any of them; it is
//! loaded again at the end, for what comes next.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::stream;
use serde::{Deserialize, Serialize};

use super::moment::Moment;
use super::settled;
use crate::agent::api::error::Refusal;
use crate::agent::api::sync::Taken;
use crate::agent::jobs::{JobState, JobView, Kind};
use crate::agent::pairing::invite;
use crate::web::access::Person;
use crate::web::events::Events;
use crate::web::request::Posted;
use crate::web::state::Shared;

/// A stream says something at least this often.
const PULSE: Duration = Duration::from_secs(10);
/// Between two looks whether the session still holds.
const LOOK: Duration = Duration::from_secs(5);

/// The steps of a job.
#[derive(Template)]
#[template(path = "part/job.html")]
pub(super) struct JobPart<'a> {
    job: &'a JobView,
}

impl JobPart<'_> {
    /// As HTML.
    pub(super) fn draw(job: &JobView) -> String {
        JobPart { job }.render().unwrap_or_default()
    }

    fn is_last(&self, number: &usize) -> bool {
        number + 1 == self.job.steps.len()
    }

    fn runs(&self) -> bool {
        self.job.state == JobState::Running
    }

    fn failed(&self) -> bool {
        self.job.error.is_some()
    }

    fn moment(&self, at_ms: &u64) -> Moment {
        Moment::of(*at_ms)
    }

    fn line<'t>(&self, text: &'t str) -> &'t str {
        line(self.job, text)
    }
}

/// What a job shows while it goes on: the code of an invitation.
#[derive(Template)]
#[template(path = "part/invitation.html")]
struct InvitationPart {
    open: invite::Shown,
    until: Moment,
}

/// What a job shows beside its steps, as HTML; empty for most.
pub(super) fn shown_by(job: &JobView) -> String {
    if job.state != JobState::Running || !matches!(job.kind, Kind::Invite | Kind::Replace) {
        return String::new();
    }
    let shown = job.result.clone().and_then(|it| serde_json::from_value(it).ok());
    let part = shown.map(|open: invite::Shown| {
        let until = job.began_ms.saturating_add(open.open_s.saturating_mul(1000));
        InvitationPart { open, until: Moment::of(until) }
    });
    part.and_then(|part| part.render().ok()).unwrap_or_default()
}

/// What is shown of a step's text: its first line; what follows is for a terminal. A code stands
/// large elsewhere.
fn line<'t>(job: &JobView, text: &'t str) -> &'t str {
    let first = text.lines().next().unwrap_or_default();
    let invites = matches!(job.kind, Kind::Invite | Kind::Replace);
    if invites && first.starts_with("Code: ") { "Waiting for the other node." } else { first }
}

/// What is called out to those who hear the page.
fn news(job: &JobView) -> String {
    let text = match (&job.error, job.steps.last()) {
        (Some(error), _) => error.message.as_str(),
        (None, Some(step)) => line(job, &step.text),
        (None, None) => "",
    };
    askama::filters::escape(text, askama::filters::Html)
        .map_or_else(|_| String::new(), |it| it.to_string())
}

#[derive(Serialize)]
struct Swap<'a> {
    id: &'a str,
    html: &'a str,
}

struct Following {
    console: Shared,
    parts: Parts,
    events: Events<JobView>,
    /// What was sent last for each element.
    sent: [(&'static str, String); 3],
    waiting: VecDeque<Event>,
    looked: Instant,
    ended: bool,
}

/// The steps of one job as they come, for those whose business it is: the agent says who.
pub(super) async fn follow(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let opened = async {
        let person = Person::of(&console, &parts, false)?;
        let path = format!("/api/v1/jobs/{id}/stream");
        Events::open(&console.agent, &path, &person.name()).await
    };
    let events = match opened.await {
        Ok(events) => events,
        Err(refusal) => return refusal.into_response(),
    };
    let following = Following {
        console,
        parts,
        events,
        sent: ["job-shown", "job", "job-news"].map(|id| (id, String::new())),
        waiting: VecDeque::new(),
        looked: Instant::now(),
        ended: false,
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
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match tokio::time::timeout(LOOK, self.events.next()).await {
                // The page finds out itself why: the agent is away, or forgot the job.
                Ok(Err(_) | Ok(None)) => return None,
                Ok(Ok(Some(job))) => self.show(&job),
                Err(_) => {}
            }
            if self.looked.elapsed() >= LOOK {
                self.looked = Instant::now();
                if Person::of(&self.console, &self.parts, false).is_err() {
                    self.end("signed out");
                }
            }
        }
    }

    fn show(&mut self, job: &JobView) {
        let parts = [shown_by(job), JobPart::draw(job), news(job)];
        for ((id, sent), html) in self.sent.iter_mut().zip(parts) {
            if *sent == html {
                continue;
            }
            let swap = Event::default().event("swap").json_data(Swap { id, html: &html });
            self.waiting.extend(swap.ok());
            *sent = html;
        }
        if job.state != JobState::Running {
            self.end("it has ended");
        }
    }

    /// The page is loaded again.
    fn end(&mut self, why: &str) {
        self.ended = true;
        self.waiting.push_back(Event::default().event("end").data(why));
    }
}

#[derive(Deserialize)]
pub(super) struct Cancel {
    /// The page that goes on.
    to: String,
}

/// Stops a job.
pub(super) async fn cancel(
    State(console): State<Shared>,
    Path(id): Path<u64>,
    posted: Posted<Cancel>,
) -> Response {
    let Posted { person, fields } = posted;
    let path = format!("/api/v1/jobs/{id}/cancel");
    let told: Result<Taken, Refusal> =
        console.agent.post(&path, &serde_json::json!({}), &person.name()).await;
    let went = told.map(|Taken { .. }| "It was told to stop.".to_owned());
    settled(&console, &person, own_page(&fields.to), went)
}

/// A page of this console and nothing else.
fn own_page(to: &str) -> &str {
    let is_own = to.starts_with('/')
        && to.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-".contains(&byte))
        && !to.starts_with("//");
    if is_own { to } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::jobs::Jobs;

    #[test]
    fn a_page_leads_nowhere_but_to_this_console() {
        assert_eq!(own_page("/high-availability"), "/high-availability");
        for wrong in ["//evil", "https://evil", "/\\evil", "", "/a\r\nb", "/?x"] {
            assert_eq!(own_page(wrong), "/");
        }
    }

    #[test]
    fn steps_are_shown_with_the_one_that_goes_on_and_why_it_stopped() {
        let jobs = Jobs::default();
        let job = jobs.begin(Kind::Join, "anna").expect("begun");
        job.step("Looking for <an> invitation.");
        job.step("Code: X\nfor a terminal");
        let html = JobPart::draw(&job.view());
        assert!(html.contains("&#60;an&#62;") || html.contains("&lt;an&gt;"), "{html}");
        assert!(html.contains("Code: X") && !html.contains("for a terminal"), "{html}");
        assert_eq!(html.matches("aria-current").count(), 1, "{html}");
        assert_eq!(news(&job.view()), "Code: X");
        let mut watched = jobs.watch(1).expect("kept");
        job.fail(Refusal::conflict("wrong code; attempts left: 2"));
        let html = JobPart::draw(&watched.borrow_and_update());
        assert!(html.contains("wrong code; attempts left: 2"), "{html}");
        assert_eq!(html.matches("aria-current").count(), 0, "{html}");
    }
}

//! High availability while it is being turned on or off: its steps as they are done, and what
//! came of it.

use askama::Template;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;

use super::Answer;
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::jobs::{JobState, JobView};
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::pages::jobs::JobPart;
use crate::web::pages::{Frame, failed, shown};
use crate::web::state::Shared;

#[derive(Template)]
#[template(path = "availability/progress.html")]
struct Progress {
    page: Frame,
    job: JobView,
    /// Its steps.
    steps: String,
    /// What did not go as it should.
    notes: Vec<String>,
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Path(id): Path<u64>,
) -> Response {
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    let job: Result<JobView, Refusal> =
        console.agent.get_as(&format!("/api/v1/jobs/{id}"), &person.name()).await;
    match job {
        Ok(job) => {
            let page = Answer { console: &console, person: &person, ends }.frame().await;
            let notes = job.result.clone().and_then(|it| serde_json::from_value(it).ok());
            let steps = JobPart::draw(&job);
            shown(&Progress { page, job, steps, notes: notes.unwrap_or_default() })
        }
        Err(refusal) => failed(&refusal),
    }
}

impl Progress {
    fn runs(&self) -> bool {
        self.job.state == JobState::Running
    }

    /// Its colour, sign and word.
    fn state(&self) -> (&'static str, &'static str, &'static str) {
        match self.job.state {
            JobState::Running => ("calm", "starting", "goes on"),
            JobState::Done => ("good", "check", "done"),
            JobState::Failed => ("bad", "fault", "failed"),
            JobState::Cancelled => ("warn", "off", "stopped"),
        }
    }

    fn title(&self) -> String {
        let mut letters = self.job.title.chars();
        let first = letters.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
        first + letters.as_str()
    }
}

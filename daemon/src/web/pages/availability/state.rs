//! The part of the page that changes by itself: whether high availability is on, and what is
//! being done to it.

use askama::Template;

use crate::agent::dashboard::Dashboard;
use crate::web::pages::words;

#[derive(Template)]
#[template(path = "part/ha_state.html")]
struct HaState<'a> {
    pair: &'a Dashboard,
}

/// As HTML.
pub(in crate::web::pages) fn state(pair: &Dashboard) -> String {
    HaState { pair }.render().unwrap_or_default()
}

impl HaState<'_> {
    fn job(&self) -> Option<(&str, &str, &str)> {
        let job = self.pair.jobs.iter().find(|job| job.title.contains("high availability"))?;
        let step = job.steps.last().map_or("", |step| step.text.as_str());
        Some((&job.title, &job.who, step))
    }
}

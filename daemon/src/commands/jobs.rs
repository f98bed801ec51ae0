//! `twinwall jobs`: long operations of the agent.

use std::path::Path;

use twinwall::agent::api::sync::Taken;
use twinwall::agent::jobs::{JobState, JobView};
use twinwall::failure::Failure;

use crate::api_client::Api;
use crate::cli::{JobOrder, JobsArgs};
use crate::show::{print, print_json};
use crate::system;

pub(super) fn jobs(root: &Path, args: &JobsArgs) -> Result<(), Failure> {
    let api = Api::of(root);
    if let Some(JobOrder::Cancel { id }) = args.order {
        let _: Taken = api.post(&format!("/api/v1/jobs/{id}/cancel"), &serde_json::json!({}))?;
        return print("It was told to stop.\n");
    }
    let jobs: Vec<JobView> = api.get("/api/v1/jobs")?;
    if args.json {
        return print_json(&jobs);
    }
    if jobs.is_empty() {
        return print("No long operation since the agent started.\n");
    }
    print(&jobs.iter().map(line).collect::<String>())
}

fn line(job: &JobView) -> String {
    let state = match job.state {
        JobState::Running => "running",
        JobState::Done => "done",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
    };
    let why = job.error.as_ref().map(|error| format!(": {error}"));
    let step = job.steps.last().filter(|_| job.state == JobState::Running);
    let step = step.map(|step| format!(": {}", step.text));
    format!(
        "{}  {:>3}  {} by {}, {state}{}\n",
        system::local_time(job.began_ms),
        job.id,
        job.title,
        job.who,
        why.or(step).unwrap_or_default()
    )
}

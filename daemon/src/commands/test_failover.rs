//! `twinwall test-failover`: has the active role move, and says for how long traffic was out.

use std::path::Path;

use twinwall::agent::failover_test::{Move, TestFailover, Tested};
use twinwall::agent::jobs::JobView;
use twinwall::failure::Failure;

use crate::api_client::Api;
use crate::cli::TestFailoverArgs;
use crate::show::{print, print_json};

pub(super) fn test_failover(root: &Path, args: &TestFailoverArgs) -> Result<(), Failure> {
    let api = Api::of(root);
    let order = TestFailover { one_way: args.one_way };
    let job: JobView = api.post("/api/v1/failover-test", &order)?;
    let ended = if args.json { api.await_end(&job)? } else { api.follow_or_cancel(&job)? };
    let result = ended.result.unwrap_or_default();
    let tested: Tested = serde_json::from_value(result).map_err(|error| {
        Failure::unreachable(format!("the agent said what cannot be read: {error}"))
    })?;
    if args.json {
        return print_json(&tested);
    }
    print(&tested.moves.iter().map(line).collect::<String>())
}

fn line(moved: &Move) -> String {
    let outage = match &moved.outage {
        Some(outage) => format!("nobody carried the traffic: {}", outage.words()),
        None => "for how long traffic was out was not measured".to_owned(),
    };
    format!("From {} to {}: {outage}.\n", moved.from, moved.to)
}

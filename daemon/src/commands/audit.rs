//! `twinwall audit`: who changed what on this node. And the word to the agent for orders that
//! the command gives the guard itself: the guard keeps no log, and needs no agent.

use std::path::Path;

use twinwall::agent::api::audit::{GuardOrder, GuardOrderWord, ORDERS};
use twinwall::agent::audit::{Entry, MAX_PAGE, Page};
use twinwall::failure::Failure;
use twinwall::percent::encoded;

use crate::api_client::Api;
use crate::cli::AuditArgs;
use crate::show::{print, print_json};
use crate::system;

pub(super) fn audit(root: &Path, args: &AuditArgs) -> Result<(), Failure> {
    let api = Api::of(root);
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let before = entries.first().map(|it| format!("&before={}", it.number));
        let user = args.user.as_ref().map(|user| format!("&user={}", encoded(user)));
        let (before, user) = (before.unwrap_or_default(), user.unwrap_or_default());
        let missing = args.last.saturating_sub(entries.len()).clamp(1, MAX_PAGE);
        let page: Page = api.get(&format!("/api/v1/audit?last={missing}{before}{user}"))?;
        let end = !page.older || page.entries.is_empty();
        entries.splice(0..0, page.entries);
        if end || entries.len() >= args.last {
            break;
        }
    }
    if args.json {
        return entries.iter().try_for_each(print_json);
    }
    if entries.is_empty() {
        return print("Nothing was changed yet that is kept.\n");
    }
    print(&entries.iter().map(line).collect::<String>())
}

fn line(entry: &Entry) -> String {
    let Entry { number, at_ms, user, from, text, outcome, why, request: _, job } = entry;
    let job = job.map(|id| format!(", job {id}")).unwrap_or_default();
    let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let (at, outcome) = (system::local_time(*at_ms), outcome.word());
    format!("{at}  {number:>5}  {user} from {from}: {text}: {outcome}{job}{why}\n")
}

/// Tells the agent, if one is there, that the guard took this order.
pub(super) fn tell(root: &Path, order: GuardOrderWord) {
    Api::of(root).tell(ORDERS, &GuardOrder { order });
}

//! Whether the console's certificate is about to end: browsers and whoever asks the API would
//! refuse it. Looked at now and then on a thread that may wait; it renews nothing.

use std::path::Path;
use std::sync::Weak;
use std::time::Duration;

use super::catalogue::ConditionId;
use crate::agent::clock::unix_ms;
use crate::agent::moment::Moment;
use crate::agent::node::Node;
use crate::web::{Validity, certificate_in_use};

/// Between two looks. A new certificate is seen within it.
const LOOK: Duration = Duration::from_secs(30);
/// It is told so long before its end: a certificate authority and a holiday take less.
const AHEAD_MS: u64 = 30 * DAY_MS;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Looks until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    loop {
        let Some(root) = node.upgrade().map(|node| node.root().to_owned()) else { return };
        let read = tokio::task::spawn_blocking(move || read(&root)).await;
        let Some(node) = node.upgrade() else { return };
        // Where no console has run there is none.
        let found = read.ok().flatten();
        let told = found.map(|(path, validity)| judge(&path, validity, unix_ms()));
        let [ends, ended] = told.unwrap_or_default();
        node.conditions().report(ConditionId::CertificateEnds, None, ends);
        node.conditions().report(ConditionId::CertificateEnded, None, ended);
        drop(node);
        tokio::time::sleep(LOOK).await;
    }
}

/// The certificate in use: where it lies on the node, and how long it is valid.
fn read(root: &Path) -> Option<(String, Validity)> {
    let (path, validity) = certificate_in_use(root)?;
    let below = path.strip_prefix(root).unwrap_or(&path);
    Some((format!("/{}", below.display()), validity))
}

/// What is the matter: it ends soon, or it is not valid now.
fn judge(path: &str, validity: Validity, now_ms: u64) -> [Option<String>; 2] {
    let Validity { from_ms, until_ms } = validity;
    let at = |unix_ms| Moment::of(unix_ms).text;
    if now_ms >= until_ms {
        return [None, Some(format!("The console's certificate {path} ended {}.", at(until_ms)))];
    }
    if now_ms < from_ms {
        let text = format!(
            "The console's certificate {path} is not valid before {}; is the node's clock right?",
            at(from_ms)
        );
        return [None, Some(text)];
    }
    // Whole days, so that the words change once a day.
    let days = (until_ms - now_ms) / DAY_MS;
    let soon = until_ms - now_ms < AHEAD_MS;
    let text =
        || format!("The console's certificate {path} ends in {days} days, {}.", at(until_ms));
    [soon.then(text), None]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_told_thirty_days_before_and_what_is_not_valid_at_once() {
        let validity = Validity { from_ms: 10 * DAY_MS, until_ms: 100 * DAY_MS };
        let told = |day: u64| judge("/etc/twinwall-web/cert.pem", validity, day * DAY_MS);
        assert_eq!(told(70), [None, None], "30 days are left");
        let [soon, over] = told(71);
        assert!(
            soon.is_some_and(|text| text.contains("ends in 29 days, 1970-04-11")) && over.is_none()
        );
        let [soon, over] = told(100);
        assert!(soon.is_none() && over.is_some_and(|text| text.contains("ended 1970-04-11")));
        let [soon, early] = told(9);
        assert!(soon.is_none() && early.is_some_and(|text| text.contains("not valid before")));
    }
}

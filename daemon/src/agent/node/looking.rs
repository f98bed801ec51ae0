//! Questions to the other node for something that is only shown. Whoever looks at a page does
//! not wait for a node that this one knows to be silent, nor for a connection to it.

use std::future::{Future, pending};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Node;
use crate::agent::api::error::Refusal;
use crate::agent::calls::{Call, Reply, away};
use crate::agent::guard::GuardState;

/// How long a node is asked whose guard is not heard: where its agent lives all the same, it
/// answers from memory.
const SILENT: Duration = Duration::from_millis(300);

impl Node {
    /// Asks the other node, for `limit` at the most.
    ///
    /// # Errors
    /// Its refusal, or that it is away.
    pub async fn look(&self, call: Call, limit: Duration) -> Result<Reply, Refusal> {
        unless_silent(self.guard(), limit, self.calls().call(call, limit)).await
    }
}

async fn unless_silent<T>(
    guard: watch::Receiver<GuardState>,
    limit: Duration,
    asking: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    tokio::select! {
        answer = timeout(limit, asking) => answer.unwrap_or_else(|_| {
            Err(away(&format!("it did not answer within {} s", limit.as_secs_f64())))
        }),
        () = silent(guard) => Err(away("it is silent on every path")),
    }
}

/// Resolves when the guard has said for long enough that the other node is not heard.
async fn silent(mut guard: watch::Receiver<GuardState>) {
    if guard.wait_for(GuardState::is_alone).await.is_err() {
        // Nobody follows the guard any more.
        pending::<()>().await;
    }
    sleep(SILENT).await;
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use twinwall_core::api::Status;

    use super::*;

    fn says(peer: &str) -> GuardState {
        let text = include_str!("../../../../core/tests/status/healthy.json");
        let mut status: Status = serde_json::from_str(text).expect("a status");
        status.snapshot.peer.state = peer.to_owned();
        GuardState::Says(status.into())
    }

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_node_that_is_silent_or_falls_silent_meanwhile_is_away_at_once() {
        for (before, after) in [("silent", "silent"), ("left", "left"), ("alive", "silent")] {
            let (says_next, guard) = watch::channel(says(before));
            let began = Instant::now();
            let asking = unless_silent(guard, LIMIT, pending::<Result<(), Refusal>>());
            let (answer, ()) = tokio::join!(asking, async {
                sleep(Duration::from_millis(20)).await;
                says_next.send_replace(says(after));
            });
            let refusal = answer.expect_err("nobody answers");
            assert!(refusal.message.contains("silent"), "{before}, {after}: {refusal}");
            assert!(began.elapsed() < LIMIT / 2, "{before}, {after}: {:?}", began.elapsed());
        }
    }

    #[tokio::test]
    async fn who_answers_is_heard_and_nobody_is_waited_for_beyond_the_limit() {
        let (_follower, guard) = watch::channel(says("silent"));
        let answer = unless_silent(guard, LIMIT, async { Ok(7) }).await;
        assert_eq!(answer, Ok(7), "its agent may live");
        let (follower, guard) = watch::channel(says("alive"));
        drop(follower);
        let limit = Duration::from_millis(50);
        let refusal = unless_silent(guard, limit, pending::<Result<(), Refusal>>()).await;
        assert!(refusal.is_err_and(|it| it.message.contains("within 0.05 s")));
    }
}

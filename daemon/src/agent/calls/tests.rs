//! Questions and answers over a real connection's two ends are tested with two agents;
//! here what happens when there is none, too many, or no answer.

use super::*;

#[tokio::test]
async fn without_a_connection_nothing_is_asked() {
    let calls = Calls::default();
    let refused = calls.call(Call::About {}, Duration::from_secs(5)).await.expect_err("nobody");
    assert!(refused.message.contains("not connected"), "{refused}");
    assert!(calls.open().is_empty());
}

#[test]
fn an_answer_that_nobody_waits_for_is_passed_over() {
    let calls = Calls::default();
    calls.answered(7, Err(Refusal::conflict("late")));
    assert!(calls.open().is_empty());
}

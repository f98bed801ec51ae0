//! Questions and answers over a real connection's two ends are tested with two agents;
//! here what happens when there is none, too many, or no answer.

use super::*;
use crate::agent::ha::Draft;
use crate::agent::settings::{Revision, Source, Version};

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

#[tokio::test]
async fn a_connection_that_ended_just_now_is_waited_for_and_an_old_loss_is_not() {
    let calls = Calls::default();
    let began = Instant::now();
    calls.inside.lost.send_replace(Some(began));
    let back = calls.clone();
    let coming = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        back.inside.lost.send_replace(None);
    });
    calls.back_in_a_moment().await;
    assert!(began.elapsed() >= Duration::from_millis(200) && began.elapsed() < BLINK);
    coming.await.expect("it came");

    let long_ago = Instant::now().checked_sub(BLINK).expect("the machine runs for longer");
    calls.inside.lost.send_replace(Some(long_ago));
    let asked = Instant::now();
    calls.back_in_a_moment().await;
    assert!(asked.elapsed() < BLINK / 2, "{:?}", asked.elapsed());
}

/// A question that is never asked twice.
fn take() -> Call {
    let version = Version {
        revision: Revision::of(1, ""),
        at_ms: 1,
        who: "root".to_owned(),
        node: "gw-a".to_owned(),
        source: Source::Entered,
        addresses_by_hand: false,
        note: None,
    };
    let text = String::new();
    Call::SettingsTake {
        draft: Draft { version, text, by_hand: false, keep_virtual: None, over: None },
    }
}

#[tokio::test]
async fn a_question_that_meets_a_connection_which_has_ended_goes_out_on_the_next_one() {
    let calls = Calls::default();
    let (sender, frames) = crate::agent::channel::Sender::to_nowhere();
    drop(frames);
    calls.connected(Some(sender));
    let asking = calls.clone();
    let asking = tokio::spawn(async move { asking.call(take(), Duration::from_secs(30)).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (sender, mut frames) = crate::agent::channel::Sender::to_nowhere();
    calls.connected(Some(sender));
    frames.recv().await.expect("asked");
    let number = *calls.open().keys().next().expect("open");
    calls.answered(number, Ok(Reply::Done));
    assert_eq!(asking.await.expect("it ends"), Ok(Reply::Done));
}

#[tokio::test]
async fn a_question_that_changes_nothing_is_asked_again_when_the_connection_ends() {
    for (call, asked_again) in [(Call::SettingsState {}, true), (take(), false)] {
        let calls = Calls::default();
        let (sender, mut frames) = crate::agent::channel::Sender::to_nowhere();
        calls.connected(Some(sender.clone()));
        let asking = calls.clone();
        let asking = tokio::spawn(async move { asking.call(call, Duration::from_secs(30)).await });
        frames.recv().await.expect("asked");
        calls.connected(None);
        calls.connected(Some(sender));
        if asked_again {
            frames.recv().await.expect("asked again");
            let number = *calls.open().keys().next().expect("open");
            calls.answered(number, Ok(Reply::Done));
            assert_eq!(asking.await.expect("it ends"), Ok(Reply::Done));
        } else {
            let lost = asking.await.expect("it ends").expect_err("never twice");
            assert!(lost.message.contains("ended before it answered"), "{lost}");
        }
    }
}

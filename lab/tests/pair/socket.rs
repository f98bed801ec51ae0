//! Clients of the guard's socket that do not behave.

use std::time::Duration;

use twinwall_core::api::{Answer, MAX_CLIENTS, MAX_LINE, Request, Status};
use twinwall_core::beat::RoleWord;
use twinwall_core::event::{Fact, Refusal};
use twinwall_core::time::Moment;
use twinwall_lab::clock::now;

use crate::support::{Pair, Talk, in_lab, let_pass};

const STATUS: &str = r#"{"request":"status"}"#;

fn served() -> (Pair, usize, Moment) {
    let mut pair = Pair::boot();
    let active = pair.settle();
    (pair, active, now())
}

/// The error in the next answer.
fn error(talk: &mut Talk) -> String {
    match talk.hear() {
        Some(Answer::Error { message }) => message,
        other => panic!("no error but {other:?}"),
    }
}

/// It answers others, and it went on renewing its lease.
fn is_unharmed(pair: &Pair, active: usize, since: Moment) {
    let_pass(Duration::from_millis(500));
    assert_eq!(pair.role(active), Some(RoleWord::Active));
    assert_eq!(pair.role_changes(since), 0, "{}", pair.story());
    pair.await_traffic();
}

#[test]
fn lines_that_are_no_request_get_an_error_and_the_client_may_go_on() {
    in_lab(|| {
        let (pair, active, since) = served();
        let mut talk = pair.connect(active);
        let lines = [
            "hello",
            "",
            "\u{0}\u{7f}\u{fffd}",
            r#"{"request":"explode"}"#,
            r#"{"request":"order","order":"explode"}"#,
            r#"{"request":"order","order":{"maintenance_on":{"lasts":-1}}}"#,
            r#"{"request":"events","after":-1}"#,
            r#"{"request":"status","more":1}"#,
            r#"{"request":"fact","fact":{"name":"dns","good":true,"reason":"","holds":{"secs":1,"nanos":0},"more":1}}"#,
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        ];
        for line in lines {
            talk.say(line);
            let message = error(&mut talk);
            assert!(message.starts_with("not a request: "), "{line}: {message}");
        }
        talk.say(r#"{"request":"order","order":{"leave":"shutdown"}}"#);
        assert!(error(&mut talk).contains("SIGTERM"));
        talk.say(r#"{"request":"fact","fact":{"name":"No such","good":true,"reason":"","holds":{"secs":1,"nanos":0}}}"#);
        assert!(error(&mut talk).contains("fact name"));
        talk.say(STATUS);
        assert!(matches!(talk.hear(), Some(Answer::Status(_))));
        is_unharmed(&pair, active, since);
    });
}

#[test]
fn one_fact_too_many_is_refused_and_an_old_one_can_still_be_renewed() {
    in_lab(|| {
        let (pair, active, since) = served();
        let state = |name: String| {
            let holds = Duration::from_secs(60);
            let fact = Fact { name, good: true, reason: String::new(), holds };
            pair.ask(active, &Request::Fact { fact })
        };
        let refused = Answer::Refused { why: Refusal::TooManyFacts };
        for number in 0..64 {
            assert_eq!(state(format!("check-{number}")), Answer::Done);
        }
        assert_eq!(state("one-more".to_owned()), refused);
        assert_eq!(state("check-0".to_owned()), Answer::Done);
        is_unharmed(&pair, active, since);
    });
}

#[test]
fn what_an_agent_said_of_connections_is_not_believed_for_long_after_it_has_gone() {
    in_lab(|| {
        let (pair, active, since) = served();
        let passive = 1 - active;
        let long = Duration::from_secs(600);
        let behind = |status: &Status| status.snapshot.peer.fitness.is_some_and(|it| it.behind);
        let mut agent = pair.connect(passive);
        agent.say(r#"{"request":"attend"}"#);
        assert_eq!(agent.hear(), Some(Answer::Done));
        pair.fact(passive, "flows", true, long);
        pair.fact(passive, "dns", true, long);
        assert!(pair.status(passive).snapshot.own.waits_for.is_empty());
        drop(agent);
        let status = pair.await_status(passive, "the guard misses the agent", |status| {
            status.snapshot.own.waits_for.iter().any(|why| why.contains("agent does not run"))
        });
        let dns = status.snapshot.own.checks.iter().find(|check| check.name == "dns");
        assert!(dns.is_some_and(|check| check.good), "all else holds its time");
        pair.await_status(active, "the active knows it too", behind);
        pair.fact(passive, "flows", true, long);
        pair.await_status(active, "and that another agent is there", |status| !behind(status));
        assert!(pair.status(passive).snapshot.own.waits_for.is_empty());
        is_unharmed(&pair, active, since);
    });
}

#[test]
fn a_line_that_is_too_long_is_told_so_and_ends_the_connection() {
    in_lab(|| {
        let (pair, active, since) = served();
        let mut talk = pair.connect(active);
        talk.say(&"x".repeat(MAX_LINE + 1000));
        assert!(error(&mut talk).contains("4096"));
        assert!(talk.hear().is_none());
        is_unharmed(&pair, active, since);
    });
}

#[test]
fn one_client_too_many_is_told_so_until_another_one_leaves() {
    in_lab(|| {
        let (pair, active, _) = served();
        // The lab itself follows the events.
        let mut served: Vec<Talk> = (1..MAX_CLIENTS).map(|_| next_served(&pair, active)).collect();
        let mut late = pair.connect(active);
        assert!(error(&mut late).contains("16 clients"));
        assert!(late.hear().is_none());
        drop(served.pop());
        next_served(&pair, active);
    });
}

/// A client that is served, as soon as the guard has noticed who left.
fn next_served(pair: &Pair, active: usize) -> Talk {
    pair.until("the next client is served", || {
        let mut next = pair.connect(active);
        next.say(STATUS);
        match next.hear() {
            Some(Answer::Status(_)) => Ok(next),
            other => Err(format!("{other:?}")),
        }
    })
}

#[test]
fn clients_that_never_read_are_dropped_and_hold_nobody_up() {
    in_lab(|| {
        let (pair, active, since) = served();
        // Each asks for far more than its socket holds.
        let many = STATUS.to_owned() + "\n";
        let deaf: Vec<Talk> = (0..4)
            .map(|_| {
                let mut talk = pair.connect(active);
                talk.say(many.repeat(400).trim_end());
                talk
            })
            .collect();
        is_unharmed(&pair, active, since);
        let_pass(Duration::from_secs(6));
        for mut talk in deaf {
            // What was written before is there to be read; then the guard has hung up.
            let answers = std::iter::from_fn(|| talk.try_hear()).count();
            assert!(answers < 400, "{answers}");
        }
        is_unharmed(&pair, active, since);
    });
}

//! Scripts for two ends of a session, written in bytes: each step is a byte for
//! what happens and one or more for what to. What must hold whatever they say
//! stands with the pair, which the core's own tests play with too.

#[path = "../../../../core/tests/exchange/pair.rs"]
#[allow(dead_code, reason = "the core's tests use the rest")]
pub(crate) mod pair;

use pair::{Pair, Step};

/// Steps of one input; more would only make it slow.
const MAX_STEPS: usize = 60;

/// Plays the bytes as a script; then two undisturbed rounds must settle the session.
pub fn run(data: &[u8]) {
    let mut pair = Pair::new();
    let mut bytes = data.iter().copied();
    for _ in 0..MAX_STEPS {
        let Some(what) = bytes.next() else { break };
        pair.step(step(what, &mut bytes));
    }
    pair.rest();
    assert!(pair.is_settled(), "not settled: {:?}", pair.ends);
}

fn step(what: u8, bytes: &mut impl Iterator<Item = u8>) -> Step {
    let mut argument = || usize::from(bytes.next().unwrap_or(0));
    match what % 9 {
        0 => Step::Tick(0),
        1 => Step::Tick(1),
        2 => Step::Restart(argument() % 2),
        8 => Step::Rekey(argument() % 2),
        3 => Step::DeliverAll,
        4 => Step::Deliver(argument()),
        5 => Step::Lose(argument()),
        6 => Step::Replay(argument()),
        _ => {
            let (frame, at) = (argument(), argument());
            Step::Damage { frame, at, bits: (argument() % 255) as u8 + 1 }
        }
    }
}

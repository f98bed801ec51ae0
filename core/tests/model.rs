//! A bounded exhaustive check: two real cores, a link and two kernels, and an
//! adversary who may act at every tenth millisecond of the time that a failover
//! takes. Every way to place up to [`ACTS`] acts is tried, none by chance.
//!
//! The link loses, holds back, reorders and doubles frames, each way by itself;
//! guards are stopped, resumed and restarted, machines lose power, the HA cable is
//! pulled, a switchover is ordered. Checked after every step: two kernels do not
//! answer while the link delivers; at the end of each run, when all is mended: one
//! answers. And that failover, handover and the rest are reached at all.
//!
//! `MODEL_ACTS=3 cargo test --release -p twinwall-core --test model` looks deeper.
#![allow(clippy::disallowed_methods, reason = "a test reads its depth")]

#[path = "model/pair.rs"]
mod pair;

use std::collections::BTreeMap;

use pair::{Act, END, Pair, WINDOW};

/// Acts of the adversary in one run.
const ACTS: usize = 2;

/// What the runs came to.
#[derive(Default)]
struct Seen {
    runs: u64,
    reached: BTreeMap<String, u64>,
}

/// Tries every act at every moment from here on, then none.
fn explore(pair: &Pair, left: usize, story: &mut Vec<(u64, Act)>, seen: &mut Seen) {
    let mut pair = pair.clone();
    while left > 0 && pair.time() < WINDOW {
        for act in pair.acts() {
            let mut other = pair.clone();
            other.act(act);
            story.push((pair.time(), act));
            explore(&other, left - 1, story, seen);
            story.pop();
        }
        for _ in 0..pair::BETWEEN {
            pair.step();
            check(&pair, story);
        }
    }
    while pair.time() < WINDOW {
        pair.step();
        check(&pair, story);
    }
    pair.mend();
    while pair.time() < END {
        pair.step();
        check(&pair, story);
    }
    assert_eq!(pair.answering(), 1, "one answers in the end\n{}", tell(&pair, story));
    seen.runs += 1;
    for case in pair.cases() {
        *seen.reached.entry(case.clone()).or_default() += 1;
    }
}

fn check(pair: &Pair, story: &[(u64, Act)]) {
    if let Some(broken) = pair.broken() {
        panic!("{broken}\n{}", tell(pair, story));
    }
}

fn tell(pair: &Pair, story: &[(u64, Act)]) -> String {
    let acts: Vec<String> =
        story.iter().map(|(time, act)| format!("at {time} ms: {act:?}")).collect();
    format!("{}\n{}", acts.join("\n"), pair.story().join("\n"))
}

#[test]
fn no_two_acts_make_two_kernels_answer() {
    let depth = std::env::var("MODEL_ACTS").ok().and_then(|text| text.parse().ok()).unwrap_or(ACTS);
    let mut seen = Seen::default();
    explore(&Pair::settled(), depth, &mut Vec::new(), &mut seen);
    assert!(seen.runs > 1_000, "{} runs", seen.runs);
    for case in [
        "passive -> claiming: PeerSilent",
        "passive -> claiming: PeerPoweredOff",
        "passive -> claiming: PeerHandsOver",
        "passive -> claiming: PeerRestarted",
        "active -> releasing: Switchover",
        "active -> passive: LeaseRanOut",
        "active -> passive: WokeLate",
        "active -> passive: HigherEpoch",
    ] {
        assert!(seen.reached.contains_key(case), "never reached: {case}; {:?}", seen.reached);
    }
}

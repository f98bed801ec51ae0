//! What a guard records replays to what it told, and to where it stood.
//!
//! `KEEP_RECORDINGS=$PWD/core/tests/recordings cargo test -p twinwall-lab --test pair
//! record` keeps what these tests record, for `core/tests/replay.rs`.

#[path = "../../../core/tests/replay/player.rs"]
mod player;

use std::path::Path;
use std::time::Duration;

use twinwall_core::api::{Answer, Input, Request};
use twinwall_core::beat::RoleWord;
use twinwall_core::event::Order;
use twinwall_core::note::{Note, What};
use twinwall_core::tell::tell;
use twinwall_core::time::Moment;
use twinwall_lab::clock::now;
use twinwall_lab::fault::{self, Fault, Who};
use twinwall_lab::lab::HaForm;

use crate::support::{Pair, Talk, in_lab, let_pass};

/// Recorded before and after the fault.
const BEFORE: Duration = Duration::from_millis(150);
const AFTER: Duration = Duration::from_millis(450);

/// A recording under way.
struct Recorder {
    talk: Talk,
    from: Moment,
}

impl Recorder {
    fn begin(pair: &Pair, node: usize) -> Recorder {
        let mut talk = pair.connect(node);
        let from = now();
        talk.say(&serde_json::to_string(&Request::Record {}).unwrap());
        let_pass(BEFORE);
        Recorder { talk, from }
    }

    /// The inputs until now.
    fn end(mut self) -> Vec<Input> {
        let_pass(AFTER);
        let until = now();
        let mut inputs = Vec::new();
        while let Some(answer) = self.talk.hear() {
            let Answer::Input(input) = answer else { panic!("no input: {answer:?}") };
            let last = input.event.is_some() && input.at > until;
            inputs.push(*input);
            if last {
                return inputs;
            }
        }
        panic!("the guard hung up");
    }
}

/// Strikes while the guard of `node` is recorded. What is replayed must be what the
/// guard told, in its order, and must move it through `roles` and no others.
fn recorded(
    name: &str,
    pair: &mut Pair,
    node: usize,
    roles: &[RoleWord],
    strike: impl FnOnce(&mut Pair),
) {
    let recorder = Recorder::begin(pair, node);
    let from = recorder.from;
    strike(pair);
    let inputs = recorder.end();
    let (core, notes) = player::replay(&inputs);
    let config = &core.setup().pair;
    pair.await_role(node, roles[roles.len() - 1]);
    let told = pair.events(node, from);
    let mut rest = told.iter();
    for note in &notes {
        let words = tell(note, config);
        assert!(
            rest.any(|entry| entry.at == note.at && entry.text == words),
            "replayed but not told: {words}\n{}",
            pair.story()
        );
    }
    let role = |note: &Note| match note.what {
        What::Role { to, .. } => Some(to),
        _ => None,
    };
    let moved: Vec<RoleWord> = notes.iter().filter_map(role).collect();
    assert_eq!(moved, roles, "{}", pair.story());
    if let Some(folder) = std::env::var_os("KEEP_RECORDINGS") {
        let line = |input| serde_json::to_string(input).unwrap() + "\n";
        let text: String = inputs.iter().map(line).collect();
        std::fs::write(Path::new(&folder).join(format!("lab_{name}.jsonl")), text).unwrap();
    }
}

#[test]
fn a_recorded_takeover_after_power_loss_replays_to_what_was_told() {
    in_lab(|| {
        let mut pair = Pair::boot_wired(HaForm::Direct);
        let active = pair.settle();
        recorded(
            "power_loss",
            &mut pair,
            1 - active,
            &[RoleWord::Claiming, RoleWord::Active],
            |pair| {
                fault::fire(&mut pair.lab, Fault::PowerLoss(Who::Active), active).unwrap();
            },
        );
    });
}

#[test]
fn a_recorded_hang_of_the_active_replays_to_what_was_told() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        recorded("guard_hung", &mut pair, active, &[RoleWord::Passive], |pair| {
            pair.signal(active, libc::SIGSTOP);
            pair.await_role(1 - active, RoleWord::Active);
            pair.signal(active, libc::SIGCONT);
        });
    });
}

#[test]
fn a_recorded_switchover_replays_to_what_was_told() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        recorded(
            "switchover",
            &mut pair,
            active,
            &[RoleWord::Releasing, RoleWord::Passive],
            |pair| {
                assert_eq!(pair.order(active, Order::Switchover), Answer::Done);
            },
        );
    });
}

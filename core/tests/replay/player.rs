//! Plays a recording back: the core that it begins with, then every input.
//!
//! Used by `tests/replay.rs` with the recordings that are kept, and by the lab's
//! tests with what two real guards have just recorded.

use serde_json::Value;
use twinwall_core::api::Input;
use twinwall_core::beat::Beat;
use twinwall_core::config::Pair;
use twinwall_core::event::{Event, GateOrder, Output};
use twinwall_core::ids::NameTag;
use twinwall_core::note::Note;
use twinwall_core::{Core, Setup};

/// Plays `inputs`; gives the core as it is in the end, and what it told.
pub(crate) fn replay(inputs: &[Input]) -> (Core, Vec<Note>) {
    let (first, rest) = inputs.split_first().expect("a recording has a first line");
    let mut core = begin(first);
    let mut notes = Vec::new();
    collect(&mut core, &mut notes);
    for input in rest {
        let Some(mut event) = input.event.clone() else { continue };
        if let Event::Heard(heard) = &mut event {
            name_paths(&mut heard.beat, &core.setup().pair);
        }
        if matches!(event, Event::GateAnswered { order: GateOrder::Open { .. }, .. }) {
            // The shell asked so before it opened.
            core.may_open(input.at);
        }
        core.handle(input.at, event);
        collect(&mut core, &mut notes);
    }
    (core, notes)
}

/// A beat from before paths had names, of a peer with the same list.
fn name_paths(beat: &mut Beat, pair: &Pair) {
    if beat.heard.iter().all(|path| path.interface == NameTag::NONE) {
        beat.list = pair.list_tag();
        for (path, tag) in beat.heard.iter_mut().zip(pair.path_tags()) {
            path.interface = tag;
        }
    }
}

fn collect(core: &mut Core, notes: &mut Vec<Note>) {
    while let Some(output) = core.poll_output() {
        if let Output::Note(note) = output {
            notes.push(note);
        }
    }
}

/// The core that a recording begins with: its setup, or itself in the middle of its run.
fn begin(input: &Input) -> Core {
    let start = input.start.as_deref().expect("the first line carries the start");
    if let Ok(setup) = serde_json::from_str::<Setup>(start) {
        return Core::new(input.at, setup);
    }
    let recorded: Value = serde_json::from_str(start).expect("the start is JSON");
    let setup = serde_json::from_value(recorded["setup"].clone()).expect("the core has its setup");
    let new = serde_json::to_value(Core::new(input.at, setup)).expect("a core can be written");
    let core = serde_json::from_value(upgraded(new, recorded));
    core.expect("the start is a setup or a core; what it lacks is as in a new one")
}

/// A core that was recorded by another version: what that one did not have is as in
/// a new core; what this one has no more is not read.
fn upgraded(new: Value, recorded: Value) -> Value {
    match (new, recorded) {
        (Value::Object(mut new), Value::Object(recorded)) => {
            for (key, was) in recorded {
                let is = new.remove(&key).unwrap_or(Value::Null);
                new.insert(key, upgraded(is, was));
            }
            Value::Object(new)
        }
        (_, recorded) => recorded,
    }
}

//! Recordings: what `twinwall record` writes, one [`Input`] a line, replayed
//! through the core; the notes must be those beside the recording. A bug seen in the
//! field leaves its recording in `tests/recordings/`, with the notes that are right.
//!
//! The first line's `start` is the core as it was then (so the guard writes it) or
//! the `Setup` of a new one (so `UPDATE_TRANSCRIPTS=1` writes it, from the simulated
//! world): the core's inside may change, a setup stays readable.
#![allow(clippy::disallowed_methods, reason = "a test reads its files and its flag")]

#[allow(dead_code, reason = "the simulation uses the rest")]
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use twinwall_core::api::Input;
use twinwall_core::event::{Event, GateOrder, Output};
use twinwall_core::tell::tell;
use twinwall_core::time::Moment;
use twinwall_core::{Core, Setup};

use world::World;
use world::clock::ms;
use world::faults::Fault;
use world::settings::Settings;
use world::trace::Trace;

/// The core that a recording begins with.
fn begin(input: &Input) -> Core {
    let start = input.start.as_deref().expect("the first line carries the start");
    match serde_json::from_str::<Setup>(start) {
        Ok(setup) => Core::new(input.at, setup),
        Err(_) => {
            serde_json::from_str(start).expect("the start is a setup or a core of this version")
        }
    }
}

/// Replays `inputs`; gives the core and its notes in words.
fn replay(inputs: &[Input]) -> (Core, String) {
    let (first, rest) = inputs.split_first().expect("a recording has a first line");
    let mut core = begin(first);
    let mut notes = String::new();
    collect(&mut core, &mut notes);
    for input in rest {
        let Some(event) = input.event.clone() else { continue };
        if matches!(event, Event::GateAnswered { order: GateOrder::Open { .. }, .. }) {
            // The shell asked so before it opened.
            core.may_open(input.at);
        }
        core.handle(input.at, event);
        collect(&mut core, &mut notes);
    }
    (core, notes)
}

fn collect(core: &mut Core, notes: &mut String) {
    while let Some(output) = core.poll_output() {
        if let Output::Note(note) = output {
            let text = tell(&note, &core.setup().pair);
            notes.push_str(&format!("{:>14}  {text}\n", note.at.to_string()));
        }
    }
}

fn read(file: &Path) -> Vec<Input> {
    let text = fs::read_to_string(file).expect("a recording can be read");
    let lines = text.lines().enumerate();
    lines
        .map(|(number, line)| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{}:{}: {error}", file.display(), number + 1))
        })
        .collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

/// What `b` goes through when `a` loses power and comes back.
fn record_power_loss() -> (World, Vec<Input>) {
    let mut world = World::new(Settings::plain(1), Trace::none());
    world.prompt_carriers = true;
    world.recording = Some((1, Vec::new()));
    for side in 0..2 {
        world.plan(0, Fault::PowerOn(side));
        world.plan(ms(1), Fault::Start(side));
    }
    world.plan(ms(600), Fault::PowerOff(0));
    world.plan(ms(1_200), Fault::PowerOn(0));
    world.plan(ms(1_250), Fault::Start(0));
    world.run_until(ms(1_600));
    let (_, inputs) = world.recording.take().expect("it was recording");
    (world, inputs)
}

#[test]
fn every_recording_replays_to_its_notes() {
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        let (_, inputs) = record_power_loss();
        let line =
            |input: &Input| serde_json::to_string(input).expect("an input can be written") + "\n";
        let text: String = inputs.iter().map(line).collect();
        fs::write(folder().join("power_loss.jsonl"), text).expect("a recording can be written");
    }
    let mut count = 0;
    for entry in fs::read_dir(folder()).expect("tests/recordings is a folder") {
        let file = entry.expect("an entry can be read").path();
        if file.extension().is_none_or(|ending| ending != "jsonl") {
            continue;
        }
        count += 1;
        let (_, notes) = replay(&read(&file));
        let beside = file.with_extension("notes.txt");
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            fs::write(&beside, &notes).expect("notes can be written");
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(expected, notes, "{}", file.display());
    }
    assert!(count > 0, "there is a recording");
}

#[test]
fn a_replay_ends_where_the_recorded_core_did() {
    let (world, inputs) = record_power_loss();
    let (core, _) = replay(&inputs);
    let at = inputs.last().map_or(Moment::ZERO, |input| input.at);
    assert_eq!(core.snapshot(at), world.machines[1].core.snapshot(at));
}

#[test]
fn a_recording_may_begin_with_a_core_in_the_middle_of_its_run() {
    let (_, inputs) = record_power_loss();
    let (before, after) = inputs.split_at(inputs.len() / 2);
    let (core, _) = replay(before);
    let at = before.last().map_or(Moment::ZERO, |input| input.at);
    let start = Some(serde_json::to_string(&core).expect("a core can be written"));
    let mut second = vec![Input { at, event: None, start }];
    second.extend_from_slice(after);
    let end = inputs.last().map_or(Moment::ZERO, |input| input.at);
    assert_eq!(replay(&second).0.snapshot(end), replay(&inputs).0.snapshot(end));
}

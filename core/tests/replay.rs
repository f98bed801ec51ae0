//! Recordings: what `twinwall record` writes, one [`Input`] a line, replayed
//! through the core; the notes must be those beside the recording. A bug seen in the
//! field leaves its recording in `tests/recordings/`, with the notes that are right.
//!
//! `lab_*` were recorded from real guards in the lab (`lab/tests/pair/record.rs` says
//! how to record them anew); their first line is the core in the middle of its run.
//! The others come from the simulated world (`UPDATE_TRANSCRIPTS=1`) and begin with
//! the `Setup` of a new core.
#![allow(clippy::disallowed_methods, reason = "a test reads its files and its flag")]

#[allow(dead_code, reason = "the simulation uses the rest")]
mod world;

#[path = "replay/player.rs"]
mod player;

use std::fs;
use std::path::{Path, PathBuf};

use twinwall_core::Core;
use twinwall_core::api::Input;
use twinwall_core::note::Note;
use twinwall_core::tell::tell;
use twinwall_core::time::Moment;

use player::replay;
use world::World;
use world::clock::ms;
use world::faults::Fault;
use world::settings::Settings;
use world::trace::Trace;

/// The core at the end of a recording, and its notes in words.
fn played(inputs: &[Input]) -> (Core, String) {
    let (core, notes) = replay(inputs);
    let line = |note: &Note| {
        let text = tell(note, &core.setup().pair);
        format!("{:>14}  {text}\n", note.at.to_string())
    };
    let notes = notes.iter().map(line).collect();
    (core, notes)
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
        let (_, notes) = played(&read(&file));
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

//! A recording, as `twinwall record` writes it: the core that it begins with, and
//! every input after that.

use std::fmt::Debug;
use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use twinwall_core::api::Input;
use twinwall_core::config::{Pair, parse_pair};
use twinwall_core::event::{Event, GateOrder};
use twinwall_core::ids::{BootId, Designation};
use twinwall_core::time::Moment;
use twinwall_core::{Core, MAX_OUTPUTS, Setup};

/// Inputs of one recording that are replayed.
const MAX_INPUTS: usize = 200;
/// The pair of the core that the inputs are given to, whatever the recording begins with.
const PAIR: &str = include_str!("../../corpus/config_pair/two_interfaces");

/// A start read again is the same, and no input at any moment brings a core down.
pub fn run(data: &[u8]) {
    let mut core = core();
    let mut now = Moment::ZERO;
    for line in data.split(|byte| *byte == b'\n').take(MAX_INPUTS) {
        let Ok(input) = serde_json::from_slice::<Input>(line) else { continue };
        if let Some(start) = input.start.as_deref() {
            same_again::<Setup>(start);
            same_again::<Core>(start);
        }
        // A clock that goes back is not one that the core promises anything for.
        now = now.max(input.at);
        if let Some(event) = input.event {
            give(&mut core, now, event);
        }
    }
    let _snapshot = core.snapshot(now);
}

/// A core that has just started.
pub fn core() -> Core {
    static READ: LazyLock<Pair> =
        LazyLock::new(|| parse_pair("pair.toml", PAIR).expect("the corpus has a good pair"));
    let pair = READ.clone();
    let (name, boot) = ("b".to_owned(), BootId([2; 16]));
    let setup = Setup { name, designation: Designation::Secondary, boot, pair, gate: true };
    Core::new(Moment::ZERO, setup)
}

/// As the guard does: it asks before it opens, and takes every output.
fn give(core: &mut Core, now: Moment, event: Event) {
    if matches!(event, Event::GateAnswered { order: GateOrder::Open { .. }, .. }) {
        core.may_open(now);
    }
    core.handle(now, event);
    let outputs = std::iter::from_fn(|| core.poll_output()).count();
    assert!(outputs <= MAX_OUTPUTS, "more outputs than there is room for");
    let _deadline = core.deadline();
}

fn same_again<T: DeserializeOwned + Serialize + Debug>(start: &str) {
    let Ok(read) = serde_json::from_str::<T>(start) else { return };
    let written = serde_json::to_string(&read).expect("what was read can be written");
    let again: T = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(format!("{again:?}"), format!("{read:?}"));
}

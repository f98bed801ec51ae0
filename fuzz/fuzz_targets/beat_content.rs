//! Fuzz target: see `twinwall_fuzz::wire::beat_content`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::wire::beat_content);

//! Fuzz target: see `twinwall_fuzz::engine::answer`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::engine::answer);

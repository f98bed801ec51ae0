//! Fuzz target: see `twinwall_fuzz::recording::run`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::recording::run);

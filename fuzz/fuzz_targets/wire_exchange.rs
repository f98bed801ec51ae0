//! Fuzz target: see `twinwall_fuzz::wire::exchange::run`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::wire::exchange::run);

//! Fuzz target: see `twinwall_fuzz::engine::manifest`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::engine::manifest);

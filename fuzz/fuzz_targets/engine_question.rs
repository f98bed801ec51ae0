//! Fuzz target: see `twinwall_fuzz::engine::question`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::engine::question);

//! Fuzz target: see `twinwall_fuzz::flows::place`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::flows::place);

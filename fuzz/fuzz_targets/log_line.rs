//! Fuzz target: see `twinwall_fuzz::lines::line`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::lines::line);

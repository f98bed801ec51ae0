//! Fuzz target: see `twinwall_fuzz::texts::api_line`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::texts::api_line);

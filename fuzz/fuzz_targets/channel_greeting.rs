//! Fuzz target: see `twinwall_fuzz::agent::greeting`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::agent::greeting);

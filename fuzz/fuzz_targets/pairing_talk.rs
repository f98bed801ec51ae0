//! Fuzz target: see `twinwall_fuzz::pairing::talk`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::pairing::talk);

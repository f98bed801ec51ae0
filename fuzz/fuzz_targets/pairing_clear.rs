//! Fuzz target: see `twinwall_fuzz::pairing::clear`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::pairing::clear);

//! Fuzz target: see `twinwall_fuzz::pairing::certificate`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::pairing::certificate);

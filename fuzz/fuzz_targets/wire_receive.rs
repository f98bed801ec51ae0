//! Fuzz target: see `twinwall_fuzz::wire::receive`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::wire::receive);

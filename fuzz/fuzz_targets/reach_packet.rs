//! Fuzz target: see `twinwall_fuzz::reach::packet`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::reach::packet);

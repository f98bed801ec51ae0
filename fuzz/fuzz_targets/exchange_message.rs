//! Fuzz target: see `twinwall_fuzz::kept::message`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::kept::message);

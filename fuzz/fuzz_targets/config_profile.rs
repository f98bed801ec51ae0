//! Fuzz target: see `twinwall_fuzz::texts::config_profile`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::texts::config_profile);

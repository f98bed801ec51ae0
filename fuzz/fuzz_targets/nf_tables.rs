//! Fuzz target: see `twinwall_fuzz::kernel::nf_tables`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::kernel::nf_tables);

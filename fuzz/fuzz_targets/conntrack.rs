//! Fuzz target: see `twinwall_fuzz::kernel::conntrack`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::kernel::conntrack);

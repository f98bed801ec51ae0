//! Fuzz target: see `twinwall_fuzz::snmp::agentx`.
#![cfg_attr(fuzzing, no_main)]
twinwall_fuzz::target!(twinwall_fuzz::snmp::agentx);

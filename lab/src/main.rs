//! Two gateways on one machine: faults, traffic, measurement.

fn main() {}

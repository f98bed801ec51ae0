//! Set-up, tests, simulation, lab, benchmark and house rules of this repository.

fn main() {}

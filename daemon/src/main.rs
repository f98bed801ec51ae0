//! The twinwall command: reads and orders, later agent and web.

fn main() {}

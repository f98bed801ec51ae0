//! The guard: decides and holds the role of this node.

fn main() {}

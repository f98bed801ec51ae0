//! Everything of the guard that tests need to reach; `main.rs` only starts it.

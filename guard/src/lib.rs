//! Everything of the guard that tests need to reach; `main.rs` only starts it.

pub mod addresses;
pub mod announce;
pub mod ask;
pub mod frames;
pub mod gate;
pub mod links;
pub mod notify;
pub mod ping;
pub mod realtime;
pub mod rtnetlink;
mod syscall;

//! Everything of the guard that tests need to reach; `main.rs` only starts it.

pub mod addresses;
pub mod announce;
pub mod ask;
pub mod beats;
pub mod cable;
pub mod clock;
pub mod frames;
pub mod gate;
pub mod gate_keeping;
mod hand_back;
pub mod journal;
pub mod links;
pub mod mailbox;
pub mod notify;
pub mod path_sockets;
pub mod ping;
pub mod realtime;
pub mod reload;
pub mod rtnetlink;
pub mod server;
mod serving;
pub mod settings;
mod signals;
pub mod start;
mod syscall;
pub mod threads;

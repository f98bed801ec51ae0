//! The kernel's connection tracking and neighbour tables over netlink, in the network
//! namespace of the thread that opens them. Every call may wait for the kernel: for
//! threads of their own. [`SourceDrive`] and [`MirrorDrive`] are the bodies of their loops.

mod conntrack;
mod drive_mirror;
mod drive_source;
mod events;
mod filter;
mod natural;
mod neighbours;
pub mod number;
mod place_file;
mod read;
mod say;

pub use conntrack::{Conntrack, Dump};
pub use drive_mirror::{MirrorDrive, ReceiveError};
pub use drive_source::SourceDrive;
pub use events::{Drained, Events};
pub use natural::Natural;
pub use neighbours::{Entry, NeighbourEvents, NeighbourTable, decode_entry};
pub use read::{Event, decode_event};

//! Netlink as twinwall speaks it: bytes ([`wire`]), sockets ([`socket`]) and nf_tables
//! ([`nft`]). The guard builds its gate with it, the flows theirs. It decides nothing.
//! Every call of a socket may wait for the kernel's locks: never on a thread that must
//! not be late.

pub mod nft;
pub mod notices;
pub mod number;
pub mod socket;
pub mod syscall;
pub mod wait;
pub mod wire;

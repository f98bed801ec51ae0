//! The source and the mirror against the kernel, in network namespaces, with `conntrack`,
//! `nft` and `ip` as outside witnesses. They need root.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(unreachable_pub, reason = "a test's modules have no users outside")]

mod ends;
mod entries;
mod events;
mod ftp;
mod net;
mod restart;
mod survive;
mod table;
mod two;

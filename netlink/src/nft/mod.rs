//! nf_tables: rules as bytes, transactions and questions. It knows no table.

pub mod consts;
mod rule;
mod socket;

pub use rule::{Rule, comment};
pub use socket::{Batch, Nft, Refused};

//! The HA settings (pair.toml): entered once, on one node, and the same on both. Reads them
//! as a document, whose comments stay, and as meaning, which every check of the parser has
//! passed; keeps every version. It asks no peer and no guard.

pub mod change;
pub mod check;
pub mod edit;
pub mod history;
mod journal;
pub mod revision;
#[cfg(test)]
mod tests;
pub mod view;

use std::path::Path;

use twinwall_core::config::parse_pair;

pub use change::{Change, Value};
pub use history::{History, HistoryError};
pub use journal::FileChange;
pub use revision::{Revision, Source, Version};
pub use view::HaSettings;

/// What both nodes share, relative to the root.
pub const PAIR: &str = "etc/twinwall/pair.toml";

/// Whether high availability is on below `root`: a guard shall run. Reads the file and
/// nothing else. Without one it is not on; in one that is wrong it is not turned off, so
/// that a slip of the pen stops no guard that runs, and one that starts says what is wrong.
pub fn is_enabled(root: &Path) -> bool {
    let text = std::fs::read_to_string(root.join(PAIR));
    text.is_ok_and(|text| parse_pair(PAIR, &text).map_or(true, |pair| pair.enabled))
}

//! The HA settings (pair.toml): entered once, on one node, and the same on both. Reads them
//! as a document, whose comments stay, and as meaning, which every check of the parser has
//! passed; keeps every version. It asks no peer and no guard.

pub mod alerts;
pub mod change;
pub mod check;
pub mod checks;
pub mod differ;
pub mod edit;
pub mod flows;
pub mod history;
mod journal;
pub mod logs;
mod named;
pub mod observing;
pub mod revision;
pub mod snmp;
pub mod targets;
#[cfg(test)]
mod tests;
mod turned;
pub mod view;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use twinwall_core::config::parse_pair;

use crate::files;

pub use change::{Change, Value};
pub use differ::Setting;
pub use history::{History, HistoryError};
pub use journal::FileChange;
pub use revision::{Revision, Source, Version};
pub use view::HaSettings;

/// What both nodes share, relative to the root.
pub use crate::files::PAIR;

/// Whether high availability is on below `root`: a guard shall run. Reads the file and
/// nothing else. Without one the node is not paired, and it is not on. In one that is wrong,
/// or that cannot be read, it is not turned off: a slip of the pen stops no guard that runs,
/// and one that starts says itself what is wrong.
pub fn is_enabled(root: &Path) -> bool {
    let path = root.join(PAIR);
    if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return false;
    }
    files::read(&path, "", parse_pair).map_or(true, |pair| pair.enabled)
}

//! Reads the guard's files under its root: `node.toml`, `pair.toml` and the key.
//! Once at the start and at each reload, never on the beat thread.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use twinwall_core::config::{Errors, Node, Pair, parse_key, parse_node, parse_pair};
use twinwall_core::wire::PairKey;

/// Largest file read; the largest honest `pair.toml` (4096 VIPs) is a quarter of it.
const MAX_FILE: u64 = 1 << 20;

/// The meaning of the files.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `node.toml`.
    pub node: Node,
    /// `pair.toml`.
    pub pair: Pair,
    /// The heartbeat key.
    pub key: PairKey,
}

/// Why the files cannot be used.
#[derive(Debug)]
pub enum SettingsError {
    /// A file cannot be read.
    Unreadable {
        /// Which.
        file: PathBuf,
        /// The system's answer.
        error: std::io::Error,
    },
    /// Files say something that cannot be.
    Wrong(Errors),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingsError::Unreadable { file, error } => {
                write!(
                    f,
                    "{}: {error}; write it, or name another place with --root",
                    file.display()
                )
            }
            SettingsError::Wrong(errors) => errors.fmt(f),
        }
    }
}

impl std::error::Error for SettingsError {}

/// Where the settings are under `root`.
pub fn directory(root: &Path) -> PathBuf {
    root.join("etc/twinwall")
}

/// The guard's socket under `root`.
pub fn socket(root: &Path) -> PathBuf {
    root.join("run/twinwall/guard.sock")
}

/// Reads and checks everything.
///
/// # Errors
/// Every problem of the first file that has any.
pub fn load(root: &Path) -> Result<Settings, SettingsError> {
    let node_file = directory(root).join("node.toml");
    let pair_file = directory(root).join("pair.toml");
    let node = parse_node(&node_file.to_string_lossy(), &read(&node_file)?)
        .map_err(SettingsError::Wrong)?;
    let pair = parse_pair(&pair_file.to_string_lossy(), &read(&pair_file)?)
        .map_err(SettingsError::Wrong)?;
    let key_file = root.join(node.key_file.trim_start_matches('/'));
    let key =
        parse_key(&key_file.to_string_lossy(), &read(&key_file)?).map_err(SettingsError::Wrong)?;
    Ok(Settings { node, pair, key: PairKey::from_bytes(key) })
}

fn read(file: &Path) -> Result<String, SettingsError> {
    let unreadable = |error| SettingsError::Unreadable { file: file.to_owned(), error };
    let mut text = String::new();
    let opened = fs::File::open(file).map_err(unreadable)?;
    opened.take(MAX_FILE).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

//! Reads the guard's files under its root: `node.toml`, `pair.toml` and the key.
//! Once at the start and at each reload, never on the beat thread.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use twinwall_core::config::{Errors, MAX_FILE, Node, Pair, parse_key, parse_node, parse_pair};
use twinwall_core::wire::PairKeys;

/// The meaning of the files.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `node.toml`.
    pub node: Node,
    /// `pair.toml`.
    pub pair: Pair,
    /// The heartbeat keys.
    pub keys: PairKeys,
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
    /// High availability is off by `pair.toml`.
    Off(PathBuf),
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
            SettingsError::Off(file) => write!(
                f,
                "high availability is off ({}: enabled = false); turn it on with 'twinwall ha enable'",
                file.display()
            ),
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
/// Every problem of the first file that has any, or that no guard shall run.
pub fn load(root: &Path) -> Result<Settings, SettingsError> {
    let node_file = directory(root).join("node.toml");
    let pair_file = directory(root).join("pair.toml");
    let node = parse_node(&node_file.to_string_lossy(), &read(&node_file)?)
        .map_err(SettingsError::Wrong)?;
    let pair = parse_pair(&pair_file.to_string_lossy(), &read(&pair_file)?)
        .map_err(SettingsError::Wrong)?;
    if !pair.enabled {
        return Err(SettingsError::Off(pair_file));
    }
    let key_file = root.join(node.key_file.trim_start_matches('/'));
    let key =
        parse_key(&key_file.to_string_lossy(), &read(&key_file)?).map_err(SettingsError::Wrong)?;
    Ok(Settings { node, pair, keys: PairKeys::from(&key) })
}

fn read(file: &Path) -> Result<String, SettingsError> {
    read_text(file).map_err(|error| SettingsError::Unreadable { file: file.to_owned(), error })
}

/// Never waits: what is no regular file is refused, be it a FIFO without a writer.
fn read_text(file: &Path) -> io::Result<String> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(file)?;
    let metadata = opened.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if metadata.len() > MAX_FILE as u64 {
        let wrong = format!("{} bytes long, at most {MAX_FILE} are read", metadata.len());
        return Err(io::Error::other(wrong));
    }
    let mut text = String::new();
    opened.take(MAX_FILE as u64).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_pair_that_is_off_gets_no_guard() {
        let folder = std::env::temp_dir().join(format!("twinwall-off-{}", std::process::id()));
        let settings = folder.join("etc/twinwall");
        std::fs::create_dir_all(&settings).unwrap();
        let write = |name: &str, text: &str| std::fs::write(settings.join(name), text).unwrap();
        write("node.toml", "name = \"gw-a\"\ndesignation = \"primary\"\n");
        write("pair.toml", "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n");
        let error = load(&folder).expect_err("refused");
        assert!(matches!(error, SettingsError::Off(_)), "{error}");
        assert!(error.to_string().contains("twinwall ha enable"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = std::env::temp_dir().join(format!("twinwall-settings-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let fifo = folder.join("node.toml");
        let name = CString::new(fifo.as_os_str().as_bytes()).unwrap();
        // SAFETY: `name` is a C string that outlives the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        for place in [&fifo, &folder, &PathBuf::from("/dev/zero")] {
            let error = read(place).expect_err("refused").to_string();
            assert!(error.contains("not a regular file; write it"), "{error}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

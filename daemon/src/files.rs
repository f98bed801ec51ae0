//! Where things are below the root, and how the settings are read from there.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use twinwall_core::config::{self, Errors, Node, Pair, Problem};

/// The guard's socket.
pub const SOCKET: &str = "run/twinwall/guard.sock";
/// The agent's socket.
pub const AGENT_SOCKET: &str = "run/twinwall/agent.sock";
/// What only this node knows.
pub const NODE: &str = "etc/twinwall/node.toml";
/// What both nodes share.
pub const PAIR: &str = "etc/twinwall/pair.toml";

/// What is wrong with a file that is not there.
pub const MISSING: &str = "missing";
/// What to do about a key file that holds no key.
const MAKE_KEY: &str =
    "write a key with 'twinwall keygen' on one node and copy the file to the other";
/// What to do about settings that are not there.
const WRITE_IT: &str = "write it; docs/configuration.md shows one";

/// The settings as far as they are right, and every problem of all files.
pub struct Settings {
    /// node.toml.
    pub node: Option<Node>,
    /// pair.toml.
    pub pair: Option<Pair>,
    /// What is wrong in these, or with the key file.
    pub problems: Vec<Problem>,
}

/// Reads both files and the key file below `root`.
pub fn read_settings(root: &Path) -> Settings {
    let mut problems = Vec::new();
    let node = keep(read(&root.join(NODE), WRITE_IT, config::parse_node), &mut problems);
    let pair = keep(read(&root.join(PAIR), WRITE_IT, config::parse_pair), &mut problems);
    if let Some(node) = &node {
        problems.extend(check_key(&root.join(&node.key_file)));
    }
    Settings { node, pair, problems }
}

/// The key file's place: as node.toml says, else the default.
pub fn key_file(root: &Path) -> Result<PathBuf, Errors> {
    let path = root.join(NODE);
    if !path.exists() {
        return Ok(root.join(config::default_key_file()));
    }
    read(&path, "", config::parse_node).map(|node| root.join(node.key_file))
}

/// Whether the settings want a guard to run on this node.
pub fn guard_is_wanted(root: &Path) -> bool {
    root.join(NODE).exists() && crate::agent::settings::is_enabled(root)
}

/// Whether node.toml says where the console listens.
pub fn web_is_wanted(root: &Path) -> bool {
    read(&root.join(NODE), "", config::parse_node).is_ok_and(|node| !node.web_listen.is_empty())
}

/// Whether pair.toml wants SNMP data of both appliances.
pub fn snmp_is_wanted(root: &Path) -> bool {
    read(&root.join(PAIR), "", config::parse_pair).is_ok_and(|pair| pair.sync.snmp)
}

fn keep<T>(read: Result<T, Errors>, problems: &mut Vec<Problem>) -> Option<T> {
    read.map_err(|errors| problems.extend(errors.problems)).ok()
}

fn check_key(path: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    keep(read(path, MAKE_KEY, config::parse_key).map(|_| ()), &mut problems);
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        let wrong = format!("others may read it (mode {mode:04o})");
        problems.push(problem(
            path,
            wrong,
            format!("chmod 600 {}; if others had it, make a new key", path.display()),
        ));
    }
    problems
}

/// Reads a file of settings; `remedy` is what to do when there is none, or when
/// something else is in its place.
pub fn read<T>(
    path: &Path,
    remedy: &str,
    parse: impl Fn(&str, &str) -> Result<T, Errors>,
) -> Result<T, Errors> {
    let one = |wrong: String, remedy: String| Errors {
        problems: vec![problem(path, wrong, remedy)],
        more: 0,
    };
    let opened = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(one(MISSING.to_owned(), remedy.to_owned()));
        }
        opened => opened.and_then(|file| Ok((file.metadata()?, file))),
    };
    let unreadable = |error: io::Error| {
        one(error.to_string(), "make it readable for this user, or run this as root".to_owned())
    };
    let (metadata, file) = opened.map_err(unreadable)?;
    if !metadata.is_file() {
        let wrong = format!("{}, not a regular file", kind(metadata.file_type()));
        return Err(one(wrong, format!("move it away, then {remedy}")));
    }
    let limit = config::MAX_FILE as u64;
    if metadata.len() > limit {
        let wrong = format!("{} bytes long; at most {limit} are read", metadata.len());
        return Err(one(wrong, format!("is it the right file? If not, {remedy}")));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| one("not UTF-8 text".to_owned(), "save it as UTF-8".to_owned()))?;
    parse(&path.display().to_string(), &text)
}

/// Opens without waiting for a writer, as a FIFO would have it.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// What stands in the place of a file.
fn kind(of: FileType) -> &'static str {
    if of.is_dir() {
        "a directory"
    } else if of.is_fifo() {
        "a FIFO"
    } else {
        "a device"
    }
}

/// A problem with a file as a whole.
pub fn problem(path: &Path, wrong: String, remedy: String) -> Problem {
    Problem {
        file: path.display().to_string(),
        line: 0,
        key: String::new(),
        value: None,
        wrong,
        remedy,
        warning: false,
    }
}

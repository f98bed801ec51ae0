//! Where things are below the root, and how the settings are read from there.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use twinwall_core::config::{self, Errors, Pair, Problem};

/// The guard's socket.
pub(crate) const SOCKET: &str = "run/twinwall/guard.sock";
/// What only this node knows.
pub(crate) const NODE: &str = "etc/twinwall/node.toml";
/// What both nodes share.
pub(crate) const PAIR: &str = "etc/twinwall/pair.toml";

/// The pair's settings if they are right, and every problem of all files.
pub(crate) struct Settings {
    pub(crate) pair: Option<Pair>,
    pub(crate) problems: Vec<Problem>,
}

/// Reads both files and the key file below `root`.
pub(crate) fn read_settings(root: &Path) -> Settings {
    let mut problems = Vec::new();
    let node = keep(
        read(&root.join(NODE), "write it; docs/configuration.md shows one", config::parse_node),
        &mut problems,
    );
    let pair = keep(
        read(&root.join(PAIR), "write it; docs/configuration.md shows one", config::parse_pair),
        &mut problems,
    );
    if let Some(node) = &node {
        problems.extend(check_key(&root.join(&node.key_file)));
    }
    Settings { pair, problems }
}

/// The key file's place: as node.toml says, else the default.
pub(crate) fn key_file(root: &Path) -> Result<PathBuf, Errors> {
    let path = root.join(NODE);
    if !path.exists() {
        return Ok(root.join(config::default_key_file()));
    }
    read(&path, "", config::parse_node).map(|node| root.join(node.key_file))
}

fn keep<T>(read: Result<T, Errors>, problems: &mut Vec<Problem>) -> Option<T> {
    read.map_err(|errors| problems.extend(errors.problems)).ok()
}

fn check_key(path: &Path) -> Vec<Problem> {
    let missing = "write a key with 'twinwall keygen' on one node and copy the file to the other";
    let mut problems = Vec::new();
    keep(read(path, missing, config::parse_key).map(|_| ()), &mut problems);
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

fn read<T>(
    path: &Path,
    missing: &str,
    parse: impl Fn(&str, &str) -> Result<T, Errors>,
) -> Result<T, Errors> {
    let one = |wrong: String, remedy: &str| Errors {
        problems: vec![problem(path, wrong, remedy.to_owned())],
        more: 0,
    };
    let limit = config::MAX_FILE as u64 + 1;
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(one("missing".to_owned(), missing));
        }
        Err(error) => {
            return Err(one(
                error.to_string(),
                "make it readable for this user, or run this as root",
            ));
        }
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| one("not UTF-8 text".to_owned(), "save it as UTF-8"))?;
    parse(&path.display().to_string(), &text)
}

/// A problem with a file as a whole.
pub(crate) fn problem(path: &Path, wrong: String, remedy: String) -> Problem {
    Problem {
        file: path.display().to_string(),
        line: 0,
        key: String::new(),
        value: None,
        wrong,
        remedy,
    }
}

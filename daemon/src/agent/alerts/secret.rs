//! The secrets of targets: a webhook's key, a mail account's password. Each node keeps its own
//! in files of root's alone; none is in the settings, in a log, in an answer, or goes to the
//! other node.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::agent::api::error::Refusal;
use crate::agent::identity::private;
use crate::percent::encoded;

/// Where they lie, relative to the root.
pub const FOLDER: &str = "etc/twinwall/alerts";
/// Longest secret in bytes.
pub const MAX_SECRET: usize = 1024;

/// A secret; it leaves memory with its owner and is never shown.
pub type Secret = Zeroizing<String>;

/// Where it lies. A name that is none of a target leads nowhere else.
fn path(root: &Path, target: &str) -> PathBuf {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let name = if target.bytes().all(plain) { target } else { "" };
    root.join(FOLDER).join(format!("{name}.secret"))
}

/// The secret of a target; none where none was set.
///
/// # Errors
/// Why it cannot be read.
pub fn read(root: &Path, target: &str) -> Result<Option<Secret>, String> {
    let path = path(root, target);
    match private::read(&path, MAX_SECRET as u64) {
        Ok(found) => {
            let text = String::from_utf8(found.bytes)
                .map_err(|_| format!("{}: not text; set it anew", path.display()))?;
            Ok(Some(Zeroizing::new(text)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Whether a target has one here.
pub fn is_set(root: &Path, target: &str) -> bool {
    path(root, target).is_file()
}

/// Keeps it.
///
/// # Errors
/// When it cannot be one, or the disk does not allow it.
pub fn set(root: &Path, target: &str, secret: &str) -> Result<(), Refusal> {
    if secret.is_empty() || secret.len() > MAX_SECRET || secret.contains(char::is_control) {
        return Err(Refusal::invalid(format!(
            "a secret has 1 to {MAX_SECRET} bytes on one line, without control characters"
        )));
    }
    private::write(&path(root, target), secret.as_bytes())
        .map_err(|error| Refusal::machine(format!("keeping the secret of {target}: {error}")))
}

/// Forgets it; one that is not there is no error.
///
/// # Errors
/// The disk's.
pub fn forget(root: &Path, target: &str) -> Result<(), Refusal> {
    let path = path(root, target);
    if !path.exists() {
        return Ok(());
    }
    private::remove(&path)
        .map_err(|error| Refusal::machine(format!("forgetting the secret of {target}: {error}")))
}

/// In the forms in which programs write it: as it is, within JSON, within an address, in Base64.
pub(in crate::agent) fn forms(secret: &str) -> [String; 4] {
    let json = serde_json::Value::from(secret).to_string();
    let json = json.get(1..json.len() - 1).unwrap_or_default().to_owned();
    [secret.to_owned(), json, encoded(secret), STANDARD_NO_PAD.encode(secret)]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_secret_is_kept_for_root_alone_and_forgotten_on_demand() {
        let root = std::env::temp_dir().join(format!("twinwall-secret-{}", std::process::id()));
        assert_eq!(read(&root, "noc"), Ok(None));
        set(&root, "noc", "a b ü").expect("kept");
        assert_eq!(read(&root, "noc").expect("read").expect("set").as_str(), "a b ü");
        let mode = std::fs::metadata(path(&root, "noc")).expect("there").mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(is_set(&root, "noc"));
        forget(&root, "noc").expect("forgotten");
        forget(&root, "noc").expect("twice is no error");
        assert!(!is_set(&root, "noc"));
        assert_eq!(path(&root, "../x"), path(&root, ""));
        for wrong in ["", "a\nb", &"x".repeat(MAX_SECRET + 1)] {
            assert!(set(&root, "noc", wrong).is_err(), "{wrong:?}");
        }
        std::fs::remove_dir_all(&root).expect("removed");
    }
}

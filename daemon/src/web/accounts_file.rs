//! The accounts as the agent wrote them last: read again whenever the file is another one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::agent::accounts::{Accounts, FILE};
use crate::agent::api::error::Refusal;

/// What tells one file from the next; none where there is none.
type Stamp = Option<(u64, i64, i64, u64)>;

/// The file below a root.
pub(super) struct AccountsFile {
    root: PathBuf,
    known: Mutex<Option<(Stamp, Arc<Accounts>)>>,
}

impl AccountsFile {
    pub(super) fn below(root: &Path) -> AccountsFile {
        AccountsFile { root: root.to_owned(), known: Mutex::default() }
    }

    /// As it is now.
    pub(super) fn now(&self) -> Result<Arc<Accounts>, Refusal> {
        let stamp = stamp(&self.root.join(FILE));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((old, accounts)) = &*known
            && *old == stamp
        {
            return Ok(Arc::clone(accounts));
        }
        let accounts = Arc::new(Accounts::read(&self.root)?);
        *known = Some((stamp, Arc::clone(&accounts)));
        Ok(accounts)
    }
}

fn stamp(path: &Path) -> Stamp {
    let seen = fs::metadata(path).ok()?;
    Some((seen.ino(), seen.mtime(), seen.mtime_nsec(), seen.len()))
}

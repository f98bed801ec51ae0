//! This node's next key and certificate, while the present ones are being changed: kept
//! beside them until they take their place.

use std::fs;
use std::io;
use std::path::Path;

use super::{DIRECTORY, Identity, IdentityError, MAX_FILE, NODE, private};

/// The file, in the identity's directory.
const NEXT: &str = "next.pem";

impl Identity {
    /// Keeps it as the next one; one that was kept before is gone.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write_next(&self, root: &Path) -> Result<(), IdentityError> {
        let path = root.join(DIRECTORY).join(NEXT);
        let failed = |error| IdentityError::File { path: path.clone(), error };
        let _lock = private::lock_directory(&root.join(DIRECTORY)).map_err(failed)?;
        private::write(&path, self.pem()?.as_bytes()).map_err(failed)
    }

    /// The next one, if there is one.
    ///
    /// # Errors
    /// When its file cannot be read, is damaged, or is open to others.
    pub fn read_next(root: &Path) -> Result<Option<Identity>, IdentityError> {
        let path = root.join(DIRECTORY).join(NEXT);
        match private::read(&path, MAX_FILE) {
            Ok(file) => Identity::from_file(&path, &file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(IdentityError::File { path, error }),
        }
    }

    /// The next one takes the place of this node's; without one nothing changes.
    ///
    /// # Errors
    /// When the disk does not take it, or what is kept is no identity.
    pub fn use_next(root: &Path) -> Result<(), IdentityError> {
        let directory = root.join(DIRECTORY);
        let path = directory.join(NEXT);
        let failed = |error| IdentityError::File { path: path.clone(), error };
        let _lock = private::lock_directory(&directory).map_err(failed)?;
        if Identity::read_next(root)?.is_none() {
            return Ok(());
        }
        fs::rename(&path, directory.join(NODE)).map_err(failed)?;
        fs::File::open(&directory).and_then(|it| it.sync_all()).map_err(failed)
    }

    /// Forgets the next one.
    ///
    /// # Errors
    /// The system's.
    pub fn remove_next(root: &Path) -> io::Result<()> {
        private::remove(&root.join(DIRECTORY).join(NEXT))
    }
}

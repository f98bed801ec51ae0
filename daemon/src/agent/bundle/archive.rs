//! Files in one folder of a tar.gz, in memory.

use std::io;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

/// An archive that is being made.
pub(super) struct Archive {
    builder: Builder<GzEncoder<Vec<u8>>>,
    folder: String,
    /// Seconds since 1970 (UTC), of every file in it.
    at_s: u64,
}

impl Archive {
    pub(super) fn new(folder: &str, at_s: u64) -> Archive {
        let builder = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        Archive { builder, folder: folder.to_owned(), at_s }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// When its name cannot be one.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.at_s);
        self.builder.append_data(&mut header, format!("{}/{name}", self.folder), content)
    }

    /// The whole archive.
    ///
    /// # Errors
    /// As [`Archive::add`].
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        self.builder.into_inner()?.finish()
    }
}

//! Files of lines that are only ever appended to: one that has become too long gets a number,
//! the oldest goes. A line that a crash tore is ended by the next one, and passed over by
//! whoever reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file and its older ones.
#[derive(Debug)]
pub(super) struct Series {
    folder: PathBuf,
    name: &'static str,
    /// Longest file in bytes.
    most: u64,
    /// Files that are kept, the one that is written to among them.
    kept: usize,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    length: u64,
    /// The last line has no end.
    torn: bool,
}

impl Series {
    pub(super) fn new(folder: &Path, name: &'static str, most: u64, kept: usize) -> Series {
        Series { folder: folder.to_owned(), name, most, kept, open: None }
    }

    /// The file that is written to.
    pub(super) fn current(&self) -> PathBuf {
        self.numbered(0)
    }

    /// All files, the newest first; not each of them must be there.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        (0..self.kept).map(|number| self.numbered(number))
    }

    /// Appends a line, which ends with its newline; it outlives a power cut.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let full = |open: &Open| open.length > 0 && open.length + line.len() as u64 > self.most;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.reopen()?,
        };
        if full(&open) {
            self.rotate()?;
            open = self.reopen()?;
        }
        let line = if open.torn { [b"\n", line].concat() } else { line.to_vec() };
        // Whatever goes wrong, the next line begins with a look at this one's end.
        open.file.write_all(&line)?;
        open.file.sync_data()?;
        open.torn = false;
        open.length += line.len() as u64;
        self.open = Some(open);
        Ok(())
    }

    fn numbered(&self, number: usize) -> PathBuf {
        match number {
            0 => self.folder.join(format!("{}.log", self.name)),
            older => self.folder.join(format!("{}.{older}.log", self.name)),
        }
    }

    fn reopen(&self) -> io::Result<Open> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(self.current())?;
        let length = file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        } else {
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(Open { file, length, torn: last != *b"\n" })
    }

    fn rotate(&self) -> io::Result<()> {
        for number in (1..self.kept).rev() {
            match fs::rename(self.numbered(number - 1), self.numbered(number)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        if self.kept < 2 {
            fs::remove_file(self.current())?;
        }
        File::open(&self.folder)?.sync_all()
    }
}

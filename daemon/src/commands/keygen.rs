//! `twinwall keygen`: a new key for the pair, written so that no other user ever
//! sees it and no half of it is ever there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use twinwall_core::config::{KEY_BYTES, key_text};

use crate::cli::KeygenArgs;
use crate::show::print;
use twinwall::failure::Failure;
use twinwall::files;

pub(super) fn keygen(root: &Path, args: &KeygenArgs) -> Result<(), Failure> {
    let path = files::key_file(root).map_err(|errors| Failure::problem(errors.to_string()))?;
    let mut key = [0; KEY_BYTES];
    let drawn = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut key));
    drawn.map_err(|error| Failure::machine("drawing random bytes from /dev/urandom", &error))?;
    match write(&path, &key_text(&key), args.force) {
        Ok(()) => print(&format!(
            "Wrote {}. Copy it to the other node, with mode 0600, by a way that nobody else can read.\n",
            path.display()
        )),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Failure::problem(format!(
                "{} is there already; copy that one to the other node, or replace it with --force",
                path.display()
            )))
        }
        Err(error) => Err(Failure::machine(format!("writing {}", path.display()), &error)),
    }
}

/// Writes beside the target and then gives the file its name: by a link, which
/// fails where something is, or with `force` by a rename.
fn write(path: &Path, text: &str, force: bool) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".new-{}", std::process::id()));
    let result = write_draft(draft.as_ref(), text)
        .and_then(|()| if force { fs::rename(&draft, path) } else { fs::hard_link(&draft, path) });
    if result.is_err() || !force {
        // Only the extra name goes; after a failure nothing else was made.
        let _ = fs::remove_file(&draft);
    }
    result?;
    File::open(directory)?.sync_all()
}

fn write_draft(draft: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

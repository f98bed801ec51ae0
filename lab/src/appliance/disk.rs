//! The disk of an appliance: this machine's /etc and /var/lib with what the appliance
//! writes laid over them, and its own part of /run. Seen by its programs only; all of it is
//! gone with the lab.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Doing, Result};
use crate::mount;
use crate::worker::Worker;

/// Directories that are laid over the ones of this machine.
const LAID_OVER: [&str; 2] = ["etc", "var/lib"];
/// Directories below /run that each machine has for itself.
const OWN_RUN: [&str; 2] = ["run/twinwall", "run/network"];

/// Writes a file of the appliance. `path` has no `/` before it.
pub(super) fn write(tree: &Path, path: &str, text: &str, mode: u32) -> Result<()> {
    let path = tree.join(path);
    if let Some(folder) = path.parent() {
        make(folder)?;
    }
    fs::write(&path, text).doing(format!("write {}", path.display()))?;
    let mode = fs::Permissions::from_mode(mode);
    fs::set_permissions(&path, mode).doing(format!("set the mode of {}", path.display()))
}

/// Keeps everybody but root out of a directory of the appliance, if it has that one.
pub(super) fn close(tree: &Path, path: &str) -> Result<()> {
    let path = tree.join(path);
    if !path.exists() {
        return Ok(());
    }
    let mode = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&path, mode).doing(format!("set the mode of {}", path.display()))
}

/// Shows the disk to all programs that the machine starts from now on.
pub(super) fn mount(worker: &Worker, tree: &Path) -> Result<()> {
    let tree = tree.to_owned();
    worker.run(move || {
        for folder in LAID_OVER {
            let (upper, work) = (tree.join(folder), tree.join("scratch").join(folder));
            make(&upper)?;
            make(&work)?;
            let target = PathBuf::from("/").join(folder);
            let laid = mount::overlay(&target, &upper, &work, &target);
            laid.doing(format!("lay {} over {}", upper.display(), target.display()))?;
        }
        make(Path::new("/var/lib/twinwall"))?;
        for folder in OWN_RUN {
            let (own, target) = (tree.join(folder), PathBuf::from("/").join(folder));
            make(&own)?;
            make(&target)?;
            let shown = mount::bind(&own.display().to_string(), &target);
            shown.doing(format!("show {}", own.display()))?;
        }
        Ok(())
    })?
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).doing(format!("make {}", folder.display()))
}

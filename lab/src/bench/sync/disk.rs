//! A file system on a real disk for the machines of the lab, which else lie in memory. Its
//! file has no name from the start: nothing is left however the lab ends.

use std::fs::{self, File};
use std::path::Path;

use crate::error::{Doing, Result};
use crate::isolate::TREES;
use crate::worker::command_outside;

/// Room for both machines; it takes only what is written.
const SIZE: u64 = 8 << 30;

/// Makes one on the disk of `folder`, and mounts it where the machines will be.
///
/// # Errors
/// When there is no room, no loop device or no ext4.
pub(in crate::bench) fn lie_below(folder: &Path) -> Result<()> {
    let path = folder.join(format!("twinwall-bench-{}", std::process::id()));
    let made = File::create(&path).and_then(|file| file.set_len(SIZE));
    made.doing(format!("make {}", path.display()))?;
    let name = path.to_string_lossy();
    let formatted = command_outside("mkfs.ext4", &["-q", "-F", &name], "");
    let mounted =
        formatted.and_then(|_| command_outside("mount", &["-o", "loop", &name, TREES], ""));
    // The mount holds it until the lab ends.
    fs::remove_file(&path).doing(format!("remove {}", path.display()))?;
    mounted.map(drop)
}

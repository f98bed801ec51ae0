//! The disk of a container: an overlay, so that a read-only image serves many machines
//! and what they write is gone with the lab. Called by [`super::Container`] only.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Doing, LabError, Result};
use crate::mount;

/// A mounted overlay.
pub(super) struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Lays an empty disk in `folder` over `image`.
    pub(super) fn over(image: &Path, folder: &Path) -> Result<Disk> {
        if !image.join("lib/systemd/systemd").exists() {
            let text = format!(
                "{}: no system that boots with systemd; `cargo xtask machines` makes one",
                image.display()
            );
            return Err(LabError::Usage(text));
        }
        let part = |name: &str| folder.join(name);
        let (root, written, scratch) = (part("root"), part("written"), part("scratch"));
        for folder in [&root, &written, &scratch] {
            fs::create_dir_all(folder).doing(format!("make {}", folder.display()))?;
        }
        mount::overlay(image, &written, &scratch, &root).doing("mount a machine's disk")?;
        Ok(Disk { root })
    }

    /// Where it is mounted.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What is still mounted goes with the lab's mount namespace.
        let _ = mount::detach(&self.root);
    }
}

//! Forgetting: old versions beyond what is kept, and contents that no version names.
//! Versions go first, durably, and only then the contents they alone named; whatever is
//! interrupted here leaves more than needed, never less.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{Store, StoreError, disk, sync_parent, version_path};
use crate::agent::digest::Digest;
use crate::agent::section::Section;

/// How much history is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Newest versions of each section, at least one.
    pub versions: usize,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { versions: 200 }
    }
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Versions.
    pub versions: usize,
    /// Contents.
    pub contents: usize,
}

impl Store {
    /// Removes old versions and what only they needed. `also` are manifests that must
    /// stay although no version names them. Only between jobs: contents that are not
    /// yet named by a version would go.
    pub fn collect(
        &self,
        retention: Retention,
        also: &BTreeSet<Digest>,
    ) -> Result<Collected, StoreError> {
        let mut collected = Collected::default();
        for section in Section::ALL {
            collected.versions += self.forget_versions(section, retention)?;
        }
        let live = self.live(also)?;
        let by_pack = self.by_pack();
        for (pack, contents) in by_pack {
            let keep: Vec<Digest> = contents.intersection(&live).copied().collect();
            // A pack that is half alive stays; rewriting it costs more than it frees.
            if keep.len() * 2 > contents.len() {
                continue;
            }
            collected.contents += contents.len() - keep.len();
            self.move_contents(pack, &keep)?;
        }
        Ok(collected)
    }

    fn forget_versions(&self, section: Section, retention: Retention) -> Result<usize, StoreError> {
        let all = self.versions(section);
        let old = &all[..all.len().saturating_sub(retention.versions.max(1))];
        for version in old {
            let path = version_path(&self.directory.join("versions"), section, version.number);
            fs::remove_file(&path).map_err(disk("removing", &path))?;
            if let Some(versions) = self.inside().versions.get_mut(&section) {
                versions.remove(&version.number);
            }
        }
        if let Some(last) = old.last() {
            let path = version_path(&self.directory.join("versions"), section, last.number);
            sync_parent(&path).map_err(disk("writing", &path))?;
        }
        Ok(old.len())
    }

    /// Every manifest that must stay, and every content that one of them names.
    fn live(&self, also: &BTreeSet<Digest>) -> Result<BTreeSet<Digest>, StoreError> {
        let mut manifests = also.clone();
        for section in Section::ALL {
            manifests.extend(self.versions(section).iter().map(|version| version.manifest));
        }
        let mut live = BTreeSet::new();
        for digest in manifests {
            live.insert(digest);
            live.extend(self.manifest(&digest)?.contents());
        }
        Ok(live)
    }

    fn by_pack(&self) -> BTreeMap<u64, BTreeSet<Digest>> {
        let mut packs: BTreeMap<u64, BTreeSet<Digest>> = BTreeMap::new();
        for (digest, (pack, _)) in &self.inside().contents {
            packs.entry(*pack).or_default().insert(*digest);
        }
        packs
    }

    /// Copies what is still wanted into a new pack, then removes the old one.
    fn move_contents(&self, pack: u64, keep: &[Digest]) -> Result<(), StoreError> {
        let mut batch = self.batch()?;
        batch.again = true;
        for digest in keep {
            batch.put_reader(&mut self.read(digest)?)?;
        }
        batch.commit()?;
        {
            let mut inside = self.inside();
            inside.contents.retain(|_, (home, _)| *home != pack);
            inside.open.remove(&pack);
        }
        let path = self.pack_path(pack);
        fs::remove_file(&path).map_err(disk("removing", &path))
    }
}

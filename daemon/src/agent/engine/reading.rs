//! Reads sections from this node's disk into the store: a scan, the contents that the
//! store does not have yet, and a version when something changed. Called by the worker
//! only, so that nothing is read in the middle of its change.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::agent::manifest::{Kind, Manifest};
use crate::agent::profile::{Deviation, Rules};
use crate::agent::section::Section;
use crate::agent::store::{Cause, Lineage, NewVersion, Store, StoreError, Version};
use crate::agent::translate::Translator;
use crate::agent::tree::{Cache, Ground, Problem, Root, Scope, open_content, refresh, scan};
use crate::agent::watch::Extent;

/// Times that a section which changes while it is read is read again.
const ATTEMPTS: u32 = 5;

/// Why a section has no version of what is on the disk.
#[derive(Debug)]
pub enum ReadError {
    /// The root cannot be read.
    Root(io::Error),
    /// This stands in the way, and how many more.
    Blocked(Problem, usize),
    /// It changed each time.
    Changing,
    /// The store.
    Store(StoreError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Root(error) => write!(out, "the root directory cannot be read: {error}"),
            ReadError::Blocked(problem, 0) => problem.fmt(out),
            ReadError::Blocked(problem, more) => write!(out, "{problem} (and {more} more)"),
            ReadError::Changing => {
                write!(out, "its files changed each of {ATTEMPTS} times while they were read")
            }
            ReadError::Store(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> ReadError {
        ReadError::Store(error)
    }
}

/// What was read.
#[derive(Debug)]
pub struct Reading {
    /// The section as it is, with owners and modes as the profile says.
    pub manifest: Manifest,
    /// Where the disk has others.
    pub deviations: Vec<Deviation>,
    /// Its version, new or the one that was there.
    pub version: Version,
    /// What does not travel, for people.
    pub problems: Vec<Problem>,
}

impl Reading {
    /// The section as it lies on the disk.
    pub fn on_disk(&self) -> Manifest {
        let mut manifest = self.manifest.clone();
        for one in &self.deviations {
            manifest.insert(one.path.clone(), one.is.clone());
        }
        manifest
    }

    /// Where this node's disk is not as the profile says, in words.
    pub fn remark(&self) -> Option<String> {
        let first = self.deviations.first()?;
        Some(match self.deviations.len() - 1 {
            0 => format!("{first}: chown or chmod it"),
            more => format!("{first} (and {more} more): chown or chmod them"),
        })
    }
}

/// Why a new version would come to be, and by whom.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The history that the node belongs to.
    pub lineage: Option<Lineage>,
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// Why.
    pub cause: Cause,
    /// Who.
    pub who: String,
}

/// One section, and what is known of it.
struct Kept {
    scope: Scope,
    cache: Cache,
    /// The section as it was read last, when nothing of it was left out.
    last: Option<Manifest>,
}

impl Kept {
    fn new(scope: Scope) -> Kept {
        Kept { scope, cache: Cache::default(), last: None }
    }
}

/// Reads sections.
pub struct Reader {
    root: Root,
    translator: Translator,
    sections: BTreeMap<Section, Kept>,
    rules: BTreeMap<Section, Rules>,
    store: Arc<Store>,
}

impl Reader {
    /// A reader of these sections, with the rules of the profile for their owners. One that
    /// is not among them is empty.
    pub fn new(
        root: Root,
        translator: Translator,
        scopes: BTreeMap<Section, Scope>,
        rules: BTreeMap<Section, Rules>,
        store: Arc<Store>,
    ) -> Reader {
        let fresh = |(section, scope)| (section, Kept::new(scope));
        let sections = scopes.into_iter().map(fresh).collect();
        Reader { root, translator, sections, rules, store }
    }

    /// Other addresses from now on; contents are read anew where it matters.
    pub fn translate_by(&mut self, translator: Translator) {
        self.translator = translator;
        self.sections.values_mut().for_each(|kept| kept.last = None);
    }

    /// The ground of a section.
    pub fn ground(&self, section: Section) -> Option<Ground<'_>> {
        let scope = &self.sections.get(&section)?.scope;
        Some(Ground { root: &self.root, scope, translator: &self.translator })
    }

    /// Reads every file again at the next reading, whatever its times say.
    pub fn forget(&mut self) {
        for kept in self.sections.values_mut() {
            kept.cache.clear();
            kept.last = None;
        }
    }

    /// Reads so much of a section and notes a version if it changed.
    ///
    /// # Errors
    /// When it cannot be read as a whole; nothing is noted then.
    pub fn read(
        &mut self,
        section: Section,
        extent: &Extent,
        reason: &Reason,
    ) -> Result<Reading, ReadError> {
        for _ in 0..ATTEMPTS {
            let (mut manifest, problems) = self.look(section, extent)?;
            let rules = self.rules.get(&section);
            let deviations = rules.map_or_else(Vec::new, |it| it.rule_owners(&mut manifest));
            if !self.keep(section, &manifest)? {
                continue;
            }
            let known = self.store.head(section).is_some();
            let cause = if known { reason.cause } else { Cause::Found };
            let new = NewVersion {
                section,
                lineage: reason.lineage,
                at_ms: reason.at_ms,
                cause,
                who: reason.who.clone(),
            };
            let version = self.store.add_version(new, &manifest)?;
            return Ok(Reading { manifest, deviations, version, problems });
        }
        Err(ReadError::Changing)
    }

    fn look(
        &mut self,
        section: Section,
        extent: &Extent,
    ) -> Result<(Manifest, Vec<Problem>), ReadError> {
        let Some(kept) = self.sections.get_mut(&section) else {
            return Ok((Manifest::default(), Vec::new()));
        };
        let ground = Ground { root: &self.root, scope: &kept.scope, translator: &self.translator };
        if let (Extent::Files(directories), Some(last)) = (extent, kept.last.take()) {
            let looked = refresh(ground, &mut kept.cache, &last, directories);
            if let Some(manifest) = looked.map_err(ReadError::Root)? {
                kept.last = Some(manifest.clone());
                return Ok((manifest, Vec::new()));
            }
        }
        kept.last = None;
        let found = scan(ground, &mut kept.cache).map_err(ReadError::Root)?;
        let blocks = found.problems.iter().filter(|problem| problem.what.blocks()).count();
        if let Some(problem) = found.blocked_by() {
            return Err(ReadError::Blocked(problem.clone(), blocks - 1));
        }
        kept.last = found.problems.is_empty().then(|| found.manifest.clone());
        Ok((found.manifest, found.problems))
    }

    /// Puts into the store what it does not have; false when a file is no longer what the
    /// scan saw.
    fn keep(&self, section: Section, manifest: &Manifest) -> Result<bool, ReadError> {
        let Some(ground) = self.ground(section) else { return Ok(true) };
        let mut batch = self.store.batch()?;
        for (path, entry) in manifest.iter() {
            let Kind::File { content, .. } = &entry.kind else { continue };
            if batch.knows(content) {
                continue;
            }
            let Ok(mut file) = open_content(ground, path) else { return Ok(false) };
            match batch.put_reader(&mut file) {
                Ok((found, _)) if found == *content => {}
                Ok(_) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        batch.commit_with(manifest)?;
        Ok(true)
    }
}

/// The first paths at which what is there is not what was wanted, for people.
pub fn first_differences(wanted: &Manifest, there: &Manifest) -> String {
    const NAMED: usize = 3;
    let changes = wanted.changes(there);
    let named: Vec<String> =
        changes.iter().take(NAMED).map(|change| change.path().to_string()).collect();
    match changes.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;
    use crate::agent::digest::Digest;
    use crate::agent::manifest::RelPath;
    use crate::agent::tree::Lists;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let name = format!("twinwall-reading-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(path.join("root/etc/vpn")).expect("directories");
            Place(path)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join("root/etc/vpn").join(name), text).expect("written");
        }

        fn reader(&self) -> (Reader, Arc<Store>) {
            let lists = Lists { include: vec!["/etc/vpn".to_owned()], ..Lists::default() };
            let scopes = [(Section::Vpn, Scope::new(lists).expect("good lists"))].into();
            let store = Arc::new(Store::open(&self.0.join("store")).expect("a store").0);
            let root = Root::open(&self.0.join("root")).expect("a root");
            let rules = BTreeMap::new();
            (Reader::new(root, Translator::default(), scopes, rules, Arc::clone(&store)), store)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn changed() -> Reason {
        let (cause, who) = (Cause::Changed, "outside twinwall".to_owned());
        Reason { lineage: None, at_ms: 5, cause, who }
    }

    #[test]
    fn what_is_on_the_disk_is_in_the_store_and_a_change_makes_a_version() {
        let place = Place::new("versions");
        place.write("a.conf", "one");
        let (mut reader, store) = place.reader();
        let first = reader.read(Section::Vpn, &Extent::Everything, &changed()).expect("read");
        assert_eq!((first.version.number, first.version.cause), (1, Cause::Found));
        assert_eq!(store.read_whole(&Digest::of(b"one"), 10).expect("kept"), b"one");
        let again = reader.read(Section::Vpn, &Extent::Everything, &changed()).expect("read");
        assert_eq!(again.version, first.version);
        place.write("a.conf", "two");
        place.write("b.conf", "three");
        let here = Extent::Files([RelPath::new(b"etc/vpn").expect("a path")].into());
        let second = reader.read(Section::Vpn, &here, &changed()).expect("read");
        assert_eq!((second.version.number, second.version.cause), (2, Cause::Changed));
        assert_eq!(
            first_differences(&first.manifest, &second.manifest),
            "/etc/vpn/a.conf, /etc/vpn/b.conf"
        );
        assert!(store.missing(&second.manifest).is_empty());
        let packs = fs::read_dir(place.0.join("store/packs")).expect("packs").count();
        assert_eq!(packs, 2, "each version's contents and its manifest are made durable at once");
    }

    #[test]
    fn what_blocks_is_told_and_notes_no_version() {
        let place = Place::new("blocked");
        fs::remove_dir(place.0.join("root/etc/vpn")).expect("removed");
        fs::create_dir(place.0.join("root/etc/elsewhere")).expect("made");
        symlink("elsewhere", place.0.join("root/etc/vpn")).expect("linked");
        let lists = Lists { include: vec!["/etc/vpn/*.conf".to_owned()], ..Lists::default() };
        let (mut reader, store) = place.reader();
        reader.sections.insert(Section::Vpn, Kept::new(Scope::new(lists).expect("good lists")));
        let error =
            reader.read(Section::Vpn, &Extent::Everything, &changed()).expect_err("blocked");
        assert!(error.to_string().contains("/etc/vpn: is a symlink"), "{error}");
        assert_eq!(store.head(Section::Vpn), None);
    }

    #[test]
    fn a_section_without_files_is_empty_and_not_broken() {
        let place = Place::new("empty");
        let (mut reader, _) = place.reader();
        let reading = reader.read(Section::Mail, &Extent::Everything, &changed()).expect("read");
        assert!(reading.manifest.is_empty());
    }
}

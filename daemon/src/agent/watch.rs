//! Notices changes of the sections' files as they are made (inotify), and says which
//! sections to read again. It may say one too many and never decides what changed: the
//! reading does. What it misses, the full check of every few minutes finds.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;

use super::manifest::{Kind, Manifest, RelPath};
use super::section::Section;

/// A change is told when nothing more happened for this long: an editor makes several.
/// One that takes longer is read twice, which is all that it costs.
const CALM: Duration = Duration::from_millis(3);
/// It is told after this at the latest.
const AT_LATEST: Duration = Duration::from_millis(200);
/// Most directories watched; the full check serves the rest. The kernel's own limit
/// (`fs.inotify.max_user_watches`) may be lower.
const MAX_WATCHES: usize = 20_000;

/// Everything that changes a name, a content, an owner or a mode in a directory.
const WHAT: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::DONT_FOLLOW)
    .union(WatchFlags::EXCL_UNLINK);

/// Directories named of one section; beyond this all of it is read.
const MAX_NAMED: usize = 64;

/// What of a section to read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Everything,
    /// What lies right in these directories: files there came, went or changed, and nothing
    /// else did.
    Files(BTreeSet<RelPath>),
}

/// Sections to read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(BTreeMap<Section, Extent>);

impl Changes {
    /// These sections, whole.
    pub fn whole(sections: impl IntoIterator<Item = Section>) -> Changes {
        Changes(sections.into_iter().map(|section| (section, Extent::Everything)).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds to what is to be read of a section.
    pub fn add(&mut self, section: Section, extent: Extent) {
        let most = match (self.0.remove(&section), extent) {
            (Some(Extent::Files(mut known)), Extent::Files(more)) => {
                known.extend(more);
                if known.len() > MAX_NAMED { Extent::Everything } else { Extent::Files(known) }
            }
            (Some(Extent::Everything), _) | (Some(_), Extent::Everything) => Extent::Everything,
            (None, extent) => extent,
        };
        self.0.insert(section, most);
    }
}

impl IntoIterator for Changes {
    type Item = (Section, Extent);
    type IntoIter = std::collections::btree_map::IntoIter<Section, Extent>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Extend<(Section, Extent)> for Changes {
    fn extend<I: IntoIterator<Item = (Section, Extent)>>(&mut self, more: I) {
        more.into_iter().for_each(|(section, extent)| self.add(section, extent));
    }
}

/// What a directory is watched for.
#[derive(Clone, Debug, Default)]
struct Interest {
    /// Whatever happens there concerns these.
    any: BTreeSet<Section>,
    /// What happens to this name concerns these.
    names: BTreeMap<OsString, BTreeSet<Section>>,
}

#[derive(Default)]
struct Places {
    by_watch: BTreeMap<i32, PathBuf>,
    interests: BTreeMap<PathBuf, Interest>,
}

/// The watch over all sections.
#[derive(Clone)]
pub struct Watcher {
    queue: Arc<OwnedFd>,
    root: PathBuf,
    places: Arc<Mutex<Places>>,
}

impl Watcher {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the kernel gives no queue.
    pub fn new(root: &Path) -> io::Result<Watcher> {
        let queue = Arc::new(init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?);
        Ok(Watcher { queue, root: root.to_owned(), places: Arc::default() })
    }

    /// Watches this path of a section and the way to it, whether it is there or not.
    pub fn watch_base(&self, section: Section, base: &RelPath) {
        let mut directory = self.root.clone();
        for name in base.as_bytes().split(|byte| *byte == b'/') {
            let name = OsStr::from_bytes(name);
            self.add(&directory, |interest| {
                interest.names.entry(name.to_owned()).or_default().insert(section);
            });
            directory.push(name);
        }
        self.add(&directory, |interest| {
            interest.any.insert(section);
        });
    }

    /// Watches every directory of a section as it was read. True when one of them was not
    /// watched before: what happened in it since it was read has been missed.
    pub fn watch_all(&self, section: Section, manifest: &Manifest) -> bool {
        let directory = |kind: &Kind| matches!(kind, Kind::Directory);
        let mut fresh = false;
        for (path, _) in manifest.iter().filter(|(_, entry)| directory(&entry.kind)) {
            fresh |= self.add(&self.root.join(path.as_path()), |interest| {
                interest.any.insert(section);
            });
        }
        fresh
    }

    /// The sections in which something happened; empty when `limit` passed quietly, or
    /// `wake` could be read before.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub fn wait(&self, limit: Duration, wake: BorrowedFd<'_>) -> io::Result<Changes> {
        let mut changed = Changes::default();
        let mut wanted =
            [self.queue.as_fd(), wake].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        if !wait(&mut wanted, limit)? || wanted[0].revents().is_empty() {
            return Ok(changed);
        }
        let began = Instant::now();
        loop {
            changed.extend(self.read()?);
            // Many changes in a row wake this thread once each time, not once each.
            thread::sleep(CALM);
            if began.elapsed() > AT_LATEST || !self.readable(Duration::ZERO)? {
                return Ok(changed);
            }
        }
    }

    fn readable(&self, span: Duration) -> io::Result<bool> {
        wait(&mut [PollFd::new(&*self.queue, PollFlags::IN)], span)
    }

    fn read(&self) -> io::Result<Changes> {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = Reader::new(&*self.queue, &mut buffer);
        let mut changed = Changes::default();
        let mut touched = Vec::new();
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                return Ok(Changes::whole(Section::ALL));
            }
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
            let mut places = self.places();
            let Some(directory) = places.by_watch.get(&event.wd()).cloned() else { continue };
            if event.events().contains(ReadFlags::IGNORED) {
                places.by_watch.remove(&event.wd());
                continue;
            }
            let Some(interest) = places.interests.get(&directory) else { continue };
            // A directory came, went or changed, unless the name of a file is told.
            let directories = event.events().contains(ReadFlags::ISDIR);
            let file = name.is_some() && !directories;
            let extent = if file { self.files_in(&directory) } else { Extent::Everything };
            changed.extend(interest.any.iter().map(|section| (*section, extent.clone())));
            let named = name.as_ref().and_then(|name| interest.names.get(name));
            changed.extend(Changes::whole(named.into_iter().flatten().copied()));
            drop(places);
            // A directory came under a name that is watched further down.
            touched.extend(name.filter(|_| directories).map(|name| directory.join(name)));
        }
        for path in touched {
            self.renew(&path);
        }
        Ok(changed)
    }

    fn files_in(&self, directory: &Path) -> Extent {
        let below = directory.strip_prefix(&self.root).ok();
        match below.map(|path| RelPath::new(path.as_os_str().as_bytes())) {
            Some(Ok(path)) => Extent::Files([path].into()),
            Some(Err(_)) | None => Extent::Everything,
        }
    }

    /// A directory that appeared, or appeared anew, is watched again with all below it.
    fn renew(&self, path: &Path) {
        let below: Vec<PathBuf> = {
            let places = self.places();
            let known = places.interests.keys().filter(|known| known.starts_with(path));
            known.cloned().collect()
        };
        for path in below {
            self.place(&path);
        }
    }

    /// Whether it was not watched before and is now.
    fn add(&self, directory: &Path, change: impl FnOnce(&mut Interest)) -> bool {
        let mut places = self.places();
        let fresh = !places.interests.contains_key(directory);
        if fresh && places.interests.len() >= MAX_WATCHES {
            return false;
        }
        change(places.interests.entry(directory.to_owned()).or_default());
        drop(places);
        if fresh {
            self.place(directory);
        }
        fresh
    }

    /// What is not there, no directory, or beyond the kernel's limit is left to the way
    /// above it and to the full check.
    fn place(&self, directory: &Path) {
        if let Ok(watch) = add_watch(&*self.queue, directory, WHAT) {
            self.places().by_watch.insert(watch, directory.to_owned());
        }
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether one of them is ready; an interrupted wait was in vain.
fn wait(wanted: &mut [PollFd<'_>], span: Duration) -> io::Result<bool> {
    let span = Timespec::try_from(span).map_err(io::Error::other)?;
    match poll(wanted, Some(&span)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use twinwall_netlink::wait::Wake;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);
    const QUIET: Duration = Duration::from_millis(100);

    fn nobody() -> Wake {
        Wake::new().expect("a descriptor")
    }

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let name = format!("twinwall-watch-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(path.join("etc")).expect("a directory");
            Place(path)
        }

        fn write(&self, path: &str) {
            fs::write(self.0.join(path), "x").expect("written");
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn base(text: &str) -> RelPath {
        RelPath::new(text.as_bytes()).expect("a path")
    }

    fn waited(watcher: &Watcher, span: Duration) -> Vec<Section> {
        let changes = watcher.wait(span, nobody().as_fd()).expect("the queue is read");
        changes.into_iter().map(|(section, _)| section).collect()
    }

    #[test]
    fn a_file_concerns_its_section_and_its_neighbours_concern_nobody() {
        let place = Place::new("file");
        let watcher = Watcher::new(&place.0).expect("a watcher");
        watcher.watch_base(Section::Firewall, &base("etc/nftables.conf"));
        place.write("etc/other.conf");
        assert_eq!(waited(&watcher, QUIET), []);
        place.write("etc/nftables.conf");
        assert_eq!(waited(&watcher, SOON), [Section::Firewall]);
        place.write("etc/new");
        fs::rename(place.0.join("etc/new"), place.0.join("etc/nftables.conf")).expect("renamed");
        assert_eq!(waited(&watcher, SOON), [Section::Firewall]);
        fs::remove_file(place.0.join("etc/nftables.conf")).expect("removed");
        assert_eq!(waited(&watcher, SOON), [Section::Firewall]);
    }

    #[test]
    fn a_directory_that_comes_later_is_watched_and_again_after_it_was_replaced() {
        let place = Place::new("later");
        let watcher = Watcher::new(&place.0).expect("a watcher");
        watcher.watch_base(Section::Ips, &base("etc/suricata/rules"));
        for _ in 0..2 {
            fs::create_dir_all(place.0.join("etc/suricata/rules")).expect("made");
            assert_eq!(waited(&watcher, SOON), [Section::Ips]);
            place.write("etc/suricata/rules/a.rules");
            assert_eq!(waited(&watcher, SOON), [Section::Ips]);
            fs::remove_dir_all(place.0.join("etc/suricata")).expect("removed");
            assert_eq!(waited(&watcher, SOON), [Section::Ips]);
        }
    }

    #[test]
    fn deeper_directories_are_watched_once_they_were_read() {
        use super::super::manifest::{Entry, Owner};
        let place = Place::new("deep");
        fs::create_dir_all(place.0.join("etc/vpn/deep")).expect("made");
        let watcher = Watcher::new(&place.0).expect("a watcher");
        watcher.watch_base(Section::Vpn, &base("etc/vpn"));
        let root = || Owner::Number(0);
        let entry = Entry { kind: Kind::Directory, mode: 0o755, user: root(), group: root() };
        let manifest = [(base("etc/vpn/deep"), entry)].into_iter().collect();
        assert!(watcher.watch_all(Section::Vpn, &manifest), "not watched before");
        assert!(!watcher.watch_all(Section::Vpn, &manifest));
        place.write("etc/vpn/deep/a");
        let files = Extent::Files([base("etc/vpn/deep")].into());
        let changes = watcher.wait(SOON, nobody().as_fd()).expect("the queue is read");
        assert_eq!(changes.into_iter().collect::<Vec<_>>(), [(Section::Vpn, files)]);
        fs::create_dir(place.0.join("etc/vpn/deep/more")).expect("made");
        let changes = watcher.wait(SOON, nobody().as_fd()).expect("the queue is read");
        assert_eq!(changes, Changes::whole([Section::Vpn]), "a directory came");
        let path = place.0.join("etc/vpn/deep/a");
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("changed");
        assert_eq!(waited(&watcher, SOON), [Section::Vpn]);
    }
}

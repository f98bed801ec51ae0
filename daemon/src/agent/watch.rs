//! Notices changes of the sections' files as they are made (inotify), and says which
//! sections to read again. It may say one too many and never decides what changed: the
//! reading does. What it misses, the full check of every few minutes finds.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;

use super::manifest::{Kind, Manifest, RelPath};
use super::section::Section;

/// A change is told when nothing more happened for this long: an editor makes several.
const CALM: Duration = Duration::from_millis(10);
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

    /// Watches every directory of a section as it was read.
    pub fn watch_all(&self, section: Section, manifest: &Manifest) {
        let directory = |kind: &Kind| matches!(kind, Kind::Directory);
        for (path, _) in manifest.iter().filter(|(_, entry)| directory(&entry.kind)) {
            self.add(&self.root.join(path.as_path()), |interest| {
                interest.any.insert(section);
            });
        }
    }

    /// The sections in which something happened; empty when `limit` passed quietly.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub fn wait(&self, limit: Duration) -> io::Result<BTreeSet<Section>> {
        let mut changed = BTreeSet::new();
        let mut span = limit;
        let mut first = None;
        while self.readable(span)? {
            changed.extend(self.read()?);
            let began = *first.get_or_insert_with(Instant::now);
            if began.elapsed() > AT_LATEST {
                break;
            }
            span = CALM;
        }
        Ok(changed)
    }

    fn readable(&self, span: Duration) -> io::Result<bool> {
        let span = Timespec::try_from(span).map_err(io::Error::other)?;
        let mut wanted = [PollFd::new(&*self.queue, PollFlags::IN)];
        match poll(&mut wanted, Some(&span)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self) -> io::Result<BTreeSet<Section>> {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = Reader::new(&*self.queue, &mut buffer);
        let mut changed = BTreeSet::new();
        let mut touched = Vec::new();
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                return Ok(Section::ALL.into());
            }
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
            let mut places = self.places();
            let Some(directory) = places.by_watch.get(&event.wd()).cloned() else { continue };
            if event.events().contains(ReadFlags::IGNORED) {
                places.by_watch.remove(&event.wd());
                continue;
            }
            let Some(interest) = places.interests.get(&directory) else { continue };
            changed.extend(&interest.any);
            let named = name.as_ref().and_then(|name| interest.names.get(name));
            changed.extend(named.into_iter().flatten());
            drop(places);
            // Something came under a name that is watched further down.
            touched.extend(name.map(|name| directory.join(name)));
        }
        for path in touched {
            self.renew(&path);
        }
        Ok(changed)
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

    fn add(&self, directory: &Path, change: impl FnOnce(&mut Interest)) {
        let mut places = self.places();
        let fresh = !places.interests.contains_key(directory);
        if fresh && places.interests.len() >= MAX_WATCHES {
            return;
        }
        change(places.interests.entry(directory.to_owned()).or_default());
        drop(places);
        if fresh {
            self.place(directory);
        }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);
    const QUIET: Duration = Duration::from_millis(100);

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
        watcher.wait(span).expect("the queue is read").into_iter().collect()
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
        watcher.watch_all(Section::Vpn, &[(base("etc/vpn/deep"), entry)].into_iter().collect());
        place.write("etc/vpn/deep/a");
        assert_eq!(waited(&watcher, SOON), [Section::Vpn]);
        let path = place.0.join("etc/vpn/deep/a");
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("changed");
        assert_eq!(waited(&watcher, SOON), [Section::Vpn]);
    }
}

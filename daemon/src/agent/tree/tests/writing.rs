//! A disk made equal to a manifest: every kind of change, whole trees, other file
//! systems, and contents that do not come.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, chown};

use super::support::{Kept, Place, rel, shown};
use crate::agent::digest::Digest;
use crate::agent::manifest::{Kind, Manifest};
use crate::agent::translate::{AddressPair, Translator};
use crate::agent::tree::{WriteError, materialise};

/// Makes the section of `place` equal to `to`, and checks that it is.
pub(super) fn make(place: &mut Place, to: &Manifest, kept: &Kept) -> Result<(), WriteError> {
    let from = place.scan().manifest;
    let staging = place.path("var/stage");
    fs::create_dir_all(&staging).unwrap();
    let made = materialise(place.ground(), &from, to, &|digest| kept.read(digest), &staging);
    fs::remove_dir_all(&staging).unwrap();
    if made.is_ok() {
        assert_eq!(shown(&place.scan().manifest), shown(to));
        assert_eq!(&place.scan().manifest, to);
    }
    made
}

fn full(place: &Place) {
    place.write("etc/app/a.conf", "one");
    place.write("etc/app/sub/deep/b.conf", "two");
    place.write("etc/app/sub/c", "");
    place.write(place.path("etc/app").join(OsStr::from_bytes(b"odd \xff\nname")), "odd");
    place.directory("etc/app/empty");
    place.link("../passwd", "etc/app/link");
    place.write("srv/new/list", "list");
    place.mode("etc/app/a.conf", 0o640);
    place.mode("etc/app/empty", 0o2711);
    place.mode("etc/app/sub/deep", 0);
    chown(place.path("etc/app/sub/c"), Some(1313), Some(1414)).unwrap();
    place.mode("etc/app/sub/c", 0o4711);
    std::os::unix::fs::lchown(place.path("etc/app/link"), Some(1313), Some(0)).unwrap();
}

#[test]
fn a_blank_disk_becomes_the_section_and_the_section_a_blank_disk() {
    let (mut one, mut two) = (Place::new(), Place::new());
    full(&one);
    let kept = Kept::default();
    let (wanted, blank) = (kept.keep(&mut one), two.scan().manifest);
    make(&mut two, &wanted, &kept).unwrap();
    assert_eq!(two.read("etc/app/sub/deep/b.conf"), "two");
    let made = fs::metadata(two.path("srv/new")).unwrap();
    assert_eq!((made.mode() & 0o7777, made.uid()), (0o755, 0), "made on the way");
    make(&mut two, &wanted, &kept).unwrap();
    make(&mut two, &blank, &kept).unwrap();
    assert!(fs::read_dir(two.path("etc/app")).unwrap().next().is_none());
}

#[test]
fn each_kind_becomes_each_other_kind() {
    let kinds: [fn(&Place); 5] = [
        |_| {},
        |place| place.write("etc/app/x", "file"),
        |place| place.link("target", "etc/app/x"),
        |place| place.directory("etc/app/x"),
        |place| {
            place.write("etc/app/x/y/z", "inside");
            place.link("z", "etc/app/x/y/link");
        },
    ];
    for before in kinds {
        for after in kinds {
            let (mut one, mut two, kept) = (Place::new(), Place::new(), Kept::default());
            after(&one);
            before(&two);
            let wanted = kept.keep(&mut one);
            make(&mut two, &wanted, &kept).unwrap();
        }
    }
}

#[test]
fn only_what_changes_is_touched() {
    let (mut one, mut two, kept) = (Place::new(), Place::new(), Kept::default());
    full(&one);
    let wanted = kept.keep(&mut one);
    make(&mut two, &wanted, &kept).unwrap();
    let inode = |path: &str| fs::symlink_metadata(two.path(path)).unwrap().ino();
    let before = [inode("etc/app/a.conf"), inode("etc/app/link"), inode("etc/app/sub")];
    one.write("etc/app/sub/c", "changed");
    one.mode("etc/app/sub/c", 0o600);
    let changed = kept.keep(&mut one);
    make(&mut two, &changed, &kept).unwrap();
    let inode = |path: &str| fs::symlink_metadata(two.path(path)).unwrap().ino();
    assert_eq!([inode("etc/app/a.conf"), inode("etc/app/link"), inode("etc/app/sub")], before);
}

#[test]
fn a_file_with_another_name_keeps_its_content_there() {
    let (mut place, kept) = (Place::new(), Kept::default());
    place.write("elsewhere", "old");
    fs::hard_link(place.path("elsewhere"), place.path("etc/app/a")).unwrap();
    let mut wanted = kept.keep(&mut place);
    let mut entry = wanted.get(&rel("etc/app/a")).unwrap().clone();
    entry.kind = kept.put(b"new");
    entry.mode = 0o600;
    wanted.insert(rel("etc/app/a"), entry);
    make(&mut place, &wanted, &kept).unwrap();
    assert_eq!(place.read("elsewhere"), "old");
    assert_eq!(fs::metadata(place.path("elsewhere")).unwrap().mode() & 0o777, 0o644);
}

#[test]
fn what_is_not_synchronised_stays() {
    let (mut one, mut two, kept) = (Place::new(), Place::new(), Kept::default());
    one.write("etc/app/a", "a");
    one.write("etc/app/node", "one's own");
    two.write("etc/app/b", "b");
    two.write("etc/app/node", "two's own");
    two.write("etc/app/c.bak", "two's backup");
    let wanted = kept.keep(&mut one);
    make(&mut two, &wanted, &kept).unwrap();
    assert_eq!(two.read("etc/app/node"), "two's own");
    assert_eq!(two.read("etc/app/c.bak"), "two's backup");
    assert_eq!(two.read("etc/app/a"), "a");
    assert!(!two.path("etc/app/b").exists());
}

#[test]
fn addresses_become_those_of_the_node_that_writes() {
    let pair = |own: &str, peer: &str| {
        let (own, peer) = (own.parse().unwrap(), peer.parse().unwrap());
        Translator::new(vec![AddressPair { interface: "lan".to_owned(), own, peer }]).unwrap()
    };
    let (mut one, mut two, kept) = (Place::new(), Place::new(), Kept::default());
    one.translator = pair("10.0.0.2", "10.0.0.3");
    two.translator = pair("10.0.0.3", "10.0.0.2");
    one.write("etc/app/net/lan", "Address=10.0.0.2/24\nPeer=10.0.0.3\n");
    let wanted = kept.keep(&mut one);
    make(&mut two, &wanted, &kept).unwrap();
    assert_eq!(two.read("etc/app/net/lan"), "Address=10.0.0.3/24\nPeer=10.0.0.2\n");
    assert_eq!(two.scan().manifest.digest(), one.scan().manifest.digest());
}

/// Yields bytes without having them, so that a test needs no memory for large files.
struct Large {
    left: u64,
}

impl Read for Large {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = out.len().min(usize::try_from(self.left).unwrap());
        out[..length].fill(b'x');
        self.left -= length as u64;
        Ok(length)
    }
}

#[test]
fn a_file_of_100_mib_is_never_held_in_memory() {
    let size = 100_u64 << 20;
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut Large { left: size }, &mut hasher).unwrap();
    let content = Digest(*hasher.finalize().as_bytes());
    let (mut place, kept) = (Place::new(), Kept::default());
    place.write("etc/app/large", "small");
    let mut wanted = kept.keep(&mut place);
    let mut entry = wanted.get(&rel("etc/app/large")).unwrap().clone();
    entry.kind = Kind::File { size, content };
    wanted.insert(rel("etc/app/large"), entry);
    let from = place.scan().manifest;
    place.directory("var/stage");
    let before = peak_memory();
    let source = |_: &Digest| Ok(Box::new(Large { left: size }) as Box<dyn Read + Send>);
    materialise(place.ground(), &from, &wanted, &source, &place.path("var/stage")).unwrap();
    assert_eq!(place.scan().manifest, wanted);
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < 64 << 20, "the peak grew by {grown} bytes");
}

/// The most memory that this process ever had, in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn a_content_that_is_not_what_it_says_changes_nothing() {
    let (mut one, mut two, kept) = (Place::new(), Place::new(), Kept::default());
    one.write("etc/app/a", "new a");
    one.write("etc/app/b", "new b");
    two.write("etc/app/a", "old a");
    two.write("etc/app/b", "old b");
    let (wanted, from) = (kept.keep(&mut one), two.scan().manifest);
    for wrong in [&b"new B"[..], b"new", b"new b and more", b""] {
        let source = |digest: &Digest| {
            let wrong = Box::new(io::Cursor::new(wrong.to_owned()));
            if *digest == Digest::of(b"new b") { Ok(wrong as _) } else { kept.read(digest) }
        };
        two.directory("var/stage");
        let made = materialise(two.ground(), &from, &wanted, &source, &two.path("var/stage"));
        assert!(matches!(made, Err(WriteError::Content(..))), "{made:?}");
        fs::remove_dir_all(two.path("var/stage")).unwrap();
        assert_eq!(two.scan().manifest, from);
    }
}

#[test]
fn a_staging_directory_on_another_file_system_does_as_well() {
    let (mut one, mut two, kept) = (Place::new(), Place::new(), Kept::default());
    full(&one);
    full(&two);
    two.write("etc/app/a.conf", "other");
    two.link("elsewhere", "etc/app/sub/link");
    fs::remove_file(two.path("etc/app/link")).unwrap();
    let wanted = kept.keep(&mut one);
    let other = std::path::Path::new("/dev/shm");
    let device = |path: &std::path::Path| fs::metadata(path).unwrap().dev();
    assert_ne!(device(other), device(&two.path("")), "this test needs two file systems");
    let staging = other.join(format!("twinwall-tree-{}", std::process::id()));
    fs::create_dir_all(&staging).unwrap();
    let from = two.scan().manifest;
    let made = materialise(two.ground(), &from, &wanted, &|it| kept.read(it), &staging);
    fs::remove_dir_all(&staging).unwrap();
    made.unwrap();
    assert_eq!(two.scan().manifest, wanted);
    assert!(!two.path("etc/app/.twinwall-tmp-switch").exists());
}

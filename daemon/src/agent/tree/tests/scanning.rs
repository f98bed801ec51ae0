//! What a scan sees, what it never touches, and what it remembers.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::support::{Place, rel, shown};
use crate::agent::digest::Digest;
use crate::agent::manifest::{Kind, Owner};
use crate::agent::translate::{AddressPair, Translator};
use crate::agent::tree::{What, open_content};

#[test]
fn a_scan_sees_the_section_and_nothing_else() {
    let mut place = Place::new();
    place.write("etc/app/a.conf", "one");
    place.write("etc/app/sub/b.conf", "four");
    place.write("etc/app/sub/b.bak", "old");
    place.write("etc/app/node", "mine");
    place.write("etc/app/.twinwall-tmp-7", "left over");
    place.write("srv/x/list", "list");
    place.write("srv/x/other", "other");
    place.write("etc/other", "other");
    place.directory("etc/app/empty");
    place.link("../../etc/passwd", "etc/app/link");
    place.link("/nowhere", "etc/app/dangling");
    let scan = place.scan();
    assert_eq!(scan.problems, []);
    assert_eq!(
        shown(&scan.manifest),
        [
            "/etc/app/",
            "/etc/app/a.conf 3",
            "/etc/app/dangling @/nowhere",
            "/etc/app/empty/",
            "/etc/app/link @../../etc/passwd",
            "/etc/app/sub/",
            "/etc/app/sub/b.conf 4",
            "/srv/x/list 4",
        ]
    );
}

#[test]
fn owners_are_names_where_there_are_names() {
    let mut place = Place::new();
    place.write("etc/app/a", "");
    place.write("etc/app/b", "");
    place.mode("etc/app/a", 0o4750);
    chown(place.path("etc/app/a"), Some(1313), Some(1414)).unwrap();
    place.mode("etc/app/a", 0o4750);
    chown(place.path("etc/app/b"), Some(4242), Some(0)).unwrap();
    let manifest = place.scan().manifest;
    let a = manifest.get(&rel("etc/app/a")).unwrap();
    let name = |text: &str| Owner::Name(text.to_owned());
    assert_eq!((a.mode, &a.user, &a.group), (0o4750, &name("proxy"), &name("proxy")));
    let b = manifest.get(&rel("etc/app/b")).unwrap();
    assert_eq!((&b.user, &b.group), (&Owner::Number(4242), &name("root")));
}

#[test]
fn odd_names_are_names() {
    let mut place = Place::new();
    let odd: [&[u8]; 5] = [b"with space", "ümläut".as_bytes(), b"new\nline", b"\xff\xfe", b"-rf *"];
    for name in odd {
        place.write(place.path("etc/app").join(OsStr::from_bytes(name)), name);
    }
    let manifest = place.scan().manifest;
    for name in odd {
        let entry = manifest.get(&rel("etc/app").join(name).unwrap()).unwrap();
        let content = Kind::File { size: name.len() as u64, content: Digest::of(name) };
        assert_eq!(entry.kind, content);
    }
}

#[test]
fn what_cannot_travel_is_named_and_never_opened() {
    let mut place = Place::new();
    place.write("etc/app/file", "x");
    fs::hard_link(place.path("etc/app/file"), place.path("etc/app/hard")).unwrap();
    let _socket = UnixListener::bind(place.path("etc/app/socket")).unwrap();
    let make = |arguments: &[&str]| {
        let folder = place.path("etc/app");
        let status = Command::new("mknod").args(arguments).current_dir(folder).status();
        assert!(status.unwrap().success(), "this test runs as root");
    };
    make(&["pipe", "p"]);
    make(&["device", "c", "1", "3"]);
    let started = Instant::now();
    let scan = place.scan();
    assert!(started.elapsed() < Duration::from_secs(5), "nobody writes into the pipe");
    let found: Vec<String> = scan
        .problems
        .iter()
        .map(|it| format!("{} {}", it.path, it.what.to_string().split(';').next().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            "/etc/app/device is a device and does not travel",
            "/etc/app/file has several names (hard links)",
            "/etc/app/hard has several names (hard links)",
            "/etc/app/pipe is a named pipe and does not travel",
            "/etc/app/socket is a socket and does not travel",
        ]
    );
    assert_eq!(shown(&scan.manifest), ["/etc/app/", "/etc/app/file 1", "/etc/app/hard 1"]);
    assert_eq!(scan.blocked_by(), None);
}

#[test]
fn no_symlink_leads_a_scan_elsewhere() {
    let mut place = Place::new();
    place.write("secret/list", "secret");
    place.directory("srv");
    place.link("../secret", "srv/x");
    fs::remove_dir(place.path("etc/app")).unwrap();
    place.link("../secret", "etc/app");
    let scan = place.scan();
    assert_eq!(shown(&scan.manifest), ["/etc/app @../secret"]);
    assert_eq!(scan.problems.len(), 1);
    assert_eq!(scan.problems[0].path, rel("srv/x"));
    assert_eq!(scan.blocked_by().map(|it| &it.what), Some(&What::SymlinkInTheWay));
}

#[test]
fn access_lists_and_the_like_are_named() {
    let mut place = Place::new();
    place.write("etc/app/a", "");
    place.write("etc/app/b", "");
    let fd = fs::File::open(place.path("etc/app/a")).unwrap();
    rustix::fs::fsetxattr(&fd, "user.note", b"x", rustix::fs::XattrFlags::empty()).unwrap();
    for _ in 0..2 {
        let scan = place.scan();
        let named: Vec<_> = scan.problems.iter().map(|it| (it.path.clone(), &it.what)).collect();
        assert_eq!(named, [(rel("etc/app/a"), &What::Attributes)], "the cache knows it too");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn an_unchanged_file_is_not_read_again_and_a_changed_one_is() {
    let mut place = Place::new();
    for number in 0..50 {
        place.write(format!("etc/app/{number}"), format!("{number:08}"));
    }
    assert_eq!(place.scan().files_read, 50);
    // What changed in the tick in which it was read could have changed once more.
    thread::sleep(Duration::from_millis(100));
    let before = place.scan().manifest;
    let again = place.scan();
    assert_eq!((again.files_read, &again.manifest), (0, &before));
    // Same size, and the time of change put back to what it was.
    let path = place.path("etc/app/7");
    let times = fs::metadata(&path).unwrap().modified().unwrap();
    place.write("etc/app/7", "changed!");
    fs::File::options().write(true).open(&path).unwrap().set_modified(times).unwrap();
    let changed = place.scan();
    assert_eq!(changed.files_read, 1);
    assert_eq!(before.changes(&changed.manifest).len(), 1);
    place.cache.clear();
    assert_eq!(place.scan().files_read, 50);
}

#[test]
fn a_change_in_the_tick_of_the_reading_is_not_missed() {
    let mut place = Place::new();
    for round in 0..300_u32 {
        place.write("etc/app/a", round.to_be_bytes());
        let scan = place.scan();
        let content = Digest::of(&round.to_be_bytes());
        let entry = scan.manifest.get(&rel("etc/app/a")).unwrap();
        assert_eq!(entry.kind, Kind::File { size: 4, content }, "round {round}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again_or_named() {
    let mut place = Place::new();
    let size = 1 << 20;
    place.write("etc/app/log", vec![b'0'; size]);
    let path = place.path("etc/app/log");
    let stop = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut letter = b'a';
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                letter = if letter == b'z' { b'a' } else { letter + 1 };
                fs::File::options()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .write_all(&vec![letter; size])
                    .unwrap();
            }
        });
        for _ in 0..5 {
            let scan = place.scan();
            let whole = |letter: u8| Digest::of(&vec![letter; size]);
            match scan.manifest.get(&rel("etc/app/log")).map(|entry| entry.kind.clone()) {
                Some(Kind::File { content, .. }) => {
                    assert!(
                        (b'a'..=b'z').chain([b'0']).any(|it| whole(it) == content),
                        "a mixture"
                    );
                }
                Some(other) => panic!("{other:?}"),
                None => assert_eq!(scan.blocked_by().unwrap().what, What::Changing),
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(place.scan().problems, []);
}

#[test]
fn addresses_are_translated_where_the_profile_says() {
    let mut place = Place::new();
    place.write("etc/app/net/lan", "Address=10.0.0.2/24\n");
    place.write("etc/app/other", "Address=10.0.0.2/24\n");
    let plain = place.scan().manifest;
    let pair = AddressPair {
        interface: "lan".to_owned(),
        own: "10.0.0.2".parse().unwrap(),
        peer: "10.0.0.3".parse().unwrap(),
    };
    place.translator = Translator::new(vec![pair]).unwrap();
    let scan = place.scan();
    assert_eq!(scan.files_read, 2, "another translation, another content");
    assert_eq!(plain.changes(&scan.manifest).len(), 1);
    let mut canonical = Vec::new();
    let path = rel("etc/app/net/lan");
    open_content(place.ground(), &path).unwrap().read_to_end(&mut canonical).unwrap();
    assert_eq!(canonical, b"Address=\0own lan 0\0/24\n");
    let kind = Kind::File { size: canonical.len() as u64, content: Digest::of(&canonical) };
    assert_eq!(scan.manifest.get(&path).unwrap().kind, kind);
    assert!(open_content(place.ground(), &rel("etc/passwd")).is_err(), "not of this section");
}

#[test]
fn deep_trees_end_and_are_named() {
    let mut place = Place::new();
    place.directory(&format!("etc/app/{}", "d/".repeat(80)));
    let scan = place.scan();
    assert_eq!(scan.blocked_by().map(|it| &it.what), Some(&What::TooDeep));
}

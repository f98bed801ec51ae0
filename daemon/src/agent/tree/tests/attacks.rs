//! A manifest from a peer that means harm, and a disk that stands in the way: refused by
//! name, and nothing is written.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::support::{Kept, Place, rel};
use super::writing::make;
use crate::agent::manifest::{Entry, Kind, Manifest, Owner};
use crate::agent::tree::{Refusal, WriteError};

fn entry(kind: Kind) -> Entry {
    let root = || Owner::Name("root".to_owned());
    let mode = if matches!(kind, Kind::Symlink { .. }) { 0 } else { 0o755 };
    Entry { kind, mode, user: root(), group: root() }
}

fn link(target: &str) -> Entry {
    entry(Kind::Symlink { target: target.as_bytes().to_owned() })
}

/// Everything below the root but the staging directory.
fn disk(place: &Place) -> BTreeMap<String, String> {
    let out = Command::new("find")
        .arg(place.path(""))
        .args(["-path", "*/var/stage", "-prune", "-o", "-path", "*/var", "-prune", "-o"])
        .args(["-printf", "%P\t%y %i %m %U %T@ %l\n"])
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(a, b)| (a.into(), b.into()))
        .collect()
}

/// Tries to write these entries beside what is there; nothing may change.
fn refused(place: &mut Place, kept: &Kept, entries: Vec<(&str, Entry)>) -> Refusal {
    let mut wanted = place.scan().manifest;
    for (path, entry) in entries {
        wanted.insert(rel(path), entry);
    }
    refused_as(place, kept, &wanted)
}

fn refused_as(place: &mut Place, kept: &Kept, wanted: &Manifest) -> Refusal {
    let before = disk(place);
    let error = make(place, wanted, kept).unwrap_err();
    assert_eq!(disk(place), before, "{error}");
    match error {
        WriteError::Refused(_, refusal) => refusal,
        other => panic!("{other}"),
    }
}

#[test]
fn a_path_outside_of_the_section_is_refused() {
    let (mut place, kept) = (Place::new(), Kept::default());
    place.write("etc/app/sub/x", "x");
    place.write("etc/shadow", "secret");
    for path in [
        "etc/shadow",
        "etc/app2/x",
        "root/.ssh/authorized_keys",
        "etc/app/node",
        "etc/app/node/x",
        "etc/app/x.bak",
        "etc/app/.twinwall-tmp-1",
        "srv/x/other",
        "etc",
        "srv/x",
    ] {
        let file = entry(kept.put(b"evil"));
        assert_eq!(refused(&mut place, &kept, vec![(path, file)]), Refusal::Outside, "{path}");
        let gone = refused(&mut place, &kept, vec![(path, link("/tmp"))]);
        assert_eq!(gone, Refusal::Outside, "{path}");
    }
}

#[test]
fn a_symlink_of_the_manifest_leads_nowhere() {
    let (mut place, kept) = (Place::new(), Kept::default());
    place.directory("victim");
    let up = place.path("victim");
    let file = entry(kept.put(b"evil"));
    let entries =
        vec![("etc/app/out", link(up.to_str().unwrap())), ("etc/app/out/x", file.clone())];
    assert_eq!(refused(&mut place, &kept, entries), Refusal::NoDirectory);
    let entries = vec![("etc/app/file", file.clone()), ("etc/app/file/x", file.clone())];
    assert_eq!(refused(&mut place, &kept, entries), Refusal::NoDirectory);
    let entries = vec![("etc/app/absent/x", file)];
    assert_eq!(refused(&mut place, &kept, entries), Refusal::NoDirectory);
}

#[test]
fn a_symlink_on_the_disk_leads_nowhere() {
    let (mut place, kept) = (Place::new(), Kept::default());
    place.directory("victim");
    place.directory("srv");
    place.link("../victim", "srv/x");
    let file = entry(kept.put(b"evil"));
    let why = refused(&mut place, &kept, vec![("srv/x/list", file.clone())]);
    assert_eq!(why, Refusal::SymlinkInTheWay);
    // The section's own directory, swapped for a symlink behind our back after the scan.
    let before = place.scan().manifest;
    let mut wanted = before.clone();
    wanted.insert(rel("etc/app/new"), file);
    fs::remove_dir(place.path("etc/app")).unwrap();
    place.link("../victim", "etc/app");
    place.directory("var/stage");
    let made = crate::agent::tree::materialise(
        place.ground(),
        &before,
        &wanted,
        &|digest| kept.read(digest),
        &place.path("var/stage"),
    );
    assert!(matches!(made, Err(WriteError::Refused(_, Refusal::SymlinkInTheWay))), "{made:?}");
    assert!(fs::read_dir(place.path("victim")).unwrap().next().is_none());
}

#[test]
fn a_directory_with_something_of_ours_in_it_is_not_removed() {
    let (mut place, kept) = (Place::new(), Kept::default());
    let wanted = place.scan().manifest;
    place.write("etc/app/sub/deep/x", "x");
    place.write("etc/app/sub/deep/x.bak", "ours");
    let why = refused_as(&mut place, &kept, &wanted);
    assert_eq!(why, Refusal::Keeps(rel("etc/app/sub/deep/x.bak")));
    let why = refused(&mut place, &kept, vec![("etc/app/sub", link("x"))]);
    assert!(matches!(why, Refusal::NoDirectory | Refusal::Keeps(_)), "{why:?}");
    fs::remove_file(place.path("etc/app/sub/deep/x.bak")).unwrap();
    let _socket = UnixListener::bind(place.path("etc/app/sub/socket")).unwrap();
    assert_eq!(refused_as(&mut place, &kept, &wanted), Refusal::Keeps(rel("etc/app/sub/socket")));
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let (mut place, kept) = (Place::new(), Kept::default());
    let _socket = UnixListener::bind(place.path("etc/app/socket")).unwrap();
    let file = entry(kept.put(b"new"));
    let why = refused(&mut place, &kept, vec![("etc/app/socket", file)]);
    assert_eq!(why, Refusal::InTheWay);
}

#[test]
fn an_owner_who_is_not_known_here_is_refused_and_never_root() {
    let (mut place, kept) = (Place::new(), Kept::default());
    let mut file = entry(kept.put(b"new"));
    file.user = Owner::Name("squid".to_owned());
    let why = refused(&mut place, &kept, vec![("etc/app/a", file.clone())]);
    assert_eq!(why, Refusal::NoUser(file.user.clone()));
    file.user = Owner::Number(u32::MAX);
    let why = refused(&mut place, &kept, vec![("etc/app/a", file.clone())]);
    assert_eq!(why, Refusal::NoUser(file.user.clone()));
    file.user = Owner::Number(4242);
    file.group = Owner::Name("0".to_owned());
    let why = refused(&mut place, &kept, vec![("etc/app/a", file.clone())]);
    assert_eq!(why, Refusal::NoGroup(file.group.clone()));
}

#[test]
fn a_locked_file_is_named_before_anything_is_written() {
    let (mut place, kept) = (Place::new(), Kept::default());
    place.write("etc/app/a", "a");
    place.write("etc/app/b", "b");
    let chattr = |flag: &str| {
        let status = Command::new("chattr").arg(flag).arg(place.path("etc/app/b")).status();
        status.is_ok_and(|status| status.success())
    };
    assert!(chattr("+i"), "this test needs a file system with attributes");
    let mut other = Place::new();
    other.write("etc/app/a", "new a");
    other.write("etc/app/b", "new b");
    let wanted = kept.keep(&mut other);
    let before = disk(&place);
    let made = make(&mut place, &wanted, &kept);
    let unlock = Command::new("chattr").arg("-i").arg(place.path("etc/app/b")).status();
    assert!(unlock.unwrap().success());
    assert_eq!(disk(&place), before);
    assert!(matches!(made, Err(WriteError::Refused(_, Refusal::Locked))), "{made:?}");
}

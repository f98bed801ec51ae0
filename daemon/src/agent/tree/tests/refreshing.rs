//! A look at some directories tells what a scan would, or that only a scan can tell.

use std::collections::BTreeSet;
use std::fs;

use super::support::{Place, rel};
use crate::agent::manifest::{Manifest, RelPath};
use crate::agent::tree::refresh;

fn refreshed(place: &mut Place, before: &Manifest, directories: &[&str]) -> Option<Manifest> {
    let directories: BTreeSet<RelPath> = directories.iter().map(|path| rel(path)).collect();
    let mut cache = std::mem::take(&mut place.cache);
    let found = refresh(place.ground(), &mut cache, before, &directories).unwrap();
    place.cache = cache;
    found
}

fn place() -> Place {
    let place = Place::new();
    for path in ["etc/app/a", "etc/app/sub/b", "etc/app/sub/deep/c", "etc/app/other/d"] {
        place.write(path, "old");
    }
    place
}

#[test]
fn files_that_came_went_and_changed_are_seen_where_it_looks_and_nowhere_else() {
    let mut place = place();
    let before = place.scan().manifest;
    place.write("etc/app/a", "changed");
    place.write("etc/app/new", "new");
    place.link("a", "etc/app/link");
    place.write("etc/app/new.bak", "not of the section");
    place.write("etc/app/node", "each node's own");
    place.mode("etc/app/sub", 0o700);
    fs::remove_file(place.path("etc/app/sub/b")).unwrap();
    let found = refreshed(&mut place, &before, &["etc/app", "etc/app/sub"]);
    assert_eq!(found.as_ref(), Some(&place.scan().manifest));
    place.write("etc/app/other/d", "changed as well");
    let found = refreshed(&mut place, &found.unwrap(), &["etc/app"]);
    assert_ne!(found.as_ref(), Some(&place.scan().manifest), "it was not asked to look there");
    assert_eq!(refreshed(&mut place, &before, &[]).as_ref(), Some(&before));
}

#[test]
fn what_only_a_scan_can_tell_is_left_to_one() {
    let mut place = place();
    let before = place.scan().manifest;
    assert_eq!(refreshed(&mut place, &before, &["etc"]), None, "not of the section");
    assert_eq!(refreshed(&mut place, &before, &["etc/app/a"]), None, "not a directory");
    place.directory("etc/app/sub/fresh");
    assert_eq!(refreshed(&mut place, &before, &["etc/app/sub"]), None, "a directory came");
    fs::remove_dir(place.path("etc/app/sub/fresh")).unwrap();
    fs::remove_dir_all(place.path("etc/app/sub/deep")).unwrap();
    assert_eq!(refreshed(&mut place, &before, &["etc/app/sub"]), None, "a directory went");
    place.write("etc/app/sub/deep", "a file now");
    assert_eq!(refreshed(&mut place, &before, &["etc/app/sub"]), None, "it is a file now");
    fs::remove_dir_all(place.path("etc/app/other")).unwrap();
    place.link("sub", "etc/app/other");
    assert_eq!(refreshed(&mut place, &before, &["etc/app/other"]), None, "no symlink is followed");
    fs::hard_link(place.path("etc/app/a"), place.path("etc/app/hard")).unwrap();
    assert_eq!(refreshed(&mut place, &before, &["etc/app"]), None, "a problem that people see");
}

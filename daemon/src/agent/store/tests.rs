//! The store on a real file system: what goes in comes out, what is broken off leaves
//! nothing, what is damaged is noticed and costs only itself.

use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::Duration;

use super::*;
use crate::agent::manifest::{Entry, Kind, Owner, RelPath};

/// A directory of its own, gone at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path =
            std::env::temp_dir().join(format!("twinwall-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory of its own");
        Place(path)
    }

    fn open(&self) -> Store {
        let (store, damage) = Store::open(&self.0).expect("the store opens");
        assert!(damage.is_empty(), "{damage:?}");
        store
    }

    fn packs(&self) -> Vec<PathBuf> {
        open::list(&self.0.join("packs")).expect("the packs are listed")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn manifest(store: &Store, files: &[(&str, &[u8])]) -> Manifest {
    let mut batch = store.batch().expect("a batch begins");
    let manifest = files
        .iter()
        .map(|(name, bytes)| {
            let kind = Kind::File {
                size: bytes.len() as u64,
                content: batch.put(bytes).expect("a content is put in"),
            };
            let root = || Owner::Name("root".to_owned());
            let path = RelPath::new(name.as_bytes()).expect("a good path");
            (path, Entry { kind, mode: 0o644, user: root(), group: root() })
        })
        .collect();
    batch.commit().expect("the batch is committed");
    manifest
}

fn note(store: &Store, manifest: &Manifest) -> Version {
    let new = NewVersion {
        section: Section::Firewall,
        lineage: Some(Lineage(7)),
        at_ms: 1_800_000_000_000,
        cause: Cause::Changed,
        who: "admin".to_owned(),
    };
    store.add_version(new, manifest).expect("a version is noted")
}

#[test]
fn what_goes_in_comes_out_also_after_a_restart() {
    let place = Place::new("roundtrip");
    let long: Vec<u8> =
        (0..3 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let contents: [&[u8]; 4] = [b"", b"short", &[b'x'; 5000], &long];
    let digests: Vec<Digest> = {
        let store = place.open();
        let mut batch = store.batch().expect("a batch begins");
        let put = |bytes: &&[u8]| {
            let (digest, length) = batch.put_reader(&mut &bytes[..]).expect("put in");
            assert_eq!((digest, length), (Digest::of(bytes), bytes.len() as u64));
            digest
        };
        let digests = contents.iter().map(put).collect();
        batch.commit().expect("committed");
        digests
    };
    let store = place.open();
    for (digest, bytes) in digests.iter().zip(contents) {
        assert_eq!(store.read_whole(digest, 4 << 20).expect("read"), bytes);
    }
    assert!(store.read_whole(&digests[3], 1000).is_err(), "longer than the limit");
    assert!(matches!(store.read(&Digest::of(b"other")), Err(StoreError::Missing(_))));
}

#[test]
fn an_uncommitted_batch_leaves_nothing() {
    let place = Place::new("uncommitted");
    let store = place.open();
    let mut batch = store.batch().expect("a batch begins");
    let digest = batch.put(b"never").expect("put in");
    drop(batch);
    assert!(!store.has(&digest));
    assert!(place.packs().is_empty());
}

#[test]
fn the_same_content_is_stored_once() {
    let place = Place::new("once");
    let store = place.open();
    let bytes = b"the same again".as_slice();
    manifest(&store, &[("etc/a", bytes), ("etc/b", bytes)]);
    manifest(&store, &[("etc/c", bytes)]);
    assert_eq!(place.packs().len(), 1, "the second batch brought nothing");
}

#[test]
fn versions_count_up_and_the_same_again_is_no_new_one() {
    let place = Place::new("versions");
    let (first, second) = {
        let store = place.open();
        let one = manifest(&store, &[("etc/nftables.conf", b"one")]);
        let two = manifest(&store, &[("etc/nftables.conf", b"two")]);
        let first = note(&store, &one);
        assert_eq!(note(&store, &one), first);
        (first, note(&store, &two))
    };
    assert_eq!((first.number, second.number), (1, 2));
    let store = place.open();
    assert_eq!(store.head(Section::Firewall), Some(second.clone()));
    assert_eq!(store.versions(Section::Firewall), [first.clone(), second]);
    assert_eq!(store.head(Section::Vpn), None);
    let text = store.version(Section::Firewall, 9).map_err(|error| error.to_string());
    assert!(text.is_err_and(|text| text.contains("no version 9")));
    assert_eq!(store.manifest(&first.manifest).expect("its manifest").len(), 1);
}

#[test]
fn a_version_without_its_contents_is_refused() {
    let place = Place::new("incomplete");
    let other = Place::new("incomplete-other");
    let (store, source) = (place.open(), other.open());
    let foreign = manifest(&source, &[("etc/a", b"only there")]);
    let new = NewVersion {
        section: Section::System,
        lineage: None,
        at_ms: 0,
        cause: Cause::Found,
        who: String::new(),
    };
    assert!(matches!(store.add_version(new, &foreign), Err(StoreError::Missing(_))));
    assert_eq!(store.head(Section::System), None);
}

#[test]
fn only_one_process_has_the_store() {
    let place = Place::new("lock");
    let store = place.open();
    assert!(matches!(Store::open(&place.0), Err(StoreError::Busy(_))));
    drop(store);
    place.open();
}

#[test]
fn a_changed_byte_is_noticed_when_it_is_read() {
    let place = Place::new("bitrot");
    let store = place.open();
    manifest(&store, &[("etc/a", b"not worth compressing")]);
    let pack = File::options().write(true).open(&place.packs()[0]).expect("the pack opens");
    pack.write_all_at(b"X", 60).expect("a byte is changed");
    let read = store.read_whole(&Digest::of(b"not worth compressing"), 1000);
    assert!(read.is_err_and(|error| error.to_string().contains("damaged")));
}

#[test]
fn a_cut_pack_is_put_aside_and_the_rest_lives() {
    let place = Place::new("cut");
    {
        let store = place.open();
        manifest(&store, &[("etc/a", b"first")]);
        manifest(&store, &[("etc/b", b"second")]);
    }
    let cut = place.packs()[0].clone();
    let file = File::options().write(true).open(&cut).expect("the pack opens");
    let length = file.metadata().expect("its length").len();
    file.set_len(length - 1).expect("it is cut");
    let (store, damage) = Store::open(&place.0).expect("the store opens all the same");
    assert_eq!(damage.len(), 1);
    assert!(damage[0].path.to_string_lossy().ends_with(".damaged"));
    assert!(!store.has(&Digest::of(b"first")) && store.has(&Digest::of(b"second")));
}

#[test]
fn collecting_keeps_what_versions_name_and_nothing_else() {
    let place = Place::new("collect");
    let store = place.open();
    for number in 0..10 {
        let text = format!("version {number}");
        let stays = b"the same in all".as_slice();
        let files = manifest(&store, &[("etc/a", text.as_bytes()), ("etc/b", stays)]);
        note(&store, &files);
    }
    let running = manifest(&store, &[("etc/job", b"of a job")]);
    let kept = store.add_version(
        NewVersion {
            section: Section::Vpn,
            lineage: None,
            at_ms: 0,
            cause: Cause::Found,
            who: String::new(),
        },
        &running,
    );
    assert!(kept.is_ok());
    manifest(&store, &[("etc/orphan", b"of nobody")]);
    let collected = store.collect(Retention { versions: 2 }, &BTreeSet::new()).expect("collected");
    assert_eq!(collected.versions, 8);
    assert!(!store.has(&Digest::of(b"version 7")) && !store.has(&Digest::of(b"of nobody")));
    drop(store);
    let store = place.open();
    for kept in [&b"version 8"[..], b"version 9", b"the same in all", b"of a job"] {
        assert!(store.read_whole(&Digest::of(kept), 100).is_ok(), "{kept:?}");
    }
    let numbers: Vec<u64> = store.versions(Section::Firewall).iter().map(|it| it.number).collect();
    assert_eq!(numbers, [9, 10]);
}

const VICTIM: &str = "TWINWALL_STORE_OF_A_VICTIM";

/// Runs as a process of its own, started and killed by the test below.
#[test]
fn victim_that_writes_until_it_is_killed() {
    let Ok(directory) = std::env::var(VICTIM) else { return };
    let (store, _) = Store::open(Path::new(&directory)).expect("the victim opens the store");
    for round in 0_u64.. {
        let text = format!("{} {round}", std::process::id());
        let files = manifest(&store, &[("etc/a", text.as_bytes()), ("etc/b", &[7; 9000])]);
        note(&store, &files);
        if round % 5 == 4 {
            store.collect(Retention { versions: 3 }, &BTreeSet::new()).expect("collected");
        }
    }
}

#[test]
fn kill_9_at_any_instant_loses_no_noted_version() {
    let place = Place::new("killed");
    let program = std::env::current_exe().expect("this test's program");
    let victim = "agent::store::tests::victim_that_writes_until_it_is_killed";
    let mut last = 0;
    for round in 0..25_u64 {
        let mut child = Command::new(&program)
            .args(["--exact", victim, "--quiet"])
            .env(VICTIM, &place.0)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("the victim starts");
        std::thread::sleep(Duration::from_millis(30 + round * 7 % 40));
        child.kill().expect("it is killed");
        child.wait().expect("it is gone");
        let store = place.open();
        let versions = store.versions(Section::Firewall);
        for version in &versions {
            let manifest = store.manifest(&version.manifest).expect("the manifest is there");
            assert!(store.missing(&manifest).is_empty());
            for content in manifest.contents() {
                store.read_whole(&content, 10_000).expect("the content is whole");
            }
        }
        let newest = versions.last().map_or(0, |version| version.number);
        assert!(newest >= last, "version {last} was lost, {newest} is the newest");
        last = newest;
    }
    assert!(last > 0, "the victims wrote nothing");
}

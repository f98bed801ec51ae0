//! Two stores and a line between them, also one that lies.

use std::path::PathBuf;
use std::sync::mpsc;

use super::*;
use crate::agent::manifest::{Entry, Kind, Owner, RelPath};

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let name = format!("twinwall-exchange-{name}-{}", std::process::id());
        Place(std::env::temp_dir().join(name))
    }

    fn store(&self) -> Store {
        Store::open(&self.0).expect("the store opens").0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Pipe {
    to: mpsc::SyncSender<Vec<u8>>,
    from: mpsc::Receiver<Vec<u8>>,
}

impl Line for Pipe {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.to.send(frame.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        self.from.recv().map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn pipes() -> (Pipe, Pipe) {
    let (there, from_here) = mpsc::sync_channel(4);
    let (here, from_there) = mpsc::sync_channel(4);
    (Pipe { to: there, from: from_there }, Pipe { to: here, from: from_here })
}

/// Runs `work` against a node that answers from `store`.
fn with<T>(store: &Store, work: impl FnOnce(&mut Pipe) -> T) -> T {
    let (mut asker, mut server) = pipes();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(question) = server.receive() {
                if answer(store, &question, &mut |frame| server.send(frame)).is_err() {
                    return;
                }
            }
        });
        let result = work(&mut asker);
        drop(asker);
        result
    })
}

/// Runs `work` against a peer that answers these frames, whatever is asked.
fn against<T>(frames: Vec<Vec<u8>>, work: impl FnOnce(&mut Pipe) -> T) -> T {
    let (mut asker, mut server) = pipes();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let asked = server.receive();
            for frame in frames {
                if asked.is_err() || server.send(&frame).is_err() {
                    return;
                }
            }
        });
        let result = work(&mut asker);
        drop(asker);
        result
    })
}

fn fill(store: &Store, contents: &[Vec<u8>]) -> Manifest {
    let mut batch = store.batch().expect("a batch");
    let root = || Owner::Name("root".to_owned());
    let manifest = contents
        .iter()
        .enumerate()
        .map(|(number, bytes)| {
            let content = batch.put_reader(&mut bytes.as_slice()).expect("put in").0;
            let kind = Kind::File { size: bytes.len() as u64, content };
            let path = RelPath::new(format!("etc/{number}").as_bytes()).expect("a path");
            (path, Entry { kind, mode: 0o644, user: root(), group: root() })
        })
        .collect::<Manifest>();
    batch.put(&manifest.encode()).expect("the manifest is put in");
    batch.commit().expect("committed");
    manifest
}

#[test]
fn a_manifest_and_all_its_contents_arrive() {
    let (there, here) = (Place::new("there"), Place::new("here"));
    let (source, target) = (there.store(), here.store());
    let contents = [
        vec![],
        b"short".to_vec(),
        vec![b'x'; FRAME],
        (0..3 << 20).map(|at| (at % 251) as u8).collect(),
    ];
    let wanted = fill(&source, &contents);
    with(&source, |line| {
        let manifest = fetch_manifest(line, wanted.digest(), None).expect("the manifest arrives");
        assert_eq!(manifest, wanted);
        let missing = sizes(&manifest);
        let mut batch = target.batch().expect("a batch");
        let mut bytes = 0;
        fetch_contents(line, &missing, &mut batch, &mut |more| bytes += more).expect("they arrive");
        batch.commit().expect("committed");
        assert_eq!(bytes, contents.iter().map(|it| it.len() as u64).sum::<u64>());
    });
    for content in contents {
        assert_eq!(target.read_whole(&Digest::of(&content), 4 << 20).expect("read"), content);
    }
}

#[test]
fn a_base_that_the_other_node_forgot_costs_only_bytes() {
    let there = Place::new("base");
    let source = there.store();
    let wanted = fill(&source, &[b"one".to_vec(), b"two".to_vec()]);
    let mut base = wanted.clone();
    base.remove(&RelPath::new(b"etc/1").expect("a path"));
    with(&source, |line| {
        let fetched = fetch_manifest(line, wanted.digest(), Some((base.digest(), &base)));
        assert_eq!(fetched.expect("the whole arrives"), wanted);
    });
}

#[test]
fn what_the_other_node_does_not_have_is_said() {
    let there = Place::new("absent");
    let source = there.store();
    with(&source, |line| {
        let manifest = fetch_manifest(line, Digest::of(b"nothing"), None);
        assert!(matches!(manifest, Err(FetchError::NotHere)));
        let mut batch = source.batch().expect("a batch");
        let contents = fetch_contents(line, &[(Digest::of(b"x"), 1)], &mut batch, &mut |_| ());
        assert!(matches!(contents, Err(FetchError::NotHere)));
        line.send(b"{\"ask\":\"everything\"}").expect("sent");
        assert_eq!(line.receive().expect("an answer")[0], REFUSED);
        let too_many = Ask::Contents { digests: vec![Digest::of(b""); MAX_CONTENTS + 1] };
        ask(line, &too_many).expect("sent");
        assert_eq!(line.receive().expect("an answer")[0], REFUSED);
    });
}

fn sizes(manifest: &Manifest) -> Vec<(Digest, u64)> {
    let file = |entry: &Entry| match entry.kind {
        Kind::File { size, content } => Some((content, size)),
        Kind::Directory | Kind::Symlink { .. } => None,
    };
    manifest.iter().filter_map(|(_, entry)| file(entry)).collect()
}

fn record(digest: Digest, length: u64, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![LAST];
    frame.extend_from_slice(&digest.0);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(bytes);
    frame
}

#[test]
fn a_lying_peer_gets_nothing_into_the_store() {
    let here = Place::new("lied-to");
    let store = here.store();
    let good = Digest::of(b"good");
    let lies = [
        ("other bytes", vec![record(good, 4, b"evil")]),
        ("another digest", vec![record(Digest::of(b"evil"), 4, b"evil")]),
        ("too short", vec![record(good, 4, b"go")]),
        ("endless length", vec![record(good, u64::MAX, b"good")]),
        ("more behind it", vec![record(good, 4, b"good and more")]),
        ("no frame kind", vec![vec![]]),
        ("unknown frame kind", vec![vec![9, 1, 2]]),
        ("broken off", vec![vec![MORE, 1, 2], vec![REFUSED]]),
    ];
    for (name, frames) in lies {
        let mut batch = store.batch().expect("a batch");
        let fetched =
            against(frames, |line| fetch_contents(line, &[(good, 4)], &mut batch, &mut |_| ()));
        assert!(fetched.is_err(), "{name}");
        drop(batch);
        assert!(!store.has(&good), "{name}");
    }
    let manifest = against(vec![vec![LAST, 0, 0, 0, 0]], |line| fetch_manifest(line, good, None));
    assert!(matches!(manifest, Err(FetchError::Delta(_))));
}

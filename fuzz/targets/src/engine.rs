//! What the peer sends of its configuration: manifests, changes of them, questions to the
//! store, and answers of the other store.

use std::io;
use std::path::PathBuf;
use std::sync::LazyLock;

use twinwall::agent::digest::Digest;
use twinwall::agent::engine::delta as changes;
use twinwall::agent::engine::exchange::{self, FRAME, Line, fetch_contents, fetch_manifest};
use twinwall::agent::manifest::{Entry, Kind, Manifest, Owner, RelPath};
use twinwall::agent::store::Store;

/// Contents of the store here, and of the one that answers.
pub const CONTENTS: [&[u8]; 2] = [b"", b"10.1.0.2 gw-a\n"];

/// A manifest: what is taken is written the same.
pub fn manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::decode(data) {
        assert_eq!(manifest.encode(), data);
    }
}

/// Changes of a manifest, and the way to any other one and back.
pub fn delta(data: &[u8]) {
    let base = known();
    let nowhere = Digest::of(b"");
    assert!(changes::apply(&base, data, nowhere).is_err(), "no manifest has this digest");
    let Ok(other) = Manifest::decode(data) else { return };
    for (from, to) in [(&base, &other), (&other, &base)] {
        let bytes = changes::encode(from, to);
        assert_eq!(changes::apply(from, &bytes, to.digest()).as_ref(), Ok(to));
    }
}

/// A question to this node's store. Each frame of the answer is within its limit.
pub fn question(data: &[u8]) {
    let mut frames = 0;
    let answered = exchange::answer(&STORE, data, &mut |frame| {
        assert!(!frame.is_empty() && frame.len() <= FRAME);
        frames += 1;
        Ok(())
    });
    answered.expect("the line holds");
    assert!(frames > 0, "every question is answered");
}

/// Frames that the other node answers with, each after its length u16 (big-endian): to a
/// question for a manifest if the first byte is even, else for contents.
pub fn answer(data: &[u8]) {
    let Some((first, frames)) = data.split_first() else { return };
    let mut line = Played(frames);
    let wanted = known();
    if first & 1 == 0 {
        if let Ok(fetched) = fetch_manifest(&mut line, wanted.digest(), None) {
            assert_eq!(fetched, wanted);
        }
        return;
    }
    let contents = CONTENTS.map(|it| (Digest::of(it), it.len() as u64));
    let mut batch = STORE.batch().expect("a batch");
    let mut arrived = 0;
    let fetched = fetch_contents(&mut line, &contents, &mut batch, &mut |bytes| arrived += bytes);
    if fetched.is_ok() {
        assert_eq!(arrived, contents.iter().map(|(_, length)| length).sum::<u64>());
    }
}

/// A manifest that both nodes have.
pub fn known() -> Manifest {
    let entry = |kind: Kind| Entry {
        kind,
        mode: 0o644,
        user: Owner::Name("root".to_owned()),
        group: Owner::Number(7),
    };
    let path = |text: &str| RelPath::new(text.as_bytes()).expect("a good path");
    let file = |it: &[u8]| Kind::File { size: it.len() as u64, content: Digest::of(it) };
    let link = Entry { mode: 0, ..entry(Kind::Symlink { target: b"ethers".to_vec() }) };
    [
        (path("etc"), entry(Kind::Directory)),
        (path("etc/ethers"), entry(file(CONTENTS[1]))),
        (path("etc/link"), link),
        (path("etc/motd"), entry(file(CONTENTS[0]))),
    ]
    .into_iter()
    .collect()
}

/// A store in one place for all runs: the fuzzer leaves by `exit`, and nothing is removed then.
static STORE: LazyLock<Store> = LazyLock::new(|| {
    let directory: PathBuf = std::env::temp_dir().join("twinwall-fuzz-store");
    let (store, _) = Store::open(&directory).expect("a store; does another fuzzer run?");
    let mut batch = store.batch().expect("a batch");
    for content in CONTENTS.iter().copied().chain([known().encode().as_slice()]) {
        batch.put(content).expect("put");
    }
    batch.commit().expect("kept");
    store
});

/// Plays recorded answers to whatever is asked.
struct Played<'a>(&'a [u8]);

impl Line for Played<'_> {
    fn send(&mut self, _frame: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let (length, rest) = self.0.split_first_chunk().ok_or_else(ended)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (frame, rest) = rest.split_at_checked(length).ok_or_else(ended)?;
        self.0 = rest;
        Ok(frame.to_vec())
    }
}

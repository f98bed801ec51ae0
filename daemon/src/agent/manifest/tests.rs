//! Manifests: order, changes, and the strictness of their only encoding.

use super::*;

fn path(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).expect("a good path")
}

fn entry(kind: Kind) -> Entry {
    let mode = if matches!(kind, Kind::Symlink { .. }) { 0 } else { 0o644 };
    Entry { kind, mode, user: Owner::Name("root".to_owned()), group: Owner::Number(7) }
}

fn file(content: &str) -> Entry {
    entry(Kind::File { size: content.len() as u64, content: Digest::of(content.as_bytes()) })
}

fn sample() -> Manifest {
    let link = Kind::Symlink { target: b"../hosts".to_vec() };
    [
        (path("etc/conf.d"), entry(Kind::Directory)),
        (path("etc/conf.d/a"), file("a")),
        (path("etc/conf.d/link"), entry(link)),
        (path("etc/conf.d-old"), file("old")),
        (path("etc/name with\nnewline ü"), file("odd")),
    ]
    .into_iter()
    .collect()
}

#[test]
fn a_path_cannot_lead_elsewhere() {
    let long = "x".repeat(256);
    for (text, error) in [
        ("", PathError::Empty),
        ("/etc", PathError::Empty),
        ("etc//a", PathError::Empty),
        ("etc/", PathError::Empty),
        ("etc/../x", PathError::Dots),
        ("./x", PathError::Dots),
        ("a\0b", PathError::Nul),
        (long.as_str(), PathError::TooLong),
    ] {
        assert_eq!(RelPath::new(text.as_bytes()), Err(error), "{text:?}");
    }
    assert!(RelPath::new(&vec![b'/'; MAX_PATH + 1]).is_err());
    assert!(RelPath::new(b"etc/..data/...").is_ok());
}

#[test]
fn what_is_in_a_directory_follows_it_at_once() {
    let manifest = sample();
    let order: Vec<String> = manifest.iter().map(|(path, _)| path.to_string()).collect();
    let wanted = [
        "/etc/conf.d",
        "/etc/conf.d/a",
        "/etc/conf.d/link",
        "/etc/conf.d-old",
        "/etc/name with\\nnewline ü",
    ];
    assert_eq!(order, wanted);
    assert!(path("etc/conf.d/a").is_within(&path("etc/conf.d")));
    assert!(!path("etc/conf.d-old").is_within(&path("etc/conf.d")));
    assert_eq!(path("etc/conf.d/a").parent(), Some(path("etc/conf.d")));
}

#[test]
fn changes_name_each_path_that_differs_once() {
    let old = sample();
    let mut new = sample();
    new.remove(&path("etc/conf.d-old"));
    new.insert(path("etc/conf.d/a"), file("b"));
    new.insert(path("var"), entry(Kind::Directory));
    let changes = old.changes(&new);
    let (a, gone, came) = (path("etc/conf.d/a"), path("etc/conf.d-old"), path("var"));
    assert_eq!(
        changes,
        [
            Change::Modified(&a, &file("a"), &file("b")),
            Change::Removed(&gone, &file("old")),
            Change::Added(&came, &entry(Kind::Directory)),
        ]
    );
    assert!(old.changes(&old).is_empty());
    assert_eq!(Manifest::default().changes(&old).len(), old.len());
    assert_eq!(old.changes(&Manifest::default()).len(), old.len());
}

#[test]
fn bytes_and_manifest_are_the_same_thing() {
    let manifest = sample();
    let bytes = manifest.encode();
    assert_eq!(Manifest::decode(&bytes), Ok(manifest.clone()));
    for cut in 0..bytes.len() {
        assert!(Manifest::decode(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(Manifest::decode(&longer), Err(DecodeError::Length));
    assert_ne!(manifest.digest(), Manifest::default().digest());
}

/// Whatever decodes encodes to the same bytes: no two spellings of one manifest.
#[test]
fn no_changed_byte_yields_another_spelling() {
    let bytes = sample().encode();
    for place in 0..bytes.len() {
        for flip in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[place] ^= flip;
            if let Ok(manifest) = Manifest::decode(&changed) {
                assert_eq!(manifest.encode(), changed, "byte {place}");
            }
        }
    }
}

#[test]
fn a_path_out_of_order_or_outside_is_refused() {
    let one = |text: &str| {
        let mut bytes = Manifest::from_iter([(path("aa"), file(""))]).encode();
        bytes[10..12].copy_from_slice(text.as_bytes());
        bytes
    };
    assert!(Manifest::decode(&one("ab")).is_ok());
    assert_eq!(Manifest::decode(&one("..")), Err(DecodeError::Path));
    assert_eq!(Manifest::decode(&one("/a")), Err(DecodeError::Path));
    let mut twice = Manifest::from_iter([(path("aa"), file("")), (path("ab"), file(""))]).encode();
    let second = twice.len() - (twice.len() - 8) / 2;
    twice[second + 3] = b'a';
    assert_eq!(Manifest::decode(&twice), Err(DecodeError::Path));
}

//! A temporary root with a section in it.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::agent::digest::Digest;
use crate::agent::manifest::{Kind, Manifest, RelPath};
use crate::agent::translate::Translator;
use crate::agent::tree::{Cache, Ground, Lists, Root, Scan, Scope, open_content, scan};

/// Removed when it goes.
pub(crate) struct Place {
    path: PathBuf,
    pub(crate) root: Root,
    pub(crate) scope: Scope,
    pub(crate) translator: Translator,
    pub(crate) cache: Cache,
}

impl Place {
    /// A root with users and groups, and a section of everything in `etc/app` but
    /// `*.bak` and `node`.
    pub(crate) fn new() -> Place {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("twinwall-tree-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        for directory in ["etc/app", "var"] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        fs::write(path.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nproxy:x:1313:1414::/:\n")
            .unwrap();
        fs::write(path.join("etc/group"), "root:x:0:\nproxy:x:1414:\n").unwrap();
        let lists = |include: &[&str]| Lists {
            include: include.iter().map(|text| (*text).to_owned()).collect(),
            exclude: vec!["/etc/app/**/*.bak".to_owned()],
            node_local: vec!["/etc/app/node".to_owned()],
            translate: vec!["/etc/app/net/*".to_owned()],
        };
        Place {
            root: Root::open(&path).unwrap(),
            path,
            scope: Scope::new(lists(&["/etc/app", "/srv/*/list"])).unwrap(),
            translator: Translator::default(),
            cache: Cache::default(),
        }
    }

    pub(crate) fn ground(&self) -> Ground<'_> {
        Ground { root: &self.root, scope: &self.scope, translator: &self.translator }
    }

    pub(crate) fn scan(&mut self) -> Scan {
        let mut cache = std::mem::take(&mut self.cache);
        let scan = scan(self.ground(), &mut cache).unwrap();
        self.cache = cache;
        scan
    }

    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.join(path)
    }

    pub(crate) fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        String::from_utf8(fs::read(self.path(path)).unwrap()).unwrap()
    }

    pub(crate) fn directory(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    pub(crate) fn link(&self, target: &str, path: &str) {
        symlink(target, self.path(path)).unwrap();
    }

    pub(crate) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _already_gone = fs::remove_dir_all(&self.path);
    }
}

/// Contents of manifests that were once on a disk.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<Digest, Vec<u8>>>);

impl Kept {
    pub(crate) fn keep(&self, place: &mut Place) -> Manifest {
        let manifest = place.scan().manifest;
        for (path, entry) in manifest.iter() {
            let Kind::File { content, .. } = entry.kind else { continue };
            let mut bytes = Vec::new();
            open_content(place.ground(), path).unwrap().read_to_end(&mut bytes).unwrap();
            assert_eq!(Digest::of(&bytes), content);
            self.0.lock().unwrap().insert(content, bytes);
        }
        manifest
    }

    pub(crate) fn put(&self, content: &[u8]) -> Kind {
        let digest = Digest::of(content);
        self.0.lock().unwrap().insert(digest, content.to_owned());
        Kind::File { size: content.len() as u64, content: digest }
    }

    pub(crate) fn read(&self, digest: &Digest) -> io::Result<Box<dyn Read + Send>> {
        match self.0.lock().unwrap().get(digest) {
            Some(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone()))),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}

pub(crate) fn rel(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).unwrap()
}

/// Each path with what lies there: `/` directory, `@target`, or a file's size.
pub(crate) fn shown(manifest: &Manifest) -> Vec<String> {
    let line = |(path, entry): (&RelPath, &crate::agent::manifest::Entry)| match &entry.kind {
        Kind::Directory => format!("{path}/"),
        Kind::Symlink { target } => format!("{path} @{}", String::from_utf8_lossy(target)),
        Kind::File { size, .. } => format!("{path} {size}"),
    };
    manifest.iter().map(line).collect()
}

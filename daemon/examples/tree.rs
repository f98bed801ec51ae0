//! How fast a section is compared, read and written: `cargo run --release --example tree
//! [FILES]`. Prints milliseconds, the best of five; works in a temporary directory.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use twinwall::agent::digest::Digest;
use twinwall::agent::manifest::Manifest;
use twinwall::agent::translate::Translator;
use twinwall::agent::tree::{Cache, Ground, Lists, Root, Scope, materialise, scan};

const ROUNDS: usize = 5;
const FILES_IN_A_DIRECTORY: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let files = std::env::args().nth(1).map_or(Ok(5000), |text| text.parse())?;
    let folder = std::env::temp_dir().join(format!("twinwall-tree-{}", std::process::id()));
    let measured = measure(&folder, files);
    fs::remove_dir_all(&folder)?;
    measured
}

fn measure(folder: &Path, files: usize) -> Result<(), Box<dyn Error>> {
    let (one, two) = (folder.join("one"), folder.join("two"));
    fs::create_dir_all(&two)?;
    let contents = fill(&one, files)?;
    let lists = Lists { include: vec!["/app".to_owned()], ..Lists::default() };
    let (scope, translator) = (Scope::new(lists)?, Translator::default());
    let (from, into) = (Root::open(&one)?, Root::open(&two)?);
    let source = Ground { root: &from, scope: &scope, translator: &translator };
    let target = Ground { root: &into, scope: &scope, translator: &translator };

    let mut cache = Cache::default();
    std::thread::sleep(Duration::from_millis(100));
    best("read and hash everything", || {
        cache.clear();
        scan(source, &mut cache).map(drop)
    })?;
    best("compare with what is known", || scan(source, &mut cache).map(drop))?;
    let wanted = scan(source, &mut cache)?.manifest;
    best("encode and hash the manifest", || {
        std::hint::black_box(wanted.digest());
        Ok(())
    })?;

    let read = |digest: &Digest| reader(&contents, digest);
    let staging = folder.join("staging");
    best("write everything anew", || {
        let _nothing_there_at_first = fs::remove_dir_all(two.join("app"));
        fresh(&staging)?;
        let begun = Instant::now();
        let written = materialise(target, &Manifest::default(), &wanted, &read, &staging);
        written.map_err(io::Error::other)?;
        println!("    of that, writing {:.1} ms", millis(begun.elapsed()));
        Ok(())
    })?;
    let mut cache = Cache::default();
    let first = scan(target, &mut cache)?.manifest;
    let mut fewer = first.clone();
    let path = first.iter().nth(files / 2).map(|(path, _)| path.clone()).ok_or("no files")?;
    fewer.remove(&path);
    best("take one away and put it back", || {
        for (old, new) in [(&first, &fewer), (&fewer, &first)] {
            fresh(&staging)?;
            materialise(target, old, new, &read, &staging).map_err(io::Error::other)?;
        }
        Ok(())
    })?;
    Ok(())
}

fn reader(
    contents: &HashMap<Digest, Vec<u8>>,
    digest: &Digest,
) -> io::Result<Box<dyn Read + Send>> {
    let bytes = contents.get(digest).ok_or(io::ErrorKind::NotFound)?;
    Ok(Box::new(io::Cursor::new(bytes.clone())))
}

fn fresh(staging: &PathBuf) -> io::Result<()> {
    let _nothing_there_at_first = fs::remove_dir_all(staging);
    fs::create_dir_all(staging)
}

fn fill(root: &Path, files: usize) -> io::Result<HashMap<Digest, Vec<u8>>> {
    let mut contents = HashMap::new();
    for number in 0..files {
        let folder = root.join(format!("app/{:03}", number / FILES_IN_A_DIRECTORY));
        fs::create_dir_all(&folder)?;
        let content = format!("{number:07}\n").repeat(128).into_bytes();
        fs::write(folder.join(format!("{number}.conf")), &content)?;
        contents.insert(Digest::of(&content), content);
    }
    Ok(contents)
}

fn best(what: &str, mut run: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut least = Duration::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        run()?;
        least = least.min(begun.elapsed());
    }
    println!("{what}: {:.1} ms", millis(least));
    Ok(())
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

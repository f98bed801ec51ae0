//! Every target passes over its committed corpus, with nothing but a stable compiler.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use twinwall_fuzz::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("a folder entry").file_name())
        .map(|name| name.to_string_lossy().trim_end_matches(".rs").to_owned())
        .collect()
}

#[test]
fn every_target_has_a_function_a_program_and_a_corpus() {
    let functions: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(functions, names(&folder("fuzz_targets")));
    assert_eq!(functions, names(&folder("corpus")));
    // The programs are built by the fuzzer only: here they are read.
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("readable");
    for name in functions {
        let file = format!("fuzz_targets/{name}.rs");
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"{file}\"\n")), "{file}");
        let program = fs::read_to_string(folder(&file)).expect("readable");
        assert!(program.contains("\ntwinwall_fuzz::target!(twinwall_fuzz::"), "{file}: {program}");
    }
}

#[test]
fn every_corpus_passes() {
    for (name, run) in TARGETS {
        let corpus = folder("corpus").join(name);
        let files = names(&corpus);
        assert!(!files.is_empty(), "{name} has an empty corpus");
        for file in files {
            println!("{name}/{file}");
            run(&fs::read(corpus.join(&file)).expect("a corpus file"));
        }
    }
}

//! Transcripts: one file a case, which a person can read. Above the line `---`
//! stands what happens to the pair, below it what both nodes do, as the real cores
//! do it in the simulated world. `UPDATE_TRANSCRIPTS=1 cargo test -p twinwall-core
//! --test transcripts` rewrites the lower part; read the difference before you commit it.
#![allow(clippy::disallowed_methods, reason = "a test reads its files and its flag")]

#[allow(dead_code, reason = "the simulation uses the rest")]
mod world;

mod transcript;

use std::fs;
use std::path::PathBuf;

const LINE: &str = "---\n";

#[test]
fn every_transcript_is_what_happens() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("tests/transcripts is a folder")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    files.sort();
    assert!(files.len() >= 20, "the transcripts are there");
    let update = std::env::var_os("UPDATE_TRANSCRIPTS").is_some();
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a transcript can be read");
        let name = file.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let (script, expected) = text.split_once(LINE).unwrap_or((&text, ""));
        let story = transcript::play(script).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        if story == expected {
            continue;
        }
        if update {
            fs::write(&file, format!("{script}{LINE}{story}"))
                .expect("a transcript can be written");
        } else {
            wrong.push(format!("{name}: {}", first_difference(expected, &story)));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_TRANSCRIPTS=1 rewrites them", wrong.join("\n"));
}

fn first_difference(expected: &str, story: &str) -> String {
    let pairs = expected.lines().zip(story.lines()).find(|(one, two)| one != two);
    match pairs {
        Some((one, two)) => format!("\n  expected {one}\n  happened {two}"),
        None => "one is longer than the other".to_owned(),
    }
}

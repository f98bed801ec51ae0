//! The history on a real disk: versions, edits by hand, a crash at each step.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::history::{DIRECTORY, MAX_VERSIONS};
use super::*;

struct Ground(PathBuf);

impl Ground {
    fn new() -> Ground {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("twinwall-settings-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(root.join("etc/twinwall")).expect("a folder");
        fs::create_dir_all(root.join("etc/network")).expect("a folder");
        Ground(root)
    }

    fn root(&self) -> &Path {
        &self.0
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.0.join(path), text).expect("written");
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.0.join(path)).ok()
    }

    fn open(&self) -> History {
        History::open(self.root(), "gw-a").expect("opens")
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ONE: &str = "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n";

fn put(history: &History, text: &str, files: Vec<FileChange>) -> Result<(), HistoryError> {
    history.put(history.next(text, 9, "anna", Source::Entered), text, files)
}

#[test]
fn whether_it_is_on_stands_in_the_file_alone() {
    let ground = Ground::new();
    assert!(!is_enabled(ground.root()), "no settings");
    ground.write(PAIR, ONE);
    assert!(!is_enabled(ground.root()));
    let on = ONE.replace("enabled = false", "") + "[[interface]]\nname = \"lan\"\nwatch = true\n";
    ground.write(PAIR, &on);
    assert!(is_enabled(ground.root()), "on unless it says otherwise");
    ground.write(PAIR, "pair_id = ");
    assert!(is_enabled(ground.root()), "a mistake turns nothing off");
    fs::write(ground.root().join(PAIR), b"enabled = false \xff").expect("written");
    assert!(is_enabled(ground.root()), "what is no text says nothing");
    fs::remove_file(ground.root().join(PAIR)).expect("removed");
    fs::create_dir(ground.root().join(PAIR)).expect("made");
    assert!(is_enabled(ground.root()), "what cannot be read turns nothing off");
}

#[test]
fn each_change_is_a_version_and_an_edit_by_hand_becomes_one() {
    let ground = Ground::new();
    let history = ground.open();
    assert!(matches!(history.current(1), Err(HistoryError::NotPaired)));
    ground.write(PAIR, ONE);
    let first = history.current(1).expect("read");
    assert_eq!((first.version.revision.number, first.version.source), (1, Source::File));
    assert_eq!(history.current(2).expect("read"), first, "looked at twice is one version");
    let two = format!("{ONE}# two\n");
    put(&history, &two, Vec::new()).expect("put");
    assert_eq!(ground.read(PAIR).as_deref(), Some(two.as_str()));
    ground.write(PAIR, &format!("{two}# by hand\n"));
    drop(history);
    let history = ground.open();
    let third = history.current(3).expect("read");
    assert_eq!((third.version.revision.number, third.version.source), (3, Source::File));
    let who: Vec<String> = history.versions().into_iter().map(|version| version.who).collect();
    assert_eq!(who, ["outside twinwall", "anna", "outside twinwall"]);
    assert_eq!(history.text(2).expect("kept"), two);
    assert!(matches!(history.text(9), Err(HistoryError::NoVersion(9))));
}

#[test]
fn settings_that_are_not_newer_are_refused() {
    let ground = Ground::new();
    ground.write(PAIR, ONE);
    let history = ground.open();
    history.current(1).expect("read");
    let old = Version { revision: Revision::of(1, "x"), ..history.next("x", 1, "x", Source::File) };
    assert!(matches!(history.put(old, "x", Vec::new()), Err(HistoryError::NotNewer(_))));
    assert_eq!(ground.read(PAIR).as_deref(), Some(ONE));
}

#[test]
fn files_change_together_keep_their_mode_and_only_as_they_were_planned() {
    use std::os::unix::fs::PermissionsExt;
    let ground = Ground::new();
    ground.write(PAIR, ONE);
    ground.write("etc/network/interfaces", "old\n");
    let path = ground.root().join("etc/network/interfaces");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
    let history = ground.open();
    history.current(1).expect("read");
    let change = |after: &str| {
        FileChange::of(ground.root(), "etc/network/interfaces", Some(after.to_owned()))
            .expect("planned")
    };
    let planned = change("new\n");
    ground.write("etc/network/interfaces", "meanwhile\n");
    let refused = put(&history, &format!("{ONE}#\n"), vec![planned]);
    assert!(matches!(refused, Err(HistoryError::Changed(_))), "{refused:?}");
    assert_eq!(ground.read(PAIR).as_deref(), Some(ONE), "nothing was changed");
    put(&history, &format!("{ONE}#\n"), vec![change("new\n")]).expect("put");
    assert_eq!(ground.read("etc/network/interfaces").as_deref(), Some("new\n"));
    let mode = fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o640);
    let kept = ground.read(&format!("{DIRECTORY}/versions/00000002.json")).expect("kept");
    assert!(kept.contains("meanwhile"), "what was there before is kept: {kept}");
}

#[test]
fn a_link_in_place_of_a_file_is_never_followed() {
    let ground = Ground::new();
    ground.write("etc/network/real", "old\n");
    std::os::unix::fs::symlink("real", ground.root().join("etc/network/interfaces")).expect("link");
    for path in ["etc/network/interfaces", "../outside", "/etc/passwd", ""] {
        assert!(FileChange::of(ground.root(), path, None).is_err(), "{path}");
    }
}

#[test]
fn a_change_that_was_cut_off_is_carried_out_at_the_next_start() {
    let ground = Ground::new();
    ground.write(PAIR, ONE);
    ground.write("etc/network/interfaces", "old\n");
    let history = ground.open();
    history.current(1).expect("read");
    let two = format!("{ONE}# two\n");
    let version = history.next(&two, 9, "anna", Source::Entered);
    let files = vec![
        FileChange::of(ground.root(), "etc/network/interfaces", Some("new\n".to_owned()))
            .expect("planned"),
        FileChange::of(ground.root(), PAIR, Some(two.clone())).expect("planned"),
    ];
    let decided = journal::Decided { version, text: two.clone(), files };
    let path = ground.root().join(DIRECTORY).join("decided.json");
    drop(history);
    // Killed after the decision, and after one file of two.
    for first_file_too in [false, true] {
        ground.write(PAIR, ONE);
        ground.write("etc/network/interfaces", if first_file_too { "new\n" } else { "old\n" });
        journal::write(&path, &serde_json::to_vec(&decided).expect("JSON")).expect("written");
        let history = ground.open();
        assert_eq!(history.current(9).expect("read").version, decided.version);
        assert_eq!(ground.read(PAIR).as_deref(), Some(two.as_str()));
        assert_eq!(ground.read("etc/network/interfaces").as_deref(), Some("new\n"));
        assert!(!path.exists());
    }
}

#[test]
fn no_more_versions_are_kept_than_allowed() {
    let ground = Ground::new();
    ground.write(PAIR, ONE);
    let versions = format!("{DIRECTORY}/versions");
    fs::create_dir_all(ground.root().join(&versions)).expect("a folder");
    for number in 1..=MAX_VERSIONS as u64 {
        let version = Version {
            revision: Revision::of(number, "older"),
            at_ms: 1,
            who: "anna".to_owned(),
            node: "gw-a".to_owned(),
            source: Source::Entered,
            addresses_by_hand: false,
            note: None,
        };
        let kept = serde_json::json!({ "version": version, "text": "older" });
        ground.write(&format!("{versions}/{number:08}.json"), &kept.to_string());
    }
    let history = ground.open();
    history.current(1).expect("a new one, by hand");
    let all = history.versions();
    assert_eq!(all.len(), MAX_VERSIONS);
    assert_eq!(all[0].revision.number, 2);
    assert!(matches!(history.text(1), Err(HistoryError::NoVersion(1))));
}

//! The pages that the program writes about itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::Root;

fn pages(directory: &Path) -> BTreeMap<String, String> {
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let page = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("a page"))
    };
    entries.map(page).collect()
}

/// `UPDATE_DOCS=1 cargo test -p twinwall` writes them anew.
#[test]
fn the_reference_pages_are_what_the_program_says() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    let root = Root::new();
    let fresh = root.path("reference");
    assert_eq!(root.run(&["docs", fresh.to_str().expect("a path")]).code, Some(0));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        assert_eq!(root.run(&["docs", reference.to_str().expect("a path")]).code, Some(0));
    }
    let (fresh, kept) = (pages(&fresh), pages(&reference));
    for (name, text) in &fresh {
        assert!(
            kept.get(name) == Some(text),
            "docs/reference/{name} is old; run with UPDATE_DOCS=1 and commit"
        );
    }
}

#[test]
fn every_command_has_a_man_page_and_the_completions_know_it() {
    let root = Root::new();
    let directory = root.path("man");
    assert_eq!(root.run(&["man", directory.to_str().expect("a path")]).code, Some(0));
    let man = pages(&directory);
    let bash = root.run(&["completions", "bash"]).out;
    for command in [
        "run",
        "status",
        "explain",
        "events",
        "switchover",
        "maintenance",
        "keygen",
        "check",
        "fact",
        "reload",
        "record",
    ] {
        let page = &man[&format!("twinwall-{command}.1")];
        assert!(page.contains(".SH NAME"), "{command}");
        assert!(
            bash.contains(&format!("twinwall__{}", command)) || bash.contains(command),
            "{command}"
        );
    }
    assert!(man["twinwall.1"].contains("Exit codes"), "{}", man["twinwall.1"]);
    for (page, text) in &man {
        let named = text.lines().filter_map(|line| line.strip_suffix("(1)"));
        for name in named.map(|name| name.replace('\\', "")) {
            assert!(man.contains_key(&format!("{name}.1")), "{page} names {name}");
        }
    }
    assert!(man.contains_key("twinwall-maintenance-on.1"));
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for arguments in [
        vec!["statsu"],
        vec![],
        vec!["maintenance", "on", "--for", "soon"],
        vec!["fact", "dns", "fine"],
    ] {
        let ran = Root::new().run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?}");
    }
    let typo = Root::new().run(&["statsu"]).err;
    assert!(typo.contains("'status'"), "{typo}");
}

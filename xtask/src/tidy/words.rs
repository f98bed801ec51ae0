//! Rules that hold a text: what each source file starts with, what must not
//! stand in it, what the changelog and the licences must have.

use super::Finding;
use super::files::{Source, Sources};

/// Checks every file.
pub(super) fn check(sources: &Sources) -> Vec<Finding> {
    let forbidden = forbidden();
    let mut findings: Vec<Finding> =
        sources.rust().filter_map(header).chain(required(sources)).collect();
    for source in sources.all() {
        for (number, line) in source.text.lines().enumerate() {
            for word in &forbidden {
                if (source.is_rust() || !word.rust_only) && word.stands_in(line) {
                    findings.push(Finding::new(&source.path, number + 1, word.finding()));
                }
            }
        }
    }
    findings
}

/// A file says its job before anything else.
fn header(source: &Source) -> Option<Finding> {
    let first = source.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!"));
    let good = first.is_some_and(|line| line.starts_with("//! ") && line.len() > 10);
    (!good).then(|| {
        let text = "must start with `//!`: its job, who calls it, what it never does";
        Finding::new(&source.path, 1, text)
    })
}

/// Files that every release needs, with a line that must stand in them.
fn required(sources: &Sources) -> impl Iterator<Item = Finding> {
    let needed = [
        ("CHANGELOG.md", "## Unreleased"),
        ("README.md", "cargo xtask lab"),
        ("ARCHITECTURE.md", "## Deliberately absent"),
    ];
    needed.into_iter().filter_map(|(file, line)| {
        let there = sources.text(file).is_some_and(|text| text.contains(line));
        (!there).then(|| Finding::new(file, 0, format!("must exist and hold `{line}`")))
    })
}

/// A process that a test starts from its own program has to look like a test.
const PART_OF_A_TEST: &str = "#[ignore = \"started by another test\"]";

/// Something that must not stand in a file.
struct Forbidden {
    text: String,
    rust_only: bool,
    why: &'static str,
}

impl Forbidden {
    fn stands_in(&self, line: &str) -> bool {
        if line.contains(PART_OF_A_TEST) {
            return false;
        }
        let code = if self.rust_only { line.split("//").next().unwrap_or(line) } else { line };
        code.match_indices(&self.text).any(|(at, _)| {
            // `dbg!` is forbidden, `my_dbg!` is somebody's own word.
            let before = code[..at].chars().next_back();
            !self.rust_only || !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '"')
        })
    }

    fn finding(&self) -> String {
        format!("`{}`: {}", self.text, self.why)
    }
}

/// The list. The texts are put together here so that this file does not hold them.
fn forbidden() -> Vec<Forbidden> {
    let macros = ["todo", "unimplemented", "dbg"].map(|name| Forbidden {
        text: format!("{name}!"),
        rust_only: true,
        why: "write it, or leave it out and say so in the issue",
    });
    let ignored = Forbidden {
        text: format!("#[{}", "ignore"),
        rust_only: true,
        why: "a test that does not run proves nothing; mend it or remove it",
    };
    let machines = ["root", "work", "home"].map(|folder| Forbidden {
        text: format!(" /{folder}/"),
        rust_only: false,
        why: "a path of one machine; make it relative or a parameter",
    });
    let quoted = ["root", "work", "home"].map(|folder| Forbidden {
        text: format!("\"/{folder}/"),
        rust_only: false,
        why: "a path of one machine; make it relative or a parameter",
    });
    macros.into_iter().chain([ignored]).chain(machines).chain(quoted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<String> {
        let sources = Sources::of(&[
            ("CHANGELOG.md", "## Unreleased"),
            ("README.md", "cargo xtask lab"),
            ("ARCHITECTURE.md", "## Deliberately absent"),
            (path, text),
        ]);
        check(&sources).iter().map(Finding::show).collect()
    }

    #[test]
    fn a_file_without_header_is_named() {
        assert_eq!(texts("a.rs", "//! Does a thing well.\nfn a() {}\n"), Vec::<String>::new());
        assert_eq!(texts("a.rs", "fn a() {}\n").len(), 1);
    }

    #[test]
    fn forbidden_words_are_named_with_their_line() {
        let text = format!("//! Does a thing well.\nfn a() {{ {}!() }}\n", "todo");
        assert!(texts("a.rs", &text)[0].starts_with("a.rs:2: "));
        let text = format!("see /{}/x\n", "root");
        assert_eq!(texts("a.md", &text).len(), 1);
        let text = format!("//! Does a thing well.\n// {}! later\n", "todo");
        assert!(texts("a.rs", &text).is_empty(), "a comment may speak of it");
    }

    #[test]
    fn a_changelog_without_unreleased_is_named() {
        let sources = Sources::of(&[("CHANGELOG.md", "# 0.1")]);
        assert_eq!(check(&sources).len(), 3);
    }
}

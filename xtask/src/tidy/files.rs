//! The text files of the checkout, read once. Called by every rule. Folders that
//! cargo and git fill are left out.

use std::fs;
use std::path::Path;

use crate::failure::Failure;

/// Folders that hold nothing written by people.
const SKIPPED: [&str; 6] = ["target", ".git", "corpus", "artifacts", "coverage", "node_modules"];
/// Endings of the files that the rules look at.
const ENDINGS: [&str; 13] =
    ["rs", "md", "toml", "txt", "sh", "service", "svg", "json", "run", "html", "css", "js", "mjs"];

/// One file.
pub(crate) struct Source {
    /// Relative to the checkout, with `/`.
    pub(crate) path: String,
    /// Its whole text.
    pub(crate) text: String,
}

impl Source {
    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// All files, sorted by path.
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    /// Reads the checkout.
    pub(crate) fn read(root: &Path) -> Result<Sources, Failure> {
        let mut found = Vec::new();
        walk(root, "", &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Sources(found))
    }

    /// A made-up checkout for tests of the rules.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Sources {
        let source = |(path, text): &(&str, &str)| Source {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Sources(files.iter().map(source).collect())
    }

    /// Every file.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    /// Every Rust file.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.all().filter(|source| source.is_rust())
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.all().find(|source| source.path == path).map(|source| source.text.as_str())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

fn walk(root: &Path, relative: &str, found: &mut Vec<Source>) -> Result<(), Failure> {
    let folder = root.join(relative);
    let broken = |e: std::io::Error| Failure(format!("{}: {e}", folder.display()));
    for entry in fs::read_dir(&folder).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if relative.is_empty() { name.clone() } else { format!("{relative}/{name}") };
        let kind = entry.file_type().map_err(broken)?;
        if kind.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(root, &path, found)?;
            }
        } else if kind.is_file() && wanted(&name) {
            let text = fs::read_to_string(root.join(&path))
                .map_err(|e| Failure(format!("{path}: {e}; it must be UTF-8 text")))?;
            found.push(Source { path, text });
        }
    }
    Ok(())
}

fn wanted(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or(name);
    ENDINGS.contains(&ending)
}

//! `cargo xtask docs`: the reference that the `twinwall` command writes about
//! itself (man pages, completions, settings, schema) under docs/reference. Called
//! by developers after a change and by `.ci/run` with `--check`. It never looks at
//! the pages that people write, some of which stand beside.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::failure::{Failure, Outcome, fail};
use crate::{shell, tidy};

const REFERENCE: &str = "docs/reference";

/// Writes the reference anew, or with `--check` only compares; then checks the links.
pub(crate) fn docs(root: &Path, arguments: &[String]) -> Outcome {
    match arguments {
        [] => write(root, &root.join(REFERENCE))?,
        [flag] if flag == "--check" => compare(root)?,
        _ => return fail!("docs: only `--check` is known"),
    }
    tidy::check_links(root)
}

fn write(root: &Path, folder: &Path) -> Outcome {
    let mut command =
        shell::cargo(root, &["run", "--quiet", "--locked", "-p", "twinwall", "--", "docs"]);
    command.arg(folder);
    shell::run(command)
}

fn compare(root: &Path) -> Outcome {
    let fresh = shell::target_folder(root)?.join("fresh-reference");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(|e| Failure(format!("{}: {e}", fresh.display())))?;
    }
    write(root, &fresh)?;
    let (wanted, found) = (pages(&fresh)?, pages(&root.join(REFERENCE))?);
    let stale: Vec<&String> =
        wanted.keys().filter(|name| wanted.get(*name) != found.get(*name)).collect();
    match stale.first() {
        None => Ok(()),
        Some(first) => fail!(
            "docs: {REFERENCE}/{first} and {} more are not what the program says now; run `cargo \
             xtask docs` and commit",
            stale.len() - 1
        ),
    }
}

/// File names and contents of a folder and those below.
fn pages(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let broken = |e: std::io::Error| Failure(format!("{}: {e}", folder.display()));
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            let below = pages(&entry.path())?;
            found.extend(below.into_iter().map(|(file, text)| (format!("{name}/{file}"), text)));
        } else {
            found.insert(name, fs::read(entry.path()).map_err(broken)?);
        }
    }
    Ok(found)
}

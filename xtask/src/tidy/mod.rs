//! `cargo xtask tidy`: the house rules that no compiler checks. Called from the
//! command line, by `.ci/run` and by a test of its own. It reads the checkout and
//! changes nothing, except the ratchet when asked by `--lower`.

use std::path::Path;

use crate::failure::{Failure, Outcome, fail};
use files::Sources;

mod decoders;
mod fence;
mod files;
mod links;
mod sizes;
mod words;

/// One broken rule: what, where, what now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// File relative to the checkout.
    file: String,
    /// Line from 1, or 0 when the whole file is meant.
    line: usize,
    /// What is wrong and what to do.
    text: String,
}

impl Finding {
    fn new(file: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding { file: file.to_owned(), line, text: text.into() }
    }

    fn show(&self) -> String {
        match self.line {
            0 => format!("{}: {}", self.file, self.text),
            line => format!("{}:{line}: {}", self.file, self.text),
        }
    }
}

/// Checks every rule; `--lower` tightens the ratchet to what is reached.
pub(crate) fn tidy(root: &Path, arguments: &[String]) -> Outcome {
    let sources = Sources::read(root)?;
    match arguments {
        [] => {}
        [flag] if flag == "--lower" => sizes::lower(root, &sources)?,
        _ => return fail!("tidy: only `--lower` is known"),
    }
    let findings = check(root, &sources)?;
    if findings.is_empty() {
        eprintln!("tidy: {} files keep the rules", sources.count());
        return Ok(());
    }
    for finding in &findings {
        eprintln!("{}", finding.show());
    }
    fail!("tidy: {} findings, see above", findings.len())
}

/// Checks only that the links between the Markdown files lead somewhere.
pub(crate) fn check_links(root: &Path) -> Outcome {
    let findings = links::check(root, &Sources::read(root)?);
    for finding in &findings {
        eprintln!("{}", finding.show());
    }
    if findings.is_empty() {
        Ok(())
    } else {
        fail!("docs: {} broken links, see above", findings.len())
    }
}

fn check(root: &Path, sources: &Sources) -> Result<Vec<Finding>, Failure> {
    let mut findings = sizes::check(root, sources)?;
    findings.extend(words::check(sources));
    findings.extend(fence::check(sources));
    findings.extend(decoders::check(sources));
    findings.extend(links::check(root, sources));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell;

    #[test]
    fn this_checkout_keeps_the_house_rules() {
        let root = shell::root().unwrap();
        let sources = Sources::read(&root).unwrap();
        let shown: Vec<String> =
            check(&root, &sources).unwrap().iter().map(Finding::show).collect();
        assert!(shown.is_empty(), "\n{}\n", shown.join("\n"));
        assert!(sources.count() > 20, "the rules looked at {} files only", sources.count());
    }
}

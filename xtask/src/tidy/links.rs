//! Links of the Markdown files: every relative one leads to a file, and every
//! anchor to a heading. Addresses on other machines are not looked up.

use std::path::Path;

use super::Finding;
use super::files::{Source, Sources};

/// Checks every Markdown file.
pub(super) fn check(root: &Path, sources: &Sources) -> Vec<Finding> {
    let pages = sources.all().filter(|source| source.path.ends_with(".md"));
    pages.flat_map(|page| broken(root, sources, page)).collect()
}

fn broken(root: &Path, sources: &Sources, page: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, target) in links(&page.text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = resolve(&page.path, file);
        if !root.join(&path).exists() {
            let text = format!("link to {target}: there is no {path}");
            findings.push(Finding::new(&page.path, number, text));
        } else if !anchor.is_empty()
            && !sources.text(&path).is_some_and(|text| headings(text).any(|h| h == anchor))
        {
            let text = format!("link to {target}: {path} has no heading with that anchor");
            findings.push(Finding::new(&page.path, number, text));
        }
    }
    findings
}

/// Targets of `[text](target)` and `src="target"` outside of code, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for mark in ["](", "src=\"", "srcset=\""] {
            for (at, _) in line.match_indices(mark) {
                let rest = &line[at + mark.len()..];
                if let Some(end) = rest.find([')', '"', ' ']) {
                    found.push((number, &rest[..end]));
                }
            }
        }
    }
    found
}

/// The lines outside of fenced code, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            code = !code;
            return None;
        }
        (!code).then_some((index + 1, line))
    })
}

/// `docs/a.md` and `../b.md` → `b.md`.
fn resolve(page: &str, file: &str) -> String {
    if file.is_empty() {
        return page.to_owned();
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Anchors of the headings, as GitHub and most others make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        line.trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                '-' | '_' => Some(c),
                c if c.is_alphanumeric() => Some(c),
                _ => None,
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_prose_are_found_and_those_in_code_are_not() {
        let text = "see [a](b.md#c) and [d](e)\n```\n[f](g)\n```\n";
        assert_eq!(links(text), [(1, "b.md#c"), (1, "e")]);
    }

    #[test]
    fn a_relative_link_is_resolved_from_its_page() {
        assert_eq!(resolve("docs/adr/0001.md", "../guide.md"), "docs/guide.md");
        assert_eq!(resolve("README.md", "./docs/"), "docs");
        assert_eq!(resolve("README.md", ""), "README.md");
    }

    #[test]
    fn an_anchor_is_made_as_others_make_it() {
        let made: Vec<String> = headings("## Why are `both` active?\n").collect();
        assert_eq!(made, ["why-are-both-active"]);
    }
}

//! Lengths of files and functions, and the ratchet: how many may lie between aim
//! and limit is written down in `xtask/ratchet.txt`, and that number only falls.

use std::fs;
use std::path::Path;

use super::Finding;
use super::files::{Source, Sources};
use crate::failure::{Failure, Outcome, fail};

const FILE_AIM: usize = 400;
const FILE_LIMIT: usize = 600;
const FUNCTION_AIM: usize = 50;
const FUNCTION_LIMIT: usize = 70;
const RATCHET: &str = "xtask/ratchet.txt";

/// Something with a length: a file, or a function in it.
struct Piece {
    file: String,
    line: usize,
    name: String,
    lines: usize,
}

/// Names what is over its limit, and what is over its aim if that has become more.
pub(super) fn check(root: &Path, sources: &Sources) -> Result<Vec<Finding>, Failure> {
    let ratchet = read_ratchet(root)?;
    let (files, functions) = (files_over_aim(sources), functions_over_aim(sources));
    let mut findings = judge("file", &files, FILE_AIM, FILE_LIMIT, ratchet.files);
    findings.extend(judge("function", &functions, FUNCTION_AIM, FUNCTION_LIMIT, ratchet.functions));
    Ok(findings)
}

/// Writes the numbers reached into the ratchet, if none of them rises.
pub(super) fn lower(root: &Path, sources: &Sources) -> Outcome {
    let old = read_ratchet(root)?;
    let new = Ratchet {
        files: files_over_aim(sources).len(),
        functions: functions_over_aim(sources).len(),
    };
    if new.files > old.files || new.functions > old.functions {
        return fail!(
            "tidy --lower: there is more over the aims than {RATCHET} allows; split first"
        );
    }
    let text = format!(
        "# How many files are longer than {FILE_AIM} lines and functions longer than {FUNCTION_AIM}.\n\
         # These numbers only fall: `cargo xtask tidy --lower`.\n\
         files {}\nfunctions {}\n",
        new.files, new.functions
    );
    fs::write(root.join(RATCHET), text).map_err(|e| Failure(format!("{RATCHET}: {e}")))
}

fn judge(kind: &str, pieces: &[Piece], aim: usize, limit: usize, allowed: usize) -> Vec<Finding> {
    let finding = |piece: &Piece, limit: usize| {
        let text = format!(
            "{kind} {}has {} lines, more than {limit}: split it, so that each piece has a name from \
             the field",
            piece.name, piece.lines
        );
        Finding::new(&piece.file, piece.line, text)
    };
    let mut findings: Vec<Finding> =
        pieces.iter().filter(|p| p.lines > limit).map(|p| finding(p, limit)).collect();
    if pieces.len() > allowed {
        findings.extend(pieces.iter().filter(|p| p.lines <= limit).map(|p| finding(p, aim)));
    }
    if pieces.len() != allowed {
        let now =
            if pieces.len() < allowed { "run `cargo xtask tidy --lower`" } else { "split one" };
        let text =
            format!("{} {kind}s over {aim} lines, {allowed} written here: {now}", pieces.len());
        findings.push(Finding::new(RATCHET, 0, text));
    }
    findings
}

fn files_over_aim(sources: &Sources) -> Vec<Piece> {
    sources
        .rust()
        .map(|source| Piece {
            file: source.path.clone(),
            line: 0,
            name: String::new(),
            lines: source.text.lines().count(),
        })
        .filter(|piece| piece.lines > FILE_AIM)
        .collect()
}

fn functions_over_aim(sources: &Sources) -> Vec<Piece> {
    sources.rust().flat_map(functions).filter(|piece| piece.lines > FUNCTION_AIM).collect()
}

/// The functions of a file. It trusts rustfmt: a function ends at the first line
/// that is its own indentation and a brace.
fn functions(source: &Source) -> Vec<Piece> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indentation = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indentation}}}");
        let declared = format!("{indentation}) ");
        let length = lines[index..].iter().position(|l| {
            *l == end || one_line(l, line) || (l.starts_with(&declared) && l.ends_with(';'))
        });
        let Some(length) = length else { continue };
        found.push(Piece {
            file: source.path.clone(),
            line: index + 1,
            name: format!("{name} "),
            lines: length + 1,
        });
    }
    found
}

/// Whether the function's first line is all of it.
fn one_line(line: &str, first: &str) -> bool {
    std::ptr::eq(line, first) && (line.ends_with('}') || line.ends_with(';'))
}

/// The name after `fn`, when the line begins a function.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        if let Some(name) = rest.strip_prefix("fn ") {
            return name.split(['(', '<']).next();
        }
        let (word, after) = rest.split_once(' ')?;
        let modifier = word.starts_with("pub")
            || ["const", "async", "unsafe", "extern", "\"C\""].contains(&word);
        if !modifier {
            return None;
        }
        rest = after;
    }
}

struct Ratchet {
    files: usize,
    functions: usize,
}

fn read_ratchet(root: &Path) -> Result<Ratchet, Failure> {
    let text = fs::read_to_string(root.join(RATCHET))
        .map_err(|e| Failure(format!("{RATCHET}: {e}; restore it from git")))?;
    let number = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok()).ok_or_else(|| {
            Failure(format!("{RATCHET}: no line `{key} NUMBER`; restore it from git"))
        })
    };
    Ok(Ratchet { files: number("files ")?, functions: number("functions ")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { path: "a.rs".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_function_is_measured_from_its_signature_to_its_brace() {
        let body = "        x();\n".repeat(60);
        let text = format!(
            "impl A {{\n    pub(crate) const fn long(\n    ) {{\n{body}    }}\n\n    fn short() {{}}\n}}\n"
        );
        let found = functions(&source(&text));
        let shown: Vec<_> = found.iter().map(|p| (p.name.as_str(), p.line, p.lines)).collect();
        assert_eq!(shown, [("long ", 2, 63), ("short ", 66, 1)]);
    }

    #[test]
    fn more_over_the_aim_than_the_ratchet_allows_is_named() {
        let piece = |lines| Piece { file: "a.rs".into(), line: 1, name: "f".into(), lines };
        assert!(judge("function", &[piece(60)], 50, 70, 1).is_empty());
        assert_eq!(judge("function", &[piece(60), piece(55)], 50, 70, 1).len(), 3);
        assert_eq!(judge("function", &[], 50, 70, 1).len(), 1, "the ratchet must fall");
        assert_eq!(judge("function", &[piece(71)], 50, 70, 1).len(), 1, "over the limit always");
    }
}

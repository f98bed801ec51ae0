//! The borders between the crates: who may depend on what, and what the core must
//! never name. Dependencies are the fence that keeps the core pure and the guard
//! small; clippy (core/clippy.toml) holds the same line by types.

use super::Finding;
use super::files::{Source, Sources};

/// A crate's folder, what its program may use, what its tests may use beyond that.
struct Crate {
    folder: &'static str,
    uses: &'static [&'static str],
    tests_use: &'static [&'static str],
}

/// Adding a name here is a decision: say why in the commit.
const CRATES: [Crate; 7] = [
    Crate {
        folder: "core",
        // schemars only with the feature `schema`, which the guard leaves off.
        uses: &["chacha20poly1305", "hkdf", "schemars", "serde", "sha2", "toml", "zeroize"],
        tests_use: &["serde_json", "stateright"],
    },
    Crate {
        folder: "guard",
        uses: &["libc", "serde", "serde_json", "twinwall-core", "twinwall-netlink"],
        tests_use: &[],
    },
    // The guard's memory is locked: what it is made of stays as small as itself.
    Crate { folder: "netlink", uses: &["libc"], tests_use: &[] },
    Crate {
        folder: "flows",
        // schemars only with the feature `schema`, as in core.
        uses: &["libc", "schemars", "serde", "twinwall-netlink"],
        tests_use: &[],
    },
    Crate {
        folder: "daemon",
        uses: &[
            "argon2",
            "askama",
            "axum",
            "base64",
            "blake3",
            "chacha20poly1305",
            "clap",
            "clap_complete",
            "clap_mangen",
            // Checksums of log lines on the disk.
            "crc32fast",
            "flate2",
            "futures-util",
            "hkdf",
            "hmac",
            "http-body-util",
            "hyper",
            "hyper-util",
            "libc",
            // Ends of lines, a few hundred thousand a second.
            "memchr",
            "pem",
            "rcgen",
            "regex",
            "regex-syntax",
            "rustix",
            "rustls",
            "schemars",
            "sd-notify",
            "serde",
            "serde_json",
            "sha2",
            "similar",
            "socket2",
            "spake2",
            "tar",
            "tokio",
            "tokio-rustls",
            "toml",
            "toml_edit",
            "twinwall-core",
            "twinwall-flows",
            // To wait for sockets of the kernel and be woken meanwhile.
            "twinwall-netlink",
            "zeroize",
            "zstd",
        ],
        // Its tests of two nodes run inside the lab's namespaces.
        tests_use: &["twinwall-lab"],
    },
    Crate {
        folder: "lab",
        uses: &["clap", "libc", "serde", "serde_json", "twinwall-core"],
        tests_use: &[],
    },
    Crate { folder: "xtask", uses: &[], tests_use: &[] },
];

/// What no line of core/src may name, and why.
const NOT_IN_CORE: [(&str, &str); 10] = [
    ("std::fs", "no files in the core"),
    ("std::thread", "no threads in the core"),
    ("std::process", "the core starts and ends nothing"),
    ("std::env", "settings come in parsed"),
    ("std::io", "no I/O in the core"),
    ("std::os", "nothing of the machine in the core"),
    ("Instant", "the core has Moment"),
    ("SystemTime", "the core has Moment"),
    ("HashMap", "its order is random; use BTreeMap"),
    ("async fn", "the core never waits"),
];

/// What of `std::net` the core may use: values, no sockets.
const ADDRESS_TYPES: [&str; 5] = ["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "AddrParseError"];

/// Checks dependencies and the core's words.
pub(super) fn check(sources: &Sources) -> Vec<Finding> {
    let dependencies = CRATES.iter().flat_map(|krate| foreign(sources, krate));
    let core = sources.rust().filter(|source| source.path.starts_with("core/src/"));
    dependencies.chain(core.flat_map(impure)).collect()
}

fn foreign(sources: &Sources, krate: &Crate) -> Vec<Finding> {
    let path = format!("{}/Cargo.toml", krate.folder);
    let Some(text) = sources.text(&path) else {
        return vec![Finding::new(&path, 0, "this crate is gone; take it out of tidy/fence.rs")];
    };
    let mut findings = Vec::new();
    let mut section = "";
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            continue;
        }
        let tests = section.ends_with("dev-dependencies");
        if !section.ends_with("dependencies") || line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or(line).trim_matches('"');
        let listed = krate.uses.contains(&name) || tests && krate.tests_use.contains(&name);
        if !listed {
            let text = format!(
                "`{name}` is not on this crate's list. Nothing points at guard or daemon, and each \
                 other crate has its reason: do without it, or add it to xtask/src/tidy/fence.rs"
            );
            findings.push(Finding::new(&path, number + 1, text));
        }
    }
    findings
}

fn impure(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or(line);
        for (word, why) in NOT_IN_CORE {
            if names(code, word) {
                findings.push(Finding::new(&source.path, number + 1, format!("`{word}`: {why}")));
            }
        }
        if let Some((_, used)) = code.split_once("std::net::")
            && !only_addresses(used)
        {
            let text = "`std::net`: only address types in the core";
            findings.push(Finding::new(&source.path, number + 1, text));
        }
    }
    findings
}

/// Whether `word` stands in `code` as a word of its own.
fn names(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        !before.ends_with(part) && !after.starts_with(part)
    })
}

fn only_addresses(used: &str) -> bool {
    let end = used.find([';', '}', '>', ')', ',']).filter(|_| !used.starts_with('{'));
    let list = end.map_or(used, |end| &used[..end]);
    list.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.starts_with(char::is_uppercase))
        .all(|word| ADDRESS_TYPES.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_that_is_not_listed_is_named() {
        let core = &CRATES[0];
        let text = "[dependencies]\nserde.workspace = true\ntokio = \"1\"\n[dev-dependencies]\nserde_json = \"1\"\n";
        let found = foreign(&Sources::of(&[("core/Cargo.toml", text)]), core);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 3);
    }

    #[test]
    fn a_clock_or_a_socket_in_the_core_is_named() {
        let look = |text: &str| {
            impure(&Source { path: "core/src/a.rs".to_owned(), text: text.to_owned() }).len()
        };
        assert_eq!(look("let now = Instant::now();"), 1);
        assert_eq!(look("use std::net::{IpAddr, Ipv4Addr};"), 0);
        assert_eq!(look("use std::net::UdpSocket;"), 1);
        assert_eq!(look("fn f(a: std::net::IpAddr, b: Instantiated) {}"), 0);
        assert_eq!(look("// std::fs is not for us"), 0);
    }
}

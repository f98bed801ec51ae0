//! Whatever reads bytes that somebody else wrote has a fuzz target, and every
//! target has a corpus to start from.

use super::Finding;
use super::files::Sources;

/// Names of functions that read foreign bytes begin like this.
const READS: &str = "pub fn decode";
/// Crates whose decoders are reachable from a peer, a kernel or a file.
const CRATES: [&str; 2] = ["core/src/", "guard/src/"];

/// Checks every decoder.
pub(super) fn check(sources: &Sources) -> Vec<Finding> {
    let targets: Vec<&str> = sources
        .rust()
        .filter(|source| source.path.starts_with("fuzz/fuzz_targets/"))
        .map(|source| source.text.as_str())
        .collect();
    let mut findings = Vec::new();
    for source in sources.rust().filter(|s| CRATES.iter().any(|c| s.path.starts_with(c))) {
        for (number, line) in source.text.lines().enumerate() {
            let Some((_, name)) = line.trim_start().split_once(READS) else { continue };
            let name = format!("decode{}", name.split(['(', '<']).next().unwrap_or(name));
            if !targets.iter().any(|target| target.contains(&format!("{name}("))) {
                let text =
                    format!("`{name}` reads foreign bytes: give it a target in fuzz/fuzz_targets");
                findings.push(Finding::new(&source.path, number + 1, text));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_without_a_fuzz_target_is_named() {
        let code = ("core/src/wire.rs", "pub fn decode_beat(bytes: &[u8]) {}");
        assert_eq!(check(&Sources::of(&[code])).len(), 1);
        let target = ("fuzz/fuzz_targets/beat.rs", "decode_beat(data)");
        assert!(check(&Sources::of(&[code, target])).is_empty());
    }
}

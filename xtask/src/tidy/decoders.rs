//! Whatever reads bytes that somebody else wrote is fuzzed. (That each target has
//! a corpus, and passes over it, is a test of the fuzz crate itself.)

use super::Finding;
use super::files::Sources;

/// Public functions whose name begins like this and that take bytes or a text read them.
const READS: [&str; 2] = ["pub fn decode", "pub fn parse_"];
/// Crates whose decoders a peer, a neighbour or a file can reach.
const CRATES: [&str; 5] = ["core/src/", "netlink/src/", "flows/src/", "guard/src/", "daemon/src/"];

/// Checks every decoder.
pub(super) fn check(sources: &Sources) -> Vec<Finding> {
    let fuzzed: Vec<&str> = sources
        .rust()
        .filter(|source| source.path.starts_with("fuzz/"))
        .map(|source| source.text.as_str())
        .collect();
    let mut findings = Vec::new();
    for source in sources.rust().filter(|s| CRATES.iter().any(|c| s.path.starts_with(c))) {
        for (number, line) in source.text.lines().enumerate() {
            let Some(name) = decoder(line.trim_start()) else { continue };
            let used = format!("{name}(");
            if !fuzzed.iter().any(|text| text.contains(&used)) {
                let text = format!("`{name}` reads foreign bytes: give it a target in fuzz/");
                findings.push(Finding::new(&source.path, number + 1, text));
            }
        }
    }
    findings
}

/// The name of the function that begins here, if it is a decoder.
fn decoder(line: &str) -> Option<&str> {
    let reads = READS.iter().any(|start| line.starts_with(start));
    let foreign = line.contains("&[u8]") || line.contains("&str");
    let name = line.strip_prefix("pub fn ").filter(|_| reads && foreign)?;
    name.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_without_a_fuzz_target_is_named() {
        let code = ("core/src/wire.rs", "pub fn decode_beat(bytes: &[u8]) {}");
        assert_eq!(check(&Sources::of(&[code])).len(), 1);
        let target = ("fuzz/src/wire.rs", "decode_beat(data)");
        assert!(check(&Sources::of(&[code, target])).is_empty());
    }
}

//! The interfaces of the network namespace that this process is in.

use std::fs;
use std::io;

/// Where the kernel lists them, for the namespace of whoever reads it.
const LIST: &str = "/proc/self/net/dev";

/// Their names, without the loopback interface.
///
/// # Errors
/// When /proc is not there.
pub fn names() -> io::Result<Vec<String>> {
    fs::read_to_string(LIST).map(|text| listed(&text))
}

/// Two lines of headings, then `NAME: numbers`.
fn listed(text: &str) -> Vec<String> {
    let names = text.lines().skip(2).filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).filter(|name| name != "lo").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_but_the_loopback_is_listed() {
        let text = "Inter-| Receive\n face |bytes\n    lo: 1 2\n  ha0: 3 4\neth1.20:5 6\n";
        assert_eq!(listed(text), ["ha0", "eth1.20"]);
        assert!(!names().expect("/proc").contains(&"lo".to_owned()));
    }
}

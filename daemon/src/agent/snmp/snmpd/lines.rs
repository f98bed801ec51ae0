//! Reads the administrator's own configuration of snmpd as far as it says who may read, where
//! snmpd listens, and where AgentX is (snmpd.conf(5)). It changes nothing, and follows nothing
//! that it does not need.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Files that are read, and how deep one may name another: more than any configuration has.
const MAX_FILES: usize = 64;
const MAX_DEPTH: usize = 4;
/// Bytes of a file that are read.
const MAX_FILE: u64 = 256 << 10;
/// Lines that are kept, of all files together.
const MAX_LINES: usize = 4096;
/// Where snmpd looks besides `etc/snmp/snmpd.conf`, below the root.
const BESIDES: [&str; 3] =
    ["etc/snmp/snmpd.local.conf", "usr/share/snmp/snmpd.conf", "usr/share/snmp/snmpd.local.conf"];
/// snmpd's own file, below the root.
pub(super) const MAIN: &str = "etc/snmp/snmpd.conf";

/// A line: its word and what follows, without comments.
pub(super) type Line = Vec<String>;

/// What was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The lines, in the order in which snmpd reads them.
    pub(super) lines: Vec<Line>,
    /// Whether the directory with twinwall's file is included.
    pub(super) includes_ours: bool,
}

/// Reads all of it below `root`; `ours` is twinwall's own file, which is left out.
///
/// # Errors
/// When snmpd's own file cannot be read. Others that cannot are none of ours to mend.
pub(super) fn read(root: &Path, ours: &Path) -> io::Result<Found> {
    let mut reading = Reading { root, ours, seen: BTreeSet::new(), found: Found::default() };
    reading.file(&root.join(MAIN), 0)?;
    for besides in BESIDES {
        // Mostly there is none.
        let _ = reading.file(&root.join(besides), 0);
    }
    Ok(reading.found)
}

struct Reading<'a> {
    root: &'a Path,
    ours: &'a Path,
    seen: BTreeSet<PathBuf>,
    found: Found,
}

impl Reading<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        if path == self.ours {
            self.found.includes_ours = true;
            return Ok(());
        }
        let surplus = self.seen.len() >= MAX_FILES || depth > MAX_DEPTH;
        if surplus || !self.seen.insert(path.to_owned()) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
        for text in String::from_utf8_lossy(&bytes).lines() {
            let line = words(text);
            let Some(first) = line.first().map(|word| word.to_ascii_lowercase()) else { continue };
            match (first.as_str(), line.get(1)) {
                ("includefile", Some(file)) => {
                    let beside = path.parent().unwrap_or(self.root).join(file);
                    let file = if file.starts_with('/') { self.below(file) } else { beside };
                    let _ = self.file(&file, depth + 1);
                }
                ("includedir", Some(folder)) => self.folder(&self.below(folder), depth + 1),
                _ if self.found.lines.len() < MAX_LINES => self.found.lines.push(line),
                _ => {}
            }
        }
        Ok(())
    }

    /// snmpd takes the files whose names end in `.conf`, in no order that one may rely on.
    fn folder(&mut self, folder: &Path, depth: usize) {
        if self.ours.parent() == Some(folder) {
            self.found.includes_ours = true;
        }
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "conf"))
            .take(MAX_FILES)
            .collect();
        files.sort();
        for file in files {
            let _ = self.file(&file, depth);
        }
    }

    /// A path as snmpd's configuration has it, below the root.
    fn below(&self, path: &str) -> PathBuf {
        let path = Path::new(path.trim_end_matches('/'));
        if path.starts_with(self.root) {
            return path.to_owned();
        }
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// The words of a line; quotes hold one together, `#` begins a comment where a word begins.
fn words(line: &str) -> Line {
    let mut all = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '#' {
            break;
        }
        let quote = matches!(first, '"' | '\'').then_some(first);
        let (word, after) = match quote {
            Some(quote) => {
                let inside = &rest[1..];
                inside.split_once(quote).unwrap_or((inside, ""))
            }
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        all.push(word.to_owned());
        rest = after.trim_start();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn lines_are_taken_apart_as_snmpd_does() {
        for (line, expected) in [
            (
                "rocommunity  public default -V systemonly",
                &["rocommunity", "public", "default", "-V", "systemonly"][..],
            ),
            ("  # a comment", &[]),
            ("syslocation \"Dock of the Bay\" # there", &["syslocation", "Dock of the Bay"]),
            ("rocommunity 'two words'", &["rocommunity", "two words"]),
            ("access g \"\" any", &["access", "g", "", "any"]),
            ("rocommunity pub#lic", &["rocommunity", "pub#lic"]),
            ("a \"open", &["a", "open"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn included_files_are_read_and_our_own_is_not() {
        let root =
            std::env::temp_dir().join(format!("twinwall-snmpd-lines-{}", std::process::id()));
        let write = |below: &str, text: &str| {
            let path = root.join(below);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        let ours = root.join("etc/snmp/snmpd.conf.d/twinwall.conf");
        write("etc/snmp/snmpd.conf", "master agentx\nincludeFile more.conf\n");
        write("etc/snmp/more.conf", "rouser anna\nincludeFile /etc/snmp/snmpd.conf\n");
        write("etc/snmp/snmpd.conf.d/twinwall.conf", "rocommunity secret\n");
        write("etc/snmp/snmpd.conf.d/lan.conf", "rocommunity lan\n");
        write("etc/snmp/snmpd.conf.d/lan.conf~", "rocommunity old\n");
        let first = |found: &Found| -> Vec<String> {
            found.lines.iter().map(|line| line.join(" ")).collect()
        };
        let found = read(&root, &ours).expect("read");
        assert_eq!(first(&found), ["master agentx", "rouser anna"]);
        assert!(!found.includes_ours);
        write("etc/snmp/snmpd.conf", "includeDir /etc/snmp/snmpd.conf.d/\n");
        let found = read(&root, &ours).expect("read");
        assert_eq!(first(&found), ["rocommunity lan"]);
        assert!(found.includes_ours);
        fs::remove_dir_all(&root).expect("removed");
        assert!(read(&root, &ours).is_err(), "snmpd is not installed");
    }
}

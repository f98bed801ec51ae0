//! Where a fact about the appliance comes from, and how it is read. A command is started
//! only by whoever runs steps; this one says which.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use regex::bytes::Regex;

use crate::agent::manifest::RelPath;
use crate::agent::step::Step;

/// Longest value of a fact in bytes: it is shown on one line.
pub(super) const MAX_FACT: usize = 200;
/// Longest file that a fact is looked for in.
const MAX_FILE: u64 = 64 * 1024;
/// Where the kernel shows what the firmware says of the hardware, below the root.
const DMI: &str = "sys/class/dmi/id";
/// What the system says of itself, below the root; the second stands in for the first.
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// Where a fact comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// What the hardware says.
    Dmi(DmiField),
    /// A key of os-release, as `VERSION_ID`.
    OsRelease(String),
    /// A file's first line; with an expression, what its first group (or all of it) matches.
    File {
        /// The file.
        path: RelPath,
        /// What to look for in it.
        pattern: Option<Regex>,
    },
    /// The first line that a command prints.
    Command(Step),
}

/// Fields of DMI that name a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DmiField {
    /// `product_name`.
    ProductName,
    /// `product_version`.
    ProductVersion,
    /// `product_serial`.
    ProductSerial,
    /// `product_uuid`.
    ProductUuid,
    /// `product_sku`.
    ProductSku,
    /// `board_name`.
    BoardName,
    /// `board_serial`.
    BoardSerial,
    /// `chassis_serial`.
    ChassisSerial,
    /// `bios_version`.
    BiosVersion,
}

impl DmiField {
    /// The file in which the kernel shows it.
    pub fn file(self) -> &'static str {
        match self {
            DmiField::ProductName => "product_name",
            DmiField::ProductVersion => "product_version",
            DmiField::ProductSerial => "product_serial",
            DmiField::ProductUuid => "product_uuid",
            DmiField::ProductSku => "product_sku",
            DmiField::BoardName => "board_name",
            DmiField::BoardSerial => "board_serial",
            DmiField::ChassisSerial => "chassis_serial",
            DmiField::BiosVersion => "bios_version",
        }
    }
}

/// Why a fact is not known.
#[derive(Debug)]
pub enum SourceError {
    /// Reading failed.
    Unreadable(io::Error),
    /// It is there and says nothing of this.
    Nothing,
    /// It is too long, or not a text.
    NotAFact,
}

impl fmt::Display for SourceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::Unreadable(error) => write!(out, "cannot be read: {error}"),
            SourceError::Nothing => out.write_str("says nothing"),
            SourceError::NotAFact => {
                write!(out, "is not a text of at most {MAX_FACT} bytes on one line")
            }
        }
    }
}

impl std::error::Error for SourceError {}

/// As the profile says it.
impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Dmi(field) => write!(out, "DMI {}", field.file()),
            Source::OsRelease(key) => write!(out, "os-release {key}"),
            Source::File { path, pattern: None } => write!(out, "{path}"),
            Source::File { path, pattern: Some(pattern) } => write!(out, "{path} ({pattern})"),
            Source::Command(step) => write!(out, "`{}`", step.argv.join(" ")),
        }
    }
}

impl Source {
    /// The fact on the machine below `root`. `run` gives what a step prints on standard output.
    ///
    /// # Errors
    /// When there is no such thing, or it says nothing usable.
    pub fn read(
        &self,
        root: &Path,
        run: impl FnOnce(&Step) -> io::Result<Vec<u8>>,
    ) -> Result<String, SourceError> {
        match self {
            Source::Dmi(field) => fact(&load(&root.join(DMI).join(field.file()))?),
            Source::OsRelease(key) => {
                let [first, second] = OS_RELEASE.map(|path| load(&root.join(path)));
                os_release(&first.or(second)?, key)
            }
            Source::File { path, pattern: None } => fact(&load(&root.join(path.as_path()))?),
            Source::File { path, pattern: Some(pattern) } => {
                let text = load(&root.join(path.as_path()))?;
                let found = pattern.captures(text.as_bytes()).ok_or(SourceError::Nothing)?;
                let part = found.get(1).or(found.get(0)).map_or(&b""[..], |part| part.as_bytes());
                fact(&String::from_utf8_lossy(part))
            }
            Source::Command(step) => {
                let printed = run(step).map_err(SourceError::Unreadable)?;
                fact(&String::from_utf8(printed).map_err(|_| SourceError::NotAFact)?)
            }
        }
    }
}

fn load(path: &Path) -> Result<String, SourceError> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
        .map_err(SourceError::Unreadable)?;
    String::from_utf8(bytes).map_err(|_| SourceError::NotAFact)
}

/// The first line as a fact.
fn fact(text: &str) -> Result<String, SourceError> {
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(SourceError::Nothing);
    }
    if line.len() > MAX_FACT || line.chars().any(char::is_control) {
        return Err(SourceError::NotAFact);
    }
    Ok(line.to_owned())
}

fn os_release(text: &str, key: &str) -> Result<String, SourceError> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    fact(line.ok_or(SourceError::Nothing)?.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_read_with_and_without_quotes() {
        let text = "NAME=\"Debian GNU/Linux\"\nVERSION_ID='12'\nID=debian\nEMPTY=\n";
        let read = |key| os_release(text, key).ok();
        assert_eq!(read("NAME").as_deref(), Some("Debian GNU/Linux"));
        assert_eq!(read("VERSION_ID").as_deref(), Some("12"));
        assert_eq!(read("ID").as_deref(), Some("debian"));
        assert_eq!((read("EMPTY"), read("VERSION"), read("I")), (None, None, None));
    }

    #[test]
    fn a_fact_is_one_short_line() {
        assert_eq!(fact("  PowerEdge R250 \nmore\n").ok().as_deref(), Some("PowerEdge R250"));
        assert!(matches!(fact("\n"), Err(SourceError::Nothing)));
        assert!(matches!(fact("a\u{1b}[2J"), Err(SourceError::NotAFact)));
        assert!(matches!(fact(&"a".repeat(MAX_FACT + 1)), Err(SourceError::NotAFact)));
    }

    #[test]
    fn a_command_is_run_by_the_caller() {
        let step = Step {
            argv: vec!["/bin/model".to_owned()],
            limit: std::time::Duration::MAX,
            when_exists: None,
        };
        let source = Source::Command(step);
        let read = source.read(Path::new("/"), |step| Ok(step.argv[0].clone().into_bytes()));
        assert_eq!(read.ok().as_deref(), Some("/bin/model"));
    }
}

//! Where a benchmark ran: processor, kernel, date, versions. Called once a run;
//! what cannot be found out is said to be unknown, never left out.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// The machine and what ran on it.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Processors that programs may use.
    pub cores: usize,
    /// Memory in gibibytes.
    pub memory_gib: u64,
    /// Kernel release.
    pub kernel: String,
    /// Day of the run, UTC.
    pub date: String,
    /// Version of the guard and the commit it was built from.
    pub twinwall: String,
    /// Version of the other product.
    pub keepalived: String,
}

impl Machine {
    /// Looks. `guard` is the guard's binary.
    pub fn look(guard: &Path) -> Machine {
        let memory = read("/proc/meminfo");
        let kibibytes =
            field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        Machine {
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: kibibytes.unwrap_or(0).div_ceil(1 << 20),
            kernel: or_unknown(read("/proc/sys/kernel/osrelease").trim()),
            date: first_line("date", &["-u", "+%Y-%m-%d"]),
            twinwall: format!(
                "{}, {}",
                first_line(&guard.to_string_lossy(), &["--version"]),
                first_line("git", &["describe", "--always", "--dirty"])
            ),
            keepalived: first_line("keepalived", &["--version"]),
        }
    }
}

#[cfg(test)]
impl Machine {
    /// One for tests of pages, with this version of twinwall.
    pub(super) fn example(twinwall: &str) -> Machine {
        Machine {
            cpu: "A CPU".to_owned(),
            cores: 2,
            memory_gib: 4,
            kernel: "6.18".to_owned(),
            date: "2026-11-22".to_owned(),
            twinwall: twinwall.to_owned(),
            keepalived: "2.2.7".to_owned(),
        }
    }
}

impl Machine {
    /// Where and when, as rows of a table in Markdown.
    pub fn rows(&self) -> String {
        format!(
            "| date | {} (UTC) |\n| machine | {}, {} cores, {} GiB |\n| kernel | {} |\n\
             | twinwall | {} |\n",
            self.date, self.cpu, self.cores, self.memory_gib, self.kernel, self.twinwall,
        )
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.into_iter().find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

/// First line that a program prints; keepalived prints its version to stderr.
pub(super) fn first_line(program: &str, arguments: &[&str]) -> String {
    let run = Command::new(program).args(arguments).output();
    let Some(output) = run.ok().filter(|output| output.status.success()) else {
        return unknown();
    };
    let text = [output.stdout, output.stderr].concat();
    or_unknown(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim())
}

fn or_unknown(text: &str) -> String {
    if text.is_empty() { unknown() } else { text.to_owned() }
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 7\nmodel name\t: A CPU: fast\n";
        assert_eq!(field(text, "model name"), Some("A CPU: fast".to_owned()));
        assert_eq!(field(text, "bogomips"), None);
    }

    #[test]
    fn a_program_that_is_missing_is_unknown() {
        assert_eq!(first_line("/nonexistent/guard", &["--version"]), "unknown");
        assert_eq!(first_line("echo", &["one"]), "one");
        assert_eq!(first_line("sh", &["-c", "echo no; exit 1"]), "unknown");
    }
}

//! Room for a million flows: the kernel's limit and its hash table are the whole machine's, so
//! they are raised outside of the lab's namespaces. A process of its own sets them back when the
//! benchmark ends, however it ends.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::{Doing, Result};

/// Limit and hash table, with what a gateway for a million flows would be given.
const WANTED: [(&str, u64); 2] = [
    ("/proc/sys/net/netfilter/nf_conntrack_max", 4 << 20),
    ("/proc/sys/net/netfilter/nf_conntrack_buckets", 1 << 20),
];

/// Waits for the end of what it reads, then writes what it was given: a file, what was in it,
/// and so on.
const SET_BACK: &str = r#"
while read -r _; do :; done
while [ $# -ge 2 ]; do
  echo "$2" >"$1" || echo "$1 was $2; it could not be set back" >&2
  shift 2
done
"#;

/// While this value lives, and the process that holds it, there is room.
pub(super) struct Raised(Option<Child>);

impl Raised {
    /// Raises what is lower.
    ///
    /// # Errors
    /// When the kernel does not let us.
    pub(super) fn raise() -> Result<Raised> {
        Raised::raise_to(&WANTED.map(|(path, wanted)| (PathBuf::from(path), wanted)))
    }

    fn raise_to(all: &[(PathBuf, u64)]) -> Result<Raised> {
        let mut lower = Vec::new();
        for (path, wanted) in all {
            let text = fs::read_to_string(path).doing(format!("read {}", path.display()))?;
            if text.trim().parse::<u64>().is_ok_and(|now| now < *wanted) {
                lower.push((path.as_path(), text.trim().to_owned(), *wanted));
            }
        }
        if lower.is_empty() {
            return Ok(Raised(None));
        }
        // Before anything is raised, so that no moment is without it.
        let raised = Raised(Some(keeper(&lower)?));
        for (path, _, wanted) in &lower {
            fs::write(path, wanted.to_string()).doing(format!("raise {}", path.display()))?;
        }
        Ok(raised)
    }
}

/// The process that sets these back: of a group of its own, so that what kills this one, a key
/// at the terminal among it, passes it by.
fn keeper(lower: &[(&Path, String, u64)]) -> Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", SET_BACK, "sh"]);
    for (path, before, _) in lower {
        command.arg(path).arg(before);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
    command.spawn().doing("start what sets the kernel's limits back")
}

impl Drop for Raised {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.0.take() {
            drop(keeper.stdin.take());
            // It only writes what it was given, and says itself what it could not.
            let _ = keeper.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::time::{Duration, Instant};
    use std::{env, thread};

    use super::*;

    /// Names the files to raise, in the process that is killed.
    const KILLED: &str = "TWINWALL_LAB_TEST_LIMITS";

    fn files(name: &str) -> [PathBuf; 2] {
        let folder = env::temp_dir();
        let file = |which: &str| {
            folder.join(format!("twinwall-limits-{}-{name}-{which}", std::process::id()))
        };
        let [low, high] = [file("low"), file("high")];
        fs::write(&low, "100\n").expect("written");
        fs::write(&high, "5000\n").expect("written");
        [low, high]
    }

    fn number(file: &Path) -> String {
        fs::read_to_string(file).expect("there").trim().to_owned()
    }

    #[test]
    fn what_is_lower_is_raised_and_set_back() {
        let [low, high] = files("back");
        let raised = Raised::raise_to(&[(low.clone(), 4000), (high.clone(), 4000)]);
        assert_eq!((number(&low).as_str(), number(&high).as_str()), ("4000", "5000"));
        drop(raised.expect("raised"));
        assert_eq!((number(&low).as_str(), number(&high).as_str()), ("100", "5000"));
        [low, high].iter().for_each(|file| fs::remove_file(file).expect("gone"));
    }

    #[test]
    fn it_is_set_back_after_a_kill() {
        if let Some(low) = env::var_os(KILLED) {
            let _raised = Raised::raise_to(&[(PathBuf::from(low), 4000)]).expect("raised");
            println!("raised");
            loop {
                thread::park();
            }
        }
        let [low, high] = files("killed");
        let mut child = Command::new(env::current_exe().expect("this test"))
            .args([
                "--exact",
                "--nocapture",
                "bench::flows::limits::tests::it_is_set_back_after_a_kill",
            ])
            .env(KILLED, &low)
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let told = said.map_while(|line| line.ok()).any(|line| line.contains("raised"));
        assert!(told, "it ended early");
        assert_eq!(number(&low), "4000");
        child.kill().expect("killed");
        child.wait().expect("gone");
        let end = Instant::now() + Duration::from_secs(10);
        while number(&low) != "100" {
            assert!(Instant::now() < end, "still raised");
            thread::sleep(Duration::from_millis(5));
        }
        [low, high].iter().for_each(|file| fs::remove_file(file).expect("gone"));
    }
}

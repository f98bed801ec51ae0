//! Whether this guard is the first one of a node that served alone until now: the agent
//! leaves a word when it turns high availability on. It counts once, and for some seconds.

use std::fs;
use std::path::Path;

/// Where the word lies, below the root: seconds of the machine's uptime until which it counts.
const SERVING: &str = "run/twinwall/serving";
/// The longest word.
const MAX_WORD: usize = 64;

/// Takes the word. What cannot be read, is too old or cannot be removed does not count.
pub(crate) fn take(root: &Path) -> bool {
    let path = root.join(SERVING);
    let Ok(word) = fs::read(&path) else { return false };
    if fs::remove_file(&path).is_err() || word.len() > MAX_WORD {
        return false;
    }
    let uptime = fs::read_to_string("/proc/uptime").ok();
    let uptime = uptime.as_deref().and_then(|text| text.split(' ').next()).and_then(seconds);
    let until = std::str::from_utf8(&word).ok().and_then(seconds);
    until.zip(uptime).is_some_and(|(until, now)| now < until && until < now + LONGEST)
}

/// A word for longer than this was not written by this machine since it started.
const LONGEST: f64 = 60.0;

fn seconds(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite())
}

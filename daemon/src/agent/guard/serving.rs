//! The word for a guard that is about to start on a node that served alone until now: it goes
//! on serving until the guard has the role. The guard takes the word away; one that it did
//! not take is gone when this is dropped, and counts for some seconds only in any case.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::agent::node::Node;

/// Where it lies, below the root.
const SERVING: &str = "run/twinwall/serving";
/// How long it counts, in seconds: a guard starts in a moment, on a busy machine in some.
const COUNTS: f64 = 10.0;

/// A word that was said.
pub(in crate::agent) struct Serving(PathBuf);

impl Serving {
    /// Says it. Without it the node is silent for some heartbeats, and nothing worse.
    pub(in crate::agent) fn say(node: &Node) -> Serving {
        let path = node.root().join(SERVING);
        let uptime = node.machine().proc.join("uptime");
        let written = fs::read_to_string(uptime).and_then(|text| {
            let now = text.split(' ').next().and_then(|text| text.parse::<f64>().ok());
            let now = now.ok_or_else(|| io::Error::other("no uptime"))?;
            fs::write(&path, format!("{:.2}\n", now + COUNTS))
        });
        if let Err(error) = written {
            eprintln!("twinwall agent: {}: {error}", path.display());
        }
        Serving(path)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The guard has taken it, mostly.
        let _ = fs::remove_file(&self.0);
    }
}

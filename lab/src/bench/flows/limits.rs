//! Room for a million flows: the kernel's limit and its hash table are the whole machine's, so
//! they are raised outside of the lab's namespaces, and set back when the benchmark ends.

use std::fs;

use crate::error::{Doing, Result};

/// Limit and hash table, with what a gateway for a million flows would be given.
const WANTED: [(&str, u64); 2] = [
    ("/proc/sys/net/netfilter/nf_conntrack_max", 4 << 20),
    ("/proc/sys/net/netfilter/nf_conntrack_buckets", 1 << 20),
];

/// While this value lives, there is room.
pub(super) struct Raised(Vec<(&'static str, String)>);

impl Raised {
    /// Raises what is lower.
    ///
    /// # Errors
    /// When the kernel does not let us.
    pub(super) fn raise() -> Result<Raised> {
        let mut raised = Raised(Vec::new());
        for (path, wanted) in WANTED {
            let text = fs::read_to_string(path).doing(format!("read {path}"))?;
            if text.trim().parse::<u64>().is_ok_and(|now| now < wanted) {
                fs::write(path, wanted.to_string()).doing(format!("raise {path}"))?;
                raised.0.push((path, text.trim().to_owned()));
            }
        }
        Ok(raised)
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        for (path, before) in &self.0 {
            if let Err(cause) = fs::write(path, before) {
                eprintln!("{path} was {before}; it could not be set back: {cause}");
            }
        }
    }
}

//! What this node keeps for SNMP over restarts: the community by which twinwall reads its own
//! snmpd, made at random and never sent anywhere, and the other node's name, so that a restart
//! while it is away changes nothing at snmpd. Waits for the disk.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ask::Community;
use crate::agent::identity::private;

/// The file, below the root; for root alone.
const FILE: &str = "var/lib/twinwall/snmp.json";
const MAX_FILE: u64 = 4096;
/// Bytes of chance in a community.
const CHANCE: usize = 16;

/// What is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    community: String,
    /// The other node's name; none before it said one.
    pub(super) peer: Option<String>,
}

impl Memory {
    /// As it is kept below the root; made where there is none.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(root: &Path) -> io::Result<Memory> {
        let kept = private::read(&root.join(FILE), MAX_FILE).ok();
        let kept = kept.and_then(|found| serde_json::from_slice(&found.bytes).ok());
        if let Some(kept) = kept.filter(Memory::is_good) {
            return Ok(kept);
        }
        let mut chance = [0; CHANCE];
        let got = rustix::rand::getrandom(&mut chance, rustix::rand::GetRandomFlags::empty())?;
        if got < CHANCE {
            return Err(io::Error::other("the system gave too little chance"));
        }
        let community = chance.iter().map(|byte| format!("{byte:02x}")).collect();
        let fresh = Memory { community, peer: None };
        fresh.keep(root)?;
        Ok(fresh)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn keep(&self, root: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        private::write(&root.join(FILE), &text)
    }

    /// The community.
    pub(super) fn community(&self) -> Community {
        Community(self.community.clone())
    }

    /// Forgets it for good.
    pub(super) fn remove(root: &Path) {
        // Without the file at snmpd it opens nothing.
        let _ = private::remove(&root.join(FILE));
    }

    fn is_good(&self) -> bool {
        let digits = self.community.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits && self.community.len() == 2 * CHANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_community_is_made_once_and_shown_nowhere() {
        let root =
            std::env::temp_dir().join(format!("twinwall-snmp-memory-{}", std::process::id()));
        let mut memory = Memory::open(&root).expect("made");
        memory.peer = Some("gw-b".to_owned());
        memory.keep(&root).expect("kept");
        let again = Memory::open(&root).expect("read");
        assert!(again == memory, "it is the same");
        assert!(!format!("{:?}", again.community()).contains(&memory.community));
        std::fs::write(root.join(FILE), "{\"community\":\"public\",\"peer\":null}")
            .expect("written");
        let fresh = Memory::open(&root).expect("made anew");
        assert!(fresh.is_good() && fresh != memory);
        Memory::remove(&root);
        assert!(!root.join(FILE).exists());
        std::fs::remove_dir_all(&root).expect("removed");
    }
}

//! What the console's pages share: the way to the agent, the accounts, the sessions, what is
//! known of the pair. Nothing in it outlives the process.

use std::path::Path;
use std::sync::Arc;

use super::accounts_file::AccountsFile;
use super::agent::Agent;
use super::hub::Hub;
use super::sessions::Sessions;
use super::sign_in::Guessing;
use super::telling::Telling;

/// See above.
pub(super) struct Console {
    pub(super) agent: Agent,
    pub(super) accounts: AccountsFile,
    pub(super) sessions: Sessions,
    pub(super) guessing: Guessing,
    pub(super) hub: Hub,
    pub(super) telling: Telling,
}

/// As every page has it.
pub(super) type Shared = Arc<Console>;

impl Console {
    /// Of the node below `root`.
    pub(super) fn below(root: &Path) -> Shared {
        let agent = Agent::below(root);
        Arc::new(Console {
            hub: Hub::of(agent.clone()),
            telling: Telling::of(agent.clone()),
            agent,
            accounts: AccountsFile::below(root),
            sessions: Sessions::default(),
            guessing: Guessing::default(),
        })
    }
}

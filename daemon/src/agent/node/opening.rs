//! What lies on the disk, opened: the store, the journal, and what an interrupted change left.

use std::io;
use std::path::Path;

use super::{APPLYING, NodeError};
use crate::agent::apply::{Journal, Recovered, Services, recover};
use crate::agent::engine::assemble::{STATE, STORE};
use crate::agent::identity::private;
use crate::agent::store::{Damage, Store};
use crate::agent::tree::Root;

/// What was found at the start that an operator should know.
#[derive(Debug, Default)]
pub struct Found {
    /// A change that was interrupted, and is undone.
    pub recovered: Option<Recovered>,
    /// What was unusable in the store.
    pub damage: Vec<Damage>,
}

/// Brings the old files of an interrupted change back, early at boot, before the services
/// read theirs.
///
/// # Errors
/// When it could not be undone.
pub fn recover_only(root: &Path) -> Result<Found, NodeError> {
    open(root, Services::NotStarted).map(|(_, _, found)| found)
}

pub(super) fn open(root: &Path, services: Services) -> Result<(Store, Journal, Found), NodeError> {
    private::directory(&root.join(STATE))
        .map_err(|error| NodeError::Io("making var/lib/twinwall root's alone", error))?;
    let (store, damage) = Store::open(&root.join(STORE)).map_err(NodeError::Store)?;
    let journal = Journal::open(&root.join(APPLYING)).map_err(NodeError::Journal)?;
    let ground = Root::open(root).map_err(|error| NodeError::Io("opening the root", error))?;
    let contents = |digest: &_| store.read(digest).map_err(io::Error::other);
    let recovered = recover(&ground, &journal, &contents, services).map_err(NodeError::Recovery)?;
    Ok((store, journal, Found { recovered, damage }))
}

//! The passive's side: asks what changed, and writes it where its own server will read it, while
//! that does not run.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use twinwall_core::beat::RoleWord;

use super::file::{Stamp, prepare, read, stamp};
use super::table::Table;
use super::{LeasePart, Piece};
use crate::agent::digest::Digest;
use crate::agent::exchange::message::{Ask, Told};
use crate::agent::node::Node;
use crate::agent::profile::LeaseFile;
use crate::agent::tree::Root;

/// Between two tries when there is nothing to ask, or nobody.
const AGAIN: Duration = Duration::from_secs(1);

/// What the other node has told.
#[derive(Debug, Default)]
struct Copies {
    all: BTreeMap<String, Copy>,
    /// The connection that it was told over; 0 for none.
    connection: u64,
    /// Files whose service is left alone at the other node.
    left_alone: Vec<String>,
}

#[derive(Debug, Default)]
struct Copy {
    table: Table,
    /// Whether all of it was told.
    whole: bool,
    /// What was written into the own file, and how that was then: whether it still stands there
    /// the disk says, not this.
    written: Option<(Digest, Stamp)>,
}

/// Asks and writes until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let mut copies = Copies::default();
    loop {
        let Some(strong) = node.upgrade() else { return };
        let asked = turn(&strong, &mut copies).await;
        drop(strong);
        if !asked {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// One question; whether it was answered.
async fn turn(node: &Arc<Node>, copies: &mut Copies) -> bool {
    let listed = node.settings().profile.leases.clone();
    let connection = *node.exchange().connection().borrow();
    if listed.is_empty() || !is_passive(node) {
        if copies.connection != 0 {
            *copies = Copies::default();
            node.leases().rest();
        } else if node.guard().borrow().is_active() != Some(true) {
            node.leases().rest();
        }
        return false;
    }
    if connection == 0 {
        copies.connection = 0;
        settle(node, &listed, copies).await;
        return false;
    }
    let anew = copies.connection != connection;
    let answer = node.exchange().ask(Ask::Leases { anew }).await;
    // The role may have come meanwhile.
    let Ok((Told::Leases { pieces, left_alone }, _)) = answer else {
        copies.connection = 0;
        return false;
    };
    if anew {
        copies.begin(connection);
    }
    copies.left_alone = left_alone;
    let whole = pieces.into_iter().all(|piece| copies.take(node, &listed, piece));
    if !whole {
        // Something was lost: from the beginning.
        copies.connection = 0;
    }
    settle(node, &listed, copies).await;
    whole
}

/// Whether this node stands by.
fn is_passive(node: &Node) -> bool {
    let guard = node.guard();
    let guard = guard.borrow();
    let role = guard.status().map(|status| status.snapshot.role.role);
    node.settings().is_enabled() && role == Some(RoleWord::Passive)
}

impl Copies {
    /// What stands in the own files is known whoever tells.
    fn begin(&mut self, connection: u64) {
        self.connection = connection;
        for copy in self.all.values_mut() {
            (copy.table, copy.whole) = (Table::default(), false);
        }
    }

    /// Takes in a piece; whether it fits.
    fn take(&mut self, node: &Node, listed: &[LeaseFile], piece: Piece) -> bool {
        let file = listed.iter().find(|file| file.name == piece.name);
        if file.is_none_or(|file| file.format != piece.format) {
            node.leases().note(&piece.name, |known| {
                known.trouble = Some(
                    "the appliance profiles of the two nodes differ here; bring both to one"
                        .to_owned(),
                );
            });
            return true;
        }
        let copy = self.all.entry(piece.name).or_default();
        let made = copy.table.make(piece.change).is_ok();
        copy.whole = piece.whole && made;
        made && copy.table.digest() == piece.digest
    }
}

/// Writes what is not written yet, where that is possible now.
async fn settle(node: &Arc<Node>, listed: &[LeaseFile], copies: &mut Copies) {
    for file in listed {
        let Some(copy) = copies.all.get_mut(&file.name) else { continue };
        if let Some(why) = node.services().left_alone(&file.service) {
            let trouble = trouble_of_resting(file, &why, &copies.left_alone);
            node.leases().note(&file.name, |known| {
                (known.part, known.leases) = (Some(LeasePart::Copy), Some(copy.table.leases()));
                (known.written, known.trouble) = (None, trouble);
            });
            continue;
        }
        let digest = copy.table.digest();
        let mut trouble = None;
        let mut written = copy.whole && stands(node, file, copy, digest).await;
        let changed = copy.whole && !written;
        if changed {
            let (writing, own, table) = (Arc::clone(node), file.clone(), copy.table.clone());
            let wrote = tokio::task::spawn_blocking(move || write(&writing, &own, &table)).await;
            match wrote.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(stamp) => (copy.written, written) = (Some((digest, stamp)), true),
                Err(why) => trouble = Some(why),
            }
        }
        let leases = copy.table.leases();
        node.leases().note(&file.name, |known| {
            (known.part, known.leases) = (Some(LeasePart::Copy), Some(leases));
            (known.written, known.trouble) = (Some(written), trouble);
            if changed {
                known.changed = Some(Instant::now());
            }
        });
    }
}

/// Of a file that is not written, since its service is none of ours here and may run. Something is
/// the matter only where the other node's is ours: with its role this node would serve without.
fn trouble_of_resting(file: &LeaseFile, why: &str, left_alone_there: &[String]) -> Option<String> {
    (!left_alone_there.contains(&file.name)).then(|| {
        format!(
            "{} is not written: {} is left alone on this node ({why}), but not on the other one",
            file.path, file.service
        )
    })
}

/// Whether what was written is this, and stands on the disk as it was written then.
async fn stands(node: &Arc<Node>, file: &LeaseFile, copy: &Copy, digest: Digest) -> bool {
    let Some((_, then)) = copy.written.clone().filter(|(known, _)| *known == digest) else {
        return false;
    };
    let (looking, own) = (Arc::clone(node), file.clone());
    let look = move || {
        let root = Root::open(looking.root()).ok()?;
        stamp(&root, &own).ok().flatten()
    };
    tokio::task::spawn_blocking(look).await.is_ok_and(|now| now == Some(then))
}

/// Writes a table into the own file, unless it stands there already; how the file is then.
fn write(node: &Node, file: &LeaseFile, table: &Table) -> Result<Stamp, String> {
    let root = Root::open(node.root()).map_err(|error| error.to_string())?;
    let there = stamp(&root, file)?.and_then(|_| read(&root, file).ok());
    if let Some((stamp, _)) = there.filter(|(_, there)| there == table) {
        return Ok(stamp);
    }
    let prepared = prepare(&root, file, table)?;
    // Nobody else writes it before its stamp is taken: the server does not start meanwhile.
    let put = || is_passive(node).then(|| prepared.put().map(|()| stamp(&root, file)));
    let stamped = match node.services().while_stopped(&file.service, put).flatten() {
        Some(put) => put.map_err(|error| format!("{}: {error}", file.path))??,
        None => {
            return Err(format!(
                "{} is written as soon as {} does not run here; 'twinwall services' says how it \
                 is",
                file.path, file.service
            ));
        }
    };
    prepared.settle().map_err(|error| format!("{}: {error}", file.path))?;
    stamped.ok_or_else(|| format!("{} was taken away as it was written", file.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::leases::Format;
    use crate::agent::manifest::RelPath;

    #[test]
    fn a_service_that_is_left_alone_is_told_where_it_is_not_so_on_both() {
        let file = LeaseFile {
            name: "lan".to_owned(),
            format: Format::Dnsmasq,
            path: RelPath::new(b"var/leases").expect("a path"),
            service: "dhcp".to_owned(),
        };
        let told = |there: &[String]| trouble_of_resting(&file, "it is not enabled here", there);
        let why = "/var/leases is not written: dhcp is left alone on this node (it is not enabled \
                   here), but not on the other one";
        assert_eq!(told(&["wan".to_owned()]).as_deref(), Some(why));
        assert_eq!(told(&["lan".to_owned()]), None);
    }
}

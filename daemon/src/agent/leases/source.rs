//! The active's side: reads the files when they changed, and says what the other node does not
//! have yet. On a thread that may wait.

use std::collections::BTreeMap;
use std::time::Instant;

use super::file::{Stamp, read, stamp};
use super::table::Table;
use super::{LeasePart, Piece, ROOM};
use crate::agent::node::Node;
use crate::agent::profile::LeaseFile;
use crate::agent::tree::Root;

/// What was read, and what the other node has of it.
#[derive(Debug, Default)]
pub(super) struct Source {
    read: BTreeMap<String, Read>,
    told: BTreeMap<String, Table>,
}

#[derive(Debug)]
struct Read {
    stamp: Stamp,
    table: Table,
    /// Whether the other node was told all of it.
    told: bool,
}

/// What one look came to.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) pieces: Vec<Piece>,
    /// Whether one was written just now: it is looked at again soon.
    pub(super) fresh: bool,
}

/// What changed since the last look of this connection; all of it where `anew`.
pub(super) fn look(node: &Node, listed: &[LeaseFile], anew: bool) -> Looked {
    let mut source = node.leases().source();
    if anew {
        source.told.clear();
        source.read.values_mut().for_each(|read| read.told = false);
        node.leases().rest();
    }
    let Ok(root) = Root::open(node.root()) else { return Looked::default() };
    let mut room = ROOM;
    let mut pieces = Vec::new();
    for file in listed {
        let trouble = source.refresh(&root, file).err();
        let seen = source.read.get(&file.name);
        let changed = seen.is_some_and(|read| !read.told);
        let leases = seen.map(|read| read.table.leases());
        node.leases().note(&file.name, |known| {
            (known.part, known.leases, known.trouble) = (Some(LeasePart::Source), leases, trouble);
            known.changed = known.changed.filter(|_| !changed).or(changed.then(Instant::now));
        });
        if let Some(piece) = source.piece(file, room) {
            let rows = piece.change.set.iter().map(|(_, row)| 2 * row.len() + 64);
            room = room.saturating_sub(rows.sum());
            pieces.push(piece);
        }
    }
    Looked { pieces, fresh: source.read.values().any(|read| read.stamp.is_fresh()) }
}

impl Source {
    /// Reads the file again where it is another one than it was.
    fn refresh(&mut self, root: &Root, file: &LeaseFile) -> Result<(), String> {
        let Some(now) = stamp(root, file)? else {
            self.read.remove(&file.name);
            return Ok(());
        };
        let known = self.read.get(&file.name);
        // What was written a moment ago may be written again within the same tick of the clock.
        if known.is_some_and(|read| read.stamp == now && !now.is_fresh()) {
            return Ok(());
        }
        let (stamp, table) = read(root, file)?;
        let table = match (known, stamp.is_fresh()) {
            (Some(known), true) => table.beside(&known.table, file.format),
            (Some(_) | None, false) | (None, true) => table,
        };
        let same = known.is_some_and(|read| read.told && read.table == table);
        self.read.insert(file.name.clone(), Read { stamp, table, told: same });
        Ok(())
    }

    fn piece(&mut self, file: &LeaseFile, room: usize) -> Option<Piece> {
        let read = self.read.get_mut(&file.name).filter(|read| !read.told)?;
        let first = !self.told.contains_key(&file.name);
        let told = self.told.entry(file.name.clone()).or_default();
        let change = told.change_to(&read.table, room);
        if change.set.is_empty() && change.removed.is_empty() && !first {
            // There was no room for it, or it is as it was.
            read.told = *told == read.table;
            return None;
        }
        // Of a table within its limits no change leads out of them.
        told.make(change.clone()).ok()?;
        read.told = *told == read.table;
        Some(Piece {
            name: file.name.clone(),
            format: file.format,
            change,
            digest: told.digest(),
            whole: read.told,
        })
    }
}

//! A report as it is handed out: as bytes, in pieces, from whichever node's it is.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Form, Origin, copies, list};
use crate::agent::node::Node;

/// Bytes of a piece.
const PIECE: usize = 64 << 10;
/// Pieces that wait for a slow reader.
const WAITING: usize = 4;

/// A report that is being read.
pub struct Reading {
    /// The last part of its path.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// They come here; an error ends it.
    pub pieces: mpsc::Receiver<std::io::Result<Vec<u8>>>,
}

/// Opens a report.
///
/// # Errors
/// Why there is none, in words.
pub async fn open(node: &Arc<Node>, origin: Origin, path: &str) -> Result<Reading, String> {
    if Form::of(path).is_none() {
        return Err("no report has such a name".to_owned());
    }
    let (opening, wanted) = (Arc::clone(node), path.to_owned());
    let opened = tokio::task::spawn_blocking(move || -> Result<(File, u64), String> {
        let file = match origin {
            Origin::Here => list::open(&opening, &wanted)?,
            Origin::There => copies::open(opening.root(), &wanted)
                .map_err(|error| format!("{wanted}: {error}"))?,
        };
        let seen = file.metadata().map_err(|error| error.to_string())?;
        if seen.is_file() { Ok((file, seen.len())) } else { Err("no report".to_owned()) }
    });
    let (file, size) = opened.await.map_err(|error| error.to_string())??;
    let (sender, pieces) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || read(file, size, &sender));
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(Reading { name, size, pieces })
}

/// No more than it had when it was opened: that length was told.
fn read(file: File, size: u64, to: &mpsc::Sender<std::io::Result<Vec<u8>>>) {
    let mut file = file.take(size);
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let read = file.by_ref().take(PIECE as u64).read_to_end(&mut piece);
        let ended = matches!(read, Ok(0));
        if ended || to.blocking_send(read.map(|_| piece)).is_err() {
            return;
        }
    }
}

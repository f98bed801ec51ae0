//! The steps of a change of keys on one node's disk. Each file is replaced as one, and each step
//! can be done again after whatever cut it off. The record says which step is done; that of the
//! first one is written before anything else, so that nothing is left without it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinwall_core::config::{KEY_BYTES, KeyFile, parse_key};

use crate::agent::api::error::Refusal;
use crate::agent::digest::Digest;
use crate::agent::identity::peer::{Peer, read_peer, write_peer};
use crate::agent::identity::{Certificate, DIRECTORY, Identity, private};
use crate::files;

/// The record, in the identity's directory.
const RECORD: &str = "rotation.json";
/// Longest record or key file in bytes that is read.
const MAX_FILE: u64 = 4096;

/// What is done on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "RotateStep")]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The new keys are taken as well.
    Staged,
    /// The new keys are used, the old ones taken as well.
    Used,
}

/// How far a change of keys is on this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Names the new heartbeat key.
    pub id: Digest,
    /// What is done.
    pub step: Step,
    /// Whether this node leads.
    pub leads: bool,
}

/// The name of a new heartbeat key; nothing can be learnt from it.
pub(super) fn id_of(key: &[u8; KEY_BYTES]) -> Digest {
    Digest::of(&[b"twinwall heartbeat key", key.as_slice()].concat())
}

/// What is recorded below `root`; none while no keys are being changed.
///
/// # Errors
/// When the file cannot be read.
pub fn record(root: &Path) -> Result<Option<Record>, Refusal> {
    let path = place(root);
    match private::read(&path, MAX_FILE) {
        Ok(found) => serde_json::from_slice(&found.bytes).map(Some).map_err(|error| {
            let path = path.display();
            Refusal::machine(format!("{path}: {error}; remove it and change the keys again"))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(machine(&path, error)),
    }
}

/// The first step: takes the new key as well, and makes this node's next certificate, which
/// comes back. A key that is in use already changes nothing.
pub(super) fn stage(
    root: &Path,
    key: [u8; KEY_BYTES],
    leads: bool,
) -> Result<Certificate, Refusal> {
    let id = id_of(&key);
    let recorded = record(root)?;
    let (path, file) = key_file(root)?;
    // While this node follows and uses nothing of it, nobody does: a leader may begin anew.
    let replaced = |it: &Record| it.step == Step::Staged && !it.leads && !leads;
    match &recorded {
        Some(other) if other.id != id && replaced(other) => {}
        Some(other) if other.id != id => {
            return Err(Refusal::conflict(
                "other keys are being changed on this node; go on with those there: twinwall pair \
                 rotate",
            ));
        }
        // Done before, or even further than that.
        Some(same) if same.step == Step::Used || file.also == Some(key) || file.key == key => {
            return own_next(root);
        }
        Some(_) => {}
        None if id_of(&file.key) == id => return own_next(root),
        None if file.also.is_some() => {
            return Err(Refusal::conflict(format!(
                "{} has a second line: keys are being changed by hand; bring that to its end on \
                 both nodes first",
                path.display()
            )));
        }
        None => {}
    }
    write_record(root, &Record { id, step: Step::Staged, leads })?;
    let next = Identity::generate().map_err(|error| Refusal::machine(error.to_string()))?;
    next.write_next(root).map_err(|error| Refusal::machine(error.to_string()))?;
    write_key(&path, &KeyFile { key: file.key, also: Some(key) })?;
    Ok(next.certificate().clone())
}

/// Whether the first step was cut off before its end, on the node that leads: the other node
/// knows nothing of it then, and the new key is gone.
pub(super) fn is_torn(root: &Path, record: &Record) -> Result<bool, Refusal> {
    let (_, file) = key_file(root)?;
    let has = |key: &[u8; KEY_BYTES]| id_of(key) == record.id;
    Ok(!has(&file.key) && !file.also.as_ref().is_some_and(has))
}

/// For how long the record has stood as it is.
pub(super) fn age(root: &Path) -> Duration {
    let changed = fs::metadata(place(root)).and_then(|it| it.modified());
    changed.ok().and_then(|at| at.elapsed().ok()).unwrap_or_default()
}

/// The certificate that the other node shall take as well: the next one until it is in use.
fn own_next(root: &Path) -> Result<Certificate, Refusal> {
    let words = |error: crate::agent::identity::IdentityError| Refusal::machine(error.to_string());
    match Identity::read_next(root).map_err(words)? {
        Some(next) => Ok(next.certificate().clone()),
        None => Identity::load_or_create(root).map(|own| own.certificate().clone()).map_err(words),
    }
}

/// What the other node needs for its first step.
pub(super) fn staged(root: &Path) -> Result<([u8; KEY_BYTES], Certificate), Refusal> {
    let (path, file) = key_file(root)?;
    let key = file.also.ok_or_else(|| machine(&path, io::Error::other("the new key is gone")))?;
    Ok((key, own_next(root)?))
}

/// Takes the other node's next certificate as well.
pub(super) fn pin(root: &Path, next: Certificate) -> Result<(), Refusal> {
    let own =
        Identity::load_or_create(root).map_err(|error| Refusal::machine(error.to_string()))?;
    if *own.certificate() == next {
        return Err(Refusal::invalid("the other node names this node's own certificate as its"));
    }
    let peer = peer(root)?;
    match peer.certificate == next {
        true => Ok(()),
        false => write(root, &Peer { next: Some(next), ..peer }),
    }
}

/// The second step: uses the new key and certificate.
pub(super) fn use_new(root: &Path, id: Digest) -> Result<(), Refusal> {
    under_way(root, id)?;
    Identity::use_next(root).map_err(|error| Refusal::machine(error.to_string()))?;
    let (path, file) = key_file(root)?;
    match file.also {
        _ if id_of(&file.key) == id => Ok(()),
        Some(new) if id_of(&new) == id => {
            write_key(&path, &KeyFile { key: new, also: Some(file.key) })
        }
        Some(_) | None => Err(machine(&path, io::Error::other("the new key is gone"))),
    }
}

/// Notes that the second step is done.
pub(super) fn used(root: &Path, id: Digest) -> Result<(), Refusal> {
    let record = under_way(root, id)?;
    write_record(root, &Record { step: Step::Used, ..record })
}

/// The third step: nothing of before is taken any more.
pub(super) fn drop_old(root: &Path, id: Digest) -> Result<(), Refusal> {
    if under_way(root, id)?.step != Step::Used {
        return Err(Refusal::conflict("the new keys are not in use on this node yet"));
    }
    let (path, file) = key_file(root)?;
    write_key(&path, &KeyFile { also: None, ..file })?;
    match peer(root)?.next {
        Some(next) => write(root, &Peer::of(next)),
        None => Ok(()),
    }
}

/// Whether this change is done here to its end.
pub(super) fn is_done(root: &Path, id: Digest) -> Result<bool, Refusal> {
    Ok(record(root)?.is_none() && id_of(&key_file(root)?.1.key) == id)
}

/// Notes that all is done.
pub(super) fn done(root: &Path) -> Result<(), Refusal> {
    private::remove(&place(root)).map_err(|error| machine(&place(root), error))
}

/// Takes the first step back, which the other node did not take.
pub(super) fn give_up(root: &Path) -> Result<(), Refusal> {
    let (path, file) = key_file(root)?;
    write_key(&path, &KeyFile { also: None, ..file })?;
    write(root, &Peer { next: None, ..peer(root)? })?;
    forget(root).map_err(|error| machine(&place(root), error))
}

/// Another pairing ends what was under way: its keys are of no use. The key file and the
/// peer's are the caller's.
///
/// # Errors
/// The system's.
pub fn forget(root: &Path) -> io::Result<()> {
    Identity::remove_next(root)?;
    private::remove(&place(root))
}

fn under_way(root: &Path, id: Digest) -> Result<Record, Refusal> {
    record(root)?.filter(|record| record.id == id).ok_or_else(|| {
        Refusal::conflict(
            "no such change of keys is under way here; begin anew: twinwall pair rotate",
        )
    })
}

fn place(root: &Path) -> PathBuf {
    root.join(DIRECTORY).join(RECORD)
}

fn peer(root: &Path) -> Result<Peer, Refusal> {
    let peer = read_peer(root).map_err(|error| Refusal::machine(error.to_string()))?;
    peer.ok_or_else(|| Refusal::conflict("this node is not paired; pair it: twinwall pair invite"))
}

fn write(root: &Path, peer: &Peer) -> Result<(), Refusal> {
    write_peer(root, peer).map_err(|error| Refusal::machine(error.to_string()))
}

fn write_record(root: &Path, record: &Record) -> Result<(), Refusal> {
    let bytes = serde_json::to_vec(record).map_err(|error| Refusal::machine(error.to_string()))?;
    private::write(&place(root), &bytes).map_err(|error| machine(&place(root), error))
}

pub(super) fn key_file(root: &Path) -> Result<(PathBuf, KeyFile), Refusal> {
    let path = files::key_file(root).map_err(|errors| Refusal::machine(errors.to_string()))?;
    let text = fs::read_to_string(&path).map_err(|error| machine(&path, error))?;
    let file = parse_key(&path.to_string_lossy(), &text);
    file.map(|file| (path, file)).map_err(|errors| Refusal::machine(errors.to_string()))
}

fn write_key(path: &Path, file: &KeyFile) -> Result<(), Refusal> {
    private::write(path, file.text().as_bytes()).map_err(|error| machine(path, error))
}

fn machine(path: &Path, error: io::Error) -> Refusal {
    Refusal::machine(format!("{}: {error}", path.display()))
}

//! The node that follows: does what the other one asks, which may ask twice.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinwall_core::config::{KEY_BYTES, parse_key};

use super::steps;
use super::tell_guard;
use crate::agent::api::error::Refusal;
use crate::agent::calls::Reply;
use crate::agent::digest::Digest;
use crate::agent::identity::{Certificate, certificate_pem};
use crate::agent::node::Node;

/// The answer leaves before the connection is made anew.
const LAST_WORD: Duration = Duration::from_millis(500);

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

/// A step that the other node asks for. Asked twice it is done once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// Take these as well; your next certificate is the answer.
    Stage {
        /// The new heartbeat key, as a line of the key file.
        key: Secret,
        /// The asking node's next certificate (PEM).
        certificate: String,
    },
    /// Use the new ones.
    Use {
        /// The new key's name.
        id: Digest,
    },
    /// Take the old ones no more.
    Drop {
        /// The new key's name.
        id: Digest,
    },
}

/// Does it.
///
/// # Errors
/// Why not; what was done before stays.
pub async fn answer(node: &Arc<Node>, question: Question) -> Result<Reply, Refusal> {
    let _one_at_a_time = node.rotating.lock().await;
    let root = node.root();
    let reply = match question {
        Question::Stage { key, certificate } => {
            node.may_change()?;
            let certificate = Certificate::from_pem(&certificate)
                .map_err(|error| Refusal::invalid(error.to_string()))?;
            let own = stage(node, read_key(&key)?, certificate).await?;
            Reply::Certificate { pem: certificate_pem(&own) }
        }
        Question::Use { id } => {
            steps::use_new(root, id)?;
            tell_guard(node).await?;
            steps::used(root, id)?;
            Reply::Done
        }
        Question::Drop { id } if steps::is_done(root, id)? => return Ok(Reply::Done),
        Question::Drop { id } => {
            steps::drop_old(root, id)?;
            tell_guard(node).await?;
            steps::done(root)?;
            eprintln!("twinwall agent: the keys of the pair were changed");
            Reply::Done
        }
    };
    reload_later(node);
    Ok(reply)
}

/// The first step, or nothing of it.
async fn stage(
    node: &Arc<Node>,
    key: [u8; KEY_BYTES],
    theirs: Certificate,
) -> Result<Certificate, Refusal> {
    let root = node.root();
    let before = steps::record(root)?;
    let own = steps::stage(root, key, false)?;
    let taken = match steps::pin(root, theirs) {
        Ok(()) => tell_guard(node).await,
        Err(refusal) => Err(refusal),
    };
    if taken.is_err() && before.is_none() && steps::record(root)?.is_some() {
        steps::give_up(root)?;
    }
    taken.map(|()| own)
}

fn read_key(key: &Secret) -> Result<[u8; KEY_BYTES], Refusal> {
    let read = parse_key("the new key", &key.0);
    let file = read.map_err(|errors| Refusal::invalid(errors.to_string()))?;
    match file.also {
        None => Ok(file.key),
        Some(_) => Err(Refusal::invalid("two keys instead of the new one")),
    }
}

fn reload_later(node: &Arc<Node>) {
    let node = Arc::clone(node);
    node.runtime().clone().spawn(async move {
        tokio::time::sleep(LAST_WORD).await;
        if let Err(refusal) = node.reload_soon().await {
            eprintln!("twinwall agent: {refusal}");
        }
    });
}

//! Answers the other node's questions: one arm for each. Whatever waits does so on a thread
//! that may.

use std::sync::Weak;

use super::Node;
use crate::agent::api::error::Refusal;
use crate::agent::calls::{About, Answering, Call, Reply};
use crate::agent::clock::unix_ms;

pub(super) fn by(node: Weak<Node>) -> Box<Answering> {
    Box::new(move |call| {
        let node = node.upgrade();
        Box::pin(async move {
            let node = node.ok_or_else(|| Refusal::conflict("the other node's agent is ending"))?;
            answer(&node, call).await
        })
    })
}

#[expect(clippy::unused_async, reason = "most questions wait for something")]
async fn answer(node: &Node, call: Call) -> Result<Reply, Refusal> {
    match call {
        Call::About {} => Ok(Reply::About(about(node))),
    }
}

/// What this node says of itself.
pub(in crate::agent) fn about(node: &Node) -> About {
    let settings = node.settings();
    let role = node.guard.borrow().status().map(|status| status.snapshot.status.clone());
    About {
        name: settings.name.clone(),
        designation: settings.designation(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        role,
        unix_ms: unix_ms(),
    }
}

//! Answers the other node's questions: one arm for each. Whatever waits does so on a thread
//! that may.

use std::sync::{Arc, Weak};

use twinwall_core::api::Request;
use twinwall_core::event::Order;

use super::Node;
use crate::agent::api::error::Refusal;
use crate::agent::calls::{About, Answering, Call, Reply};
use crate::agent::clock::{unix_ms, unix_us};
use crate::agent::failovers;
use crate::agent::ha::{self, Question};
use crate::agent::pairing::{rotate, unpair};
use crate::agent::{metrics, preflight, snmp};

pub(super) fn by(node: Weak<Node>) -> Box<Answering> {
    Box::new(move |call| {
        let node = node.upgrade();
        Box::pin(async move {
            let node = node.ok_or_else(|| Refusal::conflict("the other node's agent is ending"))?;
            answer(&node, call).await
        })
    })
}

async fn answer(node: &Arc<Node>, call: Call) -> Result<Reply, Refusal> {
    match call {
        Call::Clock {} => Ok(Reply::Clock { unix_us: unix_us() }),
        Call::Events { after } => failovers::answer(node, after).await,
        Call::About {} => Ok(Reply::About(about(node).await)),
        Call::SettingsState {} => ha::answer(node, Question::State).await,
        Call::SettingsCheck { draft } => ha::answer(node, Question::Check(draft)).await,
        Call::SettingsTake { draft } => ha::answer(node, Question::Take(draft)).await,
        Call::SettingsText {} => ha::answer(node, Question::Text).await,
        Call::Facts {} => Ok(Reply::Facts(Box::new(preflight::here(node).await))),
        Call::Interfaces {} => {
            ha::ports::here(node).await.map(|ports| Reply::Interfaces(Box::new(ports)))
        }
        Call::SnmpFacts {} => Ok(Reply::SnmpFacts(Box::new(snmp::here(node).await))),
        Call::Snmp { ask } => {
            snmp::answer(node, &ask).await.map(|answered| Reply::Snmp(Box::new(answered)))
        }
        Call::Measures {} => Ok(Reply::Measures(Box::new(metrics::own_measures(node)))),
        Call::Rotate { question } => rotate::answer(node, question).await,
        Call::Switchover {} => {
            let order = Request::Order { order: Order::Switchover };
            node.ask_guard(order).await.map(|()| Reply::Done)
        }
        Call::Unpair {} => unpair::told(node).await.map(|()| Reply::Done),
    }
}

/// What this node says of itself.
pub(in crate::agent) async fn about(node: &Arc<Node>) -> About {
    let settings = node.settings();
    let firmware = preflight::firmware(node).await;
    let guard = node.guard.borrow().clone();
    let snapshot = guard.status().map(|status| &status.snapshot);
    let role = snapshot.map(|snapshot| &snapshot.role);
    About {
        name: settings.name.clone(),
        designation: settings.designation(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        role: snapshot.map(|snapshot| snapshot.status.clone()),
        role_held: role.map(|role| role.role.word().to_owned()),
        held_ms: role.and_then(|role| u64::try_from(role.since.as_millis()).ok()),
        why: role.map(|role| role.reason.to_string()),
        firmware,
        unix_ms: unix_ms(),
        conditions: node.conditions().told(),
    }
}

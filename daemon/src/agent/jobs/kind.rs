//! What jobs there are: their words, and who may see and stop them through the console.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::accounts::Role;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "JobKind")]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Waits for a node that joins by a code.
    Invite,
    /// Joins the node that invites.
    Join,
    /// Waits for a new unit in the place of a dead one.
    Replace,
    /// Changes keys and certificates of both nodes.
    Rotate,
    /// Turns high availability on.
    TurnOn,
    /// Turns it off.
    TurnOff,
    /// Moves the active role to see that it can.
    TestFailover,
}

impl Kind {
    /// In words.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Invite => "Inviting a node",
            Kind::Join => "Joining a node",
            Kind::Replace => "Replacing the other node",
            Kind::Rotate => "Changing the keys of the pair",
            Kind::TurnOn => "Turning high availability on",
            Kind::TurnOff => "Turning high availability off",
            Kind::TestFailover => "Testing the failover",
        }
    }

    /// Whose business it is, as that of its order.
    pub fn least(self) -> Role {
        match self {
            Kind::Invite
            | Kind::Join
            | Kind::Replace
            | Kind::Rotate
            | Kind::TurnOn
            | Kind::TurnOff => Role::Administrator,
            Kind::TestFailover => Role::Operator,
        }
    }

    /// Whether it can be stopped by an order.
    pub fn may_be_cancelled(self) -> bool {
        match self {
            Kind::Invite | Kind::Join | Kind::Replace | Kind::TestFailover => true,
            Kind::Rotate | Kind::TurnOn | Kind::TurnOff => false,
        }
    }
}

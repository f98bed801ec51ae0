//! The commands of pairing and their flags.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum Pair {
    /// Show a code on this node, and wait for the other one
    ///
    /// The code is good for ten minutes, for one node and three tries. Ctrl-C withdraws it.
    Invite(InviteArgs),
    /// Join the node that shows the code
    Join(JoinArgs),
    /// Show whether this node is paired, and who is heard on the HA link
    Status(PairStatusArgs),
    /// Forget the other node and the common key, on both nodes; high availability must be off
    Unpair {
        /// Only on this node: the other one is dead or gone
        #[arg(long)]
        here: bool,
    },
    /// Change the keys and certificates of both nodes, without interruption
    ///
    /// In three steps, of which each keeps heartbeats and connections: a change that is cut off
    /// goes on by itself when both nodes are there again. The old keys are worth nothing then.
    Rotate,
    /// Put a new unit in the place of the other node, which is dead
    ///
    /// The dead one is forgotten as soon as the new one has joined. The new one takes this
    /// node's configuration, never the other way.
    Replace {
        /// The HA link's interface; without it as pair.toml says
        #[arg(long, value_name = "NAME")]
        interface: Option<String>,
    },
    /// Print this node's card, for a pairing by files
    Export,
    /// Take the other node's card; pair.toml, node.toml and the key come by files as well
    Import {
        /// What 'export' printed on the other node
        file: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct InviteArgs {
    /// The HA link's interface; without it as pair.toml says
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// Make this node the secondary one
    #[arg(long)]
    pub(crate) secondary: bool,
}

#[derive(Args)]
pub(crate) struct JoinArgs {
    /// What the other node shows; without it it is asked for
    pub(crate) code: Option<String>,
    /// The HA link's interface; without it the one on which an invitation is heard
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,
}

#[derive(Args)]
pub(crate) struct PairStatusArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

//! The command of the services that run only on the active node.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ServicesArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) order: Option<ServicesOrder>,
}

#[derive(Subcommand)]
pub(crate) enum ServicesOrder {
    /// Whether a unit that is bound to the active role may run here now
    ///
    /// systemd asks before it starts one. Ends with 1 when it may not: high availability is on,
    /// the unit is enabled, and this node is not active.
    MayRun {
        /// Its name
        unit: String,
    },
    /// Write what has systemd ask, for its generator
    #[command(hide = true)]
    DropIns {
        /// systemd's folder for what generators make
        folder: PathBuf,
    },
}

//! The commands of alerts and metrics.

use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct AlertsArgs {
    #[command(subcommand)]
    pub(crate) order: Option<AlertsOrder>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum AlertsOrder {
    /// Send a test to a target, from this node
    Test {
        /// Its name
        name: String,
    },
    /// Set the secret of a target on this node; it is asked for, or read from standard input
    ///
    /// The key of a webhook's signature, or the password of a mail account. Each node keeps
    /// its own: give it on both.
    Secret {
        /// Its name
        name: String,
        /// Forget the secret instead
        #[arg(long)]
        forget: bool,
    },
    /// Remove a target, on both nodes
    Remove {
        /// Its name
        name: String,
    },
}

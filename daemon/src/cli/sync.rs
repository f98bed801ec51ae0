//! What 'twinwall sync' takes.

use clap::{Args, Subcommand};
use twinwall::agent::section::Section;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SyncArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) order: Option<SyncOrder>,
}

#[derive(Subcommand)]
pub(crate) enum SyncOrder {
    /// Replace the other node's configuration by this node's
    Push(ForceArgs),
    /// Replace this node's configuration by the other node's
    Pull(ForceArgs),
    /// End the synchronisation that runs; a section that has begun is brought to its end
    Cancel,
    /// Show what differs in a section, by file and line, without secrets
    Diff(DiffArgs),
    /// Show the kept versions of a section, the newest first
    History(HistoryArgs),
    /// Put a version of a section back on this node
    Restore(RestoreArgs),
}

#[derive(Args)]
pub(crate) struct ForceArgs {
    /// Which sections; without one all that differ
    pub(crate) sections: Vec<Section>,
    /// Do not show what would change and ask first
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct DiffArgs {
    /// The section
    pub(crate) section: Section,
    /// What 'pull' would change on this node; without it what 'push' would on the other one
    #[arg(long)]
    pub(crate) pull: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct HistoryArgs {
    /// The section
    pub(crate) section: Section,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// The section
    pub(crate) section: Section,
    /// Number of the version, as 'history' shows it
    pub(crate) version: u64,
    /// Do not show what would change and ask first
    #[arg(long)]
    pub(crate) yes: bool,
}

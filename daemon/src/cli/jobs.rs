//! The commands of long operations, and of one that only shows something.

use clap::{Args, Subcommand};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct JobsArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) order: Option<JobOrder>,
}

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum JobOrder {
    /// Stop one
    Cancel {
        /// Its number
        id: u64,
    },
}

#[derive(Args)]
pub(crate) struct TestFailoverArgs {
    /// Leave the role at the other node
    #[arg(long)]
    pub(crate) one_way: bool,
    /// Print JSON at the end, and nothing before
    #[arg(long)]
    pub(crate) json: bool,
}

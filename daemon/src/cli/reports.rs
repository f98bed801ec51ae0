//! The commands of reports: the appliances' own, availability, leases, the probe.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use twinwall::agent::history::Month;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ReportsArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Show only those of one node
    #[arg(long, value_name = "here|there|NAME")]
    pub(crate) node: Option<String>,
    #[command(subcommand)]
    pub(crate) order: Option<ReportsOrder>,
}

#[derive(Subcommand)]
pub(crate) enum ReportsOrder {
    /// Write one report into a file
    Get {
        /// Whose it is
        #[arg(value_name = "here|there|NAME")]
        node: String,
        /// Its path, as the list names it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        path: String,
        /// The file to write; it must not exist yet. Without it, one of the report's own name here
        file: Option<PathBuf>,
    },
}

#[derive(Args)]
pub(crate) struct AvailabilityArgs {
    /// The month, as 2026-11 (UTC); this one without it
    #[arg(long, value_name = "MONTH")]
    pub(crate) month: Option<Month>,
    /// Print JSON
    #[arg(long, conflicts_with_all = ["csv", "html"])]
    pub(crate) json: bool,
    /// Print CSV, for a table program
    #[arg(long, conflicts_with = "html")]
    pub(crate) csv: bool,
    /// Write one HTML file that needs nothing beside it; it must not exist yet
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct LeasesArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ProbeArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

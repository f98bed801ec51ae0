//! The commands of conditions, notices, gateways and resources.

use clap::Args;

#[derive(Args)]
pub(crate) struct ConditionsArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct NoticesArgs {
    /// Print JSON, one notice a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on and show each notice as it comes
    #[arg(long)]
    pub(crate) follow: bool,
    /// Show only the last N notices
    #[arg(long, short = 'n', value_name = "N", default_value = "30", value_parser = super::parse_count)]
    pub(crate) last: usize,
}

#[derive(Args)]
pub(crate) struct ReachArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ResourcesArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

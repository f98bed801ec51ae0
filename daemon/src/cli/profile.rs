//! The commands of the appliance profile.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum Profile {
    /// Look for mistakes in a profile
    Check(ProfileCheckArgs),
    /// Show what the profile covers on this machine, section by section, and its logs, reports and leases
    Show(ProfileShowArgs),
    /// Look for mistakes in systemd-networkd's files, which has no check of its own
    Networkd(ProfileNetworkdArgs),
}

#[derive(Args)]
pub(crate) struct ProfileCheckArgs {
    /// The file; without it etc/twinwall/profile.toml, else the profile that is built in
    pub(crate) file: Option<PathBuf>,
    /// Print JSON: a list of problems
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ProfileNetworkdArgs {
    /// The folder; without it etc/systemd/network
    pub(crate) folder: Option<PathBuf>,
    /// Print JSON: a list of mistakes
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ProfileShowArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

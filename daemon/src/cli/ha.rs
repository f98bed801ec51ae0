//! The commands of high availability.

use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Ha {
    /// Say whether high availability is on: exit code 0 if it is, 1 if not
    ///
    /// Reads pair.toml and asks nobody; for scripts and service units.
    IsEnabled,
}

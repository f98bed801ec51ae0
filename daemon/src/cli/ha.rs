//! The commands of high availability.

use clap::{Args, Subcommand};
use twinwall::agent::settings::Change;

#[derive(Subcommand)]
pub(crate) enum Ha {
    /// Show the settings, and whether both nodes have the same
    Show(HaShowArgs),
    /// Change settings on both nodes, as heartbeat.interval=0.5 interface.lan.watch=true
    ///
    /// KEY=VALUE sets a key of pair.toml, an interface's as interface.NAME.KEY; a list is
    /// written with commas. KEY+=ENTRY and KEY-=ENTRY add to a list and remove from it. In
    /// interface.NAME.virtual the word 'present' stands for the addresses that this node has
    /// there now, but for its new own ones.
    Set(HaSetArgs),
    /// Turn high availability on; this node becomes the active one
    Enable(HaEnableArgs),
    /// Turn high availability off; both nodes go on by themselves
    Disable(HaDisableArgs),
    /// Show the kept versions of the settings and what each brought, the newest first
    History(HaShowArgs),
    /// Show the interfaces of both nodes with link, speed and addresses
    Interfaces(HaShowArgs),
    /// Put a version of the settings back on both nodes
    Restore(HaRestoreArgs),
    /// Say whether high availability is on: exit code 0 if it is, 1 if not
    ///
    /// Reads node.toml and pair.toml and asks nobody; for scripts and service units. One that is
    /// wrong or cannot be read turns nothing off; one that is missing does, when it is not there
    /// within half a second: it may just be being replaced.
    IsEnabled,
}

#[derive(Args)]
pub(crate) struct HaShowArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct HaSetArgs {
    /// What to change; all of it or nothing
    #[arg(value_name = "CHANGE", required_unless_present = "remove_interface")]
    pub(crate) changes: Vec<Change>,
    /// Take an interface out of the pair
    #[arg(long, value_name = "NAME")]
    pub(crate) remove_interface: Vec<String>,
    /// Do not write the nodes' own network configuration: you look after it
    #[arg(long)]
    pub(crate) addresses_by_hand: bool,
    /// Show what would happen on each node, and change nothing
    #[arg(long)]
    pub(crate) preview: bool,
}

#[derive(Args)]
pub(crate) struct HaEnableArgs {
    /// Do not write the nodes' own network configuration: you look after it
    #[arg(long)]
    pub(crate) addresses_by_hand: bool,
    /// Show what would happen on each node, and change nothing
    #[arg(long)]
    pub(crate) preview: bool,
}

#[derive(Args)]
pub(crate) struct HaDisableArgs {
    /// Let no node keep the virtual IPs; without it the active one does
    #[arg(long)]
    pub(crate) drop_virtual: bool,
    /// Do not write the nodes' own network configuration: you look after it
    #[arg(long)]
    pub(crate) addresses_by_hand: bool,
    /// Show what would happen on each node, and change nothing
    #[arg(long)]
    pub(crate) preview: bool,
}

#[derive(Args)]
pub(crate) struct HaRestoreArgs {
    /// Its number, as 'twinwall ha history' shows it
    pub(crate) version: u64,
    /// Do not write the nodes' own network configuration: you look after it
    #[arg(long)]
    pub(crate) addresses_by_hand: bool,
    /// Show what would happen on each node, and change nothing
    #[arg(long)]
    pub(crate) preview: bool,
}

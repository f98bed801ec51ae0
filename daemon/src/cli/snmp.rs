//! The commands of SNMP.

use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct SnmpArgs {
    #[command(subcommand)]
    pub(crate) order: Option<SnmpOrder>,
}

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum SnmpOrder {
    /// Show how SNMP stands on this node: whether snmpd answers for both appliances, under
    /// which contexts, and what is to be done
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print TWINWALL-MIB, for managers
    Mib,
}

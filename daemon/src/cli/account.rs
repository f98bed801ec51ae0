//! The commands of the console and of its accounts, of the audit log and of support.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use twinwall::agent::accounts::Role;

#[derive(Args)]
pub(crate) struct WebArgs {
    #[command(subcommand)]
    pub(crate) order: Option<WebOrder>,
}

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum WebOrder {
    /// Print the token with which the console's first page makes the first administrator
    ///
    /// It is good for 30 minutes and for one use. Beside it stands the fingerprint of the
    /// console's own certificate, to be compared with what the browser shows.
    SetupToken,
}

#[derive(Subcommand)]
pub(crate) enum Account {
    /// Show who may sign in to the console, and their tokens
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make an account; its password is asked for, or read from standard input
    Add {
        /// Its name, of a-z 0-9 . _ -
        name: String,
        /// What it may do
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Give an account another password, which is asked for, or read from standard input; its
    /// sessions end
    Password {
        /// Its name
        name: String,
    },
    /// End all sessions of an account, on both nodes
    SignOut {
        /// Its name
        name: String,
    },
    /// Say what an account may do
    Role {
        /// Its name
        name: String,
        /// What it may do
        #[arg(value_enum)]
        role: Role,
    },
    /// Remove an account and its tokens; its sessions end
    Remove {
        /// Its name
        name: String,
    },
    /// Tokens with which programs use the API through the console
    #[command(subcommand)]
    Token(Token),
}

#[derive(Subcommand)]
pub(crate) enum Token {
    /// Make a token and print it, this once
    Add(TokenAddArgs),
    /// Remove a token
    Remove {
        /// Whose it is
        account: String,
        /// What it is called
        name: String,
    },
}

#[derive(Args)]
pub(crate) struct TokenAddArgs {
    /// Whose it is
    pub(crate) account: String,
    /// What it is for, of a-z 0-9 . _ -
    pub(crate) name: String,
    /// What it may do at most; never more than its account
    #[arg(long, value_enum, default_value = "viewer")]
    pub(crate) scope: Role,
    /// It is good for so many days; without this until it is removed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) days: Option<u16>,
}

#[derive(Args)]
pub(crate) struct AuditArgs {
    /// Print JSON, one entry a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Show only the last N entries
    #[arg(long, short = 'n', value_name = "N", default_value = "100", value_parser = super::parse_count)]
    pub(crate) last: usize,
    /// Show only what this account, or user of the machine, did
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
}

#[derive(Args)]
pub(crate) struct SupportBundleArgs {
    /// The file to write, which must not exist yet; without one it is named after the node and
    /// the moment
    pub(crate) file: Option<PathBuf>,
}

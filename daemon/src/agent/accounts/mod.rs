//! Who may sign in to the console and what each may do: names with Argon2id hashes and
//! roles, and API tokens as hashes. The agent alone writes the file; the console reads it.
//! It lies outside of etc/twinwall, so that the section 'user management' takes it to the
//! other node.

mod change;
mod file;
mod name;
mod password;
mod secret;
mod setup;
#[cfg(test)]
mod tests;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::error::Refusal;
pub use change::{Made, NewAccount, NewToken};
pub use name::check_name;
pub use password::{DUMMY_HASH, hash, verify};
pub use secret::Secret;
pub use setup::{LASTS as SETUP_LASTS, Setup};

/// The file, relative to the root.
pub const FILE: &str = "etc/twinwall-accounts/accounts.toml";
/// The folder of that file.
pub const FOLDER: &str = "etc/twinwall-accounts";
/// Accounts that can be made; a pair has a handful of administrators.
pub const MAX_ACCOUNTS: usize = 100;
/// Tokens of all accounts.
pub const MAX_TOKENS: usize = 200;

/// What somebody may do. Each role may what the ones before it may.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks, and changes nothing.
    Viewer,
    /// Runs the pair: moves the role, maintenance, forced synchronisation.
    Operator,
    /// Everything.
    Administrator,
}

impl Role {
    /// For people and the file.
    pub fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Administrator => "administrator",
        }
    }
}

/// What is in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// By name.
    #[serde(default, rename = "account")]
    pub accounts: Vec<Account>,
    /// The newest last.
    #[serde(default, rename = "token")]
    pub tokens: Vec<Token>,
}

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The hash of the password, as a PHC string.
    pub password: String,
    /// Sessions that began before have ended: milliseconds since 1970 (UTC).
    #[serde(default)]
    pub sessions_after_ms: Option<u64>,
}

/// A token for programs. It may what its scope says, and never more than its account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub account: String,
    /// What it may do at most.
    pub scope: Role,
    /// The hash of its secret in hex.
    pub hash: String,
    /// From when on it is good for nothing: milliseconds since 1970 (UTC).
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

impl Token {
    fn is_over(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|end| now_ms >= end)
    }
}

/// An account as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountView {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its tokens.
    pub tokens: Vec<TokenView>,
}

/// A token as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenView {
    /// What it is for.
    pub name: String,
    /// What it may do: never more than its account.
    pub scope: Role,
    /// From when on it is good for nothing: milliseconds since 1970 (UTC).
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

impl TokenView {
    /// Whether it is good for nothing any more.
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|end| now_ms >= end)
    }
}

impl Accounts {
    /// What lies below the root; empty before the first account was made.
    ///
    /// # Errors
    /// When the file cannot be read or understood, with what to do.
    pub fn read(root: &Path) -> Result<Accounts, Refusal> {
        file::read(&root.join(FILE))
    }

    /// The account of this name.
    pub fn find(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }

    /// Whose token this is, and what may be done with it at this moment.
    pub fn by_token(&self, secret: &str, now_ms: u64) -> Option<(&Account, Role)> {
        let hash = Secret::hash_of(secret);
        let good = |token: &&Token| token.hash == hash && !token.is_over(now_ms);
        let token = self.tokens.iter().find(good)?;
        let account = self.find(&token.account)?;
        Some((account, token.scope.min(account.role)))
    }

    /// As it is shown: without a hash.
    pub fn view(&self) -> Vec<AccountView> {
        let view = |account: &Account| AccountView {
            name: account.name.clone(),
            role: account.role,
            tokens: self
                .tokens
                .iter()
                .filter(|token| token.account == account.name)
                .map(|token| TokenView {
                    name: token.name.clone(),
                    scope: token.scope.min(account.role),
                    expires_ms: token.expires_ms,
                })
                .collect(),
        };
        self.accounts.iter().map(view).collect()
    }
}

//! Changes of the accounts, one after another: each reads the file, changes it and writes it
//! as a whole, and the last administrator always stays.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::api::error::{Code, Detail, Refusal};
use super::super::clock::unix_ms;
use super::{
    Account, Accounts, FILE, MAX_ACCOUNTS, MAX_TOKENS, Role, Secret, Token, check_name, file, hash,
};

/// An account to be made.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Its name: a-z 0-9 . _ -
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its password, of 12 characters at least.
    pub password: String,
}

/// A token to be made.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for: a-z 0-9 . _ -
    pub name: String,
    /// What it may do at most; never more than its account.
    pub scope: Role,
    /// From when on it is good for nothing: milliseconds since 1970 (UTC); never where nothing
    /// is said.
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

/// A secret that is shown this once.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// The secret.
    pub token: String,
    /// What may be done with it: what was asked for, and no more than its account may.
    pub scope: Role,
}

/// A token ends within ten years, or never: a date that is further away is a slip.
const MAX_LIFE_MS: u64 = 10 * 366 * 86_400_000;

fn check_end(expires_ms: Option<u64>) -> Result<(), Refusal> {
    let now = unix_ms();
    let good = |end: u64| (now + 1..=now + MAX_LIFE_MS).contains(&end);
    if expires_ms.is_none_or(good) {
        return Ok(());
    }
    let message = "a token ends in the future, and within ten years".to_owned();
    let details = vec![Detail { place: "expires_ms".to_owned(), message: message.clone() }];
    Err(Refusal { code: Code::Invalid, message, details })
}

/// A refusal that stands beside the name.
fn taken(message: String) -> Refusal {
    let details = vec![Detail { place: "name".to_owned(), message: message.clone() }];
    Refusal { code: Code::Conflict, message, details }
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Changes the accounts below the root. Waits for the disk, and for hashing.
fn change<T>(
    root: &Path,
    how: impl FnOnce(&mut Accounts) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut accounts = Accounts::read(root)?;
    let had_administrator = administrators(&accounts) > 0;
    let done = how(&mut accounts)?;
    if had_administrator && administrators(&accounts) == 0 {
        return Err(Refusal::conflict(
            "this is the only administrator; make another one first: twinwall account add NAME \
             --role administrator",
        ));
    }
    accounts.tokens.retain(|token| accounts.accounts.iter().any(|it| it.name == token.account));
    let path = root.join(FILE);
    file::write(&path, &accounts)
        .map_err(|error| Refusal::machine(format!("writing {}: {error}", path.display())))?;
    Ok(done)
}

fn administrators(accounts: &Accounts) -> usize {
    accounts.accounts.iter().filter(|account| account.role == Role::Administrator).count()
}

fn find<'a>(accounts: &'a mut Accounts, name: &str) -> Result<&'a mut Account, Refusal> {
    let found = accounts.accounts.iter_mut().find(|account| account.name == name);
    found.ok_or_else(|| Refusal::not_found("no account has this name; see: twinwall account list"))
}

impl Accounts {
    /// Makes an account.
    ///
    /// # Errors
    /// When name or password cannot be one, or the name is taken.
    pub fn add(root: &Path, new: &NewAccount) -> Result<(), Refusal> {
        check_name("name", &new.name)?;
        let password = hash(&new.name, &new.password)?;
        change(root, |accounts| {
            if accounts.find(&new.name).is_some() {
                return Err(taken(format!("{} has an account already", new.name)));
            }
            if accounts.accounts.len() >= MAX_ACCOUNTS {
                return Err(Refusal::conflict(format!(
                    "there are {MAX_ACCOUNTS} accounts already"
                )));
            }
            let (name, role) = (new.name.clone(), new.role);
            let account = Account { name, role, password, sessions_after_ms: None };
            accounts.accounts.push(account);
            accounts.accounts.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(())
        })
    }

    /// Gives it another password, which ends its sessions.
    ///
    /// # Errors
    /// When there is no such account, or the password cannot be one.
    pub fn set_password(root: &Path, name: &str, password: &str) -> Result<(), Refusal> {
        let password = hash(name, password)?;
        change(root, |accounts| {
            find(accounts, name)?.password = password;
            Ok(())
        })
    }

    /// Ends all its sessions, on both nodes.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn end_sessions(root: &Path, name: &str) -> Result<(), Refusal> {
        change(root, |accounts| {
            find(accounts, name)?.sessions_after_ms = Some(unix_ms());
            Ok(())
        })
    }

    /// Gives it another role.
    ///
    /// # Errors
    /// When there is no such account, or it is the last administrator.
    pub fn set_role(root: &Path, name: &str, role: Role) -> Result<(), Refusal> {
        change(root, |accounts| {
            find(accounts, name)?.role = role;
            Ok(())
        })
    }

    /// Removes it with its tokens.
    ///
    /// # Errors
    /// As [`Accounts::set_role`].
    pub fn remove(root: &Path, name: &str) -> Result<(), Refusal> {
        change(root, |accounts| {
            find(accounts, name)?;
            accounts.accounts.retain(|account| account.name != name);
            Ok(())
        })
    }

    /// Makes a token of this account.
    ///
    /// # Errors
    /// When there is no such account, or it has one of this name.
    pub fn add_token(root: &Path, account: &str, new: &NewToken) -> Result<Made, Refusal> {
        check_name("name", &new.name)?;
        check_end(new.expires_ms)?;
        let secret = Secret::new("twinwall_")?;
        change(root, |accounts| {
            // Another role later gives no token more than was seen when it was made.
            let scope = new.scope.min(find(accounts, account)?.role);
            let same =
                |token: &Token| (token.account.as_str(), &token.name) == (account, &new.name);
            if accounts.tokens.iter().any(same) {
                return Err(taken(format!("there is a token {} already", new.name)));
            }
            if accounts.tokens.len() >= MAX_TOKENS {
                return Err(Refusal::conflict(format!("there are {MAX_TOKENS} tokens already")));
            }
            let (name, account) = (new.name.clone(), account.to_owned());
            let (hash, expires_ms) = (secret.hash(), new.expires_ms);
            accounts.tokens.push(Token { name, account, scope, hash, expires_ms });
            Ok(Made { token: secret.text().to_owned(), scope })
        })
    }

    /// Removes a token.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove_token(root: &Path, account: &str, name: &str) -> Result<(), Refusal> {
        change(root, |accounts| {
            let before = accounts.tokens.len();
            accounts
                .tokens
                .retain(|token| (token.account.as_str(), token.name.as_str()) != (account, name));
            if accounts.tokens.len() == before {
                return Err(Refusal::not_found("this account has no token of that name"));
            }
            Ok(())
        })
    }
}

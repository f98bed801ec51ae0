//! Changes of the accounts, one after another: each reads the file, changes it and writes it
//! as a whole, and the last administrator always stays.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::api::error::Refusal;
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
}

/// A secret that is shown this once.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// The secret.
    pub token: String,
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
                return Err(Refusal::conflict(format!("{} has an account already", new.name)));
            }
            if accounts.accounts.len() >= MAX_ACCOUNTS {
                return Err(Refusal::conflict(format!(
                    "there are {MAX_ACCOUNTS} accounts already"
                )));
            }
            let account = Account { name: new.name.clone(), role: new.role, password };
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
        let secret = Secret::new("twinwall_")?;
        change(root, |accounts| {
            find(accounts, account)?;
            let same =
                |token: &Token| (token.account.as_str(), &token.name) == (account, &new.name);
            if accounts.tokens.iter().any(same) {
                return Err(Refusal::conflict(format!("it has a token {} already", new.name)));
            }
            if accounts.tokens.len() >= MAX_TOKENS {
                return Err(Refusal::conflict(format!("there are {MAX_TOKENS} tokens already")));
            }
            let (name, account) = (new.name.clone(), account.to_owned());
            accounts.tokens.push(Token { name, account, scope: new.scope, hash: secret.hash() });
            Ok(Made { token: secret.text().to_owned() })
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

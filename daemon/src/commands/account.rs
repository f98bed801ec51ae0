//! `twinwall account`: who may sign in to the console. A password is asked for on a terminal,
//! twice and unseen, and is else the first line of standard input.

use std::path::Path;

use twinwall::agent::accounts::{AccountView, Made, NewAccount, NewToken};
use twinwall::agent::api::accounts::{NewPassword, NewRole};
use twinwall::agent::api::sync::Taken;
use twinwall::agent::clock::unix_ms;
use twinwall::failure::Failure;

use crate::api_client::Api;
use crate::cli::{Account, Token};
use crate::show::{print, print_json};
use crate::{secret, system};

pub(super) fn account(root: &Path, order: &Account) -> Result<(), Failure> {
    let api = Api::of(root);
    match order {
        Account::List { json } => list(&api, *json),
        Account::Add { name, role } => {
            let new = NewAccount { name: name.clone(), role: *role, password: password()? };
            let _: Taken = api.post("/api/v1/accounts", &new)?;
            print(&format!("{name} may sign in as {}.\n", role.word()))
        }
        Account::Password { name } => {
            let new = NewPassword { password: password()? };
            let _: Taken = api.post(&at(name, "/password"), &new)?;
            print(&format!("{name} has another password; sessions with the old one ended.\n"))
        }
        Account::SignOut { name } => {
            let _: Taken = api.post(&at(name, "/sign-out"), &serde_json::json!({}))?;
            print(&format!("The sessions of {name} have ended.\n"))
        }
        Account::Role { name, role } => {
            let _: Taken = api.post(&at(name, "/role"), &NewRole { role: *role })?;
            print(&format!("{name} is {} from now on.\n", role.word()))
        }
        Account::Remove { name } => {
            let _: Taken = api.delete(&at(name, ""))?;
            print(&format!("{name} has no account any more.\n"))
        }
        Account::Token(Token::Add(args)) => {
            let (name, scope) = (args.name.clone(), args.scope);
            let end = |days: u16| unix_ms() + u64::from(days) * 86_400_000;
            let new = NewToken { name, scope, expires_ms: args.days.map(end) };
            let made: Made = api.post(&at(&args.account, "/tokens"), &new)?;
            if made.scope < scope {
                eprintln!("{} is {}: its token may no more.", args.account, made.scope.word());
            }
            print(&format!("{}\n", made.token))
        }
        Account::Token(Token::Remove { account, name }) => {
            let _: Taken = api.delete(&at(account, &format!("/tokens/{name}")))?;
            print(&format!("{account} has no token {name} any more.\n"))
        }
    }
}

fn at(name: &str, more: &str) -> String {
    format!("/api/v1/accounts/{}{more}", secret::in_path(name))
}

fn list(api: &Api, json: bool) -> Result<(), Failure> {
    let accounts: Vec<AccountView> = api.get("/api/v1/accounts")?;
    if json {
        return print_json(&accounts);
    }
    if accounts.is_empty() {
        return print(
            "No account yet; make the first one in the console, by 'twinwall web setup-token'.\n",
        );
    }
    let mut text = String::new();
    for account in &accounts {
        text += &format!("{:<32}  {}\n", account.name, account.role.word());
        for token in &account.tokens {
            let over = if token.is_over(unix_ms()) { "ended" } else { "until" };
            let end = token.expires_ms.map(|end| format!("  {over} {}", system::local_time(end)));
            let (name, scope, end) = (&token.name, token.scope.word(), end.unwrap_or_default());
            text += &format!("  token {name:<24}  {scope}{end}\n");
        }
    }
    print(&text)
}

fn password() -> Result<String, Failure> {
    secret::ask("Password (12 characters at least)", "password")
}

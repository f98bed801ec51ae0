//! Routes of the console's accounts. Hashing takes its time: one at a time, on a thread that
//! may wait.

use std::path::Path;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::routing::{delete, get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::caller::Caller;
use super::error::Refusal;
use super::request::At;
use super::route::{Method, Route};
use super::sync::Taken;
use super::{Body, Shared};
use crate::agent::accounts::{
    AccountView, Accounts, FILE, Made, NewAccount, NewToken, Role, SETUP_LASTS,
};
use crate::agent::manifest::RelPath;
use crate::agent::node::Node;

/// Another password.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// Of 12 characters at least.
    pub password: String,
}

/// Another role.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// What the account may do.
    pub role: Role,
}

/// A token for the first set-up.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SetupToken {
    /// The token, to be typed into the console's first page.
    pub token: String,
    /// For how many seconds it is good.
    pub lasts_s: u64,
}

/// The first administrator.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstAccount {
    /// What 'twinwall web setup-token' printed.
    pub token: String,
    /// The name.
    pub name: String,
    /// The password, of 12 characters at least.
    pub password: String,
}

pub(super) fn routes() -> Vec<Route> {
    [of_accounts(), of_secrets()].into_iter().flatten().collect()
}

fn of_accounts() -> Vec<Route> {
    vec![
        Route::new::<Vec<AccountView>>(
            (Method::Get, "/api/v1/accounts"),
            ("accounts", "Who may sign in to the console, and what each may do"),
            get(list).post(add),
        ),
        Route::same::<Taken>(
            (Method::Post, "/api/v1/accounts"),
            ("add_account", "Make an account"),
        )
        .takes::<NewAccount>()
        .tells(&["name", "role"]),
        Route::new::<Taken>(
            (Method::Delete, "/api/v1/accounts/{name}"),
            ("remove_account", "Remove an account and its tokens"),
            delete(remove),
        ),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/accounts/{name}/password"),
            ("set_password", "Set an account's password, which ends its sessions"),
            post(set_password),
        )
        .takes::<NewPassword>(),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/accounts/{name}/sign-out"),
            ("end_sessions", "End all sessions of an account, on both nodes"),
            post(end_sessions),
        ),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/accounts/{name}/role"),
            ("set_role", "Say what an account may do"),
            post(set_role),
        )
        .takes::<NewRole>()
        .tells(&["role"]),
    ]
}

fn of_secrets() -> Vec<Route> {
    vec![
        Route::new::<Made>(
            (Method::Post, "/api/v1/accounts/{name}/tokens"),
            ("add_token", "Make a token for programs; it is shown this once"),
            post(add_token),
        )
        .takes::<NewToken>()
        .tells(&["name", "scope", "expires_ms"]),
        Route::new::<Taken>(
            (Method::Delete, "/api/v1/accounts/{name}/tokens/{token}"),
            ("remove_token", "Remove a token"),
            delete(remove_token),
        ),
        Route::new::<SetupToken>(
            (Method::Post, "/api/v1/setup-token"),
            ("setup_token", "Open the first set-up for half an hour; only on the node itself"),
            post(setup_token),
        ),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/first-account"),
            ("first_account", "Make the first administrator, by the set-up token"),
            post(first_account),
        )
        .takes::<FirstAccount>()
        .tells(&["name"]),
    ]
}

async fn list(State(shared): State<Shared>) -> Result<Json<Vec<AccountView>>, Refusal> {
    Accounts::read(shared.node.root()).map(|accounts| Json(accounts.view()))
}

async fn add(State(shared): State<Shared>, body: Body<NewAccount>) -> Result<Json<Taken>, Refusal> {
    change(&shared, move |root| Accounts::add(root, &body.0)).await.map(taken)
}

async fn remove(
    State(shared): State<Shared>,
    At(name): At<String>,
) -> Result<Json<Taken>, Refusal> {
    change(&shared, move |root| Accounts::remove(root, &name)).await.map(taken)
}

async fn set_password(
    State(shared): State<Shared>,
    At(name): At<String>,
    body: Body<NewPassword>,
) -> Result<Json<Taken>, Refusal> {
    let password = body.0.password;
    change(&shared, move |root| Accounts::set_password(root, &name, &password)).await.map(taken)
}

async fn end_sessions(
    State(shared): State<Shared>,
    At(name): At<String>,
) -> Result<Json<Taken>, Refusal> {
    change(&shared, move |root| Accounts::end_sessions(root, &name)).await.map(taken)
}

async fn set_role(
    State(shared): State<Shared>,
    At(name): At<String>,
    body: Body<NewRole>,
) -> Result<Json<Taken>, Refusal> {
    change(&shared, move |root| Accounts::set_role(root, &name, body.0.role)).await.map(taken)
}

async fn add_token(
    State(shared): State<Shared>,
    At(name): At<String>,
    body: Body<NewToken>,
) -> Result<Json<Made>, Refusal> {
    change(&shared, move |root| Accounts::add_token(root, &name, &body.0)).await.map(Json)
}

async fn remove_token(
    State(shared): State<Shared>,
    At((name, token)): At<(String, String)>,
) -> Result<Json<Taken>, Refusal> {
    change(&shared, move |root| Accounts::remove_token(root, &name, &token)).await.map(taken)
}

async fn setup_token(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<SetupToken>, Refusal> {
    caller.must_be_local()?;
    if !Accounts::read(shared.node.root())?.accounts.is_empty() {
        return Err(Refusal::conflict(
            "the first set-up is done; for another account: twinwall account add NAME",
        ));
    }
    let secret = shared.node.setup().open(Instant::now())?;
    Ok(Json(SetupToken { token: secret.text().to_owned(), lasts_s: SETUP_LASTS.as_secs() }))
}

async fn first_account(
    State(shared): State<Shared>,
    body: Body<FirstAccount>,
) -> Result<Json<Taken>, Refusal> {
    let FirstAccount { token, name, password } = body.0;
    let fresh = |root: &Path| match Accounts::read(root)?.accounts.is_empty() {
        true => Ok(()),
        false => Err(Refusal::conflict("the first set-up is done; sign in")),
    };
    fresh(shared.node.root())?;
    shared.node.setup().check(&token, Instant::now())?;
    let new = NewAccount { name, role: Role::Administrator, password };
    // Looked at in the turn in which it is made: one token makes one account.
    change(&shared, move |root| {
        fresh(root)?;
        Accounts::add(root, &new)
    })
    .await?;
    shared.node.setup().close();
    Ok(taken(()))
}

fn taken(_done: ()) -> Json<Taken> {
    Json(Taken { taken: true })
}

/// On a passive node, where the accounts are a part of a section, a change would only make it
/// differ, and be undone by the next synchronisation.
fn must_count(node: &Node) -> Result<(), Refusal> {
    let engine = node.engine()?;
    let peer = engine.overview().peer;
    let passive = node.guard().borrow().is_active() == Some(false) && peer.connected;
    let Ok(file) = RelPath::new(FILE.as_bytes()) else { return Ok(()) };
    let sections = &node.settings().profile.sections;
    let travels = sections.values().any(|rules| rules.paths.matches(&file));
    if !passive || !travels {
        return Ok(());
    }
    let active = peer.name.unwrap_or_else(|| "the other one".to_owned());
    Err(Refusal::conflict(format!(
        "this node is passive; accounts are changed on the active node, {active}, and come here \
         from there"
    )))
}

/// Hashes at a time: each takes 9 MiB.
static HASHING: Semaphore = Semaphore::const_new(1);

/// Not while a forced synchronisation runs, which may bring other accounts.
async fn change<T: Send + 'static>(
    shared: &Shared,
    how: impl FnOnce(&Path) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    shared.node.may_change()?;
    must_count(&shared.node)?;
    let _turn = HASHING.acquire().await;
    let root = shared.node.root().to_owned();
    let changed = tokio::task::spawn_blocking(move || how(&root)).await;
    changed.unwrap_or_else(|error| Err(Refusal::machine(format!("changing accounts: {error}"))))
}

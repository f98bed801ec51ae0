//! What the forms of the page order: a target saved, tried, removed; its secret set.

use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::form::Typed;
use super::{API, PATH, again, target};
use crate::agent::alerts::Tried;
use crate::agent::api::alerts::NewSecret;
use crate::agent::api::error::Refusal;
use crate::agent::api::ha::SetSettings;
use crate::agent::api::sync::Taken;
use crate::agent::ha::Done;
use crate::agent::settings::Change;
use crate::percent::encoded;
use crate::web::access::Person;
use crate::web::listen::Ends;
use crate::web::pages::{settled, wrong};
use crate::web::request::Posted;
use crate::web::state::Shared;

#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
pub(super) struct SecretForm {
    #[serde(default)]
    secret: String,
    /// Not empty: the secret is forgotten.
    #[serde(default)]
    forget: String,
}

pub(super) async fn save(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    posted: Posted<Typed>,
) -> Response {
    let Posted { person, fields: typed } = posted;
    match write(&console, &person, &typed).await {
        Ok(said) => settled(&console, &person, &at(typed.name.trim()), Ok(said)),
        Err(refusal) => again(&console, &person, ends, typed, refusal).await,
    }
}

async fn write(console: &Shared, person: &Person, typed: &Typed) -> Result<String, Refusal> {
    let settings = typed.settings()?;
    let name = settings.name.clone();
    let is_name =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(wrong::at("name", "write 1 to 32 of a-z, 0-9, _ and -"));
    }
    let old = target(console, &name).await?;
    if old.is_some() && !typed.fresh.is_empty() {
        return Err(wrong::at("name", "there is a target of this name already"));
    }
    let changes = settings.changes_from(old.as_ref().map(|it| &it.settings));
    change(console, person, changes).await?;
    Ok(format!("{name} is saved on both nodes. Send a test to see that it is told."))
}

async fn change(console: &Shared, person: &Person, changes: Vec<Change>) -> Result<Done, Refusal> {
    let order = SetSettings { changes, seen: None, addresses_by_hand: false };
    console.agent.post("/api/v1/ha/set", &order, &person.name()).await
}

pub(super) async fn test(
    State(console): State<Shared>,
    Path(name): Path<String>,
    posted: Posted<Nothing>,
) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    let path = format!("{API}/{}/test", encoded(&name));
    let tried: Result<Tried, Refusal> =
        console.agent.post(&path, &serde_json::json!({}), &person.name()).await;
    let said = tried.map(|it| format!("{name} was told in {} ms: {}", it.took_ms, it.said));
    settled(&console, &person, PATH, said)
}

pub(super) async fn secret(
    State(console): State<Shared>,
    Path(name): Path<String>,
    posted: Posted<SecretForm>,
) -> Response {
    let Posted { person, fields: SecretForm { secret, forget } } = posted;
    let path = format!("{API}/{}/secret", encoded(&name));
    let order = async {
        if forget.is_empty() {
            let new = NewSecret { secret };
            console.agent.put::<Taken>(&path, &new, &person.name()).await?;
            return Ok(format!(
                "This node has the secret of {name}. Set it on the other node too: after a \
                 failover that one tells."
            ));
        }
        console.agent.delete::<Taken>(&path, &person.name()).await?;
        Ok(format!("This node has no secret of {name} any more."))
    };
    let went = order.await;
    settled(&console, &person, &at(&name), went)
}

pub(super) async fn remove(
    State(console): State<Shared>,
    Path(name): Path<String>,
    posted: Posted<Nothing>,
) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    let order = async {
        change(&console, &person, vec![Change::RemoveAlert { name: name.clone() }]).await?;
        let path = format!("{API}/{}/secret", encoded(&name));
        console.agent.delete::<Taken>(&path, &person.name()).await?;
        Ok(format!("{name} is told nothing any more."))
    };
    let went = order.await;
    settled(&console, &person, PATH, went)
}

fn at(name: &str) -> String {
    format!("{PATH}/{}", encoded(name))
}

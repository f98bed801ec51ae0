//! The API for people: how to make a token, examples, and every route, made from the OpenAPI
//! document. One page for each group of routes, so that none is long.

mod schema;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use askama::Template;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;
use serde_json::Value;

use super::tokens::base_url;
use super::{Frame, Place, failed, shown};
use crate::agent::api::error::Refusal;
use crate::agent::api::{DOCUMENT, access, openapi};
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::state::Shared;
use schema::{Field, Kind, Schemas, Type};

/// Routes that belong together.
struct Group {
    id: &'static str,
    title: &'static str,
    routes: Vec<RouteView>,
    types: Vec<Type>,
}

/// A route.
struct RouteView {
    method: String,
    path: String,
    id: String,
    summary: String,
    role: &'static str,
    parameters: Vec<Field>,
    body: Option<Kind>,
    fields: Vec<Field>,
    answer: Kind,
    form: String,
    /// What of a curl command stands before the address.
    call: String,
}

/// The groups by the first part of the path below /api/v1; what is in none is in the last.
const GROUPS: [(&str, &str, &[&str]); 12] = [
    (
        "state",
        "State and role",
        &["status", "explain", "switchover", "maintenance", "readiness", "services"],
    ),
    ("dashboard", "Dashboard", &["dashboard", "stream"]),
    ("events", "Events", &["events", "failovers"]),
    ("reports", "Reports", &["reports", "availability", "leases", "probe"]),
    ("logs", "Logs", &["logs"]),
    ("conditions", "Conditions", &["conditions", "notices", "reach", "resources"]),
    ("settings", "High availability", &["ha", "preflight"]),
    ("synchronisation", "Synchronisation", &["sync"]),
    ("pairing", "Pairing and long operations", &["pair", "jobs"]),
    ("access", "Access and audit", &["accounts", "audit", "setup-token", "first-account"]),
    ("snmp", "SNMP", &["snmp"]),
    ("more", "More", &[]),
];

static ALL: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let document = openapi();
    let schemas = Schemas::of(&document);
    let group = |(id, title, parts): (&'static str, &'static str, &[&str])| {
        let is_here = |path: &str| {
            let first = path.trim_start_matches("/api/v1/").split('/').next().unwrap_or_default();
            match parts {
                [] => !GROUPS.iter().any(|(_, _, parts)| parts.contains(&first)),
                parts => parts.contains(&first),
            }
        };
        let here = access().into_iter().filter(|(_, path, _)| is_here(path));
        let routes: Vec<RouteView> = here
            .map(|(method, path, least)| {
                let operation = &document["paths"][path][method.name()];
                route(&schemas, (method.name(), path), least.word(), operation)
            })
            .collect();
        let kinds = routes.iter().flat_map(RouteView::kinds);
        let types = schemas.reached(kinds);
        Group { id, title, routes, types }
    };
    let all = GROUPS.into_iter().map(group).filter(|group| !group.routes.is_empty()).collect();
    each_type_once(all)
});

/// A type stands on the first page that needs it; the others lead there.
fn each_type_once(mut all: Vec<Group>) -> Vec<Group> {
    let mut homes = BTreeMap::new();
    for group in &all {
        for one in &group.types {
            homes.entry(one.name.clone()).or_insert(group.id);
        }
    }
    for Group { id, routes, types, .. } in &mut all {
        types.retain(|one| homes.get(&one.name) == Some(id));
        let kinds = routes.iter_mut().flat_map(RouteView::kinds_mut);
        for kind in kinds.chain(types.iter_mut().flat_map(Type::kinds_mut)) {
            kind.page = kind.link.as_ref().and_then(|link| homes.get(link)).copied();
            kind.page.take_if(|home| home == id);
        }
    }
    all
}

fn route(
    schemas: &Schemas<'_>,
    (method, path): (&str, &str),
    role: &'static str,
    operation: &Value,
) -> RouteView {
    let text = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
    let content = operation["responses"]["200"]["content"].as_object();
    let (form, answer) = content.and_then(|forms| forms.iter().next()).map_or_else(
        || (String::new(), Kind::default()),
        |(form, of)| (form.clone(), schemas.kind(&of["schema"])),
    );
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let method = method.to_uppercase();
    let verb = if method == "GET" { String::new() } else { format!("-X {method} ") };
    let sent = schemas.example(body).filter(|_| !body.is_null());
    let sent = sent.map(|it| format!("-H 'content-type: application/json' -d '{it}' "));
    RouteView {
        call: format!("{verb}{}", sent.unwrap_or_default()),
        method,
        path: path.to_owned(),
        id: text("operationId"),
        summary: text("summary"),
        role,
        parameters: schemas.parameters(&operation["parameters"]),
        body: (!body.is_null()).then(|| schemas.kind(body)),
        fields: schemas.fields(body),
        answer,
        form,
    }
}

impl RouteView {
    fn kinds(&self) -> impl Iterator<Item = &Kind> {
        let fields = self.parameters.iter().chain(&self.fields).map(|field| &field.kind);
        self.body.iter().chain(fields).chain(std::iter::once(&self.answer))
    }

    fn kinds_mut(&mut self) -> impl Iterator<Item = &mut Kind> {
        let fields = self.parameters.iter_mut().chain(&mut self.fields);
        let fields = fields.map(|field| &mut field.kind);
        self.body.iter_mut().chain(fields).chain(std::iter::once(&mut self.answer))
    }
}

#[derive(Template)]
#[template(path = "reference.html")]
struct Index {
    page: Frame,
    groups: &'static [Group],
    url: String,
}

#[derive(Template)]
#[template(path = "reference_group.html")]
struct One {
    page: Frame,
    group: &'static Group,
    url: String,
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
) -> Response {
    let page = Frame::inside("API", Place::Api, &console, &person, ends).await;
    shown(&Index { page, groups: &ALL, url: base_url(ends) })
}

impl Index {
    fn document(&self) -> &'static str {
        DOCUMENT
    }
}

pub(super) async fn group(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Path(id): Path<String>,
) -> Response {
    let Some(group) = ALL.iter().find(|group| group.id == id) else {
        return failed(&Refusal::not_found("There is no such page of the API."));
    };
    let page = Frame::inside(group.title, Place::Api, &console, &person, ends).await;
    shown(&One { page, group, url: base_url(ends) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_on_one_page_with_all_that_it_takes_and_gives() {
        let shown: usize = ALL.iter().map(|group| group.routes.len()).sum();
        assert_eq!(shown, access().len());
        for group in ALL.iter() {
            for route in &group.routes {
                assert!(!route.summary.is_empty() && !route.form.is_empty(), "{}", route.id);
                for kind in route.kinds().chain(group.types.iter().flat_map(Type::kinds)) {
                    let page = kind.page.unwrap_or(group.id);
                    let home = ALL.iter().find(|group| group.id == page).expect("a page");
                    let known = |name: &String| home.types.iter().any(|it| it.name == *name);
                    assert!(kind.link.as_ref().is_none_or(known), "{}: {kind:?}", route.id);
                }
            }
        }
        let types = ALL.iter().flat_map(|group| &group.types).map(|it| &it.name);
        let mut once = BTreeSet::new();
        types.for_each(|name| assert!(once.insert(name), "{name} stands on two pages"));
        let access = ALL.iter().find(|group| group.id == "access").expect("there");
        let add = access.routes.iter().find(|route| route.id == "add_account").expect("there");
        assert_eq!((add.role, add.fields.len()), ("administrator", 3));
        let (name, role) = (&add.fields[0], &add.fields[2]);
        assert!(name.required && name.kind.text == "text", "{name:?}");
        assert!(role.kind.link.as_deref() == Some("Role"), "{role:?}");
        assert!(add.call.contains("\"name\":\"…\"") && add.call.contains("\"role\":\"viewer\""));
    }
}

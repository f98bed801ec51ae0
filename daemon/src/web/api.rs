//! The agent's API for programs and pages elsewhere: each of its routes, asked in the name of
//! whoever may. The table of routes says the least role; what is not in it is not here.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use http_body_util::BodyExt;

use super::access::Person;
use super::csrf::{self, Head};
use super::state::Shared;
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::api::{DOCUMENT, access, route};

/// Every route of the table, and the document that describes them.
pub(super) fn router() -> Router<Shared> {
    let document = (route::Method::Get, DOCUMENT, Role::Viewer);
    let all = access().into_iter().chain([document]);
    let metrics = on(MethodFilter::GET, async |State(console): State<Shared>, request: Request| {
        metrics(&console, request).await.unwrap_or_else(IntoResponse::into_response)
    });
    let router = all.fold(Router::new(), |router, (method, path, least)| {
        router.route(path, forward(method, least))
    });
    router.route("/metrics", metrics).route("/api/v1/{*rest}", axum::routing::any(unknown))
}

fn forward(method: route::Method, least: Role) -> MethodRouter<Shared> {
    let filter = match method {
        route::Method::Get => MethodFilter::GET,
        route::Method::Post => MethodFilter::POST,
        route::Method::Put => MethodFilter::PUT,
        route::Method::Delete => MethodFilter::DELETE,
    };
    on(filter, async move |State(console): State<Shared>, request: Request| {
        ask(&console, request, least).await.unwrap_or_else(IntoResponse::into_response)
    })
}

/// Where Prometheus looks by itself; the same as the agent's route, for whoever may see it.
async fn metrics(console: &Shared, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let person = Person::of(console, &parts, true)?;
    person.must_be(Role::Viewer)?;
    let path = crate::agent::api::metrics::PATH;
    let answer = console.agent.ask(Method::GET, path, Bytes::new(), &person.name()).await?;
    Ok(told(answer))
}

async fn unknown(State(console): State<Shared>, request: Request) -> Refusal {
    let (parts, _) = request.into_parts();
    let Err(refusal) = Person::of(&console, &parts, true) else {
        return Refusal::not_found("no such path; GET /api/v1/openapi.json lists all");
    };
    refusal
}

async fn ask(console: &Shared, request: Request, least: Role) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let person = Person::of(console, &parts, true)?;
    if parts.method != Method::GET && parts.method != Method::HEAD {
        let given = parts.headers.get(csrf::HEADER).and_then(|value| value.to_str().ok());
        person.must_mean_it(given, &Head { headers: &parts.headers, uri: &parts.uri })?;
    }
    person.must_be(least)?;
    let body =
        body.collect().await.map_err(|error| Refusal::machine(error.to_string()))?.to_bytes();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let answer = console.agent.ask(asked(&parts), path, body, &person.name()).await?;
    Ok(told(answer))
}

/// The agent is asked as for GET; the body of a HEAD is left out on its way.
fn asked(parts: &Parts) -> Method {
    if parts.method == Method::HEAD { Method::GET } else { parts.method.clone() }
}

/// What the agent says, without what belongs to its connection.
fn told(answer: axum::http::Response<Body>) -> Response {
    let (parts, body) = answer.into_parts();
    let form = parts.headers.get(header::CONTENT_TYPE).cloned();
    let allow = parts.headers.get(header::ALLOW).cloned();
    let file = parts.headers.get(header::CONTENT_DISPOSITION).cloned();
    let mut response = (parts.status, body).into_response();
    let kept =
        [(header::CONTENT_TYPE, form), (header::ALLOW, allow), (header::CONTENT_DISPOSITION, file)];
    for (name, value) in kept {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

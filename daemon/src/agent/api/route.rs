//! One definition per route: the router that serves it, and its page in the OpenAPI
//! document, are made from here, so that neither can say what the other does not.

use std::any::TypeId;

use axum::Router;
use axum::routing::MethodRouter;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::Shared;
use super::error::Refusal;
use crate::agent::accounts::Role;
use crate::agent::jobs::JobView;

/// The HTTP methods that the API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads; changes nothing.
    Get,
    /// Starts something.
    Post,
    /// Replaces something as a whole.
    Put,
    /// Removes or ends something.
    Delete,
}

impl Method {
    /// As the OpenAPI document writes it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Delete => "delete",
        }
    }
}

/// When an order is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With its answer.
    AtOnce,
    /// With the job that its answer names.
    Job,
    /// With the synchronisation that it began.
    Synchronisation,
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A route: where, what it takes and gives, and who serves it.
pub(super) struct Route {
    pub(super) method: Method,
    /// With `{name}` for each part of the path that varies.
    pub(super) path: &'static str,
    /// Unique name of the operation.
    pub(super) id: &'static str,
    /// One line.
    pub(super) summary: &'static str,
    /// Who may ask through the console.
    pub(super) least: Role,
    /// The fields of its body that the audit log tells.
    pub(super) tells: &'static [&'static str],
    pub(super) end: End,
    query: Option<SchemaOf>,
    body: Option<SchemaOf>,
    answer: SchemaOf,
    /// Media type of the answer.
    form: &'static str,
    serve: MethodRouter<Shared>,
}

impl Route {
    /// A route that answers with an `A`. Through the console it is the administrators' alone,
    /// unless [`Route::least`] says otherwise.
    pub(super) fn new<A: JsonSchema + 'static>(
        (method, path): (Method, &'static str),
        (id, summary): (&'static str, &'static str),
        serve: MethodRouter<Shared>,
    ) -> Route {
        let answer: SchemaOf = |generator| generator.subschema_for::<A>();
        let is_job = TypeId::of::<A>() == TypeId::of::<JobView>();
        Route {
            method,
            path,
            id,
            summary,
            least: Role::Administrator,
            tells: &[],
            end: if is_job { End::Job } else { End::AtOnce },
            query: None,
            body: None,
            answer,
            form: JSON,
            serve,
        }
    }

    /// Another method of a path whose handler another route of the list brings.
    pub(super) fn same<A: JsonSchema + 'static>(
        at: (Method, &'static str),
        named: (&'static str, &'static str),
    ) -> Route {
        Route::new::<A>(at, named, MethodRouter::new())
    }

    /// Through the console others may ask too: whoever has this role, or one that may more.
    pub(super) fn least(mut self, role: Role) -> Route {
        self.least = role;
        self
    }

    /// The audit log tells these fields of its body; never one that may hold a secret.
    pub(super) fn tells(mut self, fields: &'static [&'static str]) -> Route {
        self.tells = fields;
        self
    }

    /// Its answer is only the beginning of a synchronisation.
    pub(super) fn synchronises(mut self) -> Route {
        self.end = End::Synchronisation;
        self
    }

    /// It takes the fields of a `Q` in the query.
    pub(super) fn asks<Q: JsonSchema>(mut self) -> Route {
        self.query = Some(|generator| Q::json_schema(generator));
        self
    }

    /// Its answer has this media type.
    pub(super) fn gives(mut self, form: &'static str) -> Route {
        self.form = form;
        self
    }

    /// It goes on answering: server-sent events, each with an `A`.
    pub(super) fn streams(mut self) -> Route {
        self.form = "text/event-stream";
        self
    }

    /// It takes a `B` as JSON.
    pub(super) fn takes<B: JsonSchema>(mut self) -> Route {
        self.body = Some(|generator| generator.subschema_for::<B>());
        self
    }

    fn operation(&self, generator: &mut SchemaGenerator) -> Value {
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "description": format!("Least role through the console: {}.", self.least.word()),
            "parameters": self.parameters(generator),
            "responses": {
                "200": {
                    "description": "Done",
                    "content": content(self.form, (self.answer)(generator)),
                },
                "default": {
                    "description": "Refused; nothing was changed",
                    "content": content(JSON, generator.subschema_for::<Refusal>()),
                },
            },
        });
        if let Some(body) = self.body {
            let body = json!({ "required": true, "content": content(JSON, body(generator)) });
            operation["requestBody"] = body;
        }
        operation
    }

    fn parameters(&self, generator: &mut SchemaGenerator) -> Vec<Value> {
        let names =
            self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let string = json!({ "type": "string" });
        let path = names
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": string }));
        let query = self.query.map(|query| query(generator)).unwrap_or_default();
        let fields = query.get("properties").and_then(Value::as_object).cloned();
        let query = fields.unwrap_or_default().into_iter().map(|(name, schema)| {
            json!({ "name": name, "in": "query", "required": false, "schema": schema })
        });
        path.chain(query).collect()
    }
}

const JSON: &str = "application/json";

fn content(form: &str, schema: Schema) -> Value {
    json!({ form: { "schema": schema } })
}

/// The router of these routes.
pub(super) fn router(routes: Vec<Route>) -> Router<Shared> {
    routes.into_iter().fold(Router::new(), |router, route| router.route(route.path, route.serve))
}

/// A page for people: each route in a row.
pub(super) fn page(routes: &[Route]) -> String {
    let mut page = String::from(
        "# API reference\n\nGenerated from the program's own definition of its routes. The agent \
         answers HTTP/1.1 with JSON on `/run/twinwall/agent.sock`; root and the socket's group may \
         connect. What each body and answer looks like says the OpenAPI document:\n\n\
         ```\ncurl --unix-socket /run/twinwall/agent.sock http://agent/api/v1/openapi.json\n\
         curl --unix-socket /run/twinwall/agent.sock http://agent/api/v1/sync\n\
         curl --unix-socket /run/twinwall/agent.sock -H 'content-type: application/json' \\\n  \
         -d '{\"direction\": \"push\"}' http://agent/api/v1/sync\n```\n\n\
         What is refused changes nothing, and is answered with a status of 400 or more and \
         `{\"code\": ..., \"message\": ..., \"details\": [...]}`: a word for programs, a sentence \
         for people, and single mistakes at their place. A long operation answers with a job; \
         `GET /api/v1/jobs/{id}?after=N` waits for its next step. One request for each \
         connection; its head has at most 16 KiB, its body 1 MiB.\n\n\
         Role: whom the console lets ask, at the least; on the socket every route is open.\n\n\
         | method | path | what it does | role |\n| --- | --- | --- | --- |\n",
    );
    for route in routes {
        let method = route.method.name().to_uppercase();
        let summary = route.summary.replace('|', "\\|");
        let role = route.least.word();
        page += &format!("| {method} | `{}` | {summary} | {role} |\n", route.path);
    }
    page
}

/// The OpenAPI 3.1 document of these routes (<https://spec.openapis.org/oas/v3.1.0>).
pub(super) fn document(routes: &[Route]) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in routes {
        let operation = route.operation(&mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.name()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "twinwall",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the twinwall command does, for programs. Every answer is JSON. \
                A request that is refused changes nothing.",
        },
        "paths": paths,
        "components": { "schemas": generator.take_definitions(true) },
    })
}

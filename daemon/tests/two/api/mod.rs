//! Every route of the API, asked with what its own document describes and with what it does not:
//! bodies by schema, wrong types, unknown and absent fields, huge numbers, other alphabets, other
//! methods, paths and queries that are none. Whatever comes back is documented: an answer of its
//! schema, or a refusal that says what is wrong; never a mistake of the program's own.
//!
//! More cases, or others: `cargo xtask fuzz-api --cases 200 --seed 7`.

mod ask;
mod generate;

use std::path::Path;

use ask::{Answer, Ask};
use generate::Random;
use serde_json::Value;

use crate::console::support::with_consoles;
use crate::json_schema::differences;

/// Bodies of each route that are as its schema says; three times as many are not.
const CASES: &str = "TWINWALL_API_CASES";
const SEED: &str = "TWINWALL_API_SEED";
/// What ends the pair comes when everything else was asked.
const LAST: [&str; 3] = ["/api/v1/pair/join", "/api/v1/ha/disable", "/api/v1/pair/unpair"];
/// Values for the parts of a path that vary.
const PARTS: [&str; 12] = [
    "1",
    "0",
    "-1",
    "18446744073709551616",
    "vpn",
    "users",
    "admin",
    "%00",
    "%F0%9F%94%A5",
    "a%2Fb",
    "%zz",
    "x",
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A route of the document.
struct Operation<'d> {
    method: String,
    path: &'d str,
    about: &'d Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let mut all: Vec<Operation<'_>> = paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(|(method, about)| Operation { method: method.to_uppercase(), path, about })
        })
        .collect();
    all.sort_by_key(|it| LAST.iter().position(|last| *last == it.path).map_or(0, |at| at + 1));
    all
}

#[test]
fn nothing_that_is_asked_of_the_api_is_answered_with_what_its_document_does_not_say() {
    let two = with_consoles();
    two.a.typed(&["account", "add", "admin", "--role", "administrator"], "correct horse battery");
    let (cases, seed) = (number(CASES, 6), number(SEED, 1));
    let mut random = Random(seed);
    let socket = two.a.path("run/twinwall/agent.sock");
    let document = ask(&socket, &Ask::get("/api/v1/openapi.json")).json();
    let (mut asked, mut wrong) = (0, Vec::new());
    for operation in operations(&document) {
        for one in operation.asks(&document, &mut random, cases) {
            asked += 1;
            let answer = ask(&socket, &one);
            let found = operation.judge(&document, &one, &answer);
            wrong.extend(found.map(|why| format!("{one}\n    {why}\n    {answer}")));
        }
    }
    println!("{asked} requests, seed {seed}");
    assert!(asked > 500, "{asked}");
    assert!(wrong.is_empty(), "{} of {asked}, seed {seed}:\n{}", wrong.len(), wrong.join("\n"));
}

fn ask(socket: &Path, ask: &Ask) -> Answer {
    ask.send(socket).unwrap_or_else(|error| panic!("{ask}: {error}"))
}

impl Operation<'_> {
    /// What is asked of this route.
    fn asks(&self, document: &Value, random: &mut Random, cases: u64) -> Vec<Ask> {
        let mut all = Vec::new();
        let schema = &self.about["requestBody"]["content"]["application/json"]["schema"];
        let takes = !schema.is_null();
        let paths = self.paths(document, random);
        // Most of what is wrong with a body is found before the path is looked at closely.
        let (first, others) = (paths[0].clone(), &paths[1..]);
        let good = |random: &mut Random| match takes {
            true => Some(random.valid(schema, document, 0)),
            false => None,
        };
        for path in others {
            let body = good(random).map(|body| body.to_string());
            all.push(Ask::new(&self.method, path, body.as_deref()));
        }
        for _ in 0..if takes { cases } else { 1 } {
            let body = good(random);
            if let Some(body) = &body {
                for spoilt in random.spoilt(body) {
                    all.push(Ask::new(&self.method, &first, Some(&spoilt)));
                }
            }
            let body = body.map(|body| body.to_string());
            all.push(Ask::new(&self.method, &first, body.as_deref()));
        }
        for method in ["PATCH", "TRACE", "PUT", "DELETE", "POST", "GET"] {
            if document["paths"][self.path].get(method.to_lowercase()).is_none() {
                all.push(Ask::new(method, &first, None));
            }
        }
        all
    }

    /// The path with its parts, and with its query, in many ways.
    fn paths(&self, document: &Value, random: &mut Random) -> Vec<String> {
        let with = |value: &str| {
            let part =
                |part: &str| if part.starts_with('{') { value.to_owned() } else { part.to_owned() };
            self.path.split('/').map(part).collect::<Vec<_>>().join("/")
        };
        let mut all: Vec<String> = match self.path.contains('{') {
            true => PARTS.iter().map(|part| with(part)).collect(),
            false => vec![self.path.to_owned()],
        };
        let first = all[0].clone();
        let parameters = self.about["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|it| it["in"] == "query") {
            let name = parameter["name"].as_str().unwrap_or_default();
            let valid = random.valid(&parameter["schema"], document, 0);
            let valid = valid.as_str().map_or_else(|| valid.to_string(), str::to_owned);
            for value in
                [valid.as_str(), "", "-1", "x", "99999999999999999999", "%F0%9F%94%A5", "%zz"]
            {
                all.push(format!("{first}?{name}={value}"));
            }
            all.push(format!("{first}?{name}=1&{name}=2"));
        }
        all.push(format!("{first}?nonsense=1"));
        all
    }

    /// What is wrong with the answer; none where it is as documented.
    fn judge(&self, document: &Value, asked: &Ask, answer: &Answer) -> Option<String> {
        // That something is away is said with 503; anything else of 500 is the program's mistake.
        if answer.status >= 500 && answer.status != 503 {
            return Some("a mistake of the program's own".to_owned());
        }
        let known = asked.method == self.method;
        if !known && answer.status < 400 {
            // Another route of this path, or one that is not documented.
            let other = document["paths"][self.path].get(asked.method.to_lowercase());
            return other.is_none().then(|| "a method that is not documented".to_owned());
        }
        let responses = &self.about["responses"];
        let documented = match responses.get(answer.status.to_string()) {
            Some(response) => response,
            None if answer.status >= 400 => &responses["default"],
            None => return Some("a status that is not documented".to_owned()),
        };
        let content = documented["content"].as_object()?;
        let Some(form) = content.get(&answer.form) else {
            return Some(format!("'{}' is not documented", answer.form));
        };
        if answer.form != "application/json" {
            return None;
        }
        let Ok(value) = serde_json::from_str(&answer.body) else {
            return Some("no JSON".to_owned());
        };
        let found = differences(&value, &form["schema"], document, "answer");
        (!found.is_empty()).then(|| found.join("; "))
    }
}

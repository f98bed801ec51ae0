//! JSON schemas in words: what a value is, which fields it has, and an example of it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

const PREFIX: &str = "#/components/schemas/";
/// Examples go no deeper.
const DEPTH: usize = 4;

/// What a value is, in words; with the type that it leads to.
#[derive(Clone, Debug, Default)]
pub(super) struct Kind {
    pub(super) text: String,
    pub(super) link: Option<String>,
    /// The page with that type, where it is another one.
    pub(super) page: Option<&'static str>,
}

/// A field, a parameter, or one of several values.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) about: String,
}

/// A named type.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) fields: Vec<Field>,
}

impl Type {
    pub(super) fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.fields.iter().map(|field| &field.kind)
    }

    pub(super) fn kinds_mut(&mut self) -> impl Iterator<Item = &mut Kind> {
        self.fields.iter_mut().map(|field| &mut field.kind)
    }
}

/// All named schemas of a document.
pub(super) struct Schemas<'a>(&'a Value);

impl<'a> Schemas<'a> {
    pub(super) fn of(document: &'a Value) -> Schemas<'a> {
        Schemas(&document["components"]["schemas"])
    }

    /// What a value of this schema is.
    pub(super) fn kind(&self, schema: &Value) -> Kind {
        if let Some(name) = named(schema) {
            return Kind { text: name.to_owned(), link: Some(name.to_owned()), page: None };
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(all) = schema[key].as_array() {
                let some: Vec<&Value> = all.iter().filter(|it| it["type"] != "null").collect();
                return match some.as_slice() {
                    [one] if some.len() < all.len() => self.kind(one).or_nothing(),
                    _ => plain("one of several"),
                };
            }
        }
        if let Some(all) = schema["allOf"].as_array().and_then(|all| all.first()) {
            return self.kind(all);
        }
        if let Some(values) = schema["enum"].as_array() {
            let words: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            return plain(&words.join(" | "));
        }
        match &schema["type"] {
            Value::Array(types) => {
                let some = types.iter().filter_map(Value::as_str).find(|it| *it != "null");
                let mut one = schema.clone();
                one["type"] = json!(some.unwrap_or("object"));
                self.kind(&one).or_nothing()
            }
            Value::String(word) if word == "array" => {
                let of = self.kind(&schema["items"]);
                Kind { text: format!("list of {}", of.text), ..of }
            }
            Value::String(word) => plain(match word.as_str() {
                "string" => "text",
                "integer" => "whole number",
                "number" => "number",
                "boolean" => "true or false",
                "null" => "nothing",
                _ => "object",
            }),
            _ => plain("any value"),
        }
    }

    /// The fields of a schema, or of the type that it names.
    pub(super) fn fields(&self, schema: &Value) -> Vec<Field> {
        let schema = self.resolved(schema);
        let required = |name: &str| {
            schema["required"].as_array().is_some_and(|all| all.iter().any(|it| it == name))
        };
        let own = schema["properties"].as_object();
        let mut fields: Vec<Field> = own
            .into_iter()
            .flatten()
            .map(|(name, of)| Field {
                name: name.clone(),
                kind: self.kind(of),
                required: required(name),
                about: about(of),
            })
            .collect();
        for key in ["oneOf", "anyOf"] {
            fields.extend(schema[key].as_array().into_iter().flatten().map(|it| self.variant(it)));
        }
        fields
    }

    /// One of several.
    fn variant(&self, schema: &Value) -> Field {
        let tag = schema["properties"]
            .as_object()
            .and_then(|fields| fields.values().find_map(|of| of["const"].as_str()));
        let single = schema["properties"].as_object().filter(|fields| fields.len() == 1);
        let single = single.and_then(|fields| fields.keys().next().map(String::as_str));
        let values = schema["enum"]
            .as_array()
            .map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | "));
        let name = schema["const"].as_str().or(tag).or(single).map(str::to_owned);
        let kind = match schema["const"].is_string() || values.is_some() {
            true => plain("this word"),
            false => self.kind(schema),
        };
        let name = name.or(values).unwrap_or_else(|| kind.text.clone());
        Field { name, kind, required: false, about: about(schema) }
    }

    /// Those of an operation.
    pub(super) fn parameters(&self, all: &Value) -> Vec<Field> {
        let all = all.as_array().into_iter().flatten();
        all.map(|it| Field {
            name: it["name"].as_str().unwrap_or_default().to_owned(),
            kind: self.kind(&it["schema"]),
            required: it["required"] == true,
            about: match it["in"] == "path" {
                true => "in the path".to_owned(),
                false => about(&it["schema"]),
            },
        })
        .collect()
    }

    /// The types that these lead to, and those that they lead to, by name.
    pub(super) fn reached<'k>(&self, kinds: impl Iterator<Item = &'k Kind>) -> Vec<Type> {
        let mut open: Vec<String> = kinds.filter_map(|kind| kind.link.clone()).collect();
        let mut seen = BTreeSet::new();
        let mut types = Vec::new();
        while let Some(name) = open.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let schema = &self.0[&name];
            let mut one = Type { about: about(schema), fields: self.fields(schema), name };
            if one.fields.is_empty() {
                let kind = self.kind(schema);
                let name = "value".to_owned();
                one.fields = vec![Field { name, kind, required: true, about: String::new() }];
            }
            open.extend(one.kinds().filter_map(|kind| kind.link.clone()));
            types.push(one);
        }
        types.sort_by(|one, other| one.name.cmp(&other.name));
        types
    }

    /// A value of this schema with the fields that it must have; none of what has none.
    pub(super) fn example(&self, schema: &Value) -> Option<Value> {
        self.shaped(schema, DEPTH)
    }

    fn shaped(&self, schema: &Value, depth: usize) -> Option<Value> {
        let schema = self.resolved(schema);
        let depth = depth.checked_sub(1)?;
        for key in ["oneOf", "anyOf", "allOf"] {
            if let Some(one) = schema[key].as_array().and_then(|all| all.first()) {
                return self.shaped(one, depth);
            }
        }
        if let Some(word) = schema.get("const").or_else(|| schema["enum"].get(0)) {
            return Some(word.clone());
        }
        let word = match &schema["type"] {
            Value::Array(types) => types.first().and_then(Value::as_str),
            other => other.as_str(),
        };
        match word {
            Some("string") => Some(json!("…")),
            Some("integer" | "number") => Some(json!(1)),
            Some("boolean") => Some(json!(true)),
            Some("array") => {
                Some(Value::Array(self.shaped(&schema["items"], depth).into_iter().collect()))
            }
            Some("object") => {
                let names = schema["required"].as_array().into_iter().flatten();
                let field = |name: &str| {
                    Some((name.to_owned(), self.shaped(&schema["properties"][name], depth)?))
                };
                let fields: Map<String, Value> =
                    names.filter_map(Value::as_str).filter_map(field).collect();
                Some(Value::Object(fields))
            }
            Some(_) | None => None,
        }
    }

    fn resolved<'b>(&self, schema: &'b Value) -> &'b Value
    where
        'a: 'b,
    {
        named(schema).map_or(schema, |name| &self.0[name])
    }
}

impl Kind {
    fn or_nothing(mut self) -> Kind {
        self.text += ", or null";
        self
    }
}

fn plain(text: &str) -> Kind {
    Kind { text: text.to_owned(), ..Kind::default() }
}

fn named(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix(PREFIX)
}

/// What the schema says of itself, on one line.
fn about(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

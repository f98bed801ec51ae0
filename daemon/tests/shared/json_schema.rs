//! Whether a value is what a JSON schema allows; as much of JSON schema as ours use.

use serde_json::{Map, Value};

/// Says where the value is not what the schema allows; `root` is where references lead.
pub(crate) fn differences(value: &Value, schema: &Value, root: &Value, at: &str) -> Vec<String> {
    if schema == &Value::Bool(true) || schema.as_object().is_some_and(Map::is_empty) {
        return Vec::new();
    }
    if let Some(name) = schema["$ref"].as_str() {
        let place = root.pointer(name.trim_start_matches('#')).unwrap_or(&Value::Null);
        return differences(value, place, root, at);
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let fits = choices.iter().any(|one| differences(value, one, root, at).is_empty());
            return if fits {
                Vec::new()
            } else {
                vec![format!("{at}: {value} fits none of {choice}")]
            };
        }
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return vec![format!("{at}: {value} is not {}", schema["const"])];
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return vec![format!("{at}: {value} is none of {}", schema["enum"])];
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        // What has said all it says by an enum or a constant needs no type.
        _ if schema.get("enum").or(schema.get("const")).is_some() => return Vec::new(),
        // Anything.
        Value::Null if schema.get("properties").is_none() => return Vec::new(),
        other => return vec![format!("{at}: a schema without a type: {other}")],
    };
    let kind = kind(value);
    let fits = types.contains(&kind) || kind == "integer" && types.contains(&"number");
    if !fits {
        return vec![format!("{at}: {value} is none of {types:?}")];
    }
    match value {
        Value::Array(items) => {
            let item = |(index, item)| {
                differences(item, &schema["items"], root, &format!("{at}[{index}]"))
            };
            items.iter().enumerate().flat_map(item).collect()
        }
        Value::Object(fields) => object_differences(fields, schema, root, at),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The name of the value's type in a schema.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn object_differences(
    fields: &Map<String, Value>,
    schema: &Value,
    root: &Value,
    at: &str,
) -> Vec<String> {
    let mut found = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            found.push(format!("{at}.{name}: required and absent"));
        }
    }
    for (name, value) in fields {
        let below = format!("{at}.{name}");
        match schema["properties"].get(name).or(schema.get("additionalProperties")) {
            Some(Value::Bool(false)) | None => found.push(format!("{below}: not in the schema")),
            Some(schema) => found.extend(differences(value, schema, root, &below)),
        }
    }
    found
}

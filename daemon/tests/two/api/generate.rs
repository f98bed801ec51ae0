//! Values by a schema, and the same spoilt; the same ones for the same seed.

use serde_json::{Map, Value, json};

/// How deep a value may be.
const DEEP: usize = 6;
/// Texts: names that exist, addresses, and what nobody expects.
const TEXTS: [&str; 20] = [
    "ha0",
    "lan",
    "admin",
    "anna",
    "10.1.0.1/24",
    "fd00::1/64",
    "heartbeat.interval",
    "interface.lan.virtual",
    "interface.lan.watch",
    "ABCD-2345",
    "correct horse battery",
    "",
    " ",
    "-",
    "../../etc/passwd",
    "ä✓🔥\u{202e}",
    "\u{0}\n\r\t",
    "'; DROP TABLE nodes; --",
    "<script>alert(1)</script>",
    "0",
];
const NUMBERS: [f64; 12] =
    [0.0, 1.0, 2.0, 5.0, 60.0, 0.5, 3600.0, 65535.0, 1e9, 9_007_199_254_740_993.0, -1.0, 1e300];

/// A source of numbers: splitmix64 (Steele, Lea, Flood 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most.max(1) as u64).unwrap_or_default()
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A value that the schema allows.
    pub(super) fn valid(&mut self, schema: &Value, root: &Value, depth: usize) -> Value {
        if let Some(name) = schema["$ref"].as_str() {
            let place = root.pointer(name.trim_start_matches('#')).unwrap_or(&Value::Null);
            return self.valid(place, root, depth + 1);
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(choices) = schema[choice].as_array() {
                let one = self.one_of(choices).clone();
                return self.valid(&one, root, depth + 1);
            }
        }
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(words) = schema["enum"].as_array() {
            return self.one_of(words).clone();
        }
        let kind = match &schema["type"] {
            Value::String(one) => one.clone(),
            Value::Array(all) => self.one_of(all).as_str().unwrap_or("null").to_owned(),
            _ => "null".to_owned(),
        };
        self.of_kind(&kind, schema, root, depth)
    }

    fn of_kind(&mut self, kind: &str, schema: &Value, root: &Value, depth: usize) -> Value {
        match kind {
            "string" => json!(self.one_of(&TEXTS)),
            "boolean" => json!(self.below(2) == 1),
            "integer" => {
                let least = schema["minimum"].as_f64().unwrap_or(f64::MIN);
                let most = schema["maximum"].as_f64().unwrap_or(f64::MAX);
                let fits = |it: &&f64| it.fract() == 0.0 && **it >= least && **it <= most.min(1e15);
                let all: Vec<f64> = NUMBERS.iter().filter(fits).copied().collect();
                all.first().map_or(json!(0), |_| json!(*self.one_of(&all) as i64))
            }
            "number" => json!(self.one_of(&NUMBERS)),
            "array" if depth < DEEP => {
                let length = self.below(3);
                (0..length).map(|_| self.valid(&schema["items"], root, depth + 1)).collect()
            }
            "array" => json!([]),
            "object" => self.object(schema, root, depth),
            _ => Value::Null,
        }
    }

    fn object(&mut self, schema: &Value, root: &Value, depth: usize) -> Value {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut fields = Map::new();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            let needed = required.iter().any(|it| it == name);
            if needed || depth < DEEP && self.below(2) == 1 {
                fields.insert(name.clone(), self.valid(schema, root, depth + 1));
            }
        }
        Value::Object(fields)
    }

    /// The same spoilt in many ways, as text.
    pub(super) fn spoilt(&mut self, body: &Value) -> Vec<String> {
        let mut all: Vec<String> =
            ["", "{", "null", "[]", "0", "\"x\"", "{\"a\":1}{", "\u{feff}{}"]
                .map(str::to_owned)
                .into();
        // As deep as no value of ours, and longer than any.
        all.push("[".repeat(5000));
        all.push(format!("{{\"{}\":1}}", "x".repeat(70_000)));
        let Value::Object(fields) = body else { return all };
        let mut with = |name: &str, value: Value| {
            let mut other = fields.clone();
            other.insert(name.to_owned(), value);
            all.push(Value::Object(other).to_string());
        };
        with("nonsense", json!(1));
        let strange = [
            json!(null),
            json!(-1),
            json!(1e308),
            json!(18_446_744_073_709_551_615_u64),
            json!("ä✓🔥\u{0}"),
            json!("x".repeat(5000)),
            json!([[[]]]),
            json!({ "a": { "b": 1 } }),
            json!(true),
        ];
        for name in fields.keys() {
            with(name, self.one_of(&strange).clone());
        }
        for name in fields.keys() {
            let mut other = fields.clone();
            other.remove(name);
            all.push(Value::Object(other).to_string());
        }
        all
    }
}

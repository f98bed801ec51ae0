//! What SNMP calls things and what they can be: object identifiers and values (RFC 2578), the
//! same in every encoding. Used by the codecs of AgentX and of SNMP itself, and between the
//! processes. It knows no object.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Numbers of an identifier at the most (RFC 2578, section 3.5).
pub const MAX_ARCS: usize = 128;
/// Bytes of a text in one value: more than any object of the standard modules has.
pub const MAX_BYTES: usize = 4096;

/// An object identifier.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Oid(Vec<u32>);

impl Oid {
    /// Of these numbers.
    pub fn of(arcs: &[u32]) -> Oid {
        Oid(arcs[..arcs.len().min(MAX_ARCS)].to_vec())
    }

    /// Its numbers.
    pub fn arcs(&self) -> &[u32] {
        &self.0
    }

    /// The one below it by these numbers.
    pub fn below(&self, arcs: &[u32]) -> Oid {
        let mut all = self.0.clone();
        all.extend_from_slice(&arcs[..arcs.len().min(MAX_ARCS.saturating_sub(all.len()))]);
        Oid(all)
    }

    /// Whether it is this one, or below it.
    pub fn is_within(&self, above: &Oid) -> bool {
        self.0.starts_with(&above.0)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, arc) in self.0.iter().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            write!(out, "{dot}{arc}")?;
        }
        Ok(())
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> String {
        oid.to_string()
    }
}

impl TryFrom<String> for Oid {
    type Error = String;

    fn try_from(text: String) -> Result<Oid, String> {
        text.parse()
    }
}

impl FromStr for Oid {
    type Err = String;

    fn from_str(text: &str) -> Result<Oid, String> {
        let wrong = || "not an object identifier; write it as 1.3.6.1.2.1.1".to_owned();
        if text.is_empty() {
            return Ok(Oid::default());
        }
        let arcs: Vec<u32> = text
            .split('.')
            .take(MAX_ARCS + 1)
            .map(|arc| arc.parse().map_err(|_| wrong()))
            .collect::<Result<_, _>>()?;
        if arcs.len() > MAX_ARCS { Err(wrong()) } else { Ok(Oid(arcs)) }
    }
}

/// A value, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SnmpValue")]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum Value {
    /// A whole number, or a word by its number.
    Integer(i32),
    /// Bytes.
    Bytes(
        #[serde(with = "hexadecimal")]
        #[schemars(with = "String")]
        Vec<u8>,
    ),
    /// A name.
    Name(Oid),
    /// An IPv4 address.
    Address([u8; 4]),
    /// A number that only grows, and begins again.
    Counter(u32),
    /// A number that grows and shrinks.
    Gauge(u32),
    /// Hundredths of a second.
    Ticks(u32),
    /// Bytes of another encoding.
    Opaque(
        #[serde(with = "hexadecimal")]
        #[schemars(with = "String")]
        Vec<u8>,
    ),
    /// A number that only grows.
    Counter64(u64),
    /// Nothing.
    Null,
    /// There is no such object.
    NoObject,
    /// There is the object, and not this instance of it.
    NoInstance,
    /// Nothing comes after it.
    End,
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Value {
        // A manager takes no more of a line.
        const LONGEST: usize = 255;
        let end = (0..=text.len().min(LONGEST)).rev().find(|end| text.is_char_boundary(*end));
        Value::Bytes(text.as_bytes()[..end.unwrap_or(0)].to_vec())
    }

    /// Whether it is one, and not the reason that there is none.
    pub fn is_there(&self) -> bool {
        match self {
            Value::NoObject | Value::NoInstance | Value::End => false,
            Value::Integer(_)
            | Value::Bytes(_)
            | Value::Name(_)
            | Value::Address(_)
            | Value::Counter(_)
            | Value::Gauge(_)
            | Value::Ticks(_)
            | Value::Opaque(_)
            | Value::Counter64(_)
            | Value::Null => true,
        }
    }
}

/// A value and what it is the value of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Binding {
    /// The instance.
    pub name: Oid,
    /// Its value.
    #[serde(flatten)]
    pub value: Value,
}

/// Bytes as a text of two digits each.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::MAX_BYTES;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], out: S) -> Result<S::Ok, S::Error> {
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        out.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let byte = |two: &[u8]| Some(digit(*two.first()?)? << 4 | digit(*two.get(1)?)?);
        let bytes = text.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>();
        let fits = |bytes: &Vec<u8>| bytes.len() <= MAX_BYTES;
        bytes.filter(fits).ok_or_else(|| Error::custom("not bytes in hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_their_numbers() {
        let oid = |text: &str| text.parse::<Oid>().expect("a name");
        assert!(oid("1.3.6.1.2") < oid("1.3.6.1.2.1"));
        assert!(oid("1.3.6.1.2.1") < oid("1.3.6.1.10"));
        assert!(oid("1.3.6.1.2.1").is_within(&oid("1.3.6.1.2")));
        assert!(!oid("1.3.6.1.21").is_within(&oid("1.3.6.1.2")));
        assert_eq!(oid("1.3").below(&[6, 1]).to_string(), "1.3.6.1");
        for wrong in ["a", "1..2", "1.4294967296", &"1.".repeat(129)] {
            assert!(wrong.parse::<Oid>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(Value::text("ä"), Value::Bytes("ä".as_bytes().to_vec()));
        let Value::Bytes(cut) = Value::text(&"ä".repeat(200)) else { panic!("bytes") };
        assert_eq!(cut.len(), 254);
        assert!(std::str::from_utf8(&cut).is_ok());
    }

    #[test]
    fn a_binding_travels_as_json() {
        for value in [
            Value::Integer(-5),
            Value::Bytes(vec![0, 255]),
            Value::Name(Oid::of(&[1, 3])),
            Value::Address([10, 1, 0, 1]),
            Value::Counter64(u64::MAX),
            Value::Null,
            Value::NoInstance,
            Value::End,
        ] {
            let binding = Binding { name: Oid::of(&[1, 3, 6]), value };
            let json = serde_json::to_string(&binding).expect("written");
            assert_eq!(serde_json::from_str::<Binding>(&json).expect("read"), binding, "{json}");
        }
    }
}

//! TWINWALL-MIB: each object once, with its number, its syntax and what it means. `text` writes
//! the module from this table and `values` fills it, so that neither can have what the other
//! lacks. Read-only: nothing can be set.

mod objects;
#[cfg(test)]
mod tests;
mod text;
mod values;

use crate::agent::snmp::value::Oid;

pub use text::{FILE, module};
pub use values::{Tree, notice, tree};

/// The enterprise's number. A PLACEHOLDER: RFC 5612 sets 32473 aside for documentation, and
/// nobody else's objects can lie below it. The number that IANA gives the project
/// (<https://www.iana.org/assignments/enterprise-numbers>) takes its place here, and nowhere else,
/// before a release that managers keep; see docs/snmp.md. It also names the structured part of a
/// line for syslog.
pub const ENTERPRISE: u32 = 32473;
/// The module below the enterprise.
const MODULE: u32 = 1;
/// What is below the module.
const NOTICES: u32 = 0;
const OBJECTS: u32 = 1;
const CONFORMANCE: u32 = 2;
/// `enterprises` (RFC 2578).
const ENTERPRISES: [u32; 6] = [1, 3, 6, 1, 4, 1];

/// The module's own name: everything of it lies below.
pub fn root() -> Oid {
    Oid::of(&ENTERPRISES).below(&[ENTERPRISE, MODULE])
}

/// The notification of the condition with this number.
pub fn notification(number: u16) -> Oid {
    root().below(&[NOTICES, u32::from(number)])
}

/// What goes along with each notification, in this order; the last number of each.
pub fn notice_object(place: usize) -> Oid {
    let column = u32::try_from(place + 1).unwrap_or(u32::MAX);
    root().below(&[OBJECTS, objects::NOTICE.number, column, 0])
}

/// Whether a name is an object, or an instance of one.
pub fn has_object(name: &Oid) -> bool {
    let root = root();
    let Some(rest) = name.is_within(&root).then(|| &name.arcs()[root.arcs().len()..]) else {
        return false;
    };
    let count = |objects: &[Object]| u32::try_from(objects.len()).unwrap_or(u32::MAX);
    match *rest {
        [OBJECTS, group, 1, column, ..] if objects::TABLES.iter().any(|it| it.number == group) => {
            let table = objects::TABLES.iter().find(|table| table.number == group);
            table.is_some_and(|table| {
                let first = text::first_column(table);
                (first..first + count(table.columns)).contains(&column)
            })
        }
        [OBJECTS, group, number, ..] => [objects::PAIR, objects::NOTICE]
            .iter()
            .any(|it| it.number == group && (1..=count(it.objects)).contains(&number)),
        _ => false,
    }
}

/// What an object can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syntax {
    /// A text of at most 255 bytes in UTF-8.
    Text,
    /// A whole number from 0 on that stays as it is for a while.
    Whole,
    /// A number that grows and shrinks.
    Gauge,
    /// A number that only grows.
    Counter,
    /// Yes or no.
    Truth,
    /// A moment.
    Moment,
    /// A span of time in hundredths of a second.
    Ticks,
    /// An IPv4 or IPv6 address.
    Address,
    /// One of these words, numbered from 1.
    Words(&'static [&'static str]),
    /// One of the conditions, by its number.
    Condition,
}

/// An object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Object {
    name: &'static str,
    syntax: Syntax,
    /// Of a number.
    units: Option<&'static str>,
    about: &'static str,
}

/// Objects that are there once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    name: &'static str,
    number: u32,
    about: &'static str,
    objects: &'static [Object],
}

/// Rows of the same objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Table {
    /// The name of a row: `twNode` gives twNodeTable and twNodeEntry.
    name: &'static str,
    number: u32,
    about: &'static str,
    /// Whether the number of the node stands before the rows' own index.
    by_node: bool,
    /// The rows' own index; not readable.
    index: &'static [Object],
    columns: &'static [Object],
}

impl Object {
    const fn new(name: &'static str, syntax: Syntax, about: &'static str) -> Object {
        Object { name, syntax, units: None, about }
    }

    const fn in_units(self, units: &'static str) -> Object {
        Object { units: Some(units), ..self }
    }
}

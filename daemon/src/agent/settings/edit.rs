//! Edits the text of pair.toml: only what changes is written anew, with its comment;
//! everything else stays as the administrator wrote it. It judges nothing: what comes out
//! is read again by the parser that every reader of the file uses.

use std::fmt;

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value as Toml};

use twinwall_core::config::{nearest, pair_keys};

use super::change::{At, Change, Value, at};
use super::named;

/// Why a change cannot be written into the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditError {
    /// The file is no TOML; the parser says more.
    NotToml(String),
    /// There is no such key.
    Key(String),
    /// It is a key, and no list.
    NotAList(String),
    /// Something else is in a section's place.
    Shape(String),
    /// The list, or the pair, does not have it.
    Absent(String, String),
}

impl fmt::Display for EditError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EditError::NotToml(why) => write!(out, "pair.toml cannot be read: {why}"),
            EditError::Key(key) => write!(out, "{key}: {}", remedy(key)),
            EditError::NotAList(key) => {
                write!(out, "{key}: is no list; write {key}=VALUE")
            }
            EditError::Shape(section) => {
                write!(out, "{section}: not written as a section; mend pair.toml by hand first")
            }
            EditError::Absent(key, value) => {
                write!(out, "{key}: has no '{value}'; see 'twinwall ha show'")
            }
        }
    }
}

impl std::error::Error for EditError {}

/// What a wrong key may have meant.
fn remedy(key: &str) -> String {
    let known = pair_keys();
    let below: Vec<&str> = known
        .iter()
        .filter(|known| known.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
        .map(String::as_str)
        .collect();
    if !below.is_empty() {
        return format!("is a section; change one of its keys: {}", below.join(", "));
    }
    match nearest(&general(key), &known) {
        Some(near) => format!("there is no such key; did you mean '{near}'?"),
        None => format!("there is no such key; the keys are {}", known.join(", ")),
    }
}

/// The key as the table has it: NAME in the place of an interface's name.
fn general(key: &str) -> String {
    match at(key) {
        Some(At::Interface(_, name)) => format!("interface.NAME.{name}"),
        Some(At::Alert(_, name)) => format!("alerts.NAME.{name}"),
        Some(At::Top(_) | At::Section(..)) | None => key.to_owned(),
    }
}

/// The text with all changes made, in their order.
///
/// # Errors
/// The first change that cannot be made.
pub fn edit(text: &str, changes: &[Change]) -> Result<String, EditError> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| EditError::NotToml(error.message().to_owned()))?;
    for change in changes {
        make(&mut document, change)?;
    }
    Ok(document.to_string())
}

fn make(document: &mut DocumentMut, change: &Change) -> Result<(), EditError> {
    match change {
        Change::Set { key, value } => {
            let (table, name) = place(document, key)?;
            set(table, name, value);
            Ok(())
        }
        Change::Add { key, value } => {
            let (table, name) = place(document, key)?;
            add(list(table, key, name)?, value);
            Ok(())
        }
        Change::Remove { key, value } => {
            let (table, name) = place(document, key)?;
            let absent = || EditError::Absent(key.clone(), value.clone());
            remove(list(table, key, name)?, value).ok_or_else(absent)
        }
        Change::RemoveInterface { name } => {
            let all = interfaces(document)?;
            let index = all.iter().position(|one| is_named(one, name));
            let absent = || EditError::Absent("interface".to_owned(), name.clone());
            all.remove(index.ok_or_else(absent)?);
            Ok(())
        }
        Change::RemoveAlert { name } => named::remove(document, "alerts", name),
    }
}

/// The section of a key, made where it is absent, and the key's name in it.
fn place<'d, 'k>(
    document: &'d mut DocumentMut,
    key: &'k str,
) -> Result<(&'d mut Table, &'k str), EditError> {
    let place = at(key).filter(|_| pair_keys().contains(&general(key)));
    match place.ok_or_else(|| EditError::Key(key.to_owned()))? {
        At::Top(name) => Ok((document.as_table_mut(), name)),
        At::Section(section, name) => {
            let fresh = || {
                let mut table = Table::new();
                table.decor_mut().set_prefix("\n");
                Item::Table(table)
            };
            let item = document.entry(section).or_insert_with(fresh);
            let shape = || EditError::Shape(section.to_owned());
            Ok((item.as_table_mut().ok_or_else(shape)?, name))
        }
        At::Interface(interface, name) => Ok((named(document, interface)?, name)),
        At::Alert(target, name) => Ok((named::one(document, "alerts", target)?, name)),
    }
}

fn interfaces(document: &mut DocumentMut) -> Result<&mut ArrayOfTables, EditError> {
    let item = document.entry("interface").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut().ok_or_else(|| EditError::Shape("interface".to_owned()))
}

fn is_named(table: &Table, name: &str) -> bool {
    table.get("name").and_then(Item::as_str) == Some(name)
}

/// The section of an interface; a new one comes at the end.
fn named<'d>(document: &'d mut DocumentMut, name: &str) -> Result<&'d mut Table, EditError> {
    let all = interfaces(document)?;
    let found = all.iter().position(|one| is_named(one, name));
    let index = match found {
        Some(index) => index,
        None => {
            let mut fresh = Table::new();
            fresh.decor_mut().set_prefix("\n");
            fresh.insert("name", Item::Value(name.into()));
            all.push(fresh);
            all.len() - 1
        }
    };
    all.get_mut(index).ok_or_else(|| EditError::Shape("interface".to_owned()))
}

/// Writes a value in place of the old one, whose comment and blanks stay.
fn set(table: &mut Table, name: &str, value: &Value) {
    let new = match value {
        Value::Flag(flag) => (*flag).into(),
        Value::Number(number) => numeral(*number),
        Value::Text(text) => text.into(),
        Value::List(entries) => return set_list(table, name, entries),
    };
    put(table, name, new);
}

fn put(table: &mut Table, name: &str, mut new: Toml) {
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => {
            table.insert(name, Item::Value(new));
        }
    }
}

/// What people would write: no fraction where there is none.
fn numeral(number: f64) -> Toml {
    // Far more than any key takes, and exact in a float.
    const WHOLE: f64 = 1e15;
    if number.fract() == 0.0 && number.abs() < WHOLE {
        (number as i64).into()
    } else {
        number.into()
    }
}

/// Entries that stay keep their lines and comments.
fn set_list(table: &mut Table, name: &str, entries: &[String]) {
    let old = table.get_mut(name).and_then(Item::as_value_mut).and_then(Toml::as_array_mut);
    let Some(array) = old else {
        return put(table, name, Toml::Array(entries.iter().collect()));
    };
    let gone = |entry: &Toml| !entry.as_str().is_some_and(|text| entries.iter().any(|e| e == text));
    for index in (0..array.len()).rev() {
        if array.get(index).is_some_and(gone) {
            array.remove(index);
        }
    }
    let order: Vec<&str> = array.iter().filter_map(Toml::as_str).collect();
    let in_order = order.iter().zip(entries).all(|(have, wanted)| have == wanted);
    if in_order {
        entries.iter().for_each(|entry| add(array, entry));
    } else {
        put(table, name, Toml::Array(entries.iter().collect()));
    }
}

/// The list of a key. One text stands for a list of one, and nothing for an empty one.
fn list<'t>(table: &'t mut Table, key: &str, name: &str) -> Result<&'t mut Array, EditError> {
    let item = table.entry(name).or_insert_with(|| Item::Value(Toml::Array(Array::new())));
    let value = item.as_value_mut().ok_or_else(|| EditError::NotAList(key.to_owned()))?;
    if let Some(text) = value.as_str().map(str::to_owned) {
        let mut array = Toml::Array(Array::from_iter([text]));
        *array.decor_mut() = value.decor().clone();
        *value = array;
    }
    value.as_array_mut().ok_or_else(|| EditError::NotAList(key.to_owned()))
}

fn add(array: &mut Array, entry: &str) {
    if array.iter().any(|have| have.as_str() == Some(entry)) {
        return;
    }
    // In a list with a line for each entry the new one gets its own as well.
    let last = array.iter().last().and_then(|last| last.decor().prefix()?.as_str());
    let before = last.filter(|blank| blank.contains('\n')).map(after_comment);
    match before {
        Some(before) => array.push_formatted(Toml::from(entry).decorated(before, "")),
        None => array.push(entry),
    }
}

/// The line break and the blanks of the last line: a comment before it is not repeated.
fn after_comment(prefix: &str) -> String {
    let blanks = prefix.rsplit('\n').next().unwrap_or_default();
    format!("\n{blanks}")
}

fn remove(array: &mut Array, entry: &str) -> Option<()> {
    let index = array.iter().position(|have| have.as_str() == Some(entry))?;
    array.remove(index);
    // What was second must not begin with the blank that parted it from the first.
    if index == 0
        && let Some(first) = array.get_mut(0)
        && first.decor().prefix().and_then(|prefix| prefix.as_str()) == Some(" ")
    {
        first.decor_mut().set_prefix("");
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# Gateway pair of the main office.
pair_id = 1   # unique here

[heartbeat]
interval = 0.1            # seconds
# three are enough
threshold = 3

[ha_link]
interface = "ha0"

# where the clients are
[[interface]]
name = "lan"   # the inside
watch = true
primary = ["10.1.0.2/24", "2001:db8:1::2/64"]   # own
secondary = ["10.1.0.3/24", "2001:db8:1::3/64"]
virtual = [
    "10.1.0.1/24",   # the gateway of all clients
    "fe80::1/64",
]

[[interface]]
name = "wan"
virtual = "203.0.113.5/29"   # one public address
"#;

    fn changes(all: &[&str]) -> Vec<Change> {
        all.iter().map(|text| text.parse().expect("a change")).collect()
    }

    /// One line of the file becomes another (several: parted by `|`), and nothing else.
    #[test]
    fn only_the_line_that_changes_is_another_and_its_comment_stays() {
        let cases = [
            (
                "heartbeat.interval=0.5",
                "interval = 0.1            # seconds",
                "interval = 0.5            # seconds",
            ),
            ("heartbeat.threshold=5", "threshold = 3", "threshold = 5"),
            (
                "enabled=false",
                "pair_id = 1   # unique here",
                "pair_id = 1   # unique here|enabled = false",
            ),
            (
                "ha_link.cable=direct",
                "interface = \"ha0\"",
                "interface = \"ha0\"|cable = \"direct\"",
            ),
            (
                "interface.lan.virtual+=10.1.0.9/24",
                "    \"fe80::1/64\",",
                "    \"fe80::1/64\",|    \"10.1.0.9/24\",",
            ),
            (
                "interface.wan.virtual+=203.0.113.6/29",
                "virtual = \"203.0.113.5/29\"   # one public address",
                "virtual = [\"203.0.113.5/29\", \"203.0.113.6/29\"]   # one public address",
            ),
            (
                "interface.lan.primary-=10.1.0.2/24",
                "primary = [\"10.1.0.2/24\", \"2001:db8:1::2/64\"]   # own",
                "primary = [\"2001:db8:1::2/64\"]   # own",
            ),
            (
                "interface.lan.secondary=10.1.0.3/24,10.1.0.4/24",
                "secondary = [\"10.1.0.3/24\", \"2001:db8:1::3/64\"]",
                "secondary = [\"10.1.0.3/24\", \"10.1.0.4/24\"]",
            ),
            ("interface.wan.watch=true", "name = \"wan\"", "name = \"wan\""),
        ];
        for (change, from, to) in cases {
            let mut wanted = TEXT.replacen(from, &to.replace('|', "\n"), 1);
            if change.contains("wan.watch") {
                wanted.push_str("watch = true\n");
            }
            assert_eq!(edit(TEXT, &changes(&[change])).expect(change), wanted, "{change}");
        }
    }

    #[test]
    fn what_is_the_same_changes_nothing() {
        let same = ["heartbeat.interval=0.1", "interface.lan.virtual+=fe80::1/64", "pair_id=1"];
        assert_eq!(edit(TEXT, &changes(&same)).expect("edited"), TEXT);
    }

    #[test]
    fn sections_and_interfaces_come_and_go_with_the_lines_that_belong_to_them() {
        let all = changes(&["sync.logs=true", "interface.dmz.watch=true"]);
        let text = edit(TEXT, &all).expect("edited");
        assert!(text.starts_with(TEXT.trim_end()), "{text}");
        assert!(text.contains("\n\n[[interface]]\nname = \"dmz\"\nwatch = true\n"), "{text}");
        assert!(text.contains("\n\n[sync]\nlogs = true\n"), "{text}");
        let gone = Change::RemoveInterface { name: "lan".to_owned() };
        let text = edit(TEXT, std::slice::from_ref(&gone)).expect("edited");
        assert!(!text.contains("lan") && !text.contains("where the clients"), "{text}");
        assert!(text.contains("name = \"wan\"") && text.contains("# three are enough"), "{text}");
        let twice = edit(&text, &[gone]);
        assert!(matches!(twice, Err(EditError::Absent(_, _))), "{twice:?}");
    }

    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        let cases = [
            ("interface.lan.virtual-=10.9.9.9/24", "has no '10.9.9.9/24'"),
            ("heartbeat.interval+=1", "is no list; write heartbeat.interval=VALUE"),
            ("pair_id.low=1", "no such key"),
            ("heartbeat=1", "is a section; change one of its keys: heartbeat.interval, heart"),
            ("foo=1", "no such key; the keys are pair_id, enabled, heartbeat.interval,"),
            ("heartbeat.intervall=1", "did you mean 'heartbeat.interval'?"),
            ("interface.lan.virtul=10.1.0.1/24", "did you mean 'interface.NAME.virtual'?"),
        ];
        for (change, words) in cases {
            let error = edit(TEXT, &changes(&[change])).expect_err(change).to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(matches!(edit("a = ", &[]), Err(EditError::NotToml(_))));
    }
}

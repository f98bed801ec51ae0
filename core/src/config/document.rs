//! Walks a TOML document by the table of keys: finds sections and values,
//! fills in defaults, and reports what is missing, unknown or misplaced.
//! Knows nothing of what a key means.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::{Found, Place, Report};
use super::keys::{Absent, Described, Key, REPEATED};
use super::kinds::Kind;

/// Largest file in bytes: 4,096 VIPs with room to spare.
pub const MAX_FILE: usize = 1 << 20;
/// Edits between a wrong key and the right one that still make a suggestion.
const MAX_EDITS: usize = 2;

type Table<'t> = DeTable<'t>;

/// One section of a file, or what stands in for an absent one.
pub(super) struct Section<'t> {
    /// Its name with the number of a repeated one; empty for the top.
    path: String,
    /// Line of its header.
    line: usize,
    table: Option<&'t Table<'t>>,
}

/// Parses the text; a syntax error ends the matter, since what follows it is guesswork.
pub(super) fn parse<'t>(text: &'t str, report: &mut Report<'_>) -> Option<Spanned<Table<'t>>> {
    if text.len() > MAX_FILE {
        let place = Place { line: 0, key: String::new(), value: None };
        report.add(
            &place,
            format!("{} bytes long", text.len()),
            format!("at most {MAX_FILE} are read"),
        );
        return None;
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map_or(0, |span| report.line(span.start));
        let place = Place { line, key: String::new(), value: None };
        let wrong = error.message().lines().collect::<Vec<_>>().join(", ");
        report.add(&place, wrong, "see https://toml.io for how such a file is written");
    }
    errors.is_empty().then_some(document)
}

impl<'t> Section<'t> {
    /// The top of the file.
    pub(super) fn top(document: &'t Spanned<Table<'t>>) -> Section<'t> {
        Section { path: String::new(), line: 1, table: Some(document.get_ref()) }
    }

    /// The section `[name]`, an empty one when it is absent.
    pub(super) fn section(&self, name: &str, report: &mut Report<'_>) -> Section<'t> {
        let entry = self.table.and_then(|table| find(table, name));
        let Some(value) = entry else {
            return Section { path: name.to_owned(), line: self.line, table: None };
        };
        let table = value.get_ref().as_table();
        if table.is_none() {
            let place = report.place(name.to_owned(), value.span());
            report.add(&place, "not a section", format!("write [{name}] and its keys below it"));
        }
        Section { path: name.to_owned(), line: report.line(value.span().start), table }
    }

    /// Every section `[[name]]`.
    pub(super) fn sections(&self, name: &str, report: &mut Report<'_>) -> Vec<Section<'t>> {
        let Some(value) = self.table.and_then(|table| find(table, name)) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            let place =
                Place { line: report.line(value.span().start), key: name.to_owned(), value: None };
            report.add(
                &place,
                "there can be several of these",
                format!("write [[{name}]] with two brackets"),
            );
            return Vec::new();
        };
        let mut all = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{name}[{}]", index + 1);
            match item.get_ref().as_table() {
                Some(table) => all.push(Section {
                    path,
                    line: report.line(item.span().start),
                    table: Some(table),
                }),
                None => {
                    let place = report.place(path, item.span());
                    report.add(
                        &place,
                        "not a section",
                        format!("write [[{name}]] and its keys below it"),
                    );
                }
            }
        }
        all
    }

    /// The value of `key`, its default when it is absent, nothing when it is wrong.
    pub(super) fn get<K: Kind>(
        &self,
        key: &Key<K>,
        report: &mut Report<'_>,
    ) -> Option<Found<K::Value>> {
        if let Some(value) = self.table.and_then(|table| find(table, key.name)) {
            let place = report.place(self.key(key.name), value.span());
            let value = key.kind.read(value, &place, report)?;
            return Some(Found { value, place });
        }
        let place = self.place(key.name);
        match key.absent {
            Absent::Required(example) => {
                let at = if self.path.is_empty() {
                    String::new()
                } else {
                    format!(" in {}", self.header())
                };
                report.add(
                    &place,
                    "missing",
                    format!("add '{} = {example}'{at} ({})", key.name, key.kind.describe()),
                );
                None
            }
            Absent::Default(text) => {
                let value = DeValue::parse(text).ok()?;
                let value = key.kind.read(&value, &place, report)?;
                Some(Found {
                    value,
                    place: Place { value: Some(format!("{text} (default)")), ..place },
                })
            }
        }
    }

    /// Where `name` would stand in this section.
    pub(super) fn place(&self, name: &str) -> Place {
        Place { line: self.line, key: self.key(name), value: None }
    }

    /// Reports the keys of this section that nobody knows. `all` are the keys of the whole file.
    pub(super) fn refuse_unknown(&self, all: &[&dyn Described], report: &mut Report<'_>) {
        let name = self.path.split('[').next().unwrap_or_default();
        let mut known: Vec<&str> =
            all.iter().filter(|key| key.section() == name).map(|key| key.name()).collect();
        if name.is_empty() {
            known.extend(sections_of(all));
        }
        for (key, value) in self.table.iter().flat_map(|table| table.iter()) {
            let word: &str = key.get_ref();
            if !known.contains(&word) {
                let mut place = report.place(self.key(word), value.span());
                place.line = report.line(key.span().start);
                if value.get_ref().is_table() || value.get_ref().is_array() {
                    place.value = None;
                }
                report.add(&place, "unknown key", suggestion(word, name, &known, all));
            }
        }
    }

    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn header(&self) -> String {
        match self.path.split_once('[') {
            Some((name, _)) => format!("[[{name}]]"),
            None => format!("[{}]", self.path),
        }
    }
}

fn find<'t>(table: &'t Table<'t>, name: &str) -> Option<&'t Spanned<DeValue<'t>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

/// The sections of a file in the order of the table.
pub(super) fn sections_of(all: &[&dyn Described]) -> Vec<&'static str> {
    let mut sections: Vec<&'static str> = Vec::new();
    for key in all {
        if !key.section().is_empty() && !sections.contains(&key.section()) {
            sections.push(key.section());
        }
    }
    sections
}

/// What to do about an unknown key.
fn suggestion(word: &str, section: &str, known: &[&str], all: &[&dyn Described]) -> String {
    let near = known.iter().map(|name| (edits(word, name), *name)).min();
    if let Some((edits, name)) = near
        && edits <= MAX_EDITS
        && edits < name.len()
    {
        return format!("did you mean '{name}'?");
    }
    if section == "ha_link" && word == "watch" {
        return "the HA link cannot be watched; remove it".to_owned();
    }
    if let Some(other) = all.iter().find(|key| key.name() == word) {
        return match other.section() {
            "" => "it belongs to the top of the file".to_owned(),
            REPEATED => format!("it belongs to [[{REPEATED}]]"),
            section => format!("it belongs to [{section}]"),
        };
    }
    format!("remove it; known here: {}", known.join(", "))
}

/// Letters to insert, remove, replace or swap to make one word from the other.
fn edits(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) =
        (left.chars().take(64).collect(), right.chars().collect());
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let change = usize::from(left[i - 1] != right[j - 1]);
            let mut best =
                (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::edits;

    #[test]
    fn slips_of_the_finger_are_one_edit() {
        for (wrong, right, count) in [
            ("tresh", "tresh", 0),
            ("intervall", "interval", 1),
            ("intreval", "interval", 1),
            ("wach", "watch", 1),
            ("", "abc", 3),
        ] {
            assert_eq!(edits(wrong, right), count, "{wrong}");
        }
    }
}

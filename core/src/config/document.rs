//! Walks a TOML document by the table of keys: finds sections and values,
//! fills in defaults, and reports what is missing, unknown or misplaced.
//! Knows nothing of what a key means.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::{Found, Place, Report};
use super::keys::{Absent, Described, Key};
use super::kinds::Kind;

/// Largest file in bytes: 4,096 VIPs with room to spare.
pub const MAX_FILE: usize = 1 << 20;
/// Edits between a wrong key and the right one that still make a suggestion.
pub(super) const MAX_EDITS: usize = 2;

type Table<'t> = DeTable<'t>;

/// One section of a file, or what stands in for an absent one.
pub struct Section<'t> {
    /// Where it stands, with the number of a repeated one; empty for the top.
    path: String,
    /// Its name in the table of keys: as its header, without the outer brackets.
    name: String,
    /// Line of its header.
    line: usize,
    table: Option<&'t Table<'t>>,
}

/// Parses the text; a syntax error ends the matter, since what follows it is guesswork.
pub fn parse<'t>(text: &'t str, report: &mut Report<'_>) -> Option<Spanned<Table<'t>>> {
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
    pub fn top(document: &'t Spanned<Table<'t>>) -> Section<'t> {
        let (path, name) = (String::new(), String::new());
        Section { path, name, line: 1, table: Some(document.get_ref()) }
    }

    /// The same section with the keys that the table lists under `name`.
    #[must_use]
    pub fn with_keys_of(self, name: &str) -> Section<'t> {
        Section { name: name.to_owned(), ..self }
    }

    /// Whether the file has it.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// The section `[name]`, an empty one when it is absent.
    pub fn section(&self, name: &str, report: &mut Report<'_>) -> Section<'t> {
        let Some(value) = self.table.and_then(|table| find(table, name)) else {
            return Section { line: self.line, table: None, ..self.below(name, "") };
        };
        self.table_at(name, value, report)
    }

    /// Every section `[name.WORD]` with its word.
    pub fn named(&self, name: &str, report: &mut Report<'_>) -> Vec<(Found<String>, Section<'t>)> {
        let all = self.section(name, report);
        let entries = all.table.iter().flat_map(|table| table.iter());
        let mut named = Vec::new();
        for (key, value) in entries {
            let word: &str = key.get_ref();
            let mut place = report.place(all.key(word), key.span());
            place.value = None;
            named
                .push((Found { value: word.to_owned(), place }, all.table_at(word, value, report)));
        }
        named
    }

    /// Every section `[[name]]`.
    pub fn sections(&self, name: &str, report: &mut Report<'_>) -> Vec<Section<'t>> {
        let Some(value) = self.table.and_then(|table| find(table, name)) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            let place =
                Place { line: report.line(value.span().start), key: self.key(name), value: None };
            let header = self.below(name, "").path;
            report.add(
                &place,
                "there can be several of these",
                format!("write [[{header}]] with two brackets"),
            );
            return Vec::new();
        };
        let mut all = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let below = self.below(name, &format!("[{}]", index + 1));
            let name = format!("[{}]", below.name);
            match item.get_ref().as_table() {
                Some(table) => all.push(Section {
                    line: report.line(item.span().start),
                    table: Some(table),
                    name,
                    ..below
                }),
                None => {
                    let place = report.place(below.path, item.span());
                    let remedy = format!("write [{name}] and its keys below it");
                    report.add(&place, "not a section", remedy);
                }
            }
        }
        all
    }

    fn table_at(
        &self,
        name: &str,
        value: &'t Spanned<DeValue<'t>>,
        report: &mut Report<'_>,
    ) -> Section<'t> {
        let below = self.below(name, "");
        let table = value.get_ref().as_table();
        if table.is_none() {
            let place = report.place(below.path.clone(), value.span());
            let remedy = format!("write [{}] and its keys below it", below.path);
            report.add(&place, "not a section", remedy);
        }
        Section { line: report.line(value.span().start), table, ..below }
    }

    /// Where and what `name` is below this section.
    fn below(&self, name: &str, number: &str) -> Section<'t> {
        let path = self.key(name) + number;
        let name =
            if self.name.is_empty() { name.to_owned() } else { format!("{}.{name}", self.name) };
        Section { path, name, line: self.line, table: None }
    }

    /// The value of `key`, its default when it is absent, nothing when it is wrong.
    pub fn get<K: Kind>(&self, key: &Key<K>, report: &mut Report<'_>) -> Option<Found<K::Value>> {
        if let Some(value) = self.table.and_then(|table| find(table, key.name)) {
            let place = report.place(self.key(key.name), value.span());
            let value = key.kind.read(value, &place, report)?;
            return Some(Found { value, place });
        }
        let place = self.place(key.name);
        match key.absent {
            Absent::Required(example) => {
                let at = match self.name.as_str() {
                    "" => String::new(),
                    name => format!(" in [{name}]"),
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
            Absent::Nothing(_) => None,
        }
    }

    /// Whether the file has this key here.
    pub fn has(&self, name: &str) -> bool {
        self.table.is_some_and(|table| find(table, name).is_some())
    }

    /// Where `name` would stand in this section.
    pub fn place(&self, name: &str) -> Place {
        Place { line: self.line, key: self.key(name), value: None }
    }

    /// Reports the keys of this section that nobody knows. `all` are the keys of the whole file.
    pub fn refuse_unknown(&self, all: &[&dyn Described], report: &mut Report<'_>) {
        let mut known: Vec<&str> =
            all.iter().filter(|key| key.section() == self.name).map(|key| key.name()).collect();
        known.extend(sections_below(&self.name, all));
        for (key, value) in self.table.iter().flat_map(|table| table.iter()) {
            let word: &str = key.get_ref();
            if !known.contains(&word) {
                let mut place = report.place(self.key(word), value.span());
                place.line = report.line(key.span().start);
                if value.get_ref().is_table() || value.get_ref().is_array() {
                    place.value = None;
                }
                report.add(&place, "unknown key", suggestion(word, &self.name, &known, all));
            }
        }
    }

    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
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

/// Words that begin a section below this one.
fn sections_below(name: &str, all: &[&dyn Described]) -> Vec<&'static str> {
    let mut words: Vec<&'static str> = Vec::new();
    for section in sections_of(all) {
        let bare = section.trim_matches(['[', ']']);
        let below = match name {
            "" => Some(bare),
            name => bare.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')),
        };
        // One header may stand for several sections with the same keys, as `a.b|c`.
        let here = below.and_then(|below| below.split('.').next()).unwrap_or_default();
        for word in here.split('|').filter(|word| !word.is_empty()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    words
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
            section => format!("it belongs to [{section}]"),
        };
    }
    format!("remove it; known here: {}", known.join(", "))
}

/// Letters to insert, remove, replace or swap to make one word from the other.
pub(super) fn edits(left: &str, right: &str) -> usize {
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

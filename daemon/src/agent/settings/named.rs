//! Sections that have a name below a word, as `[alerts.NAME]`, in the text of pair.toml: found,
//! or made. Called by `edit`, which says what is done with them.

use toml_edit::{DocumentMut, Item, Table};

use super::edit::EditError;

/// What is above them; it has no line of its own.
pub(super) fn all<'d>(
    document: &'d mut DocumentMut,
    word: &str,
) -> Result<&'d mut Table, EditError> {
    let above = || {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    };
    let item = document.entry(word).or_insert_with(above);
    item.as_table_mut().ok_or_else(|| EditError::Shape(word.to_owned()))
}

/// The one of this name, made where it is absent.
pub(super) fn one<'d>(
    document: &'d mut DocumentMut,
    word: &str,
    name: &str,
) -> Result<&'d mut Table, EditError> {
    let fresh = || {
        let mut table = Table::new();
        table.decor_mut().set_prefix("\n");
        Item::Table(table)
    };
    let item = all(document, word)?.entry(name).or_insert_with(fresh);
    item.as_table_mut().ok_or_else(|| EditError::Shape(format!("{word}.{name}")))
}

/// Takes the one of this name away.
pub(super) fn remove(document: &mut DocumentMut, word: &str, name: &str) -> Result<(), EditError> {
    let removed = all(document, word)?.remove(name);
    removed.map(drop).ok_or_else(|| EditError::Absent(word.to_owned(), name.to_owned()))
}

//! Writes the configuration reference from the table of keys. Called by
//! `twinwall docs`; a test compares the result with the page in docs/.

use std::fmt::Write;

use super::document::sections_of;
use super::keys::{self, Absent, Described};

/// The page `docs/reference/configuration.md`.
pub fn reference() -> String {
    let mut page = String::from(
        "# Configuration reference\n\n\
         Generated from the program's own table of keys. What the settings are for: [configuration](../configuration.md).\n\n\
         Numbers may be written with or without a fraction. A list of one may be written without brackets.\n",
    );
    file(&mut page, "node.toml", "What only this node knows.", keys::NODE);
    file(
        &mut page,
        "pair.toml",
        "What both nodes share; the file is the same on both.",
        keys::PAIR,
    );
    page
}

fn file(page: &mut String, name: &str, about: &str, keys: &[&dyn Described]) {
    let _ = write!(page, "\n## {name}\n\n{about}\n");
    tables(page, keys, |section| match section {
        "[interface]" => ", once for each interface with addresses of the pair",
        "alerts.NAME" => ", once for each target, at most 16",
        _ => "",
    });
}

/// A table of keys for each section; `note` is said after the header of one.
pub fn tables(page: &mut String, keys: &[&dyn Described], note: impl Fn(&str) -> &'static str) {
    if keys.iter().any(|key| key.section().is_empty()) {
        section(page, "", keys);
    }
    for name in sections_of(keys) {
        let _ = write!(page, "\n### [{name}]{}\n", note(name));
        section(page, name, keys);
    }
}

fn section(page: &mut String, name: &str, keys: &[&dyn Described]) {
    page.push_str("\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for key in keys.iter().filter(|key| key.section() == name) {
        let default = match key.absent() {
            Absent::Required(_) => "required".to_owned(),
            Absent::Default(text) => format!("`{text}`"),
            Absent::Nothing(text) => (*text).to_owned(),
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {default} | {} |",
            key.name(),
            key.describe(),
            key.about()
        );
    }
}

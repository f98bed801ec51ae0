//! Writes the profile's reference from the table of keys. Called by `twinwall docs`; a test
//! compares the result with the page in docs/.

use std::fmt::Write;

use twinwall_core::config::form::tables;

use super::keys::PROFILE;
use crate::agent::section::Section;

/// The page `docs/reference/profile.md`.
pub fn reference() -> String {
    let mut page = String::from(
        "# Profile reference\n\n\
         Generated from the program's own table of keys. What a profile is for: [the appliance profile](../profile.md).\n\n\
         A list of one may be written without brackets, but not a command. `NAME` is one of the thirteen sections:\n\n\
         | name | section |\n| --- | --- |\n",
    );
    for section in Section::ALL {
        let _ = writeln!(page, "| `{section}` | {} |", section.title());
    }
    page.push_str("\n## profile.toml\n");
    tables(&mut page, PROFILE, |section| match section.starts_with('[') {
        true => ", as many as are needed",
        false => "",
    });
    page
}

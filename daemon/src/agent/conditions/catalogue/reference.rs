//! The page `docs/reference/conditions.md`, written from the table.

use std::time::Duration;

use super::{About, ConditionId, Course};

/// The page.
pub fn page() -> String {
    let mut page = String::from(
        "# Conditions\n\nGenerated from the table that console, command line, SNMP, metrics and \
         alerts share. How they are used: [conditions](../conditions.md).\n\n\
         Raised: how long it must be so without a break before it is told. Cleared: how long it \
         must not be so. What happens is told once and is over.\n\n\
         About: the *node* that says so of itself, the *other node* as this one sees it, or the \
         *pair*.\n\n\
         | number | name | severity | about | raised | cleared | meaning | what now |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for id in ConditionId::ALL {
        let row = id.row();
        let about = match row.about {
            About::Node => "node",
            About::Peer => "other node",
            About::Pair => "pair",
        };
        let (raised, cleared) = match row.course {
            Course::Happens => ("happens".to_owned(), String::new()),
            Course::Lasts { raise, clear } => (after(raise), after(clear)),
        };
        page += &format!(
            "| {} | `{}` | {} | {about} | {raised} | {cleared} | {} | {} |\n",
            row.number,
            row.name,
            row.severity.word(),
            row.meaning,
            row.what_now.replace('|', "\\|"),
        );
    }
    page
}

fn after(span: Duration) -> String {
    if span.is_zero() { "at once".to_owned() } else { format!("{} s", span.as_secs()) }
}

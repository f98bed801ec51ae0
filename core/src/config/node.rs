//! Reads `node.toml`.

use super::document::{Section, parse};
use super::errors::{Errors, Report};
use super::{Node, keys};

/// Reads the text of `node.toml`; `file` is its name for the errors.
///
/// # Errors
/// All problems of the file at once.
pub fn parse_node(file: &str, text: &str) -> Result<Node, Errors> {
    let mut report = Report::new(file, text);
    let node = read(text, &mut report);
    report.finish(node)
}

/// Where the key file is unless node.toml says otherwise, relative to the root.
pub fn default_key_file() -> &'static str {
    match keys::KEY_FILE.absent {
        keys::Absent::Default(text) => text.trim_matches('"'),
        keys::Absent::Required(_) | keys::Absent::Nothing(_) => "",
    }
}

fn read(text: &str, report: &mut Report<'_>) -> Option<Node> {
    let document = parse(text, report)?;
    let top = Section::top(&document);
    top.refuse_unknown(keys::NODE, report);
    let name = top.get(&keys::NODE_NAME, report);
    let designation = top.get(&keys::DESIGNATION, report);
    let key_file = top.get(&keys::KEY_FILE, report);
    let gate = top.get(&keys::GATE, report);
    let realtime = top.get(&keys::REALTIME, report);
    let web = top.section("web", report);
    web.refuse_unknown(keys::NODE, report);
    let listen = web.get(&keys::WEB_LISTEN, report);
    Some(Node {
        name: name?.value,
        designation: designation?.value,
        key_file: key_file?.value,
        gate: gate?.value,
        realtime: realtime?.value,
        web_listen: listen.map(|listen| listen.value).unwrap_or_default(),
    })
}

//! Whether settings can be those of this pair: what the parser says, told at the field in
//! which it was entered, and what this node's machine says. It changes nothing.

use std::collections::BTreeSet;

use twinwall_core::config::{Errors, Pair, parse_pair};

use super::PAIR;
use super::view::HaSettings;
use crate::agent::api::error::{Code, Detail, Refusal};

/// Reads a text; what is wrong with it is told field by field.
///
/// # Errors
/// A refusal with a detail for each problem.
pub fn read(text: &str) -> Result<Pair, Refusal> {
    parse_pair(PAIR, text).map_err(|errors| refuse(&errors, text))
}

/// Settings as a page sent them: each interface and each target of alerts once.
///
/// # Errors
/// A refusal at the second one of a name.
pub fn each_once(settings: &HaSettings) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    let interfaces = settings.interfaces.iter().map(|one| format!("interface.{}.name", one.name));
    let targets = settings.alerts.iter().map(|one| format!("alerts.{}.name", one.name));
    let twice = interfaces.chain(targets).find(|place| !seen.insert(place.clone()));
    match twice {
        None => Ok(()),
        Some(place) => Err(at(place, "listed twice; merge the two".to_owned())),
    }
}

/// Whether a node with these interfaces can be in the pair.
///
/// # Errors
/// A refusal with a detail for each interface that is not there.
pub fn interfaces(pair: &Pair, have: &[String], node: &str) -> Result<(), Refusal> {
    let absent = |name: &str| !have.iter().any(|one| one == name);
    let remedy = format!(
        "{node} has no such interface; write its name as 'ip link' shows it there, the same on \
         both nodes"
    );
    let mut details = Vec::new();
    if absent(&pair.ha_link.interface) {
        details.push(Detail { place: "ha_link.interface".to_owned(), message: remedy.clone() });
    }
    for interface in pair.interfaces.iter().filter(|one| absent(&one.name)) {
        let place = format!("interface.{}.name", interface.name);
        details.push(Detail { place, message: remedy.clone() });
    }
    if details.is_empty() { Ok(()) } else { Err(with_details(details)) }
}

/// One mistake at one field.
pub fn at(place: String, message: String) -> Refusal {
    with_details(vec![Detail { place, message }])
}

/// Several, each at its field.
pub(super) fn with_details(details: Vec<Detail>) -> Refusal {
    let count = details.len();
    let message = match count {
        1 => "the settings cannot be used; nothing was changed".to_owned(),
        _ => format!("{count} settings cannot be used; nothing was changed"),
    };
    Refusal { code: Code::Invalid, message, details }
}

fn refuse(errors: &Errors, text: &str) -> Refusal {
    let names = interface_names(text);
    let detail = |problem: &twinwall_core::config::Problem| {
        let place = field(&problem.key, &names);
        let value = problem.value.as_ref().map_or(String::new(), |value| format!("{value}: "));
        let message = format!("{value}{}; {}", problem.wrong, problem.remedy);
        let place = if place.is_empty() { PAIR.to_owned() } else { place };
        Detail { place, message }
    };
    with_details(errors.problems.iter().map(detail).collect())
}

/// The names of the interfaces in the order of the file, as far as they can be read.
fn interface_names(text: &str) -> Vec<Option<String>> {
    let document = text.parse::<toml_edit::DocumentMut>().ok();
    let all = document.as_ref().and_then(|it| it.get("interface")?.as_array_of_tables());
    let name = |table: &toml_edit::Table| Some(table.get("name")?.as_str()?.to_owned());
    all.map_or_else(Vec::new, |all| all.iter().map(name).collect())
}

/// `interface[2].virtual[1]` by the interface's name, as it is entered:
/// `interface.lan.virtual[1]`.
fn field(key: &str, names: &[Option<String>]) -> String {
    let parts = || {
        let (number, rest) = key.strip_prefix("interface[")?.split_once(']')?;
        let index = number.parse::<usize>().ok()?.checked_sub(1)?;
        let name = names.get(index)?.as_ref()?;
        Some(format!("interface.{name}{rest}"))
    };
    parts().unwrap_or_else(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "pair_id = 1\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\n\
        primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = [\"10.1.0.1/24\"]\n";

    fn refusal(from: &str, to: &str) -> Vec<(String, String)> {
        assert!(TEXT.contains(from), "{from}");
        let refused = read(&TEXT.replacen(from, to, 1)).expect_err(to);
        assert_eq!(refused.code, Code::Invalid);
        refused.details.into_iter().map(|detail| (detail.place, detail.message)).collect()
    }

    #[test]
    fn what_is_wrong_is_told_at_the_field_in_which_it_was_entered() {
        let cases = [
            (
                "[\"10.1.0.1/24\"]",
                "[\"10.1.0.1/24\", \"10.2.0.1/24\"]",
                "interface.lan.virtual[2]",
                "not in the subnet 10.1.0.0/24",
            ),
            ("\"ha0\"", "\"lan\"", "interface.lan.name", "this is the HA link"),
            (
                "pair_id = 1",
                "pair_id = 1\nheartbeat.interval = 90",
                "heartbeat.interval",
                "out of range",
            ),
            (
                "secondary = \"10.1.0.3/24\"\n",
                "",
                "interface.lan.primary",
                "the secondary node has no IPv4 address here",
            ),
            (
                "name = \"lan\"",
                "name = \"lan\"\nwach = true",
                "interface.lan.wach",
                "did you mean 'watch'?",
            ),
            ("pair_id = 1", "pair_id = ", PAIR, "see https://toml.io"),
        ];
        for (from, to, place, words) in cases {
            let details = refusal(from, to);
            assert!(
                details.iter().any(|(at, message)| at == place && message.contains(words)),
                "{to}: {details:?}"
            );
        }
    }

    #[test]
    fn a_watched_ha_link_is_refused_at_its_watch() {
        let details = refusal("name = \"lan\"", "name = \"ha0\"\nwatch = true");
        assert!(details[0].0 == "interface.ha0.watch" && details[0].1.contains("never a failover"));
    }

    #[test]
    fn interfaces_that_a_node_does_not_have_are_named_with_the_node() {
        let pair = read(TEXT).expect("right");
        let have = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(interfaces(&pair, &have(&["lo", "ha0", "lan"]), "gw-b"), Ok(()));
        let refused = interfaces(&pair, &have(&["ha0"]), "gw-b").expect_err("lan is not there");
        assert_eq!(refused.details[0].place, "interface.lan.name");
        assert!(refused.details[0].message.contains("gw-b has no such interface"));
    }

    #[test]
    fn an_interface_listed_twice_is_refused() {
        let mut settings = HaSettings::from(&read(TEXT).expect("right"));
        assert_eq!(each_once(&settings), Ok(()));
        settings.interfaces.push(settings.interfaces[0].clone());
        let refused = each_once(&settings).expect_err("twice");
        assert_eq!(refused.details[0].place, "interface.lan.name");
    }
}

//! 'Use the present address as virtual IP' (SPEC R3): `present` in a list of virtual IPs
//! stands for the addresses that the interface has now on the node where that is entered,
//! but those that the same settings give to one of the nodes.

use std::net::IpAddr;

use twinwall_core::config::Prefix;

use crate::agent::api::error::Refusal;
use crate::agent::settings::view::HaInterface;
use crate::agent::settings::{Change, HaSettings, Value, check};

/// The word.
const PRESENT: &str = "present";

/// Whether any of them has the word.
pub(in crate::agent) fn is_named(changes: &[Change]) -> bool {
    changes.iter().any(|change| match change {
        Change::Set { value: Value::List(entries), .. } => entries.iter().any(|it| it == PRESENT),
        Change::Add { value, .. } => value == PRESENT,
        Change::Set { .. }
        | Change::Remove { .. }
        | Change::RemoveInterface { .. }
        | Change::RemoveAlert { .. } => false,
    })
}

/// The changes with addresses in the place of the word. `held` gives what an interface has.
///
/// # Errors
/// At the field, where there is no such address.
pub(in crate::agent) fn resolve(
    changes: &[Change],
    settings: &HaSettings,
    held: impl Fn(&str) -> Result<Vec<Prefix>, Refusal>,
) -> Result<Vec<Change>, Refusal> {
    let mut all = Vec::new();
    for change in changes {
        let word = |entry: &String| entry == PRESENT;
        match change {
            Change::Set { key, value: Value::List(entries) } if entries.iter().any(word) => {
                let found = addresses(key, changes, settings, &held)?;
                let others = entries.iter().filter(|entry| !word(entry)).cloned();
                let entries = found.into_iter().chain(others).collect();
                all.push(Change::Set { key: key.clone(), value: Value::List(entries) });
            }
            Change::Add { key, value } if word(value) => {
                let found = addresses(key, changes, settings, &held)?;
                all.extend(found.into_iter().map(|value| Change::Add { key: key.clone(), value }));
            }
            other => all.push(other.clone()),
        }
    }
    Ok(all)
}

fn addresses(
    key: &str,
    changes: &[Change],
    settings: &HaSettings,
    held: &impl Fn(&str) -> Result<Vec<Prefix>, Refusal>,
) -> Result<Vec<String>, Refusal> {
    let name = key.strip_prefix("interface.").and_then(|rest| rest.strip_suffix(".virtual"));
    let Some(name) = name else {
        let message = "'present' stands for addresses of an interface, in interface.NAME.virtual";
        return Err(check::at(key.to_owned(), message.to_owned()));
    };
    let own: Vec<IpAddr> = ["primary", "secondary"]
        .iter()
        .flat_map(|part| owned(&format!("interface.{name}.{part}"), name, changes, settings))
        .filter_map(|text| text.split('/').next()?.trim().parse().ok())
        .collect();
    let wanted = |prefix: &Prefix| {
        let link_local = matches!(prefix.address, IpAddr::V6(six) if six.is_unicast_link_local());
        !link_local && !own.contains(&prefix.address)
    };
    let found: Vec<String> =
        held(name)?.iter().filter(|it| wanted(it)).map(ToString::to_string).collect();
    if found.is_empty() {
        let message = format!(
            "{name} has no address on this node that could become a virtual IP; enter it on the \
             node whose address the clients use, with interface.{name}.primary and \
             interface.{name}.secondary as the two new ones"
        );
        return Err(check::at(key.to_owned(), message));
    }
    Ok(found)
}

/// What a list of own addresses will be.
fn owned(key: &str, name: &str, changes: &[Change], settings: &HaSettings) -> Vec<String> {
    let now = |interface: &HaInterface| match key.ends_with(".primary") {
        true => interface.primary.clone(),
        false => interface.secondary.clone(),
    };
    let current = settings.interfaces.iter().find(|one| one.name == name);
    let mut list = current.map(now).unwrap_or_default();
    for change in changes {
        match change {
            Change::Set { key: at, value: Value::List(entries) } if at == key => {
                list = entries.clone();
            }
            Change::Add { key: at, value } if at == key => list.push(value.clone()),
            Change::Remove { key: at, value } if at == key => list.retain(|it| it != value),
            Change::Set { .. } | Change::Add { .. } | Change::Remove { .. } => {}
            Change::RemoveInterface { .. } | Change::RemoveAlert { .. } => {}
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::parse_pair;

    use super::*;

    const PAIR: &str = "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n\
        [[interface]]\nname = \"lan.5\"\nwatch = true\nprimary = \"10.1.0.1/24\"\nsecondary = \"10.1.0.9/24\"\n";

    fn resolved(all: &[&str]) -> Result<Vec<String>, Refusal> {
        let pair = parse_pair("pair.toml", PAIR).unwrap_or_else(|errors| panic!("{errors}"));
        let changes: Vec<Change> = all.iter().map(|text| text.parse().expect("a change")).collect();
        let held = |name: &str| {
            assert_eq!(name, "lan.5");
            let all = ["10.1.0.1/24", "fe80::7/64", "10.1.0.2/24", "fd00::1/64"];
            Ok(all.iter().map(|text| text.parse().expect("a prefix")).collect())
        };
        let all = resolve(&changes, &HaSettings::from(&pair), held)?;
        let virtual_ips = all.into_iter().filter_map(|change| match change {
            Change::Set { key, value: Value::List(list) } if key.ends_with("virtual") => Some(list),
            Change::Add { value, .. } => Some(vec![value]),
            _ => None,
        });
        Ok(virtual_ips.flatten().collect())
    }

    #[test]
    fn the_present_addresses_but_the_nodes_new_own_ones_become_virtual() {
        let own = ["interface.lan.5.primary=10.1.0.2/24", "interface.lan.5.secondary=10.1.0.3/24"];
        let [one, two] = own;
        let all = resolved(&[one, two, "interface.lan.5.virtual=present"]).expect("there are");
        assert_eq!(all, ["10.1.0.1/24", "fd00::1/64"]);
        let all = resolved(&["interface.lan.5.virtual+=present", one, two]).expect("there are");
        assert_eq!(all, ["10.1.0.1/24", "fd00::1/64"], "whatever the order");
        let all = resolved(&[one, two, "interface.lan.5.virtual=present,10.1.0.8/24"]);
        assert_eq!(all.expect("there are"), ["10.1.0.1/24", "fd00::1/64", "10.1.0.8/24"]);
        let all = resolved(&["interface.lan.5.virtual=present"]).expect("the settings' own stay");
        assert_eq!(all, ["10.1.0.2/24", "fd00::1/64"]);
    }

    #[test]
    fn where_there_is_none_or_it_means_nothing_that_is_said_at_the_field() {
        let own = "interface.lan.5.primary=10.1.0.1/24,10.1.0.2/24,fd00::1/64";
        let none = resolved(&[own, "interface.lan.5.virtual=present"]).expect_err("none is left");
        assert_eq!(none.details[0].place, "interface.lan.5.virtual");
        let wrong = resolved(&["ping.targets=present"]).expect_err("no interface");
        assert_eq!(wrong.details[0].place, "ping.targets");
    }
}

//! The text of twinwall's own file in snmpd's configuration. Pure: the same wishes and lines
//! give the same text, so that snmpd is told only of what changed.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use twinwall_core::config::Snmp;

use super::grants::{Grant, grants};
use super::lines::{Found, Line};
use super::{VIEW, listens};
use crate::agent::snmp::value::Oid;
use crate::agent::snmp::view::Context;
use crate::snmp::mib;

/// What the file is to say.
pub(super) struct Wishes<'a> {
    pub(super) contexts: &'a [Context],
    pub(super) settings: &'a Snmp,
    pub(super) community: &'a str,
}

/// The text, where this node asks snmpd, and what is to be known.
pub(super) struct Made {
    pub(super) text: String,
    pub(super) at: Option<SocketAddr>,
    pub(super) notes: Vec<String>,
}

/// Makes it beside the administrator's own lines.
pub(super) fn make(found: &Found, wishes: &Wishes<'_>) -> Made {
    let lines = &found.lines;
    let (grants, mut notes) = grants(lines);
    let at = listens::local(lines);
    if at.is_none() {
        notes.push(
            "snmpd listens on no UDP address, so that its own objects cannot be read for the \
             other node: add one to its agentaddress line, as udp:127.0.0.1:161"
                .to_owned(),
        );
    }
    if listens::is_loopback_only(lines) {
        notes.push(
            "snmpd listens on the loopback alone, as its agentaddress line says: no manager can \
             ask it; write 'agentaddress udp:161' in snmpd.conf"
                .to_owned(),
        );
    }
    if grants.is_empty() {
        notes.push(
            "snmpd.conf lets nobody read: add a rocommunity or rouser line; contexts follow it"
                .to_owned(),
        );
    }
    notes.extend(hidden(lines, &grants));
    let text = text(lines, &grants, at, wishes);
    Made { text, at, notes }
}

fn text(lines: &[Line], grants: &[Grant], at: Option<SocketAddr>, wishes: &Wishes<'_>) -> String {
    let mut out = String::from(
        "# Made by twinwall: SNMP data from both appliances. Not to be edited: it is written anew\n\
         # after a change of snmpd.conf, and removed when that is turned off. See docs/snmp.md.\n",
    );
    // Once is enough; twice would be one more line in the log.
    if !has_agentx(lines) {
        out += "master agentx\n";
    }
    if let Some(at) = at {
        let six = if at.is_ipv6() { "6" } else { "" };
        out += "\n# How twinwall reads this node's own objects for the other one.\n";
        for below in READ {
            let _ = writeln!(out, "view {VIEW} included {below}");
        }
        let _ = writeln!(out, "rocommunity{six} {} {} -V {VIEW}", wishes.community, at.ip());
    }
    for context in wishes.contexts {
        let _ = writeln!(out, "\n# Who may read here may read in the context {}.", context.name);
        for grant in grants {
            let _ = writeln!(out, "{}", grant.line(&context.name));
        }
    }
    out + &managers(lines, wishes.settings)
}

/// What is read of a node for the other one: its objects, never users, keys and views of SNMP
/// itself, which lie below snmpModules.
const READ: [&str; 2] = [".1.3.6.1.2.1", ".1.3.6.1.4.1"];

/// Whether the administrator has turned AgentX on.
pub(super) fn has_agentx(lines: &[Line]) -> bool {
    lines.iter().any(|line| match line.as_slice() {
        [word, value, ..] => {
            word.eq_ignore_ascii_case("master")
                && ["agentx", "yes", "on", "all"].iter().any(|it| value.eq_ignore_ascii_case(it))
        }
        _ => false,
    })
}

/// Those that the settings name get it with the community of the others.
fn managers(lines: &[Line], settings: &Snmp) -> String {
    if settings.traps.is_empty() && settings.informs.is_empty() {
        return String::new();
    }
    let own = lines
        .iter()
        .rev()
        .find(|line| line.first().is_some_and(|word| word.eq_ignore_ascii_case("trapcommunity")));
    let community = own.and_then(|line| line.get(1)).map_or("public", String::as_str);
    let plain = |one: char| one.is_ascii_graphic() && !"\"'#".contains(one);
    let community = if community.chars().all(plain) { community } else { "public" };
    let mut out = String::from("\n# Who is told, by [snmp] of pair.toml.\n");
    let kinds = [("trap2sink", &settings.traps), ("informsink", &settings.informs)];
    for (word, all) in kinds {
        for manager in all {
            let protocol = if manager.is_ipv6() { "udp6" } else { "udp" };
            let _ = writeln!(out, "{word} {protocol}:{} {community}", shown(*manager));
        }
    }
    out
}

fn shown(at: SocketAddr) -> String {
    match at.ip() {
        IpAddr::V4(four) => format!("{four}:{}", at.port()),
        IpAddr::V6(six) => format!("[{six}]:{}", at.port()),
    }
}

/// Views of grants in which TWINWALL-MIB cannot be seen.
fn hidden(lines: &[Line], grants: &[Grant]) -> Vec<String> {
    let mut names: Vec<&str> = grants.iter().filter_map(Grant::view_name).collect();
    names.sort_unstable();
    names.dedup();
    let shows = |name: &str| {
        lines.iter().filter(|line| is_view(line, name)).any(|line| {
            let below =
                line.get(3).and_then(|text| text.trim_start_matches('.').parse::<Oid>().ok());
            // A name in letters is not understood here; it is believed to show it.
            below.is_none_or(|below| mib::root().is_within(&below))
        })
    };
    names
        .into_iter()
        .filter(|name| !shows(name))
        .map(|name| {
            format!(
                "the view '{name}' of snmpd.conf does not show TWINWALL-MIB: add the line 'view \
                 {name} included .{}' to it",
                mib::root()
            )
        })
        .collect()
}

fn is_view(line: &Line, name: &str) -> bool {
    match line.as_slice() {
        [word, view, kind, ..] => {
            word.eq_ignore_ascii_case("view")
                && view == name
                && kind.eq_ignore_ascii_case("included")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::snmp::view::Which;

    fn found(text: &str) -> Found {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        Found { lines: text.lines().map(words).collect(), includes_ours: true }
    }

    fn made(own: &str, settings: &Snmp) -> Made {
        let context = |name: &str, node| Context { name: name.to_owned(), node };
        let contexts = [context("gw-a", Which::Here), context("gw-b", Which::There)];
        make(&found(own), &Wishes { contexts: &contexts, settings, community: "secret" })
    }

    #[test]
    fn debians_own_configuration_gets_contexts_and_is_told_what_it_hides() {
        let own = "master agentx\nagentaddress 127.0.0.1,[::1]\n\
                   view systemonly included .1.3.6.1.2.1.1\nrocommunity public default -V systemonly";
        let made = made(own, &Snmp::default());
        assert!(!made.text.contains("master agentx"), "{}", made.text);
        for line in [
            "rocommunity secret 127.0.0.1 -V twinwall-reads",
            "rocommunity public@gw-a default -V systemonly gw-a",
            "rocommunity public@gw-b default -V systemonly gw-b",
        ] {
            assert!(made.text.lines().any(|it| it == line), "{line}: {}", made.text);
        }
        assert!(!made.text.contains("sink"));
        let notes = made.notes.join("\n");
        assert!(notes.contains("loopback alone") && notes.contains("'systemonly'"), "{notes}");
        assert!(notes.contains("view systemonly included .1.3.6.1.4.1."), "{notes}");
    }

    #[test]
    fn a_configuration_that_shows_all_needs_no_note() {
        let made = made("rocommunity6 public\nagentaddress udp6:161", &Snmp::default());
        assert_eq!(made.notes, Vec::<String>::new());
        assert!(made.text.contains("master agentx\n"));
        assert!(made.text.contains("rocommunity6 secret ::1 -V"), "{}", made.text);
        let view = "view most included .1.3.6.1.4\nrouser anna priv -V most";
        assert_eq!(self::made(view, &Snmp::default()).notes, Vec::<String>::new());
    }

    #[test]
    fn managers_of_the_settings_get_the_community_of_the_others() {
        let settings = Snmp {
            traps: vec!["192.0.2.9:162".parse().expect("an address")],
            informs: vec!["[2001:db8::9]:1162".parse().expect("an address")],
        };
        let text = made("rocommunity public\ntrapcommunity told", &settings).text;
        assert!(text.contains("trap2sink udp:192.0.2.9:162 told\n"), "{text}");
        assert!(text.contains("informsink udp6:[2001:db8::9]:1162 told\n"), "{text}");
        let text = made("rocommunity public", &settings).text;
        assert!(text.contains("trap2sink udp:192.0.2.9:162 public\n"), "{text}");
    }
}

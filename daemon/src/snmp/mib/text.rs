//! The module as text, for managers and `smilint`: written from the tables of objects and of
//! conditions. `twinwall snmp mib` prints it.

use std::fmt::Write;

use super::objects::{NODE, NOTICE, PAIR, TABLES};
use super::{CONFORMANCE, ENTERPRISE, Group, MODULE, NOTICES, OBJECTS, Object, Syntax, Table};
use crate::agent::conditions::ConditionId;

/// Where the text lies in the sources; a test compares it.
pub const FILE: &str = "packaging/mibs/TWINWALL-MIB.txt";
/// When the module was changed last; the first one.
const REVISION: &str = "202611300000Z";
/// Columns of a line in a description.
const WIDTH: usize = 68;

/// The text of the module.
pub fn module() -> String {
    let mut out = head();
    out += &group(&PAIR, "read-only");
    TABLES.iter().for_each(|one| out += &table(one));
    out += &group(&NOTICE, "accessible-for-notify");
    out += &notifications();
    out += &conformance();
    out + "END\n"
}

fn head() -> String {
    format!(
        "TWINWALL-MIB DEFINITIONS ::= BEGIN\n\n\
         -- Written by 'twinwall snmp mib'. The enterprise number {ENTERPRISE} is a placeholder that\n\
         -- RFC 5612 sets aside for documentation.\n\n\
         IMPORTS\n    MODULE-IDENTITY, OBJECT-TYPE, NOTIFICATION-TYPE, Unsigned32, Gauge32,\n    \
         Counter32, TimeTicks, enterprises\n        FROM SNMPv2-SMI\n    \
         TEXTUAL-CONVENTION, TruthValue, DateAndTime\n        FROM SNMPv2-TC\n    \
         MODULE-COMPLIANCE, OBJECT-GROUP, NOTIFICATION-GROUP\n        FROM SNMPv2-CONF;\n\n\
         twinwallMIB MODULE-IDENTITY\n    LAST-UPDATED \"{REVISION}\"\n    \
         ORGANIZATION \"The twinwall authors\"\n    \
         CONTACT-INFO \"twinwall@example.org\"\n    DESCRIPTION\n{}\n    \
         REVISION \"{REVISION}\"\n    DESCRIPTION\n{}\n    \
         ::= {{ twinwall {MODULE} }}\n\n\
         twinwall        OBJECT IDENTIFIER ::= {{ enterprises {ENTERPRISE} }}\n\
         twNotifications OBJECT IDENTIFIER ::= {{ twinwallMIB {NOTICES} }}\n\
         twObjects       OBJECT IDENTIFIER ::= {{ twinwallMIB {OBJECTS} }}\n\
         twConformance   OBJECT IDENTIFIER ::= {{ twinwallMIB {CONFORMANCE} }}\n\n\
         TwText ::= TEXTUAL-CONVENTION\n    DISPLAY-HINT \"255t\"\n    STATUS current\n    \
         DESCRIPTION\n{}\n    SYNTAX OCTET STRING (SIZE (0..255))\n\n\
         TwAddress ::= TEXTUAL-CONVENTION\n    DISPLAY-HINT \"1x:\"\n    STATUS current\n    \
         DESCRIPTION\n{}\n    SYNTAX OCTET STRING (SIZE (0 | 4 | 16))\n\n\
         TwConditionName ::= TEXTUAL-CONVENTION\n    STATUS current\n    DESCRIPTION\n{}\n    \
         SYNTAX INTEGER {{\n{}\n    }}\n\n",
        quoted(
            "A pair of gateways that act as one, as twinwall shows it: both nodes, their \
                links, who holds the virtual IPs, and what is the matter."
        ),
        quoted("The first version."),
        quoted("A text in UTF-8."),
        quoted(
            "An address in network byte order: 4 bytes of IPv4, 16 of IPv6, none where there \
                is no address."
        ),
        quoted("A condition, by the number that it has in twinwall's reference of conditions."),
        conditions(),
    )
}

fn conditions() -> String {
    let lines: Vec<String> = ConditionId::ALL
        .iter()
        .map(|id| format!("        {}({})", label(id.name()), id.row().number))
        .collect();
    lines.join(",\n")
}

/// `ha-link-lost` becomes `haLinkLost`.
fn label(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |all, word| all + &capital(word))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn group(group: &Group, access: &str) -> String {
    let mut out =
        format!("{} OBJECT IDENTIFIER ::= {{ twObjects {} }}\n\n", group.name, group.number);
    for (number, one) in (1..).zip(group.objects) {
        out += &object(one, access, &format!("{{ {} {number} }}", group.name));
    }
    out
}

fn table(table: &Table) -> String {
    let (name, row) = (table.name, capital(table.name));
    let mut out = format!(
        "{name}Table OBJECT-TYPE\n    SYNTAX SEQUENCE OF {row}Entry\n    MAX-ACCESS \
         not-accessible\n    STATUS current\n    DESCRIPTION\n{}\n    ::= {{ twObjects {} }}\n\n",
        quoted(table.about),
        table.number
    );
    let node = table.by_node.then_some("twNodeIndex");
    let own = table.index.iter().map(|one| one.name);
    let index: Vec<&str> = node.into_iter().chain(own).collect();
    let _ = write!(
        out,
        "{name}Entry OBJECT-TYPE\n    SYNTAX {row}Entry\n    MAX-ACCESS not-accessible\n    \
         STATUS current\n    DESCRIPTION\n{}\n    INDEX {{ {} }}\n    ::= {{ {name}Table 1 }}\n\n",
        quoted("One of them."),
        index.join(", ")
    );
    let all = || table.index.iter().chain(table.columns);
    let rows: Vec<String> =
        all().map(|one| format!("    {} {}", one.name, plain(one.syntax))).collect();
    let _ = write!(out, "{row}Entry ::= SEQUENCE {{\n{}\n}}\n\n", rows.join(",\n"));
    for (number, one) in (1..).zip(all()) {
        let is_index = number <= table.index.len();
        let access = if is_index { "not-accessible" } else { "read-only" };
        out += &object(one, access, &format!("{{ {name}Entry {number} }}"));
    }
    out
}

fn object(object: &Object, access: &str, at: &str) -> String {
    let units = object.units.map_or_else(String::new, |units| format!("    UNITS \"{units}\"\n"));
    let is_index = access == "not-accessible";
    let syntax = if is_index { "Unsigned32 (1..65535)".to_owned() } else { syntax(object.syntax) };
    format!(
        "{} OBJECT-TYPE\n    SYNTAX {syntax}\n{units}    MAX-ACCESS {access}\n    STATUS current\n    \
         DESCRIPTION\n{}\n    ::= {at}\n\n",
        object.name,
        quoted(object.about)
    )
}

fn syntax(syntax: Syntax) -> String {
    let Syntax::Words(words) = syntax else { return plain(syntax).to_owned() };
    let words: Vec<String> =
        (1..).zip(words).map(|(number, word)| format!("{word}({number})")).collect();
    format!("INTEGER {{\n        {}\n    }}", words.join(", "))
}

/// Without what is said only once.
fn plain(syntax: Syntax) -> &'static str {
    match syntax {
        Syntax::Text => "TwText",
        Syntax::Whole => "Unsigned32",
        Syntax::Gauge => "Gauge32",
        Syntax::Counter => "Counter32",
        Syntax::Truth => "TruthValue",
        Syntax::Moment => "DateAndTime",
        Syntax::Ticks => "TimeTicks",
        Syntax::Address => "TwAddress",
        Syntax::Words(_) => "INTEGER",
        Syntax::Condition => "TwConditionName",
    }
}

/// The name of a condition's notification.
fn notification(id: ConditionId) -> String {
    format!("tw{}Notice", capital(&label(id.name())))
}

fn notifications() -> String {
    let objects: Vec<&str> = NOTICE.objects.iter().map(|one| one.name).collect();
    let objects = lines(&objects);
    ConditionId::ALL
        .iter()
        .map(|id| {
            let row = id.row();
            format!(
                "{} NOTIFICATION-TYPE\n    OBJECTS {{\n{objects}\n    }}\n    STATUS current\n    \
                 DESCRIPTION\n{}\n    ::= {{ twNotifications {} }}\n\n",
                notification(*id),
                quoted(row.meaning),
                row.number
            )
        })
        .collect()
}

fn conformance() -> String {
    let readable = TABLES.iter().flat_map(|table| table.columns);
    let objects: Vec<&str> =
        PAIR.objects.iter().chain(readable).chain(NOTICE.objects).map(|one| one.name).collect();
    let notices: Vec<String> = ConditionId::ALL.iter().map(|id| notification(*id)).collect();
    let notices: Vec<&str> = notices.iter().map(String::as_str).collect();
    format!(
        "twGroups OBJECT IDENTIFIER ::= {{ twConformance 1 }}\n\
         twCompliances OBJECT IDENTIFIER ::= {{ twConformance 2 }}\n\n\
         twCompliance MODULE-COMPLIANCE\n    STATUS current\n    DESCRIPTION\n{}\n    \
         MODULE\n    MANDATORY-GROUPS {{ twObjectGroup, twNotificationGroup }}\n    \
         ::= {{ twCompliances 1 }}\n\n\
         twObjectGroup OBJECT-GROUP\n    OBJECTS {{\n{}\n    }}\n    STATUS current\n    \
         DESCRIPTION\n{}\n    ::= {{ twGroups 1 }}\n\n\
         twNotificationGroup NOTIFICATION-GROUP\n    NOTIFICATIONS {{\n{}\n    }}\n    \
         STATUS current\n    DESCRIPTION\n{}\n    ::= {{ twGroups 2 }}\n\n",
        quoted("twinwall has all of it."),
        lines(&objects),
        quoted("Every object."),
        lines(&notices),
        quoted("Every notification."),
    )
}

fn lines(names: &[&str]) -> String {
    names.iter().map(|name| format!("        {name}")).collect::<Vec<_>>().join(",\n")
}

/// A description in quotes, cut into lines between words. A module is ASCII (RFC 2578).
fn quoted(text: &str) -> String {
    let text = text.replace('"', "'").replace('…', "...");
    let text: String = text.chars().map(|one| if one.is_ascii() { one } else { '?' }).collect();
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let full = lines.last().is_some_and(|line| line.len() + word.len() >= WIDTH);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    format!("        \"{}\"", lines.join("\n         "))
}

/// Numbers of the columns of a table that can be read.
pub(super) fn first_column(table: &Table) -> u32 {
    u32::try_from(table.index.len()).unwrap_or(u32::MAX) + 1
}

const _: () = assert!(NODE.index.len() == 1, "twNodeIndex stands alone before rows by node");

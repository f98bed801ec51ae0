//! How SNMP stands on this node: a part of the page Diagnostics.

use askama::Template;

use super::dashboard::render;
use crate::agent::snmp::view::{Context, SnmpState, Which};

/// The part.
#[derive(Template)]
#[template(path = "part/snmp.html")]
struct Snmp<'a> {
    snmp: Option<&'a SnmpState>,
}

/// Draws it; without a state nobody knows.
pub(super) fn draw(snmp: Option<&SnmpState>) -> String {
    render(&Snmp { snmp })
}

impl Snmp<'_> {
    /// Class and words.
    fn state(&self, snmp: &SnmpState) -> (&'static str, &'static str) {
        match (snmp.wanted, snmp.connected) {
            (true, true) => ("good", "snmpd answers for both appliances"),
            (true, false) => ("bad", "snmpd does not answer for both appliances"),
            (false, true) => ("calm", "off: snmpd has TWINWALL-MIB alone"),
            (false, false) => ("unknown", "off"),
        }
    }

    fn whose(&self, context: &Context) -> &'static str {
        match context.node {
            Which::Here => "this node's own objects",
            Which::There => "the other node's own objects",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_done_is_shown_and_nothing_of_it_is_markup() {
        let context = Context { name: "gw-b".to_owned(), node: Which::There };
        let state = SnmpState {
            wanted: true,
            contexts: vec![context],
            notes: vec!["the view '<b>' does not show it".to_owned()],
            ..SnmpState::default()
        };
        let shown = draw(Some(&state));
        assert!(shown.contains("snmpd does not answer for both appliances"), "{shown}");
        assert!(shown.contains("gw-b") && !shown.contains("<b>"), "{shown}");
        assert!(draw(None).contains("Not known"));
    }
}

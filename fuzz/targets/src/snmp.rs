//! What snmpd says to the subagent, and what an SNMP agent answers.

use twinwall::agent::snmp::ber::{MAX_BINDINGS, decode_answer};
use twinwall::snmp::agentx::{HEADER, MAX_CONTENT, MAX_RANGES, Said, decode_header, decode_pdu};

/// What comes out of snmpd's socket, cut at its headers.
pub fn agentx(mut data: &[u8]) {
    while let Some((header, rest)) = data.split_first_chunk::<HEADER>() {
        let Ok(header) = decode_header(header) else { return };
        assert!(header.length <= MAX_CONTENT);
        let Some((content, rest)) = rest.split_at_checked(header.length) else { return };
        match decode_pdu(&header, content) {
            Ok(Said::Get { ranges, .. } | Said::GetNext { ranges, .. }) => {
                assert!(ranges.len() <= MAX_RANGES.min(content.len() / 8));
            }
            Ok(Said::GetBulk { ranges, .. }) => assert!(ranges.len() <= MAX_RANGES),
            Ok(_) | Err(_) => {}
        }
        data = rest;
    }
}

/// A datagram from the place of snmpd.
pub fn answer(data: &[u8]) {
    let Some(answer) = decode_answer(data) else { return };
    assert!(answer.bindings.len() <= MAX_BINDINGS);
    for binding in &answer.bindings {
        let json = serde_json::to_string(binding).expect("what was read can be written");
        assert_eq!(serde_json::from_str(&json).ok().as_ref(), Some(binding), "{json}");
    }
}

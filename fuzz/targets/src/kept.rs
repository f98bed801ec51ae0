//! What the agents tell each other of files beside the configuration, and what they read of the
//! leases of DHCP servers.

use twinwall::agent::exchange::message::Message;
use twinwall::agent::leases::{Format, Table};

/// A question or an answer about reports, leases and history.
pub fn message(data: &[u8]) {
    let Ok(message) = Message::decode(data) else { return };
    // JSON can be written shorter than we write it.
    let Ok(bytes) = message.encode() else { return };
    assert_eq!(Message::decode(&bytes), Ok(message));
}

/// Files of leases: the first byte says of which server, a line `--` ends each.
pub fn leases(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let format = match first % 3 {
        0 => Format::Dnsmasq,
        1 => Format::Kea,
        _other => Format::Whole,
    };
    let text: Vec<u8> = rest.to_vec();
    let mut files = vec![Vec::new()];
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line {
            b"--\n" => files.push(Vec::new()),
            line => files.last_mut().expect("one at least").extend_from_slice(line),
        }
    }
    let Ok(table) = Table::parse(format, &files) else { return };
    let again = Table::parse(format, &[table.write(format)]).expect("what was written is read");
    assert_eq!(again, table);
    let mut taken = Table::default();
    while taken.digest() != table.digest() {
        let change = taken.change_to(&table, 64);
        assert!(!change.set.is_empty() || !change.removed.is_empty());
        taken.make(change).expect("within its limits");
    }
}

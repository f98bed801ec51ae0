//! Entries of the system's journal in its export format (systemd's "Journal Export Format"), as
//! `journalctl --output=export` prints them, made into lines as syslog would write them. Bytes
//! in, lines out; what is too long is passed over, never kept in memory.

use crate::agent::clock::utc;
use crate::agent::logs::store::MAX_RAW;

/// Longest value of a field that is kept, in bytes; more of a message is cut.
const MAX_VALUE: usize = 64 << 10;
/// Most bytes before a message: time, host and program.
const MAX_HEAD: usize = 512;
/// Fields that matter.
const FIELDS: [&str; 8] = [
    "__CURSOR",
    "__REALTIME_TIMESTAMP",
    "_HOSTNAME",
    "SYSLOG_IDENTIFIER",
    "_PID",
    "MESSAGE",
    "_SYSTEMD_UNIT",
    "UNIT",
];

/// An entry as lines, each with its line feed: a message of several becomes several, each with
/// the time and the program before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) lines: Vec<u8>,
    pub(super) count: u64,
    /// Where to go on behind it.
    pub(super) cursor: Vec<u8>,
    /// The unit that said it, or of which the system's manager said it.
    pub(super) unit: Vec<u8>,
}

/// What of the next field is known.
#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    /// Nothing: its line follows.
    Field,
    /// It is binary, and its length follows.
    Length(Option<usize>),
    /// So many bytes of its value follow, and a line feed.
    Value(Option<usize>, u64),
}

/// Takes the journal's bytes as they come.
#[derive(Debug)]
pub(super) struct Export {
    at: At,
    held: Vec<u8>,
    /// Values in the order of [`FIELDS`].
    values: [Vec<u8>; 8],
}

impl Export {
    pub(super) fn new() -> Export {
        Export { at: At::Field, held: Vec::new(), values: Default::default() }
    }

    /// Entries that are whole now.
    pub(super) fn take(&mut self, mut bytes: &[u8], entries: &mut Vec<Entry>) {
        while !bytes.is_empty() {
            bytes = match self.at.clone() {
                At::Field => self.take_line(bytes, entries),
                At::Length(field) => self.take_length(field, bytes),
                At::Value(field, left) => self.take_value(field, left, bytes),
            };
        }
    }

    fn take_line<'b>(&mut self, bytes: &'b [u8], entries: &mut Vec<Entry>) -> &'b [u8] {
        let end = memchr::memchr(b'\n', bytes);
        let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        let room = MAX_VALUE.saturating_sub(self.held.len());
        self.held.extend(&line[..line.len().min(room)]);
        if end.is_none() {
            return rest;
        }
        let line = std::mem::take(&mut self.held);
        if line.is_empty() {
            entries.extend(self.finish());
        } else if let Some(equals) = memchr::memchr(b'=', &line) {
            if let Some(field) = field_of(&line[..equals]) {
                self.values[field] = line[equals + 1..].to_vec();
            }
        } else {
            self.at = At::Length(field_of(&line));
        }
        &rest[1..]
    }

    fn take_length<'b>(&mut self, field: Option<usize>, bytes: &'b [u8]) -> &'b [u8] {
        let (part, rest) = bytes.split_at(bytes.len().min(8 - self.held.len()));
        self.held.extend(part);
        if let Ok(length) = <[u8; 8]>::try_from(self.held.as_slice()) {
            self.held.clear();
            self.at = At::Value(field, u64::from_le_bytes(length).saturating_add(1));
        }
        rest
    }

    fn take_value<'b>(&mut self, field: Option<usize>, left: u64, bytes: &'b [u8]) -> &'b [u8] {
        let part = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (value, rest) = bytes.split_at(part);
        let room = MAX_VALUE.saturating_sub(self.held.len());
        if field.is_some() {
            self.held.extend(&value[..value.len().min(room)]);
        }
        let left = left - part as u64;
        self.at = At::Value(field, left);
        if left == 0 {
            let mut value = std::mem::take(&mut self.held);
            if value.len() < MAX_VALUE {
                // The line feed behind it.
                value.pop();
            }
            if let Some(field) = field {
                self.values[field] = value;
            }
            self.at = At::Field;
        }
        rest
    }

    fn finish(&mut self) -> Option<Entry> {
        let [cursor, time, host, program, pid, message, unit, about] =
            std::mem::take(&mut self.values);
        if cursor.is_empty() {
            return None;
        }
        let time_us = std::str::from_utf8(&time).ok().and_then(|text| text.parse().ok());
        let mut head = utc(time_us.unwrap_or(0)).into_bytes();
        head.extend([&b" "[..], &host, b" ", &program].concat());
        if !pid.is_empty() {
            head.extend([&b"["[..], &pid, b"]"].concat());
        }
        // Only a message may have several lines.
        head.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        head.truncate(MAX_HEAD);
        head.extend(b": ");
        // Anybody may say of what unit a message is; the system's manager alone is believed.
        let unit = if about.is_empty() || pid != b"1" { unit } else { about };
        let mut entry = Entry { cursor, unit, ..Entry::default() };
        for line in message.split(|byte| *byte == b'\n') {
            if entry.lines.len() + head.len() + line.len() >= MAX_RAW {
                break;
            }
            entry.lines.extend(&head);
            entry.lines.extend(line);
            entry.lines.push(b'\n');
            entry.count += 1;
        }
        Some(entry)
    }
}

fn field_of(name: &[u8]) -> Option<usize> {
    FIELDS.iter().position(|field| field.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1700000000123456\n_HOSTNAME=gw-a\n\
        SYSLOG_IDENTIFIER=charon\n_PID=77\n_SYSTEMD_UNIT=a.service\nPRIORITY=6\nMESSAGE=up = yes\n\n\
        __CURSOR=s=1;i=3\n__REALTIME_TIMESTAMP=1700000001000000\n_HOSTNAME=gw-a\n\
        SYSLOG_IDENTIFIER=kernel\nOTHER\n\x03\0\0\0\0\0\0\0a\nb\nMESSAGE\n\x09\0\0\0\0\0\0\0one\ntwo \xff\n\n";

    #[test]
    fn entries_become_lines_wherever_the_bytes_are_cut() {
        let mut whole = Vec::new();
        Export::new().take(TWO, &mut whole);
        let texts: Vec<String> =
            whole.iter().map(|it| String::from_utf8_lossy(&it.lines).into_owned()).collect();
        assert_eq!(
            texts,
            [
                "2023-11-14T22:13:20.123456Z gw-a charon[77]: up = yes\n",
                "2023-11-14T22:13:21.000000Z gw-a kernel: one\n\
                 2023-11-14T22:13:21.000000Z gw-a kernel: two \u{fffd}\n"
            ]
        );
        assert_eq!((whole[1].count, whole[1].cursor.as_slice()), (2, &b"s=1;i=3"[..]));
        assert_eq!((whole[0].unit.as_slice(), whole[1].unit.len()), (&b"a.service"[..], 0));
        for cut in 0..TWO.len() {
            let (mut export, mut entries) = (Export::new(), Vec::new());
            export.take(&TWO[..cut], &mut entries);
            export.take(&TWO[cut..], &mut entries);
            assert_eq!(entries, whole, "cut at {cut}");
        }
    }

    #[test]
    fn only_the_systems_manager_speaks_for_a_unit() {
        for (pid, unit) in [("1", "b.service"), ("77", "a.service")] {
            let text = format!(
                "__CURSOR=1\n_PID={pid}\n_SYSTEMD_UNIT=a.service\nUNIT=b.service\nMESSAGE=x\n\n"
            );
            let mut entries = Vec::new();
            Export::new().take(text.as_bytes(), &mut entries);
            assert_eq!(entries[0].unit, unit.as_bytes());
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_the_next_entry_is_whole() {
        let long = vec![b'x'; 1 << 20];
        let mut bytes = b"__CURSOR=1\nMESSAGE=".to_vec();
        bytes.extend(&long);
        bytes.extend(b"\n\n__CURSOR=2\nMESSAGE\n");
        bytes.extend((long.len() as u64).to_le_bytes());
        bytes.extend(&long);
        bytes.extend(b"\n\n__CURSOR=3\nMESSAGE=short\n\n");
        let mut entries = Vec::new();
        let mut export = Export::new();
        bytes.chunks(1000).for_each(|chunk| export.take(chunk, &mut entries));
        assert_eq!(entries.len(), 3);
        assert!(entries.iter().all(|entry| entry.lines.len() <= MAX_VALUE + 100));
        assert!(entries[2].lines.ends_with(b": short\n"));
    }
}

//! The leases of one file as rows by their addresses, so that two nodes can tell each other only
//! what changed. Reads what dnsmasq and Kea write, and writes what they read. Bytes stay as they
//! are: each stands for the character of its number, whatever it means. Pure.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::digest::Digest;

/// Leases of one file: more than the largest networks behind two gateways have.
pub(super) const MAX_ROWS: usize = 200_000;
/// Bytes of one file.
pub(super) const MAX_BYTES: usize = 32 << 20;

/// How a file of leases is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LeaseFormat")]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// dnsmasq's: a lease a line, rewritten as a whole.
    Dnsmasq,
    /// Kea's memfile: CSV, appended to; a later row of an address takes the place of an earlier.
    Kea,
    /// Any other: taken as it is.
    Whole,
}

impl Format {
    /// As a profile writes it.
    pub const fn id(self) -> &'static str {
        match self {
            Format::Dnsmasq => "dnsmasq",
            Format::Kea => "kea",
            Format::Whole => "whole",
        }
    }
}

/// Why bytes are no leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// It ends within a line: it is being written.
    Cut,
    /// A line that this format does not have, by its number from 1.
    Line(usize),
    /// More than [`MAX_ROWS`] or [`MAX_BYTES`].
    TooMany,
}

impl fmt::Display for TableError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableError::Cut => out.write_str("it ends within a line"),
            TableError::Line(number) => write!(out, "line {number} is no lease of this format"),
            TableError::TooMany => {
                write!(out, "more than {MAX_ROWS} leases or {} MiB", MAX_BYTES >> 20)
            }
        }
    }
}

impl std::error::Error for TableError {}

/// Where a row stands in the file, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Rows of a smaller part come first: the head, IPv4, the server's own identity, IPv6.
    part: u8,
    /// The address, mostly.
    of: String,
}

/// The leases of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    rows: BTreeMap<Key, String>,
}

/// What makes one table of another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Rows that are gone.
    pub removed: Vec<Key>,
    /// Rows that are new, or others than before.
    pub set: Vec<(Key, String)>,
}

impl Table {
    /// Reads one or more files of a server, the oldest first.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(format: Format, files: &[Vec<u8>]) -> Result<Table, TableError> {
        if files.iter().map(Vec::len).sum::<usize>() > MAX_BYTES {
            return Err(TableError::TooMany);
        }
        let mut table = Table::default();
        for bytes in files {
            let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            match format {
                Format::Whole => table.put(0, String::new(), text),
                Format::Dnsmasq => table.add_dnsmasq(&text)?,
                Format::Kea => table.add_kea(&text)?,
            }
        }
        if table.rows.len() > MAX_ROWS { Err(TableError::TooMany) } else { Ok(table) }
    }

    /// The file.
    pub fn write(&self, format: Format) -> Vec<u8> {
        let end = match format {
            Format::Whole => "",
            Format::Dnsmasq | Format::Kea => "\n",
        };
        let lines = self.rows.values().flat_map(|row| row.chars().chain(end.chars()));
        lines.map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect()
    }

    /// Leases; what is none, as a head, is not counted.
    pub fn leases(&self) -> usize {
        self.rows.keys().filter(|key| key.part == V4 || key.part == V6).count()
    }

    /// Tells two tables apart.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for (key, row) in &self.rows {
            hasher.update(&[key.part]);
            for text in [&key.of, row] {
                hasher.update(&(text.len() as u64).to_be_bytes());
                hasher.update(text.as_bytes());
            }
        }
        Digest(*hasher.finalize().as_bytes())
    }

    /// What makes `newer` of this one, at most about `room` bytes of it.
    pub fn change_to(&self, newer: &Table, mut room: usize) -> Change {
        let mut change = Change::default();
        let mut fits = |key: &Key, row: &str| {
            let left = room.checked_sub(key.of.len() + 2 * row.len() + ROW_BYTES);
            room = left.unwrap_or(0);
            left.is_some()
        };
        // One row at least, or a long one would never come.
        for (key, row) in &newer.rows {
            if self.rows.get(key) != Some(row) && (fits(key, row) || change.set.is_empty()) {
                change.set.push((key.clone(), row.clone()));
            }
        }
        for key in self.rows.keys().filter(|key| !newer.rows.contains_key(key)) {
            if fits(key, "") {
                change.removed.push(key.clone());
            }
        }
        change
    }

    /// Makes a change.
    ///
    /// # Errors
    /// When there would be too many rows; nothing is changed then.
    pub fn make(&mut self, change: Change) -> Result<(), TableError> {
        let bytes: usize = change.set.iter().map(|(key, row)| key.of.len() + row.len()).sum();
        if self.rows.len() + change.set.len() > 2 * MAX_ROWS || bytes > MAX_BYTES {
            return Err(TableError::TooMany);
        }
        for key in &change.removed {
            self.rows.remove(key);
        }
        self.rows.extend(change.set);
        Ok(())
    }

    /// What may be believed of a file that was written just now. dnsmasq empties its file and
    /// writes it anew: rows that are new are told at once, and one that is missing is gone only
    /// when the file has been calm for a moment. Of a file without rows nothing can be told.
    pub(super) fn beside(mut self, older: &Table, format: Format) -> Table {
        match format {
            Format::Whole => return older.clone(),
            Format::Dnsmasq | Format::Kea => {}
        }
        let heads = (self.head(), older.head());
        let others = matches!(heads, (Some(new), Some(old)) if new != old);
        if !others {
            for (key, row) in &older.rows {
                self.rows.entry(key.clone()).or_insert_with(|| row.clone());
            }
        }
        self
    }

    /// The names of the columns, where the format has them.
    fn head(&self) -> Option<&String> {
        self.rows.get(&Key { part: HEAD, of: String::new() })
    }

    fn put(&mut self, part: u8, of: String, row: String) {
        self.rows.insert(Key { part, of }, row);
    }

    /// `EXPIRY MAC ADDRESS NAME CLIENT`; after a line `duid ID` those of IPv6 (dnsmasq's
    /// lease.c).
    fn add_dnsmasq(&mut self, text: &str) -> Result<(), TableError> {
        for (line, number) in lines(text)?.zip(1..) {
            let mut words = line.split(' ');
            let first = words.next().unwrap_or_default();
            if first == "duid" && words.clone().count() == 1 {
                self.put(IDENTITY, String::new(), line.to_owned());
                continue;
            }
            let address = words.nth(1).filter(|_| first.bytes().all(|byte| byte.is_ascii_digit()));
            let address = address.ok_or(TableError::Line(number))?;
            let part = match address.parse() {
                Ok(std::net::IpAddr::V4(_)) => V4,
                Ok(std::net::IpAddr::V6(_)) => V6,
                Err(_) => return Err(TableError::Line(number)),
            };
            self.put(part, address.to_owned(), line.to_owned());
        }
        Ok(())
    }

    /// A head with the names of the columns, then a row for each change of a lease.
    fn add_kea(&mut self, text: &str) -> Result<(), TableError> {
        let mut lines = lines(text)?.zip(1..);
        let Some((head, _)) = lines.next() else { return Ok(()) };
        let names: Vec<&str> = head.split(',').collect();
        let column = |name: &str| names.iter().position(|it| *it == name);
        let (Some(address), Some(valid)) = (column("address"), column("valid_lifetime")) else {
            return Err(TableError::Line(1));
        };
        let kind = column("lease_type");
        self.put(HEAD, String::new(), head.to_owned());
        for (line, number) in lines {
            let fields: Vec<&str> = line.split(',').collect();
            let field = |at: usize| fields.get(at).copied().ok_or(TableError::Line(number));
            let place = field(address)?;
            let part = if place.contains(':') { V6 } else { V4 };
            let kind = kind.map(field).transpose()?.unwrap_or_default();
            let of = format!("{place} {kind}");
            // Kea writes a lease that ended with no life left.
            if field(valid)? == "0" {
                self.rows.remove(&Key { part, of });
            } else {
                self.put(part, of, line.to_owned());
            }
        }
        Ok(())
    }
}

const HEAD: u8 = 0;
const V4: u8 = 1;
const IDENTITY: u8 = 2;
const V6: u8 = 3;
/// Bytes of a row beside its words.
const ROW_BYTES: usize = 48;

/// The lines of a file that is whole; empty ones are none.
fn lines(text: &str) -> Result<impl Iterator<Item = &str>, TableError> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(TableError::Cut);
    }
    Ok(text.split('\n').filter(|line| !line.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DNSMASQ: &str = "1796003549 52:54:00:12:34:56 10.1.0.50 laptop 01:52:54:00:12:34:56\n\
        1796003500 52:54:00:12:34:57 10.1.0.9 * *\n\
        duid 00:01:00:01:2c:00:00:01:52:54:00:00:00:01\n\
        1796003549 305419896 fd00::50 laptop 00:01:00:01\n";
    const KEA: &str = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n\
        10.1.0.50,52:54:00:12:34:56,01:52,3600,1796003549,1,0,0,laptop,0,,0\n\
        10.1.0.51,52:54:00:12:34:57,,3600,1796003549,1,0,0,,0,,0\n";

    fn read(format: Format, files: &[&str]) -> Table {
        let files: Vec<Vec<u8>> = files.iter().map(|it| it.as_bytes().to_vec()).collect();
        Table::parse(format, &files).expect("leases")
    }

    #[test]
    fn what_a_server_wrote_is_what_the_other_one_reads() {
        let table = read(Format::Dnsmasq, &[DNSMASQ]);
        assert_eq!(table.leases(), 3);
        let text = String::from_utf8(table.write(Format::Dnsmasq)).expect("text");
        let mut lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].starts_with("duid ") && lines[3].contains("fd00::50"), "{text}");
        lines.sort_unstable();
        let mut wanted: Vec<&str> = DNSMASQ.lines().collect();
        wanted.sort_unstable();
        assert_eq!(lines, wanted);
        assert_eq!(read(Format::Dnsmasq, &[&text]), table);
        let kea = read(Format::Kea, &[KEA]);
        assert_eq!(String::from_utf8(kea.write(Format::Kea)).expect("text"), KEA);
        let whole = Table::parse(Format::Whole, &[vec![0, 255, b'\n', 7]]).expect("anything");
        assert_eq!(whole.write(Format::Whole), [0, 255, b'\n', 7]);
    }

    #[test]
    fn of_keas_rows_the_last_one_of_an_address_holds_and_one_without_life_ends_it() {
        let head = KEA.lines().next().expect("a head");
        let later = format!(
            "{head}\n10.1.0.50,52:54:00:12:34:56,01:52,7200,1796009999,1,0,0,laptop,0,,0\n\
             10.1.0.51,52:54:00:12:34:57,,0,1796003549,1,0,0,,0,,0\n"
        );
        let table = read(Format::Kea, &[KEA, &later]);
        assert_eq!(table.leases(), 1);
        let text = String::from_utf8(table.write(Format::Kea)).expect("text");
        assert!(text.starts_with(head) && text.contains("7200,1796009999"), "{text}");
    }

    #[test]
    fn a_file_that_is_being_written_or_is_none_is_refused() {
        let parse = |format, text: &str| Table::parse(format, &[text.as_bytes().to_vec()]);
        assert_eq!(parse(Format::Dnsmasq, "1796003549 52:54:00"), Err(TableError::Cut));
        for (text, line) in [("x y z\n", 1), ("1 mac 10.1.0.5 a *\n1 mac nowhere a *\n", 2)] {
            assert_eq!(parse(Format::Dnsmasq, text), Err(TableError::Line(line)), "{text}");
        }
        assert_eq!(parse(Format::Kea, "a,b\n"), Err(TableError::Line(1)));
        let short = format!("{}\n10.1.0.50\n", KEA.lines().next().expect("a head"));
        assert_eq!(parse(Format::Kea, &short), Err(TableError::Line(2)));
        assert_eq!(parse(Format::Kea, ""), Ok(Table::default()));
    }

    #[test]
    fn a_file_that_is_being_written_anew_gives_leases_and_takes_none() {
        let old = read(Format::Dnsmasq, &[DNSMASQ]);
        let emptied = read(Format::Dnsmasq, &[""]).beside(&old, Format::Dnsmasq);
        assert_eq!(emptied, old);
        let begun =
            read(Format::Dnsmasq, &["9 52:54:00:12:34:56 10.1.0.50 * *\n9 m 10.1.0.60 * *\n"]);
        let both = begun.clone().beside(&old, Format::Dnsmasq);
        assert_eq!(both.leases(), 4);
        let text = String::from_utf8(both.write(Format::Dnsmasq)).expect("text");
        assert!(text.contains("9 52:54:00:12:34:56 10.1.0.50"), "a lease that is longer: {text}");
        let [first, second] = [b"first", b"secon"]
            .map(|text| Table::parse(Format::Whole, &[text.to_vec()]).expect("anything"));
        assert_eq!(second.beside(&first, Format::Whole), first, "not before it is calm");
        let kea = read(Format::Kea, &[KEA]);
        let other = read(Format::Kea, &["address,valid_lifetime\n10.1.0.9,60\n"]);
        assert_eq!(other.clone().beside(&kea, Format::Kea), other, "rows of other columns");
        let head = format!("{}\n", KEA.lines().next().expect("a head"));
        let cleaned = read(Format::Kea, &[&head]);
        assert_eq!(cleaned.beside(&kea, Format::Kea), kea);
    }

    #[test]
    fn changes_in_pieces_lead_to_the_same_table() {
        let lease = |host: usize, end: usize| {
            format!("{end} 52:54:00:00:00:01 10.1.{}.{} * *\n", host / 250, host % 250)
        };
        let text = |range: std::ops::Range<usize>, end: usize| {
            range.map(|host| lease(host, end)).collect::<String>()
        };
        let old = read(Format::Dnsmasq, &[&text(0..800, 5)]);
        let new = read(Format::Dnsmasq, &[&(text(300..500, 5) + &text(500..1200, 6))]);
        let (mut table, mut pieces) = (old, 0);
        while table.digest() != new.digest() {
            let change = table.change_to(&new, 8 << 10);
            assert!(!change.set.is_empty() || !change.removed.is_empty());
            table.make(change).expect("few");
            pieces += 1;
            assert!(pieces < 100);
        }
        assert!(pieces > 5, "{pieces}");
        assert_eq!(table, new);
    }
}

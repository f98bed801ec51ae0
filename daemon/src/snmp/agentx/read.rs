//! Reads what snmpd says. Foreign bytes: every length is checked before it is believed.

use super::{HAS_CONTEXT, HEADER, Header, MAX_CONTENT, MAX_RANGES, NETWORK_ORDER, Range, Said};
use super::{VERSION, Wrong, kind};
use crate::agent::snmp::value::{MAX_ARCS, Oid};

/// A prefix byte stands for these numbers before its own (section 5.1).
const INTERNET: [u32; 4] = [1, 3, 6, 1];
/// Longest name of a context in bytes (RFC 3411).
const MAX_CONTEXT: usize = 255;

/// Reads a header.
///
/// # Errors
/// When it is of another version, or announces too much.
pub fn decode_header(bytes: &[u8; HEADER]) -> Result<Header, Wrong> {
    let [version, kind, flags, ..] = *bytes;
    if version != VERSION {
        return Err(Wrong::Version(version));
    }
    let network_order = flags & NETWORK_ORDER != 0;
    let mut reader = Reader { rest: &bytes[4..], network_order };
    let (session, transaction, packet) = (reader.number()?, reader.number()?, reader.number()?);
    let length = reader.number()? as usize;
    if length > MAX_CONTENT {
        return Err(Wrong::TooLong(length));
    }
    let has_context = flags & HAS_CONTEXT != 0;
    Ok(Header { kind, network_order, has_context, session, transaction, packet, length })
}

/// Reads what follows a header.
///
/// # Errors
/// When it does not fit its lengths, or snmpd never says it.
pub fn decode_pdu(header: &Header, content: &[u8]) -> Result<Said, Wrong> {
    let mut reader = Reader { rest: content, network_order: header.network_order };
    match header.kind {
        kind::GET => {
            let context = reader.context(header)?;
            Ok(Said::Get { context, ranges: reader.ranges()? })
        }
        kind::GET_NEXT => {
            let context = reader.context(header)?;
            Ok(Said::GetNext { context, ranges: reader.ranges()? })
        }
        kind::GET_BULK => {
            let context = reader.context(header)?;
            let (single, repetitions) = (reader.short()?, reader.short()?);
            let ranges = reader.ranges()?;
            let (single, repetitions) = (usize::from(single), usize::from(repetitions));
            Ok(Said::GetBulk { context, single, repetitions, ranges })
        }
        kind::TEST_SET => Ok(Said::TestSet),
        kind::COMMIT_SET => Ok(Said::CommitSet),
        kind::UNDO_SET => Ok(Said::UndoSet),
        kind::CLEANUP_SET => Ok(Said::CleanupSet),
        kind::RESPONSE => {
            let _up_time = reader.number()?;
            Ok(Said::Response { error: reader.short()? })
        }
        kind::CLOSE => Ok(Said::Close),
        other => Err(Wrong::Kind(other)),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    network_order: bool,
}

impl Reader<'_> {
    fn number(&mut self) -> Result<u32, Wrong> {
        let (bytes, rest) = self.rest.split_first_chunk::<4>().ok_or(Wrong::Broken)?;
        self.rest = rest;
        Ok(if self.network_order { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) })
    }

    fn short(&mut self) -> Result<u16, Wrong> {
        let (bytes, rest) = self.rest.split_first_chunk::<2>().ok_or(Wrong::Broken)?;
        self.rest = rest;
        Ok(if self.network_order { u16::from_be_bytes(*bytes) } else { u16::from_le_bytes(*bytes) })
    }

    fn context(&mut self, header: &Header) -> Result<String, Wrong> {
        if !header.has_context {
            return Ok(String::new());
        }
        let length = self.number()? as usize;
        if length > MAX_CONTEXT {
            return Err(Wrong::Broken);
        }
        let (bytes, rest) =
            self.rest.split_at_checked(length.next_multiple_of(4)).ok_or(Wrong::Broken)?;
        self.rest = rest;
        // Ours are plain; any other one is none of ours.
        Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    fn ranges(&mut self) -> Result<Vec<Range>, Wrong> {
        let mut ranges = Vec::new();
        while !self.rest.is_empty() {
            if ranges.len() == MAX_RANGES {
                return Err(Wrong::Broken);
            }
            let (start, inclusive) = self.name()?;
            let (end, _) = self.name()?;
            ranges.push(Range { start, inclusive, end });
        }
        Ok(ranges)
    }

    fn name(&mut self) -> Result<(Oid, bool), Wrong> {
        let (&[count, prefix, inclusive, _], rest) =
            self.rest.split_first_chunk::<4>().ok_or(Wrong::Broken)?;
        self.rest = rest;
        let mut arcs = Vec::new();
        if prefix != 0 {
            arcs.extend(INTERNET);
            arcs.push(u32::from(prefix));
        }
        if arcs.len() + usize::from(count) > MAX_ARCS {
            return Err(Wrong::Broken);
        }
        for _ in 0..count {
            arcs.push(self.number()?);
        }
        Ok((Oid::of(&arcs), inclusive != 0))
    }
}

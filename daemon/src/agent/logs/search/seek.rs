//! Finds the place of a moment in a log: lines are numbered in the order in which they were read,
//! so that halving finds it. After a clock was set back the place is near, not exact.

use std::io;

use crate::agent::logs::store::{Origin, Reader};

/// Number of the first line that was read after this moment (microseconds since 1970), or of the
/// one behind the last.
pub(super) fn first_after(reader: &Reader, origin: Origin, at_us: u64) -> io::Result<u64> {
    let Some(last) = reader.last(origin) else { return Ok(0) };
    let read = |from| -> io::Result<Option<(u64, u64)>> {
        let line = reader.forward(origin, from, 1, &[])?.pop();
        Ok(line.map(|line| (line.number, line.read_us)))
    };
    let (mut low, mut high) = (read(0)?.map_or(0, |(first, _)| first), last.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        match read(middle)? {
            Some((number, read_us)) if read_us <= at_us => low = number.saturating_add(1),
            // What is missing in between counts as the line behind it.
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

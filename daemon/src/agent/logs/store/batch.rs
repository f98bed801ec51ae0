//! How lines lie on the disk and travel: a batch is a header, the source's name, the source's
//! mark, and the lines, each ended by a line feed. The writers append batches, the readers walk
//! over them, and the other node gets them as they are. Pure: bytes in, values out.
//!
//! The mark says how far the source was read once these lines are kept. It is in the batch so
//! that both are there or neither: what is read again after a crash begins where the lines end.

use std::fmt;

/// Most bytes of lines in one batch, before they are packed: large enough to pack well, small
/// enough to be read for one line. A line that is longer is kept as several.
pub const MAX_RAW: usize = 256 << 10;
/// Longest name of a source in bytes.
pub const MAX_NAME: usize = 64;
/// Longest mark in bytes: a path of at most [`MAX_PATH`] and some numbers.
pub(super) const MAX_MARK: usize = 1 << 10;
/// Longest path of a log file in bytes.
pub const MAX_PATH: usize = 512;
/// Bytes of a header.
pub(super) const HEADER: usize = 48;
/// Most bytes of a whole batch. A state of all sources is one, too.
pub(in crate::agent::logs) const MAX_BATCH: usize = HEADER + MAX_NAME + MAX_MARK + (896 << 10);

const MAGIC: [u8; 4] = *b"TWL1";
/// The body is packed with zstd.
const PACKED: u8 = 1;
/// The lines are gone: they were dropped before the other node had them.
const GAP: u8 = 2;
/// No lines: the body is the marks of all sources, see [`super::marks`].
const STATE: u8 = 4;

/// Lines below this are not packed: it would save nothing.
const WORTH_PACKING: usize = 256;
/// zstd's level: a third of the time of the usual one, for a tenth more bytes.
const LEVEL: i32 = 1;

/// What a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agent::logs) enum Kind {
    /// Lines.
    Lines,
    /// Lines that are missing for ever.
    Gap,
    /// The marks of all sources.
    State,
}

/// Why bytes are no batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// It goes on beyond what is there: at the end of a file, a write that was cut off.
    Short,
    /// Not what was written.
    Damaged,
    /// It packs to more than any batch may hold, or other lines than it says.
    Wrong,
}

impl fmt::Display for BatchError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            BatchError::Short => "a batch of log lines is cut off",
            BatchError::Damaged => "a batch of log lines is damaged",
            BatchError::Wrong => "a batch of log lines does not hold what it says",
        })
    }
}

impl std::error::Error for BatchError {}

/// The header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agent::logs) struct Head {
    pub(in crate::agent::logs) kind: Kind,
    packed: bool,
    /// Number of its first line.
    pub(in crate::agent::logs) first: u64,
    /// Number of the line after its last.
    pub(in crate::agent::logs) next: u64,
    /// When the origin read them, in microseconds since 1970.
    pub(in crate::agent::logs) read_us: u64,
    body_crc: u32,
    name: usize,
    mark: usize,
    body: usize,
    raw: usize,
}

impl Head {
    /// Bytes of the whole batch.
    pub(in crate::agent::logs) fn length(&self) -> usize {
        HEADER + self.name + self.mark + self.body
    }

    /// Bytes up to its body.
    pub(super) fn before_body(&self) -> usize {
        HEADER + self.name + self.mark
    }

    /// The source's name; `bytes` begin with the header.
    pub(super) fn name<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        &bytes[HEADER..HEADER + self.name]
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

fn size(bytes: &[u8], at: usize) -> usize {
    usize::try_from(u32::from_le_bytes(number(bytes, at))).unwrap_or(usize::MAX)
}

/// Reads the header that `bytes` begin with; name and mark must be there, the body need not.
pub(in crate::agent::logs) fn head(bytes: &[u8]) -> Result<Head, BatchError> {
    if bytes.len() < HEADER {
        return Err(BatchError::Short);
    }
    if bytes[..4] != MAGIC {
        return Err(BatchError::Damaged);
    }
    let (flags, name) = (bytes[12], usize::from(bytes[13]));
    let mark = usize::from(u16::from_le_bytes(number(bytes, 14)));
    let kind = match flags & !PACKED {
        0 => Kind::Lines,
        GAP => Kind::Gap,
        STATE => Kind::State,
        _unknown => return Err(BatchError::Damaged),
    };
    let head = Head {
        kind,
        packed: flags & PACKED != 0,
        first: u64::from_le_bytes(number(bytes, 16)),
        next: u64::from_le_bytes(number(bytes, 24)),
        read_us: u64::from_le_bytes(number(bytes, 32)),
        body_crc: u32::from_le_bytes(number(bytes, 8)),
        name,
        mark,
        body: size(bytes, 40),
        raw: size(bytes, 44),
    };
    let fits = name <= MAX_NAME
        && mark <= MAX_MARK
        && head.body <= MAX_BATCH - HEADER - MAX_NAME - MAX_MARK
        && head.raw <= MAX_BATCH;
    if !fits {
        return Err(BatchError::Damaged);
    }
    let said = u32::from_le_bytes(number(bytes, 4));
    let covered = bytes.get(8..head.before_body()).ok_or(BatchError::Short)?;
    if crc32fast::hash(covered) != said {
        return Err(BatchError::Damaged);
    }
    let counted = match kind {
        Kind::Lines => head.next > head.first && head.raw <= MAX_RAW + 1,
        Kind::Gap => head.next > head.first && head.body == 0,
        Kind::State => head.next == head.first,
    };
    if counted { Ok(head) } else { Err(BatchError::Wrong) }
}

/// Whether `bytes` begin with this batch, whole.
pub(super) fn is_whole(head: &Head, bytes: &[u8]) -> bool {
    let body = bytes.get(head.before_body()..head.length());
    body.is_some_and(|body| crc32fast::hash(body) == head.body_crc)
}

/// A whole batch in memory.
#[derive(Clone, Copy, Debug)]
pub(in crate::agent::logs) struct Batch<'b> {
    pub(in crate::agent::logs) head: Head,
    bytes: &'b [u8],
}

/// The batch that `bytes` begin with, every byte of it compared with its checksums.
pub(in crate::agent::logs) fn batch(bytes: &[u8]) -> Result<Batch<'_>, BatchError> {
    let head = head(bytes)?;
    let bytes = bytes.get(..head.length()).ok_or(BatchError::Short)?;
    if is_whole(&head, bytes) { Ok(Batch { head, bytes }) } else { Err(BatchError::Damaged) }
}

/// Lines without their line feeds, with their numbers.
pub type Numbered = Vec<(u64, Vec<u8>)>;

/// The batch that `bytes` begin with: how long it is, and its lines with their numbers.
///
/// # Errors
/// When it is none, or does not hold what it says.
pub fn decode_batch(bytes: &[u8]) -> Result<(usize, Numbered), BatchError> {
    let batch = batch(bytes)?;
    Ok((batch.head.length(), batch.lines()?))
}

impl<'b> Batch<'b> {
    /// The one that `bytes` begin with, of which [`is_whole`] said so.
    pub(super) fn of(head: Head, bytes: &'b [u8]) -> Batch<'b> {
        Batch { head, bytes: &bytes[..head.length()] }
    }

    /// The source's name.
    pub(in crate::agent::logs) fn source(&self) -> &'b [u8] {
        self.head.name(self.bytes)
    }

    /// How far the source was read.
    pub(in crate::agent::logs) fn mark(&self) -> &'b [u8] {
        let from = HEADER + self.head.name;
        &self.bytes[from..from + self.head.mark]
    }

    /// As it lies on the disk.
    pub(in crate::agent::logs) fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    fn body(&self) -> &'b [u8] {
        &self.bytes[self.head.before_body()..]
    }

    /// What is in it, unpacked: lines, or the state.
    pub(in crate::agent::logs) fn unpacked(
        &self,
    ) -> Result<std::borrow::Cow<'b, [u8]>, BatchError> {
        let raw = if self.head.packed {
            zstd::bulk::decompress(self.body(), self.head.raw)
                .map_err(|_| BatchError::Wrong)?
                .into()
        } else {
            std::borrow::Cow::Borrowed(self.body())
        };
        if raw.len() == self.head.raw { Ok(raw) } else { Err(BatchError::Wrong) }
    }

    /// Its lines with their numbers, without their line feeds.
    pub(in crate::agent::logs) fn lines(&self) -> Result<Numbered, BatchError> {
        if self.head.kind != Kind::Lines {
            return Ok(Vec::new());
        }
        let raw = self.unpacked()?;
        let count = memchr::memchr_iter(b'\n', &raw).count() as u64;
        if count != self.head.next - self.head.first {
            return Err(BatchError::Wrong);
        }
        let text = raw.strip_suffix(b"\n").ok_or(BatchError::Wrong)?;
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
        Ok(lines.zip(self.head.first..).map(|(line, number)| (number, line)).collect())
    }
}

/// What a batch is made from.
#[derive(Clone, Copy, Debug)]
pub(in crate::agent::logs) struct Content<'c> {
    pub(in crate::agent::logs) kind: Kind,
    pub(in crate::agent::logs) source: &'c str,
    pub(in crate::agent::logs) mark: &'c [u8],
    /// Lines, each with its line feed; at most [`MAX_RAW`] bytes and one more line feed.
    pub(in crate::agent::logs) raw: &'c [u8],
    pub(in crate::agent::logs) first: u64,
    pub(in crate::agent::logs) next: u64,
    pub(in crate::agent::logs) read_us: u64,
}

/// Makes batches; keeps what packing needs from one to the next.
pub(in crate::agent::logs) struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    pub(in crate::agent::logs) fn new() -> std::io::Result<Packer> {
        zstd::bulk::Compressor::new(LEVEL).map(Packer)
    }

    /// Appends the batch to `out`.
    ///
    /// # Panics
    /// When name, mark or lines are longer than the limits here: callers hold them.
    pub(in crate::agent::logs) fn pack(&mut self, content: &Content<'_>, out: &mut Vec<u8>) {
        assert!(content.source.len() <= MAX_NAME && content.mark.len() <= MAX_MARK, "limits held");
        let start = out.len();
        out.extend([0; HEADER]);
        out.extend(content.source.as_bytes());
        out.extend(content.mark);
        let body = out.len();
        let packed = content.raw.len() >= WORTH_PACKING && self.try_pack(content.raw, out);
        if !packed {
            out.extend(content.raw);
        }
        let flags = match content.kind {
            Kind::Lines => 0,
            Kind::Gap => GAP,
            Kind::State => STATE,
        };
        let length = |bytes: usize| u32::try_from(bytes).expect("limits held").to_le_bytes();
        let body_crc = crc32fast::hash(&out[body..]);
        let stored = length(out.len() - body);
        let head = &mut out[start..];
        head[..4].copy_from_slice(&MAGIC);
        head[8..12].copy_from_slice(&body_crc.to_le_bytes());
        head[12] = flags | if packed { PACKED } else { 0 };
        head[13] = u8::try_from(content.source.len()).expect("limits held");
        let mark = u16::try_from(content.mark.len()).expect("limits held");
        head[14..16].copy_from_slice(&mark.to_le_bytes());
        head[32..40].copy_from_slice(&content.read_us.to_le_bytes());
        head[40..44].copy_from_slice(&stored);
        head[44..48].copy_from_slice(&length(content.raw.len()));
        set_numbers(head, content.first, content.next, body - start);
    }

    /// Packed bytes go right behind what is in `out`; false when they would be no fewer.
    fn try_pack(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        let from = out.len();
        // With less room than the lines need, packing that saves nothing fails.
        out.resize(from + raw.len() - raw.len() / 16, 0);
        let packed = self.0.compress_to_buffer(raw, &mut out[from..]);
        out.truncate(from + packed.as_ref().map_or(0, |length| *length));
        packed.is_ok()
    }
}

/// Writes the numbers of a batch into its header, and the checksum over header, name and mark.
fn set_numbers(batch: &mut [u8], first: u64, next: u64, before_body: usize) {
    batch[16..24].copy_from_slice(&first.to_le_bytes());
    batch[24..32].copy_from_slice(&next.to_le_bytes());
    let crc = crc32fast::hash(&batch[8..before_body]);
    batch[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// Appends a batch with other numbers than it has: its first line becomes `first`.
pub(in crate::agent::logs) fn renumber(batch: &Batch<'_>, first: u64, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(batch.bytes);
    let next = first.saturating_add(batch.head.next - batch.head.first);
    set_numbers(&mut out[start..], first, next, batch.head.before_body());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(raw: &[u8], first: u64, next: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let content = Content {
            kind: Kind::Lines,
            source: "dhcp",
            mark: b"mark",
            raw,
            first,
            next,
            read_us: 9,
        };
        Packer::new().expect("zstd").pack(&content, &mut out);
        out
    }

    #[test]
    fn lines_come_back_with_their_numbers_packed_or_not() {
        let many: Vec<u8> = (0..500).flat_map(|it| format!("line {it}\n").into_bytes()).collect();
        for (raw, next) in [(b"one\n\ntwo\xff\n".to_vec(), 8), (many, 505)] {
            let bytes = packed(&raw, 5, next);
            let read = batch(&bytes).expect("whole");
            assert_eq!((read.source(), read.mark()), (&b"dhcp"[..], &b"mark"[..]));
            let lines = read.lines().expect("lines");
            let back: Vec<u8> =
                lines.iter().flat_map(|(_, line)| [line, &b"\n"[..]].concat()).collect();
            assert_eq!((back, lines[0].0, lines.last().map(|it| it.0)), (raw, 5, Some(next - 1)));
        }
        assert!(packed(&b"the same again\n".repeat(100), 0, 100).len() < 200);
    }

    #[test]
    fn no_byte_of_a_batch_can_change_or_be_missing_unnoticed() {
        let bytes = packed(b"one\ntwo\n", 5, 7);
        for at in 0..bytes.len() {
            assert!(batch(&bytes[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                assert!(batch(&wrong).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_batch_that_lies_about_its_lines_is_refused_and_unpacks_to_no_more_than_it_says() {
        assert_eq!(batch(&packed(b"one\n", 5, 7)).expect("whole").lines(), Err(BatchError::Wrong));
        assert_eq!(batch(&packed(b"one", 5, 6)).expect("whole").lines(), Err(BatchError::Wrong));
        let mut bomb = packed(&vec![b'\n'; MAX_RAW], 0, MAX_RAW as u64);
        bomb[44..48].copy_from_slice(&10_u32.to_le_bytes());
        let before_body = head(&packed(b"x\n", 0, 1)).expect("a head").before_body();
        set_numbers(&mut bomb, 0, 10, before_body);
        assert_eq!(batch(&bomb).expect("whole").lines(), Err(BatchError::Wrong));
    }
}

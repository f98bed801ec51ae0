//! The sealed part of a beat frame: [`Beat`] to bytes and back. Called by the
//! session; it never allocates and never looks at keys or time.
//!
//! A decoded body is canonical: encoding it again gives the same bytes.

use std::fmt;
use std::time::Duration;

use crate::beat::{Beat, Fitness, Gateways, Leaving, PathHeard, RoleWord};
use crate::ids::{Epoch, MAX_PATHS, NameTag, Sequence};

/// Length of the body that every beat has, in bytes.
pub const BODY_LENGTH: usize = 63 + MAX_PATHS * HEARD_LENGTH;
/// Most bytes of extensions after the body: room for later releases, and a
/// frame well under the 576 bytes that any network carries.
pub const MAX_EXTENSIONS: usize = 128;
/// Extension: the sender takes frames under this second key as well ([`KeyTag`], 8 bytes).
const TAKES_KEY: u8 = 1;
/// Bytes of that extension: type, length, value.
const TAKES_KEY_LENGTH: usize = 2 + size_of::<KeyTag>();
/// Extension without a value: the sender lacks connections, see [`Fitness::behind`]. A
/// release that does not know it waits for none.
const BEHIND: u8 = 2;
/// Bytes of that extension.
const BEHIND_LENGTH: usize = 2;
/// Extension: the gateways that the sender can tell of and those that it reaches, see
/// [`Gateways`] (2 bytes each). A release that does not know it compares nothing by them.
const GATEWAYS: u8 = 3;
/// Bytes of that extension.
const GATEWAYS_LENGTH: usize = 6;
/// Most bytes that [`encode_with`] writes.
pub(super) const MAX_ENCODED: usize =
    BODY_LENGTH + TAKES_KEY_LENGTH + BEHIND_LENGTH + GATEWAYS_LENGTH;
/// Extension types from here on must be understood by the receiver.
pub const MUST_UNDERSTAND: u8 = 0x80;

/// Sequence (8), age (4), interface (4); carriers and health travel as masks.
const HEARD_LENGTH: usize = 16;

const WANTS_ANSWER: u8 = 1 << 0;
const READY: u8 = 1 << 1;
const GATE: u8 = 1 << 2;
const CHECK_FAILED: u8 = 1 << 3;
const NEVER_SYNCHRONISED: u8 = 1 << 4;
const MAINTENANCE: u8 = 1 << 5;
const UNREADY: u8 = 1 << 6;
const ALL_FLAGS: u8 =
    WANTS_ANSWER | READY | GATE | CHECK_FAILED | NEVER_SYNCHRONISED | MAINTENANCE | UNREADY;

/// Tells one pair key from another, on the wire too; says nothing of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTag(pub [u8; 8]);

impl fmt::Display for KeyTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why bytes are not a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentError {
    /// Fewer bytes than a body has, or an extension that ends early.
    Truncated,
    /// More extension bytes than [`MAX_EXTENSIONS`].
    TooLong,
    /// A flag bit that this version does not know.
    Flags(u8),
    /// A role that this version does not know.
    Role(u8),
    /// A reason for leaving that this version does not know.
    Leaving(u8),
    /// An extension that must be understood and is not.
    Extension(u8),
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContentError::Truncated => f.write_str("the beat ends early"),
            ContentError::TooLong => f.write_str("the beat has too many extension bytes"),
            ContentError::Flags(bits) => write!(f, "unknown flags {bits:#04x}"),
            ContentError::Role(code) => write!(f, "unknown role {code}"),
            ContentError::Leaving(code) => write!(f, "unknown reason for leaving {code}"),
            ContentError::Extension(kind) => {
                write!(f, "extension {kind} must be understood and is not")
            }
        }
    }
}

impl std::error::Error for ContentError {}

/// Writes what every beat has of `beat` into `out`: all but what extensions say. Ages above
/// 71 minutes become the largest that fits.
pub fn encode(beat: &Beat, out: &mut [u8; BODY_LENGTH]) {
    let (mut carriers, mut healthy) = (0u16, 0u16);
    for (index, heard) in beat.heard.iter().enumerate() {
        carriers |= u16::from(heard.carrier) << index;
        healthy |= u16::from(heard.healthy) << index;
    }
    let mut rest = out.as_mut_slice();
    put(&mut rest, [flags(beat), role_code(beat.role), leaving_code(beat.leaving)]);
    put(&mut rest, beat.sequence.0.to_be_bytes());
    put(&mut rest, beat.epoch.0.to_be_bytes());
    put(&mut rest, beat.grant.0.to_be_bytes());
    put(&mut rest, beat.handover.0.to_be_bytes());
    put(&mut rest, beat.fitness.healthy.to_be_bytes());
    put(&mut rest, beat.settings.to_be_bytes());
    put(&mut rest, milliseconds(beat.patience).to_be_bytes());
    put(&mut rest, beat.list.0.to_be_bytes());
    put(&mut rest, carriers.to_be_bytes());
    put(&mut rest, healthy.to_be_bytes());
    for heard in &beat.heard {
        put(&mut rest, heard.sequence.0.to_be_bytes());
        put(&mut rest, microseconds(heard.age).to_be_bytes());
        put(&mut rest, heard.interface.0.to_be_bytes());
    }
    debug_assert!(rest.is_empty());
}

/// Writes the whole `beat` and, if there is one, which second key the sender takes; returns
/// the length.
pub(super) fn encode_with(
    beat: &Beat,
    takes: Option<KeyTag>,
    out: &mut [u8; MAX_ENCODED],
) -> usize {
    let (body, mut rest) = out.split_first_chunk_mut().expect("it has room for a body");
    encode(beat, body);
    if let Some(takes) = takes {
        put(&mut rest, [TAKES_KEY, size_of::<KeyTag>() as u8]);
        put(&mut rest, takes.0);
    }
    if beat.fitness.behind {
        put(&mut rest, [BEHIND, 0]);
    }
    let Gateways { told, reached } = beat.fitness.gateways;
    if told != 0 {
        put(&mut rest, [GATEWAYS, 4]);
        put(&mut rest, told.to_be_bytes());
        put(&mut rest, (told & reached).to_be_bytes());
    }
    let left = rest.len();
    MAX_ENCODED - left
}

/// Reads a beat: a body, then extensions of which those below [`MUST_UNDERSTAND`]
/// are passed over.
///
/// # Errors
/// Anything that this version cannot give a meaning to.
pub fn decode(bytes: &[u8]) -> Result<Beat, ContentError> {
    let (body, extensions) =
        bytes.split_first_chunk::<BODY_LENGTH>().ok_or(ContentError::Truncated)?;
    let extensions = read_extensions(extensions)?;
    let mut rest = body.as_slice();
    let [bits, role, leaving] = take(&mut rest)?;
    if bits & !ALL_FLAGS != 0 {
        return Err(ContentError::Flags(bits & !ALL_FLAGS));
    }
    let mut beat = Beat {
        role: role_word(role)?,
        leaving: leaving_reason(leaving)?,
        sequence: Sequence(take_u64(&mut rest)?),
        epoch: Epoch(take_u64(&mut rest)?),
        grant: Epoch(take_u64(&mut rest)?),
        handover: Epoch(take_u64(&mut rest)?),
        fitness: Fitness {
            healthy: take_u64(&mut rest)?,
            check_failed: bits & CHECK_FAILED != 0,
            never_synchronised: bits & NEVER_SYNCHRONISED != 0,
            maintenance: bits & MAINTENANCE != 0,
            unready: bits & UNREADY != 0,
            behind: extensions.behind,
            gateways: extensions.gateways,
        },
        settings: take_u64(&mut rest)?,
        patience: Duration::from_millis(u64::from(take_u32(&mut rest)?)),
        list: NameTag(take_u32(&mut rest)?),
        wants_answer: bits & WANTS_ANSWER != 0,
        ready: bits & READY != 0,
        gate: bits & GATE != 0,
        heard: [PathHeard::default(); MAX_PATHS],
    };
    let carriers = u16::from_be_bytes(take(&mut rest)?);
    let healthy = u16::from_be_bytes(take(&mut rest)?);
    for (index, heard) in beat.heard.iter_mut().enumerate() {
        heard.sequence = Sequence(take_u64(&mut rest)?);
        heard.age = Duration::from_micros(u64::from(take_u32(&mut rest)?));
        heard.interface = NameTag(take_u32(&mut rest)?);
        heard.carrier = carriers & (1 << index) != 0;
        heard.healthy = healthy & (1 << index) != 0;
    }
    Ok(beat)
}

/// Which second key the sender of a beat takes.
///
/// # Errors
/// As [`decode`] of the same bytes.
pub fn decode_takes(bytes: &[u8]) -> Result<Option<KeyTag>, ContentError> {
    let (_, extensions) =
        bytes.split_first_chunk::<BODY_LENGTH>().ok_or(ContentError::Truncated)?;
    Ok(read_extensions(extensions)?.takes)
}

/// What the extensions of a beat say.
#[derive(Default)]
struct Extensions {
    takes: Option<KeyTag>,
    behind: bool,
    gateways: Gateways,
}

/// Extensions are `type, length, value`. Of one that is known the bytes beyond its own are a
/// later release's; one that is not known is passed over, where it may be.
fn read_extensions(mut bytes: &[u8]) -> Result<Extensions, ContentError> {
    if bytes.len() > MAX_EXTENSIONS {
        return Err(ContentError::TooLong);
    }
    let mut said = Extensions::default();
    while !bytes.is_empty() {
        let [kind, length] = take(&mut bytes)?;
        if kind >= MUST_UNDERSTAND {
            return Err(ContentError::Extension(kind));
        }
        let (mut value, rest) =
            bytes.split_at_checked(usize::from(length)).ok_or(ContentError::Truncated)?;
        match kind {
            TAKES_KEY => said.takes = Some(KeyTag(take(&mut value)?)),
            BEHIND => said.behind = true,
            GATEWAYS => {
                let told = u16::from_be_bytes(take(&mut value)?);
                let reached = told & u16::from_be_bytes(take(&mut value)?);
                said.gateways = Gateways { told, reached };
            }
            _ => {}
        }
        bytes = rest;
    }
    Ok(said)
}

fn flags(beat: &Beat) -> u8 {
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    bit(beat.wants_answer, WANTS_ANSWER)
        | bit(beat.ready, READY)
        | bit(beat.gate, GATE)
        | bit(beat.fitness.check_failed, CHECK_FAILED)
        | bit(beat.fitness.never_synchronised, NEVER_SYNCHRONISED)
        | bit(beat.fitness.maintenance, MAINTENANCE)
        | bit(beat.fitness.unready, UNREADY)
}

const fn role_code(role: RoleWord) -> u8 {
    match role {
        RoleWord::Starting => 1,
        RoleWord::Passive => 2,
        RoleWord::Claiming => 3,
        RoleWord::Active => 4,
        RoleWord::Releasing => 5,
    }
}

const fn role_word(code: u8) -> Result<RoleWord, ContentError> {
    match code {
        1 => Ok(RoleWord::Starting),
        2 => Ok(RoleWord::Passive),
        3 => Ok(RoleWord::Claiming),
        4 => Ok(RoleWord::Active),
        5 => Ok(RoleWord::Releasing),
        unknown => Err(ContentError::Role(unknown)),
    }
}

const fn leaving_code(leaving: Option<Leaving>) -> u8 {
    match leaving {
        None => 0,
        Some(Leaving::ServiceStop) => 1,
        Some(Leaving::Shutdown) => 2,
    }
}

const fn leaving_reason(code: u8) -> Result<Option<Leaving>, ContentError> {
    match code {
        0 => Ok(None),
        1 => Ok(Some(Leaving::ServiceStop)),
        2 => Ok(Some(Leaving::Shutdown)),
        unknown => Err(ContentError::Leaving(unknown)),
    }
}

fn microseconds(age: Duration) -> u32 {
    u32::try_from(age.as_micros()).unwrap_or(u32::MAX)
}

fn milliseconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

/// Only called with room left: [`BODY_LENGTH`] is the sum of all that is put.
fn put<const N: usize>(rest: &mut &mut [u8], bytes: [u8; N]) {
    if let Some((head, tail)) = std::mem::take(rest).split_first_chunk_mut::<N>() {
        *head = bytes;
        *rest = tail;
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], ContentError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(ContentError::Truncated)?;
    *rest = tail;
    Ok(*head)
}

fn take_u64(rest: &mut &[u8]) -> Result<u64, ContentError> {
    take(rest).map(u64::from_be_bytes)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, ContentError> {
    take(rest).map(u32::from_be_bytes)
}

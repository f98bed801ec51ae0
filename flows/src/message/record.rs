//! A flow as bytes: what every flow has, then what its first two bytes announce. A usual
//! one of IPv4 and TCP without NAT takes 38 bytes.

use crate::flow::{Flow, HelperName, Protocol, Sctp, SequenceAdjustment, Status, Tcp};
use crate::tuple::{Ends, Key, Tuple, Zone, ZoneSide};

use super::MessageError;
use super::bytes::{Reader, put_address};

const V4: u16 = 1;
const PLAIN: u16 = 1 << 1;
const TIMEOUT: u16 = 1 << 2;
const TCP: u16 = 1 << 3;
const SCTP: u16 = 1 << 4;
const LABELS: u16 = 1 << 5;
const HELPER: u16 = 1 << 6;
const ADJUSTMENTS: u16 = 1 << 7;
const KNOWN: u16 = (1 << 8) - 1;

const PORTS: u8 = 1;
const ECHO: u8 = 2;
const NONE: u8 = 3;

/// Appends a flow.
pub(super) fn put_flow(out: &mut Vec<u8>, flow: &Flow) {
    let plain = flow.reply == flow.original.inverse();
    let mut shape = 0;
    for (bit, there) in [
        (V4, flow.original.is_ipv4()),
        (PLAIN, plain),
        (TIMEOUT, flow.timeout.is_some()),
        (TCP, matches!(flow.protocol, Protocol::Tcp(_))),
        (SCTP, matches!(flow.protocol, Protocol::Sctp(_))),
        (LABELS, flow.labels.is_some()),
        (HELPER, flow.helper.is_some()),
        (ADJUSTMENTS, flow.adjustments.is_some()),
    ] {
        shape |= if there { bit } else { 0 };
    }
    out.extend_from_slice(&u16::to_be_bytes(shape));
    put_zone(out, flow.zone);
    out.push(flow.original.protocol);
    put_ends(out, &flow.original);
    if !plain {
        put_ends(out, &flow.reply);
    }
    out.extend_from_slice(&flow.status.0.to_be_bytes());
    out.extend_from_slice(&flow.mark.to_be_bytes());
    if let Some(seconds) = flow.timeout {
        out.extend_from_slice(&seconds.to_be_bytes());
    }
    put_protocol(out, &flow.protocol);
    if let Some(labels) = &flow.labels {
        out.extend_from_slice(labels);
    }
    if let Some(helper) = &flow.helper {
        out.extend_from_slice(helper.bytes());
    }
    for SequenceAdjustment { position, before, after } in flow.adjustments.iter().flatten() {
        [position, before, after].iter().for_each(|n| out.extend_from_slice(&n.to_be_bytes()));
    }
}

fn put_protocol(out: &mut Vec<u8>, protocol: &Protocol) {
    match protocol {
        Protocol::None => {}
        Protocol::Tcp(tcp) => out.extend_from_slice(&[
            tcp.state,
            tcp.scale_original,
            tcp.scale_reply,
            tcp.flags_original,
            tcp.flags_reply,
        ]),
        Protocol::Sctp(sctp) => {
            out.push(sctp.state);
            out.extend_from_slice(&sctp.tag_original.to_be_bytes());
            out.extend_from_slice(&sctp.tag_reply.to_be_bytes());
        }
    }
}

/// Reads a flow.
pub(super) fn flow(from: &mut Reader<'_>) -> Result<Flow, MessageError> {
    let shape = from.u16()?;
    let has = |bit| shape & bit != 0;
    if shape & !KNOWN != 0 || has(TCP) && has(SCTP) {
        return Err(MessageError::Nonsense("a flow of unknown shape"));
    }
    let zone = zone(from)?;
    let protocol = from.byte()?;
    let original = ends(from, protocol, has(V4))?;
    let reply = if has(PLAIN) { original.inverse() } else { ends(from, protocol, has(V4))? };
    let status = Status(from.u32()?);
    let mark = from.u32()?;
    let timeout = has(TIMEOUT).then(|| from.u32()).transpose()?;
    let protocol = if has(TCP) {
        tcp(from)?
    } else if has(SCTP) {
        sctp(from)?
    } else {
        Protocol::None
    };
    let labels = has(LABELS).then(|| from.array().copied()).transpose()?;
    let helper = has(HELPER).then(|| helper(from)).transpose()?;
    let adjustments = has(ADJUSTMENTS)
        .then(|| Ok::<_, MessageError>([adjustment(from)?, adjustment(from)?]))
        .transpose()?;
    Ok(Flow { original, reply, zone, status, timeout, mark, protocol, labels, helper, adjustments })
}

fn tcp(from: &mut Reader<'_>) -> Result<Protocol, MessageError> {
    let [state, scale_original, scale_reply, flags_original, flags_reply] = *from.array()?;
    Ok(Protocol::Tcp(Tcp { state, scale_original, scale_reply, flags_original, flags_reply }))
}

fn sctp(from: &mut Reader<'_>) -> Result<Protocol, MessageError> {
    let state = from.byte()?;
    Ok(Protocol::Sctp(Sctp { state, tag_original: from.u32()?, tag_reply: from.u32()? }))
}

fn adjustment(from: &mut Reader<'_>) -> Result<SequenceAdjustment, MessageError> {
    let position = from.u32()?;
    Ok(SequenceAdjustment { position, before: from.u32()?, after: from.u32()? })
}

/// Reads a helper's name.
pub(super) fn helper(from: &mut Reader<'_>) -> Result<HelperName, MessageError> {
    let name = HelperName::new(from.array::<{ crate::flow::HELPER_NAME }>()?);
    name.ok_or(MessageError::Nonsense("a helper without a name"))
}

/// Appends a key.
pub(super) fn put_key(out: &mut Vec<u8>, key: &Key) {
    put_zone(out, key.zone());
    put_tuple(out, &key.tuple());
}

/// Reads a key.
pub(super) fn key(from: &mut Reader<'_>) -> Result<Key, MessageError> {
    let zone = zone(from)?;
    Ok(Key::new(&tuple(from)?, zone))
}

/// Appends a tuple on its own.
pub(super) fn put_tuple(out: &mut Vec<u8>, tuple: &Tuple) {
    out.extend_from_slice(&[u8::from(tuple.is_ipv4()), tuple.protocol]);
    put_ends(out, tuple);
}

/// Reads a tuple on its own.
pub(super) fn tuple(from: &mut Reader<'_>) -> Result<Tuple, MessageError> {
    let v4 = from.flag()?;
    let protocol = from.byte()?;
    ends(from, protocol, v4)
}

fn put_ends(out: &mut Vec<u8>, tuple: &Tuple) {
    match tuple.ends {
        Ends::Ports { source, destination } => {
            out.push(PORTS);
            out.extend_from_slice(&source.to_be_bytes());
            out.extend_from_slice(&destination.to_be_bytes());
        }
        Ends::Echo { id, kind, code } => {
            let [high, low] = id.to_be_bytes();
            out.extend_from_slice(&[ECHO, high, low, kind, code]);
        }
        Ends::None => out.push(NONE),
    }
    put_address(out, tuple.source);
    put_address(out, tuple.destination);
}

fn ends(from: &mut Reader<'_>, protocol: u8, v4: bool) -> Result<Tuple, MessageError> {
    let ends = match from.byte()? {
        PORTS => Ends::Ports { source: from.u16()?, destination: from.u16()? },
        ECHO => Ends::Echo { id: from.u16()?, kind: from.byte()?, code: from.byte()? },
        NONE => Ends::None,
        _ => return Err(MessageError::Nonsense("a tuple of unknown shape")),
    };
    let source = from.address(v4)?;
    Ok(Tuple { source, destination: from.address(v4)?, protocol, ends })
}

fn put_zone(out: &mut Vec<u8>, zone: Zone) {
    let side = match zone.side {
        ZoneSide::Both => 0,
        ZoneSide::Original => 1,
        ZoneSide::Reply => 2,
    };
    let [high, low] = zone.id.to_be_bytes();
    out.extend_from_slice(&[side, high, low]);
}

fn zone(from: &mut Reader<'_>) -> Result<Zone, MessageError> {
    let side = match from.byte()? {
        0 => ZoneSide::Both,
        1 => ZoneSide::Original,
        2 => ZoneSide::Reply,
        _ => return Err(MessageError::Nonsense("a zone of unknown kind")),
    };
    Ok(Zone { id: from.u16()?, side })
}

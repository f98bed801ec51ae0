//! Expectations and neighbours as bytes.

use crate::expectation::{Expectation, FunctionName, NatOfExpected};
use crate::neighbour::{Interface, MAX_INTERFACE, Neighbour};

use super::bytes::{Reader, put_address};
use super::{Expected, MessageError, record};

const THERE: u8 = 1;
const GONE: u8 = 2;

/// Appends a change of an expectation.
pub(super) fn put_expected(out: &mut Vec<u8>, expected: &Expected) {
    let it = match expected {
        Expected::Gone(tuple, zone) => {
            out.push(GONE);
            record::put_tuple(out, tuple);
            out.extend_from_slice(&zone.to_be_bytes());
            return;
        }
        Expected::There(it) => it,
    };
    out.push(THERE);
    [&it.master, &it.tuple, &it.mask].iter().for_each(|tuple| record::put_tuple(out, tuple));
    out.extend_from_slice(&it.zone.to_be_bytes());
    for number in [it.flags, it.class, it.timeout] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.push(u8::from(it.helper.is_some()));
    if let Some(helper) = &it.helper {
        out.extend_from_slice(helper.bytes());
    }
    out.push(u8::from(it.function.is_some()));
    if let Some(function) = &it.function {
        out.extend_from_slice(function.bytes());
    }
    out.push(u8::from(it.nat.is_some()));
    if let Some(nat) = &it.nat {
        out.extend_from_slice(&nat.direction.to_be_bytes());
        record::put_tuple(out, &nat.tuple);
    }
}

/// Reads a change of an expectation.
pub(super) fn expected(from: &mut Reader<'_>) -> Result<Expected, MessageError> {
    match from.byte()? {
        THERE => expectation(from).map(Expected::There),
        GONE => Ok(Expected::Gone(record::tuple(from)?, from.u16()?)),
        _ => Err(MessageError::Nonsense("an expectation of unknown kind")),
    }
}

fn expectation(from: &mut Reader<'_>) -> Result<Expectation, MessageError> {
    let master = record::tuple(from)?;
    let tuple = record::tuple(from)?;
    let mask = record::tuple(from)?;
    let zone = from.u16()?;
    let (flags, class, timeout) = (from.u32()?, from.u32()?, from.u32()?);
    let helper = from.flag()?.then(|| record::helper(from)).transpose()?;
    let function = from.flag()?.then(|| function(from)).transpose()?;
    let nat = from.flag()?.then(|| nat(from)).transpose()?;
    Ok(Expectation { master, tuple, mask, zone, flags, class, timeout, helper, function, nat })
}

fn function(from: &mut Reader<'_>) -> Result<FunctionName, MessageError> {
    FunctionName::new(from.array::<{ crate::expectation::FUNCTION_NAME }>()?)
        .ok_or(MessageError::Nonsense("a function without a name"))
}

fn nat(from: &mut Reader<'_>) -> Result<NatOfExpected, MessageError> {
    let direction = from.u32()?;
    Ok(NatOfExpected { direction, tuple: record::tuple(from)? })
}

/// Appends a neighbour.
pub(super) fn put_neighbour(out: &mut Vec<u8>, neighbour: &Neighbour) {
    out.extend_from_slice(neighbour.interface.bytes());
    out.push(u8::from(neighbour.address.is_ipv4()));
    put_address(out, neighbour.address);
    out.push(u8::from(neighbour.mac.is_some()));
    if let Some(mac) = &neighbour.mac {
        out.extend_from_slice(mac);
    }
}

/// Reads a neighbour.
pub(super) fn neighbour(from: &mut Reader<'_>) -> Result<Neighbour, MessageError> {
    let interface = Interface::new(from.array::<MAX_INTERFACE>()?)
        .ok_or(MessageError::Nonsense("a neighbour without an interface"))?;
    let v4 = from.flag()?;
    let address = from.address(v4)?;
    let mac = from.flag()?.then(|| from.array().copied()).transpose()?;
    Ok(Neighbour { interface, address, mac })
}

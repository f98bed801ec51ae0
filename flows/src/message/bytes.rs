//! Reading a message front to back; whatever is cut or too much is refused.

use std::net::IpAddr;

use super::MessageError;

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], MessageError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(MessageError::Short)?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, MessageError> {
        self.array().map(|[byte]| *byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool, MessageError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(MessageError::Nonsense("a flag that is neither 0 nor 1")),
        }
    }

    pub(super) fn u16(&mut self) -> Result<u16, MessageError> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(super) fn u32(&mut self) -> Result<u32, MessageError> {
        self.array().map(|bytes| u32::from_be_bytes(*bytes))
    }

    pub(super) fn u64(&mut self) -> Result<u64, MessageError> {
        self.array().map(|bytes| u64::from_be_bytes(*bytes))
    }

    pub(super) fn address(&mut self, v4: bool) -> Result<IpAddr, MessageError> {
        if v4 {
            self.array::<4>().map(|bytes| IpAddr::from(*bytes))
        } else {
            self.array::<16>().map(|bytes| IpAddr::from(*bytes))
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn end(&self) -> Result<(), MessageError> {
        if self.is_empty() { Ok(()) } else { Err(MessageError::Long) }
    }
}

/// Appends an address.
pub(super) fn put_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(four) => out.extend_from_slice(&four.octets()),
        IpAddr::V6(six) => out.extend_from_slice(&six.octets()),
    }
}

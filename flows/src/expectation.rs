//! A flow that a helper expects because another one spoke of it: FTP's data, SIP's media.

use crate::flow::HelperName;
use crate::tuple::{Key, Tuple, Zone, ZoneSide};

/// Longest name of a function for expected flows, with its NUL.
pub const FUNCTION_NAME: usize = 32;
/// Most expectations that are replicated: the kernel allows one helper hardly more per
/// connection than eight, and they live for minutes.
pub const MAX_EXPECTATIONS: usize = 4096;

/// The name of what the kernel does with an expected flow: `nat-follow-master`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FunctionName([u8; FUNCTION_NAME]);

impl FunctionName {
    /// The name in these bytes up to their end or a NUL; `None` when it is empty, too
    /// long, or holds anything but printable ASCII.
    pub fn new(bytes: &[u8]) -> Option<FunctionName> {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let text = &bytes[..end];
        if text.is_empty() || end >= FUNCTION_NAME || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut name = [0; FUNCTION_NAME];
        name[..end].copy_from_slice(text);
        Some(FunctionName(name))
    }

    /// Its bytes, filled up with NUL.
    pub fn bytes(&self) -> &[u8; FUNCTION_NAME] {
        &self.0
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(FUNCTION_NAME);
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl std::fmt::Debug for FunctionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an expected flow is translated (CTA_EXPECT_NAT).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NatOfExpected {
    /// 0 for the original direction, 1 for the reply's.
    pub direction: u32,
    /// Source address and port before translation.
    pub tuple: Tuple,
}

/// An expectation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expectation {
    /// Original tuple of the flow that spoke of it.
    pub master: Tuple,
    /// What its first packet will look like.
    pub tuple: Tuple,
    /// Which bits of `tuple` count.
    pub mask: Tuple,
    /// Conntrack zone.
    pub zone: u16,
    /// NF_CT_EXPECT_*.
    pub flags: u32,
    /// The helper's class for it.
    pub class: u32,
    /// Seconds until it is forgotten.
    pub timeout: u32,
    /// The helper that expects it.
    pub helper: Option<HelperName>,
    /// What the kernel does with the flow.
    pub function: Option<FunctionName>,
    /// How it is translated.
    pub nat: Option<NatOfExpected>,
}

impl Expectation {
    /// The name of the flow that spoke of it.
    pub fn master_key(&self) -> Key {
        Key::new(&self.master, Zone { id: self.zone, side: ZoneSide::Both })
    }
}

//! The small numbers and names that nodes exchange, each a type of its own so
//! that an epoch never meets a sequence by mistake.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Paths a node uses at the most: the HA link and the first fifteen watched
/// interfaces. Each beat carries one entry a path; sixteen keep it in one small frame.
pub const MAX_PATHS: usize = 16;
/// Interfaces that `pair.toml` may list: one bit each in [`Fitness::healthy`](crate::beat::Fitness).
pub const MAX_INTERFACES: usize = 64;
/// Virtual addresses of one pair, over all interfaces.
pub const MAX_VIRTUAL: usize = 4096;
/// Ping targets of one pair.
pub const MAX_TARGETS: usize = 8;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident, $raw:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name(pub $raw);

        impl $name {
            /// The next one; stays at the largest value.
            #[must_use]
            pub const fn next(self) -> $name {
                $name(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

counter!(
    /// How many claims the pair has seen. Every claim takes a higher one; of two
    /// claimants the higher epoch stays.
    Epoch, u64
);
counter!(
    /// Number of a beat within one session; the same beat carries it on all paths.
    Sequence, u64
);
counter!(
    /// Number of a wanted kernel state; only the newest counts.
    Generation, u64
);

/// One run of a guard: sixteen random bytes drawn when it starts. In JSON 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(into = "String", try_from = "String")]
pub struct BootId(pub [u8; 16]);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl From<BootId> for String {
    fn from(boot: BootId) -> String {
        format!("{:032x}", u128::from_be_bytes(boot.0))
    }
}

impl TryFrom<String> for BootId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<BootId, &'static str> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = if digits { u128::from_str_radix(&text, 16).ok() } else { None };
        number
            .map(|number| BootId(number.to_be_bytes()))
            .ok_or("a boot id has 32 hexadecimal digits")
    }
}

/// A way by which the nodes hear each other: 0 is the HA link, then the first
/// [`MAX_PATHS`]` - 1` watched interfaces in the order of `pair.toml`. A node's own
/// number: the peer's list may differ for a while, and then so do its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PathId(pub u8);

impl PathId {
    /// The HA link.
    pub const HA: PathId = PathId(0);

    /// Index into a table of [`MAX_PATHS`] entries.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An interface's name in four bytes: by it two nodes know an interface whatever the
/// order and the length of their lists. Of 64 names two are alike once in two
/// million lists; their beats are then taken for crossed, and told so.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NameTag(pub u32);

impl NameTag {
    /// No interface.
    pub const NONE: NameTag = NameTag(0);

    /// The tag of a name: its FNV-1a hash, never [`NONE`](NameTag::NONE).
    pub fn of(name: &str) -> NameTag {
        let hash = name.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        NameTag(hash.max(1))
    }
}

/// A set of paths, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PathSet(pub u16);

impl PathSet {
    /// No path.
    pub const EMPTY: PathSet = PathSet(0);

    /// The first `count` paths.
    pub const fn first(count: usize) -> PathSet {
        if count >= MAX_PATHS { PathSet(u16::MAX) } else { PathSet((1 << count) - 1) }
    }

    /// Just `path`.
    pub const fn only(path: PathId) -> PathSet {
        PathSet(1 << path.0)
    }

    /// Adds `path`.
    pub fn insert(&mut self, path: PathId) {
        self.0 |= 1 << path.0;
    }

    /// Whether `path` is in the set.
    pub const fn contains(self, path: PathId) -> bool {
        self.0 & (1 << path.0) != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The paths of the set, ascending.
    pub fn iter(self) -> impl Iterator<Item = PathId> + use<> {
        (0..MAX_PATHS as u8).map(PathId).filter(move |path| self.contains(*path))
    }
}

/// Index of an interface in the list of `pair.toml` (without the HA link).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct InterfaceId(pub u8);

impl InterfaceId {
    /// The interface's bit in a mask of [`MAX_INTERFACES`] bits.
    pub const fn bit(self) -> u64 {
        1 << self.0
    }

    /// Index into the interface list.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node's fixed part in the pair, chosen at pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Designation {
    /// The node that wins a tie and to which failback returns.
    Primary,
    /// The other one.
    Secondary,
}

impl Designation {
    /// The other node's designation.
    #[must_use]
    pub const fn other(self) -> Designation {
        match self {
            Designation::Primary => Designation::Secondary,
            Designation::Secondary => Designation::Primary,
        }
    }

    /// `primary` or `secondary`.
    pub const fn word(self) -> &'static str {
        match self {
            Designation::Primary => "primary",
            Designation::Secondary => "secondary",
        }
    }
}

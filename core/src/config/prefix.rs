//! An address with its subnet's prefix length, as people write it: `10.1.0.1/24`.
//! Used by the configuration's checks and by every view that shows an address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address with the length of its subnet's prefix. In JSON a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(into = "String", try_from = "String")]
pub struct Prefix {
    /// The address itself (host bits kept).
    pub address: IpAddr,
    /// Prefix length, 0 to 32 or 0 to 128.
    pub length: u8,
}

/// The kinds of addresses that an interface keeps apart: each has a subnet of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// IPv4.
    V4,
    /// IPv6 with a scope wider than the link.
    V6,
    /// IPv6 link-local, `fe80::/10`.
    V6LinkLocal,
}

impl Family {
    pub(super) const ALL: [Family; 3] = [Family::V4, Family::V6, Family::V6LinkLocal];

    /// The family's name in errors.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
            Family::V6LinkLocal => "IPv6 link-local",
        }
    }

    pub(super) fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Family::V6LinkLocal,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

impl Prefix {
    /// The longest length of this address's family: 32 or 128.
    pub const fn longest(&self) -> u8 {
        match self.address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }

    /// Whether the prefix is the address alone.
    pub const fn is_host(&self) -> bool {
        self.length == self.longest()
    }

    /// The subnet: the same prefix with the host bits cleared.
    #[must_use]
    pub fn subnet(&self) -> Prefix {
        let cut = u32::from(self.longest() - self.length);
        let address = match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(cut).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(cut).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Prefix { address, length: self.length }
    }

    /// Whether `address` lies in this subnet.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && Prefix { address, length: self.length }.subnet() == self.subnet()
    }

    /// Whether this is the last address of an IPv4 subnet that has a broadcast address.
    pub(super) fn is_broadcast(&self) -> bool {
        match self.address {
            IpAddr::V4(v4) => {
                self.length <= 30
                    && v4.to_bits() | u32::MAX.checked_shr(self.length.into()).unwrap_or(0)
                        == v4.to_bits()
            }
            IpAddr::V6(_) => false,
        }
    }

    /// Whether this is the first address of its subnet, which names the subnet
    /// (IPv4) or every router in it (IPv6). Subnets of two addresses have none.
    pub(super) fn is_subnet_address(&self) -> bool {
        self.length + 1 < self.longest() && self.subnet() == *self
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Why a text is not an address with a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// There is no `/`.
    NoLength,
    /// What stands before the `/` is no IP address.
    NotAnAddress,
    /// What stands behind the `/` is no number up to 32 or 128.
    BadLength,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrefixError::NoLength => "the prefix length is missing",
            PrefixError::NotAnAddress => "not an IP address",
            PrefixError::BadLength => "not a prefix length (0 to 32 for IPv4, 0 to 128 for IPv6)",
        })
    }
}

impl std::error::Error for PrefixError {}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let Some((address, length)) = text.split_once('/') else {
            let address = text.parse::<IpAddr>();
            return Err(if address.is_ok() {
                PrefixError::NoLength
            } else {
                PrefixError::NotAnAddress
            });
        };
        let address = address.parse().map_err(|_| PrefixError::NotAnAddress)?;
        let digits =
            (1..=3).contains(&length.len()) && length.bytes().all(|byte| byte.is_ascii_digit());
        let length = if digits { length.parse().ok() } else { None };
        let prefix = Prefix { address, length: length.ok_or(PrefixError::BadLength)? };
        if prefix.length > prefix.longest() { Err(PrefixError::BadLength) } else { Ok(prefix) }
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> String {
        prefix.to_string()
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;
    fn try_from(text: String) -> Result<Prefix, PrefixError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn text_and_back() {
        for text in ["10.1.0.1/24", "0.0.0.0/0", "fe80::1/64", "2001:db8::7/128"] {
            assert_eq!(prefix(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_prefix_says_why() {
        let cases = [
            ("10.1.0.1", PrefixError::NoLength),
            ("10.1.0/24", PrefixError::NotAnAddress),
            ("lan", PrefixError::NotAnAddress),
            ("10.1.0.1/33", PrefixError::BadLength),
            ("10.1.0.1/+8", PrefixError::BadLength),
            ("10.1.0.1/", PrefixError::BadLength),
            ("::1/129", PrefixError::BadLength),
            ("::1/300", PrefixError::BadLength),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Prefix>(), Err(why), "{text}");
        }
    }

    #[test]
    fn subnets_of_every_length_hold_their_own_address_only_beside_their_like() {
        assert_eq!(prefix("10.1.2.3/24").subnet(), prefix("10.1.2.0/24"));
        assert_eq!(prefix("10.1.2.3/0").subnet(), prefix("0.0.0.0/0"));
        assert_eq!(prefix("2001:db8::7/64").subnet(), prefix("2001:db8::/64"));
        assert_eq!(prefix("2001:db8::7/0").subnet(), prefix("::/0"));
        assert!(prefix("10.1.2.3/24").contains(prefix("10.1.2.200/24").address));
        assert!(!prefix("10.1.2.3/24").contains(prefix("10.1.3.1/24").address));
        assert!(!prefix("0.0.0.0/0").contains(prefix("::1/128").address));
    }

    #[test]
    fn first_and_last_addresses_are_known_where_they_mean_something() {
        assert!(
            prefix("10.1.0.255/24").is_broadcast() && prefix("10.1.0.0/24").is_subnet_address()
        );
        assert!(
            !prefix("10.1.0.1/31").is_broadcast() && !prefix("10.1.0.0/31").is_subnet_address()
        );
        assert!(
            !prefix("10.1.0.1/32").is_broadcast() && !prefix("10.1.0.1/32").is_subnet_address()
        );
        assert!(
            prefix("2001:db8::/64").is_subnet_address()
                && !prefix("2001:db8::/127").is_subnet_address()
        );
    }
}

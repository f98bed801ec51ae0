//! An address that the kernel refused, in words for the operator.

use std::fmt;
use std::io;
use std::net::IpAddr;

use crate::rtnetlink::InterfaceName;

/// An address that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Adding it, else removing it.
    pub adding: bool,
    /// The address.
    pub address: IpAddr,
    /// Where; `None` for a leftover on an interface that is not configured.
    pub interface: Option<InterfaceName>,
    /// The kernel's error number.
    pub errno: i32,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.adding { "add" } else { "remove" };
        let error = io::Error::from_raw_os_error(self.errno);
        write!(f, "cannot {verb} {}", self.address)?;
        if let Some(interface) = self.interface {
            write!(f, " on {interface}")?;
        }
        let now = match self.errno {
            libc::ENODEV => "create the interface or take it out of pair.toml",
            libc::EACCES | libc::EPERM => {
                "the guard needs CAP_NET_ADMIN, and IPv6 must not be disabled there"
            }
            _ => "see the interface with 'ip addr'",
        };
        write!(f, ": {error}; {now}")
    }
}

//! Names of interfaces and stations, small enough to copy.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::str::FromStr;

/// Longest interface name in bytes (`IFNAMSIZ` without the final zero).
pub const MAX_NAME: usize = libc::IFNAMSIZ - 1;

/// An interface's name, padded with zeros as the kernel keeps it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName([u8; libc::IFNAMSIZ]);

/// A name that no interface can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName(String);

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' cannot be an interface name: give 1 to {MAX_NAME} bytes without '/' and blanks",
            self.0
        )
    }
}

impl std::error::Error for BadName {}

impl FromStr for InterfaceName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<InterfaceName, BadName> {
        let bytes = text.as_bytes();
        let odd = |byte: &u8| *byte == b'/' || *byte == 0 || byte.is_ascii_whitespace();
        if bytes.is_empty()
            || bytes.len() > MAX_NAME
            || bytes.iter().any(odd)
            || text == "."
            || text == ".."
        {
            return Err(BadName(text.to_owned()));
        }
        let mut name = [0; libc::IFNAMSIZ];
        name[..bytes.len()].copy_from_slice(bytes);
        Ok(InterfaceName(name))
    }
}

impl InterfaceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or("?")
    }

    /// The name's bytes without padding.
    pub fn bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(MAX_NAME);
        &self.0[..end]
    }

    /// From the kernel's bytes, with or without final zeros.
    pub(crate) fn from_kernel(bytes: &[u8]) -> Option<InterfaceName> {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        std::str::from_utf8(bytes.get(..end)?).ok()?.parse().ok()
    }

    /// The interface's index in the calling thread's network namespace.
    ///
    /// # Errors
    /// `ENODEV` when there is no such interface.
    pub fn index(&self) -> io::Result<u32> {
        let name = CStr::from_bytes_until_nul(&self.0)
            .map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
        // SAFETY: `name` ends with a zero and outlives the call.
        match unsafe { libc::if_nametoindex(name.as_ptr()) } {
            0 => Err(io::Error::last_os_error()),
            index => Ok(index),
        }
    }

    /// An interface request with this name and nothing else.
    pub(crate) fn request(&self) -> libc::ifreq {
        // SAFETY: `ifreq` is plain C data; all zeros is a value of it.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(self.0) {
            *to = from.cast_signed();
        }
        request
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All stations.
    pub const BROADCAST: Mac = Mac([0xff; 6]);
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_kernel_would_refuse_are_refused() {
        for text in ["", "sixteen-bytes-xx", "a/b", "a b", ".", "..", "a\0b"] {
            assert!(text.parse::<InterfaceName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_survives_the_way_through_the_kernel_form() {
        let name: InterfaceName = "fifteen-bytes-x".parse().unwrap();
        assert_eq!(name.as_str(), "fifteen-bytes-x");
        assert_eq!(InterfaceName::from_kernel(b"lan0\0\0"), Some("lan0".parse().unwrap()));
        assert_eq!(InterfaceName::from_kernel(b""), None);
    }
}

//! The cheapest way to read a carrier that is true at once: `ETHTOOL_GLINK`. The
//! flags that `SIOCGIFFLAGS` gives wait for the kernel's limiter.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::rtnetlink::InterfaceName;
use crate::syscall::{check, open_socket};

const ETHTOOL_GLINK: u32 = 0x0a;

#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

#[derive(Debug)]
pub(super) struct CarrierReader(OwnedFd);

impl CarrierReader {
    pub(super) fn open() -> io::Result<CarrierReader> {
        open_socket(libc::AF_INET, libc::SOCK_DGRAM, 0).map(CarrierReader)
    }

    /// Whether the interface is set up and has carrier. `None` when there is no such
    /// interface or its driver does not answer this question.
    pub(super) fn read(&self, name: &InterfaceName) -> Option<bool> {
        let mut value = EthtoolValue { command: ETHTOOL_GLINK, data: 0 };
        let mut request = name.request();
        request.ifr_ifru.ifru_data = std::ptr::from_mut(&mut value).cast();
        // SAFETY: the kernel reads `request` and reads and writes the eight bytes of
        // `value`; both outlive the call.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) })
            .ok()?;
        Some(value.data != 0)
    }
}

//! The few system calls that every socket needs, with `io::Result` for -1. Keeps no state
//! but a file descriptor.

use std::ffi::c_int;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Turns -1 into the calling thread's last error.
///
/// # Errors
/// That one.
pub fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The same for calls that return a size.
///
/// # Errors
/// The calling thread's last error.
pub fn check_size(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// A nonblocking result: nothing there is `None`, an interrupted call too.
///
/// # Errors
/// Every other error of `result`.
pub fn nothing_yet<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A socket that is closed on exec.
///
/// # Errors
/// What the kernel says.
pub fn open_socket(domain: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointer is passed; the descriptor returned is owned by nobody else.
    unsafe {
        let fd = check(libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Sets a socket option whose value is the plain C structure `T`.
///
/// # Errors
/// What the kernel says.
pub fn set_option<T: Copy>(fd: RawFd, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let length = socket_length::<T>();
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    check(unsafe { libc::setsockopt(fd, level, name, std::ptr::from_ref(value).cast(), length) })
        .map(drop)
}

/// Reads a socket option whose value is a number of 64 bits.
///
/// # Errors
/// What the kernel says, or that its value is of another size.
pub fn number_option(fd: RawFd, level: c_int, name: c_int) -> io::Result<u64> {
    let (mut value, mut length) = (0_u64, socket_length::<u64>());
    // SAFETY: both pointers are to things that live across the call, the second says how
    // large the first one is.
    check(unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut length) })?;
    let whole = length == socket_length::<u64>();
    whole.then_some(value).ok_or_else(|| io::Error::from_raw_os_error(libc::EPROTO))
}

/// Binds a socket to the address structure `T` of its family.
///
/// # Errors
/// What the kernel says.
pub fn bind<T: Copy>(fd: RawFd, address: &T) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `address`, which outlives the call.
    check(unsafe { libc::bind(fd, std::ptr::from_ref(address).cast(), socket_length::<T>()) })
        .map(drop)
}

/// `size_of::<T>()` as the kernel's socket calls want it.
pub const fn socket_length<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

/// A receive timeout (`SO_RCVTIMEO`) or send timeout (`SO_SNDTIMEO`).
///
/// # Errors
/// What the kernel says.
pub fn set_timeout(fd: RawFd, name: c_int, timeout: Duration) -> io::Result<()> {
    let value = libc::timeval {
        tv_sec: timeout.as_secs().cast_signed(),
        tv_usec: i64::from(timeout.subsec_micros()),
    };
    set_option(fd, libc::SOL_SOCKET, name, &value)
}

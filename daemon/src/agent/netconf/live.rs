//! This node's own addresses in its kernel, by rtnetlink(7): added and removed one by one,
//! without touching any other. Never virtual ones: those are the guard's alone.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::netdevice::name_to_index;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
    sockopt,
};
use twinwall_core::config::Prefix;

const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const LINK_NAME: u16 = 3;
const NEW_ADDRESS: u16 = 20;
const DEL_ADDRESS: u16 = 21;
const GET_ADDRESS: u16 = 22;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const REQUEST: u16 = 0x01;
const ACKNOWLEDGE: u16 = 0x04;
const EXCLUSIVE: u16 = 0x200;
const CREATE: u16 = 0x400;
const DUMP: u16 = 0x300;
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
/// Flags of an interface (netdevice(7)).
const UP: u32 = 0x1;
const LOWER_UP: u32 = 0x1_0000;
const INET: u8 = 2;
const INET6: u8 = 10;
/// Bytes of a message's header, and of an address's.
const HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const LINK_HEADER: usize = 16;
/// Largest answer in bytes: the kernel fills at most 32 KiB at a time.
const ANSWER: usize = 64 << 10;
/// The kernel answers in microseconds; a lock that others hold may take longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Adds an address; one that is there with this length is left as it is.
///
/// # Errors
/// The kernel's: no such interface, no right.
pub fn add(interface: &str, prefix: Prefix) -> io::Result<()> {
    match change(NEW_ADDRESS, CREATE | EXCLUSIVE, interface, prefix) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// Removes an address of this length; one that is not there is no error.
///
/// # Errors
/// The kernel's.
pub fn remove(interface: &str, prefix: Prefix) -> io::Result<()> {
    match change(DEL_ADDRESS, 0, interface, prefix) {
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Ok(()),
        done => done,
    }
}

/// The addresses of an interface with their lengths, the kernel's link-local ones too.
///
/// # Errors
/// The kernel's: no such interface.
pub fn held(interface: &str) -> io::Result<Vec<Prefix>> {
    let index = index(interface)?;
    Ok(addresses()?.into_iter().filter(|(at, _)| *at == index).map(|(_, prefix)| prefix).collect())
}

/// Every address of this node with the number of its interface.
///
/// # Errors
/// The kernel's.
pub fn addresses() -> io::Result<Vec<(u32, Prefix)>> {
    let socket = open()?;
    send(&socket, GET_ADDRESS, DUMP, &[0; ADDRESS_HEADER])?;
    let mut all = Vec::new();
    receive(&socket, |kind, body| {
        if kind == NEW_ADDRESS {
            all.extend(record(body));
        }
    })?;
    Ok(all)
}

/// The kernel's number of an interface.
///
/// # Errors
/// The kernel's: no such interface.
pub fn index(interface: &str) -> io::Result<u32> {
    Ok(name_to_index(&open()?, interface)?)
}

/// The names of all interfaces.
///
/// # Errors
/// The kernel's.
pub fn interfaces() -> io::Result<Vec<String>> {
    Ok(links()?.into_iter().map(|link| link.name).collect())
}

/// An interface in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it is set up.
    pub is_up: bool,
    /// Whether it has carrier.
    pub carrier: bool,
}

/// All interfaces.
///
/// # Errors
/// The kernel's.
pub fn links() -> io::Result<Vec<Link>> {
    let socket = open()?;
    send(&socket, GET_LINK, DUMP, &[0; LINK_HEADER])?;
    let mut all = Vec::new();
    receive(&socket, |kind, body| {
        if kind == NEW_LINK {
            all.extend(link(body));
        }
    })?;
    Ok(all)
}

/// struct ifinfomsg: family, type, number, flags (rtnetlink(7)), and then attributes.
fn link(body: &[u8]) -> Option<Link> {
    let index = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
    let flags = u32::from_ne_bytes(*body.get(8..)?.first_chunk()?);
    let name = link_name(body.get(LINK_HEADER..)?)?;
    Some(Link { index, name, is_up: flags & UP != 0, carrier: flags & LOWER_UP != 0 })
}

fn link_name(attributes: &[u8]) -> Option<String> {
    let mut name = None;
    each_attribute(attributes, |kind, value| {
        if kind == LINK_NAME {
            let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
            name = Some(String::from_utf8_lossy(text).into_owned());
        }
    })?;
    name
}

/// None where they are cut off.
fn each_attribute(mut rest: &[u8], mut each: impl FnMut(u16, &[u8])) -> Option<()> {
    while let Some(size) = rest.first_chunk().map(|size| usize::from(u16::from_ne_bytes(*size))) {
        each(u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?), rest.get(4..size)?);
        rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(())
}

fn change(kind: u16, flags: u16, interface: &str, prefix: Prefix) -> io::Result<()> {
    let socket = open()?;
    let index = name_to_index(&socket, interface)?;
    let (family, address) = match prefix.address {
        IpAddr::V4(four) => (INET, four.octets().to_vec()),
        IpAddr::V6(six) => (INET6, six.octets().to_vec()),
    };
    let mut body = vec![family, prefix.length, 0, 0];
    body.extend(index.to_ne_bytes());
    for attribute in [LOCAL, ADDRESS] {
        // The addresses' lengths are whole words, so that nothing is padded.
        let length = u16::try_from(4 + address.len()).unwrap_or(u16::MAX);
        body.extend(length.to_ne_bytes());
        body.extend(attribute.to_ne_bytes());
        body.extend(&address);
    }
    send(&socket, kind, flags | ACKNOWLEDGE, &body)?;
    receive(&socket, |_, _| {})
}

fn open() -> io::Result<OwnedFd> {
    let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
    // NETLINK_ROUTE is protocol 0.
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}

fn send(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend((flags | REQUEST).to_ne_bytes());
    // Sequence and port: there is one request on this socket.
    message.extend([0; 8]);
    message.extend(body);
    sendto(socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    Ok(())
}

/// Reads to the end of the answer.
fn receive(socket: &OwnedFd, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
    let mut buffer = vec![0; ANSWER];
    loop {
        let (length, _) = recv(socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let mut rest = &buffer[..length];
        while let Some((kind, body, next)) = message(rest) {
            match kind {
                DONE => return Ok(()),
                ERROR => return acknowledged(body),
                kind => each(kind, body),
            }
            rest = next;
        }
    }
}

/// The first message and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let body = bytes.get(HEADER..length)?;
    let next = length.next_multiple_of(4).min(bytes.len());
    Some((kind, body, &bytes[next..]))
}

fn acknowledged(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|code| i32::from_ne_bytes(*code)) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::other("an answer of the kernel that is none")),
    }
}

/// Interface and address of a record. IFA_LOCAL is the own one where there are two ends.
fn record(body: &[u8]) -> Option<(u32, Prefix)> {
    let length = *body.get(1)?;
    let index = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
    let (mut address, mut local) = (None, None);
    each_attribute(body.get(ADDRESS_HEADER..)?, |kind, value| match kind {
        ADDRESS => address = ip(value),
        LOCAL => local = ip(value),
        _ => {}
    })?;
    Some((index, Prefix { address: local.or(address)?, length }))
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        16 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn sh(line: &str) {
        let done = Command::new("sh").args(["-c", line]).status().expect("sh starts");
        assert!(done.success(), "{line}");
    }

    fn global(interface: &str) -> Vec<String> {
        let all = held(interface).expect("it is there");
        let local = |prefix: &Prefix| prefix.to_string().starts_with("fe80");
        all.iter().filter(|prefix| !local(prefix)).map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_come_and_go_one_by_one() {
        // In a network namespace of its own, which ends with the thread.
        let thread = std::thread::spawn(|| {
            // SAFETY: only this thread changes its namespace; no memory is involved.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "this needs root");
            sh(
                "ip link add lan type veth peer name far; ip link set lan up; ip addr add 10.1.0.1/24 dev lan",
            );
            let own = |text: &str| text.parse::<Prefix>().expect("a prefix");
            for text in ["10.1.0.2/24", "fd00::2/64", "10.1.0.2/24"] {
                add("lan", own(text)).expect(text);
            }
            assert_eq!(global("lan"), ["10.1.0.1/24", "10.1.0.2/24", "fd00::2/64"]);
            assert_eq!(global("far"), Vec::<String>::new(), "of this interface only");
            let names = interfaces().expect("asked");
            let known = ["lo", "lan", "far"].iter().all(|it| names.iter().any(|name| name == it));
            assert!(known, "{names:?}");
            let links = links().expect("asked");
            let lan = links.iter().find(|link| link.name == "lan").expect("it is there");
            assert!(lan.is_up && !lan.carrier && Ok(lan.index) == index("lan").map_err(|_| ()));
            for text in ["10.1.0.2/24", "10.1.0.2/24"] {
                remove("lan", own(text)).expect(text);
            }
            assert_eq!(global("lan"), ["10.1.0.1/24", "fd00::2/64"]);
            assert!(add("wan", own("10.1.0.2/24")).is_err(), "no such interface");
            assert!(held("wan").is_err());
        });
        thread.join().expect("ends well");
    }
}
